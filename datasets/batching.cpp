#include "datasets/batching.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "framework/error.h"
#include "framework/random.h"

namespace heed {

namespace {

// windows of an endless corpus in which everything may be dropped
constexpr Index endless_patience = 16;

// A line that becomes source </s>, <s> target and target </s>.
struct Line {
  Index number;
  std::vector<Id> source;
  std::vector<Id> target;
  Index rows() const { return static_cast<Index>(source.size() + target.size()) + 2; }
};

// `epoch`: for which a segmentation is drawn; evaluation, -1, always takes the best one.
Line tokenize(const PairSource& pairs, const Tokenizers& tokenizers, const BatchOptions& options,
              Index epoch, Index number) {
  const Pair pair = pairs.at(number);
  if (options.subword_sampling > 0 && epoch >= 0) {
    constexpr std::uint64_t salt = 0x5ab;  // apart from the draws that shuffle
    const std::uint64_t seed = mix(mix(mix(options.seed, salt), static_cast<std::uint64_t>(epoch)),
                                   static_cast<std::uint64_t>(number));
    Random source(seed, 0);
    Random target(seed, 1);
    return {number, tokenizers.source->sample(pair.source, options.subword_sampling, source),
            tokenizers.target->sample(pair.target, options.subword_sampling, target)};
  }
  if (!options.widen)
    return {number, tokenizers.source->encode(pair.source), tokenizers.target->encode(pair.target)};
  std::vector<std::string> extra;
  std::vector<Id> source = tokenizers.source->encode_widening(pair.source, extra);
  return {number, std::move(source), tokenizers.target->encode(pair.target, extra)};
}

// Cuts both sides to `longest`. Where the source is cut, a target may name unknown words that no
// longer stand in it: ids past all that the source holds and past the vocabulary become <unk>.
void cut(Line& line, std::size_t longest, Id vocabulary) {
  for (std::vector<Id>* side : {&line.source, &line.target})
    side->resize(std::min(side->size(), longest));
  Id end = vocabulary;
  for (const Id id : line.source)
    end = std::max(end, id + 1);
  for (Id& id : line.target)
    if (id >= end) id = unk_id;
}

// The pairs of a source as lines, those left out that the options leave out. `budget` is 0 where a
// line may exceed it alone.
struct Reader {
  const PairSource& pairs;
  const Tokenizers& tokenizers;
  const BatchOptions& options;
  Index budget;
  Index epoch;  // -1: evaluation
  BatchCounts& counts;

  void read(Index first, Index count, std::vector<Line>& lines) const {
    const Index end = pairs.size() < 0 ? first + count : std::min(first + count, pairs.size());
    const auto longest =
        options.max_length > 0 ? static_cast<std::size_t>(options.max_length) : std::string::npos;
    for (Index i = first; i < end; ++i) {
      Line line = tokenize(pairs, tokenizers, options, epoch, i);
      ++counts.read;
      const bool too_long = std::max(line.source.size(), line.target.size()) > longest;
      if (too_long && (counts.first_long < 0 || i < counts.first_long)) counts.first_long = i;
      if (too_long && options.cut) cut(line, longest, static_cast<Id>(tokenizers.target->size()));
      const bool left_out = too_long && !options.cut;
      const bool over_budget = !left_out && budget > 0 && line.rows() > budget;
      counts.over_budget += over_budget;
      if (left_out || over_budget) {
        ++counts.dropped;
        continue;
      }
      counts.cut += too_long;
      lines.push_back(std::move(line));
    }
  }
};

// Sorts by length, equals as they stand, and cuts where the budget is reached. A line beyond the
// budget stands alone.
std::vector<std::pair<Index, Index>> sort_and_cut(std::vector<Line>& lines, Index batch_tokens) {
  std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) {
    return a.target.size() != b.target.size() ? a.target.size() < b.target.size()
                                              : a.source.size() < b.source.size();
  });
  std::vector<std::pair<Index, Index>> cuts;
  Index begin = 0;
  Index rows = 0;
  for (Index i = 0; i < static_cast<Index>(lines.size()); ++i) {
    if (i > begin && rows + lines[i].rows() > batch_tokens) {
      cuts.emplace_back(std::exchange(begin, i), i);
      rows = 0;
    }
    rows += lines[i].rows();
  }
  if (!lines.empty()) cuts.emplace_back(begin, static_cast<Index>(lines.size()));
  return cuts;
}

