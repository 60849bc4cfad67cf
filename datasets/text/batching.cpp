#include "datasets/text/batching.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "datasets/text/batch.h"
#include "datasets/text/internal/listed.h"
#include "datasets/text/labels.h"
#include "framework/error.h"
#include "framework/random.h"

namespace heed {

namespace {

// next() gives up on an endless corpus after this many windows in which every pair is dropped.
constexpr Index most_dropped_windows = 16;

// A tokenized pair, without <s> and </s>.
struct Line {
  Index number;
  std::vector<Id> source;
  std::vector<Id> target;        // of a labelled text: empty
  std::optional<Id> label = {};  // its class
  std::string item = {};         // what a reader reads in place of the source
  std::uint64_t variation = 0;   // the seed by which the item is varied
  Index item_rows = 0;
  Index rows() const {
    if (item_rows > 0) return item_rows;
    const Index of_source = std::ssize(source) + 1;
    return label ? of_source : of_source + std::ssize(target) + 1;
  }
};

// A pair whose source a reader reads. What is varied depends on (seed, epoch, number) alone.
Line item_of(const Pair& pair, const Reader& reader, const BatchOptions& options, Index epoch,
             Index number, Id label) {
  constexpr std::uint64_t salt = 0xa06;
  Line line{.number = number, .source = {}, .target = {}, .label = label, .item = pair.source};
  line.item_rows = reader.rows();
  line.variation = mix(mix(mix(options.seed, salt), static_cast<std::uint64_t>(epoch)),
                       static_cast<std::uint64_t>(number));
  return line;
}

// `epoch` is that for which a segmentation is drawn. Evaluation passes -1 and always gets the best
// segmentation.
Line tokenize(const PairSource& pairs, const Tokenizers& tokenizers, const BatchOptions& options,
              Index epoch, Index number) {
  const Pair pair = pairs.at(number);
  std::optional<Id> label;
  if (tokenizers.labels) label = class_of(pairs, number, pair.target, *tokenizers.labels);
  if (tokenizers.reader) return item_of(pair, *tokenizers.reader, options, epoch, number, *label);
  if (options.subword_sampling > 0 && epoch >= 0) {
    constexpr std::uint64_t salt = 0x5ab;  // keeps these draws apart from those that shuffle
    const std::uint64_t seed = mix(mix(mix(options.seed, salt), static_cast<std::uint64_t>(epoch)),
                                   static_cast<std::uint64_t>(number));
    const auto sample = [&](const Tokenizer& tokenizer, const std::string& text,
                            std::uint64_t side) {
      Random random(seed, side);
      return tokenizer.sample(text, options.subword_sampling, random);
    };
    Line line{number, sample(*tokenizers.source, pair.source, 0), {}, label};
    if (!label) line.target = sample(*tokenizers.target, pair.target, 1);
    return line;
  }
  if (label) return {number, tokenizers.source->encode(pair.source), {}, label};
  if (!options.widen)
    return {number, tokenizers.source->encode(pair.source), tokenizers.target->encode(pair.target)};
  std::vector<std::string> extra;
  std::vector<Id> source = tokenizers.source->encode_widening(pair.source, extra);
  return {number, std::move(source), tokenizers.target->encode(pair.target, extra)};
}

// Cuts both sides to `longest` tokens. After that, a target may hold ids of unknown words that were
// cut off the source. Such ids are above all ids of the source and of the vocabulary; they become
// <unk>.
void cut(Line& line, std::size_t longest, Id vocabulary) {
  for (std::vector<Id>* side : {&line.source, &line.target})
    side->resize(std::min(side->size(), longest));
  Id end = vocabulary;
  for (const Id id : line.source)
    end = std::max(end, id + 1);
  for (Id& id : line.target)
    if (id >= end) id = unk_id;
}

// Tokenizes pairs, and drops or cuts those that are too long.
struct PairReader {
  const PairSource& pairs;
  const Tokenizers& tokenizers;
  const BatchOptions& options;
  Index budget;  // the most rows of a line; 0: no limit
  Index epoch;   // -1: evaluation
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
      const bool dropped_as_long = too_long && !options.cut;
      const bool over_budget = !dropped_as_long && budget > 0 && line.rows() > budget;
      counts.over_budget += over_budget;
      if (dropped_as_long || over_budget) {
        ++counts.dropped;
        continue;
      }
      counts.cut += too_long;
      lines.push_back(std::move(line));
    }
  }
};