Batch make_batch(std::span<const Line> lines) {
  std::vector<Index> source_lengths;
  std::vector<Index> target_lengths;
  Batch batch;
  batch.ignored = ignored_id;
  for (const Line& line : lines) {
    source_lengths.push_back(static_cast<Index>(line.source.size()) + 1);
    target_lengths.push_back(static_cast<Index>(line.target.size()) + 1);
    batch.lines.push_back(line.number);
  }
  batch.source.spans = Spans::packed(source_lengths);
  batch.target.spans = Spans::packed(target_lengths);
  batch.source.ids = Ids({batch.source.spans.rows()});
  batch.target.ids = Ids({batch.target.spans.rows()});
  batch.gold = Ids({batch.target.spans.rows()});
  Id* source = batch.source.ids.data();
  Id* target = batch.target.ids.data();

  Id* gold = batch.gold.data();
  for (const Line& line : lines) {
    source = std::copy(line.source.begin(), line.source.end(), source);
    *source++ = eos_id;
    *target++ = bos_id;
    target = std::copy(line.target.begin(), line.target.end(), target);
    gold = std::copy(line.target.begin(), line.target.end(), gold);
    *gold++ = eos_id;
  }
  return batch;
}

void check_options(const PairSource& pairs, const Tokenizers& tokenizers,
                   const BatchOptions& options) {
  check(tokenizers.source && tokenizers.target, "batches", "expected tokenizers for both sides");
  check(tokenizers.joint() || !options.widen, "batches",
        "expected one vocabulary for both sides, so that words can be copied; got two");
  check_argument(options.batch_tokens >= 1, "batches", "batch_tokens", options.batch_tokens,
                 "of at least 1");
  check_argument(options.max_length >= 0, "batches", "max_length", options.max_length,
                 "of at least 0 (no limit)");
  check_argument(options.window >= 1, "batches", "window", options.window, "of at least 1");
  check(pairs.size() != 0, "batches", "expected at least one pair; {} has none", pairs.name());
}

[[noreturn]] void fail_dropped(const PairSource& pairs, const BatchOptions& options) {
  throw NothingLeft(
      fmt::format("{}: every pair is longer than max_length = {} or batch_tokens = {} allow",
                  pairs.name(), options.max_length, options.batch_tokens));
}

}  // namespace

struct PairBatches::Window {
  Position position{-1, -1, 0};
  std::vector<Line> lines;
  std::vector<std::pair<Index, Index>> cuts;  // [begin, end) into lines
};

PairBatches::PairBatches(const PairSource& pairs, Tokenizers tokenizers,
                         const BatchOptions& options)
    : pairs_(pairs),
      tokenizers_(std::move(tokenizers)),
      options_(options),
      window_(std::make_unique<Window>()) {
  check_options(pairs, tokenizers_, options);
}
PairBatches::PairBatches(PairBatches&&) noexcept = default;
PairBatches::~PairBatches() = default;

Batch PairBatches::next() {
  Index fruitless = 0;
  for (;;) {
    prepare();
    if (position_.batch < static_cast<Index>(window_->cuts.size())) break;
    fruitless = window_->cuts.empty() ? fruitless + 1 : 0;
    if (fruitless >= (pairs_.size() < 0 ? endless_patience : windows()))
      fail_dropped(pairs_, options_);
    advance();
  }
  const auto [begin, end] = window_->cuts[position_.batch];
  Batch batch = make_batch(std::span(window_->lines).subspan(begin, end - begin));
  if (++position_.batch == static_cast<Index>(window_->cuts.size())) advance();
  return batch;
}

std::string PairBatches::describe(std::span<const Index> lines) const {
  std::vector<Index> numbers;
  for (Index line : lines)
    numbers.push_back(pairs_.line(line));
  std::sort(numbers.begin(), numbers.end());
  return fmt::format("{} of {}", listed("line", numbers), pairs_.name());
}

void PairBatches::seek(std::span<const std::int64_t> numbers) {
  check(numbers.size() == 3 &&
            std::all_of(numbers.begin(), numbers.end(), [](std::int64_t n) { return n >= 0; }),
        "batches",
        "expected a position of three numbers from 0 on, epoch, window and batch; got ({})",
        fmt::join(numbers, ", "));
  const Position position{numbers[0], numbers[1], numbers[2]};
  if (pairs_.size() > 0 && position.window >= windows())
    fail(
        "{}: has {} windows of {} pairs, the position to resume at is in window {} (from 0); give "
        "the data and data.window of the "
        "first run",
        pairs_.name(), windows(), options_.window, position.window);
  position_ = position;
}

Index PairBatches::blocks() const { return (pairs_.size() + pairs_.block() - 1) / pairs_.block(); }
Index PairBatches::window_blocks() const {
  return std::max<Index>(1, options_.window / pairs_.block());
}
Index PairBatches::windows() const { return (blocks() + window_blocks() - 1) / window_blocks(); }

void PairBatches::advance() {
  position_.batch = 0;
  if (pairs_.size() > 0 && position_.window + 1 == windows())
    position_ = {position_.epoch + 1, 0, 0};
  else
    ++position_.window;
}

void PairBatches::prepare() {
  const Position wanted{position_.epoch, position_.window, 0};
  if (window_->position == wanted) return;
  if (window_->position.epoch != wanted.epoch || window_->position.window > wanted.window)
    counts_ = {};
  window_->position = {-1, -1, 0};  // until it is whole: reading may throw
  window_->lines.clear();
  const auto epoch = static_cast<std::uint64_t>(wanted.epoch);

  const auto window = static_cast<std::uint64_t>(wanted.window);
  Random random(mix(options_.seed, epoch), window);
  const Reader reader{pairs_, tokenizers_, options_, options_.batch_tokens, wanted.epoch, counts_};
  if (pairs_.size() < 0) {
    reader.read(wanted.window * options_.window, options_.window, window_->lines);
  } else {
    if (order_epoch_ != wanted.epoch) {
      order_.resize(static_cast<std::size_t>(blocks()));
      std::iota(order_.begin(), order_.end(), Index{0});
      if (options_.shuffle) Random(options_.seed, epoch).shuffle(order_);
      order_epoch_ = wanted.epoch;
    }
    const Index begin = wanted.window * window_blocks();

    const Index end = std::min(begin + window_blocks(), blocks());
    for (Index i = begin; i < end; ++i)
      reader.read(order_[i] * pairs_.block(), pairs_.block(), window_->lines);
    will_need(wanted.window + 1);
    // else those of one length keep their neighbours
    if (options_.shuffle && pairs_.block() > 1) random.shuffle(window_->lines);
  }
  window_->cuts = sort_and_cut(window_->lines, options_.batch_tokens);
  if (options_.shuffle) random.shuffle(window_->cuts);
  window_->position = wanted;
}

void PairBatches::will_need(Index window) const {
  const Index begin = window * window_blocks();
  const Index end = std::min(begin + window_blocks(), blocks());
  for (Index i = begin; i < end; ++i)
    pairs_.will_need(order_[i] * pairs_.block(), pairs_.block());
}

Index PairBatches::count_epoch(BatchCounts* counts) {
  check(pairs_.size() > 0, "batches", "expected a finite corpus; {} has no end", pairs_.name());
  const Position position = position_;
  Index batches = 0;
  for (position_ = {position.epoch, 0, 0}; position_.epoch == position.epoch; advance()) {
    prepare();
    batches += static_cast<Index>(window_->cuts.size());
  }
  if (batches == 0) fail_dropped(pairs_, options_);
  if (counts) *counts = counts_;
  position_ = position;
  return batches;
}

bool PairBatches::epochs_are_alike() const {
  return pairs_.size() > 0 && windows() == 1 && options_.subword_sampling == 0;
}

BatchCounts count_pairs(const PairSource& pairs, const Tokenizers& tokenizers,
                        const BatchOptions& options) {
  check_options(pairs, tokenizers, options);
  check(pairs.size() > 0, "batches", "expected a finite corpus; {} has no end", pairs.name());
  constexpr Index tokens_a_byte =
      8;  // at most: subwords are cut after NFKC, which makes 18 letters of the 3 bytes of U+FDFA
  constexpr Index rows_of_marks = 2;
  Index allowed = options.batch_tokens;
  if (options.max_length > 0) allowed = std::min(allowed, options.max_length + rows_of_marks);
  BatchCounts counts;
  const Reader reader{pairs, tokenizers, options, options.batch_tokens, 0, counts};
  std::vector<Line> lines;
  for (Index i = 0; i < pairs.size(); ++i) {
    const Pair pair = pairs.at(i);
    const Index most =
        static_cast<Index>(pair.source.size() + pair.target.size()) * tokens_a_byte + rows_of_marks;
    if (most <= allowed) {
      ++counts.read;
      continue;
    }
    lines.clear();
    reader.read(i, 1, lines);
  }
  return counts;
}

std::vector<Batch> all_batches(const PairSource& pairs, const Tokenizers& tokenizers,
                               const BatchOptions& options, BatchCounts* counts) {
  check_options(pairs, tokenizers, options);
  check(pairs.size() > 0, "batches", "expected a finite corpus; {} has no end", pairs.name());
  std::vector<Line> lines;
  BatchCounts counted;
  Reader{pairs, tokenizers, options, 0, -1, counted}.read(0, pairs.size(), lines);
  if (counts) *counts = counted;
  if (lines.empty()) fail_dropped(pairs, options);
  std::vector<Batch> batches;
  for (const auto& [begin, end] : sort_and_cut(lines, options.batch_tokens))
    batches.push_back(make_batch(std::span<const Line>(lines).subspan(begin, end - begin)));
  return batches;
}

}  // namespace heed