bool shorter(const Line& a, const Line& b) {
  return std::pair(a.target.size(), a.source.size()) < std::pair(b.target.size(), b.source.size());
}

// Sorts the lines by length and cuts them into batches within the budget. The sort is stable. A
// line over the budget is a batch of its own. Returns the [begin, end) of each batch.
std::vector<std::pair<Index, Index>> sort_and_cut(std::vector<Line>& lines, Index batch_tokens) {
  std::stable_sort(lines.begin(), lines.end(), shorter);
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

using Side = std::vector<Id> Line::*;

// Of each line its tokens of this side, and one mark more.
Spans spans_of(std::span<const Line> lines, Side side) {
  std::vector<Index> lengths;
  for (const Line& line : lines)
    lengths.push_back(std::ssize(line.*side) + 1);
  return Spans::packed(lengths);
}

// The tokens of a side, then </s>, line after line.
Ids ended(std::span<const Line> lines, Side side, const Spans& spans) {
  Ids ids({spans.rows()});
  Id* end = ids.data();
  for (const Line& line : lines) {
    end = std::copy((line.*side).begin(), (line.*side).end(), end);
    *end++ = eos_id;
  }
  return ids;
}

// <s>, then the tokens of the target, line after line.
Ids begun(std::span<const Line> lines, const Spans& spans) {
  Ids ids({spans.rows()});
  Id* end = ids.data();
  for (const Line& line : lines) {
    *end++ = bos_id;
    end = std::copy(line.target.begin(), line.target.end(), end);
  }
  return ids;
}

// The classes of all lines.
Ids labels_of(std::span<const Line> lines) {
  Ids gold({std::ssize(lines)});
  std::ranges::transform(lines, gold.data(), [](const Line& line) { return *line.label; });
  return gold;
}

Batch make_item_batch(std::span<const Line> lines, std::shared_ptr<const Reader> reader,
                      bool vary) {
  Batch batch;
  batch.items.reader = std::move(reader);
  for (const Line& line : lines) {
    batch.lines.push_back(line.number);
    batch.items.names.push_back(line.item);
    if (vary) batch.items.variations.push_back(line.variation);
  }
  batch.gold = labels_of(lines);
  return batch;
}

// Either all lines have a label or none has. `vary`: items are varied, to learn from them.
Batch make_batch(std::span<const Line> lines, const Tokenizers& tokenizers, bool vary) {
  if (tokenizers.reader) return make_item_batch(lines, tokenizers.reader, vary);
  Batch batch;
  for (const Line& line : lines)
    batch.lines.push_back(line.number);
  batch.source.spans = spans_of(lines, &Line::source);
  batch.source.ids = ended(lines, &Line::source, batch.source.spans);
  if (lines.front().label) {
    batch.gold = labels_of(lines);
    return batch;
  }
  batch.target.spans = spans_of(lines, &Line::target);
  batch.target.ids = begun(lines, batch.target.spans);
  batch.gold = ended(lines, &Line::target, batch.target.spans);
  batch.ignored = ignored_id;
  return batch;
}

void check_options(const PairSource& pairs, const Tokenizers& tokenizers,
                   const BatchOptions& options) {
  if (tokenizers.reader)
    check(tokenizers.labels != nullptr, "batches", "expected labels of what is read");
  else
    check(tokenizers.source && tokenizers.target, "batches", "expected tokenizers for both sides");
  check(tokenizers.joint() || !options.widen, "batches",
        "expected one vocabulary for both sides, so that words can be copied; got two");
  check(!tokenizers.labels || !options.widen, "batches",
        "expected no unknown words of labelled texts, as labels copy none; got widen");
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
  const Index most_dropped = pairs_.size() < 0 ? most_dropped_windows : windows();
  Index dropped_windows = 0;
  for (;;) {
    prepare();
    if (position_.batch < static_cast<Index>(window_->cuts.size())) break;
    dropped_windows = window_->cuts.empty() ? dropped_windows + 1 : 0;
    if (dropped_windows >= most_dropped) fail_dropped(pairs_, options_);
    advance();
  }
  const auto [begin, end] = window_->cuts[position_.batch];
  Batch batch = make_batch(std::span(window_->lines).subspan(begin, end - begin), tokenizers_,
                           /*vary=*/true);
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
        "the data and data.window of the first run",
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
  window_->position = {-1, -1, 0};  // invalid until the window is complete: reading may throw
  window_->lines.clear();
  read_window();
  Random random(mix(options_.seed, static_cast<std::uint64_t>(wanted.epoch)),
                static_cast<std::uint64_t>(wanted.window));
  // Without this, pairs of one length would stay beside their neighbours in the block.
  if (options_.shuffle && pairs_.size() >= 0 && pairs_.block() > 1) random.shuffle(window_->lines);
  window_->cuts = sort_and_cut(window_->lines, options_.batch_tokens);
  if (options_.shuffle) random.shuffle(window_->cuts);
  window_->position = wanted;
}

void PairBatches::read_window() {
  const PairReader reader{pairs_,          tokenizers_, options_, options_.batch_tokens,
                          position_.epoch, counts_};
  if (pairs_.size() < 0) {
    reader.read(position_.window * options_.window, options_.window, window_->lines);
    return;
  }
  order_blocks();
  const Index begin = position_.window * window_blocks();
  const Index end = std::min(begin + window_blocks(), blocks());
  for (Index i = begin; i < end; ++i)
    reader.read(order_[i] * pairs_.block(), pairs_.block(), window_->lines);
  will_need(position_.window + 1);
}

void PairBatches::order_blocks() {
  if (order_epoch_ == position_.epoch) return;
  order_.resize(static_cast<std::size_t>(blocks()));
  std::iota(order_.begin(), order_.end(), Index{0});
  if (options_.shuffle)
    Random(options_.seed, static_cast<std::uint64_t>(position_.epoch)).shuffle(order_);
  order_epoch_ = position_.epoch;
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
  // An upper bound. Subwords are cut after NFKC, which turns the 3 bytes of U+FDFA into 18 letters.
  constexpr Index tokens_per_byte = 8;
  constexpr Index rows_of_marks = 2;
  Index allowed = options.batch_tokens;
  if (options.max_length > 0) allowed = std::min(allowed, options.max_length + rows_of_marks);
  BatchCounts counts;
  const PairReader reader{pairs, tokenizers, options, options.batch_tokens, 0, counts};
  std::vector<Line> lines;
  for (Index i = 0; i < pairs.size(); ++i) {
    const Pair pair = pairs.at(i);
    const Index most =
        static_cast<Index>(pair.source.size() + pair.target.size()) * tokens_per_byte +
        rows_of_marks;
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
  const PairReader reader{pairs, tokenizers, options, /*budget=*/0, /*epoch=*/-1, counted};
  reader.read(0, pairs.size(), lines);
  if (counts) *counts = counted;
  if (lines.empty()) fail_dropped(pairs, options);
  std::vector<Batch> batches;
  for (const auto& [begin, end] : sort_and_cut(lines, options.batch_tokens))
    batches.push_back(make_batch(std::span<const Line>(lines).subspan(begin, end - begin),
                                 tokenizers, /*vary=*/false));
  return batches;
}

}  // namespace heed
