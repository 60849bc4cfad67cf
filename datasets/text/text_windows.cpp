#include "datasets/text/text_windows.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "datasets/text/batch.h"
#include "datasets/text/internal/listed.h"
#include "datasets/text/text_file.h"
#include "framework/error.h"
#include "framework/random.h"

namespace heed {

namespace {

// A batch of the windows that begin at `begins`. Window i reads lengths[i] ids and predicts as
// many.
Batch make_batch(std::span<const Id> ids, std::vector<Index> begins,
                 std::span<const Index> lengths) {
  Batch batch;
  batch.ignored = ignored_id;
  batch.target.spans = Spans::packed(lengths);
  batch.target.ids = Ids({batch.target.spans.rows()});
  batch.gold = Ids({batch.target.spans.rows()});
  Id* target = batch.target.ids.data();
  Id* gold = batch.gold.data();
  for (std::size_t i = 0; i < begins.size(); ++i) {
    target = std::copy_n(ids.begin() + begins[i], lengths[i], target);
    gold = std::copy_n(ids.begin() + begins[i] + 1, lengths[i], gold);
  }
  batch.lines = std::move(begins);
  return batch;
}

}  // namespace

TextWindows::TextWindows(std::vector<Id> train, std::vector<Id> valid, const TextOptions& options)
    : train_(std::move(train)), valid_(std::move(valid)), options_(options) {
  check_argument(options.context >= 1, "text", "context", options.context, "of at least 1");
  check_argument(options.batch >= 1, "text", "batch", options.batch, "of at least 1 window");
  const Index n = static_cast<Index>(train_.size());
  check_argument(n > options.context, "text", "context", options.context,
                 "below {}, the number of tokens to train on", n);
}

TextWindows TextWindows::open(const std::string& train, const std::string& valid,
                              const Tokenizer& tokenizer, const TextOptions& options) {
  return of_texts(read_text(train), valid.empty() ? "" : read_text(valid), tokenizer, options);
}

TextWindows TextWindows::of_texts(std::string_view train, std::string_view valid,
                                  const Tokenizer& tokenizer, const TextOptions& options) {
  std::vector<Id> ids = tokenizer.encode(train);
  if (!valid.empty()) return TextWindows(std::move(ids), tokenizer.encode(valid), options);
  check_argument(options.valid_fraction >= 0 && options.valid_fraction < 1, "text",
                 "valid_fraction", options.valid_fraction, "within [0, 1)");
  const auto kept = static_cast<std::ptrdiff_t>(
      std::llround(static_cast<double>(ids.size()) * (1 - options.valid_fraction)));
  std::vector<Id> rest(ids.begin() + kept, ids.end());
  ids.resize(static_cast<std::size_t>(kept));
  return TextWindows(std::move(ids), std::move(rest), options);
}

Batch TextWindows::at(Index step) const {
  check(step >= 0, "text", "expected a step of at least 0; got {}", step);
  Random random(options_.seed, static_cast<std::uint64_t>(step));
  std::vector<Index> begins(static_cast<std::size_t>(options_.batch));
  for (Index& begin : begins)
    begin = static_cast<Index>(
        random.below(train_.size() - static_cast<std::size_t>(options_.context)));
  return make_batch(train_, std::move(begins),
                    std::vector<Index>(static_cast<std::size_t>(options_.batch), options_.context));
}

void TextWindows::seek(std::span<const std::int64_t> position) {
  check(position.size() == 1 && position[0] >= 0, "text",
        "expected a position of one number from 0 on; got ({})", fmt::join(position, ", "));
  step_ = position[0];
}

Index TextWindows::batches_in(Index epochs) const {
  const Index text = static_cast<Index>(train_.size());
  const Index batch = tokens_per_batch();
  // ceil(epochs * text / batch). The product epochs * text may overflow, so whole batches and the
  // remainder are multiplied apart.
  const Index rest = epochs * (text % batch);
  return epochs * (text / batch) + (rest + batch - 1) / batch;
}

std::string TextWindows::describe(std::span<const Index> lines) const {
  std::vector<Index> numbers(lines.begin(), lines.end());
  for (Index& number : numbers)
    ++number;  // messages count from 1
  return fmt::format("the windows from {} of the text on", listed("token", numbers));
}

std::vector<Batch> TextWindows::valid_batches() const {
  return consecutive_windows(valid_, options_.context, options_.batch);
}

std::vector<Batch> consecutive_windows(std::span<const Id> ids, Index context, Index batch) {
  check(context >= 1 && batch >= 1, "text",
        "expected a context and a batch of at least 1; got {} and {}", context, batch);
  const Index predicted = static_cast<Index>(ids.size()) - 1;
  std::vector<Batch> batches;
  std::vector<Index> begins;
  std::vector<Index> lengths;
  for (Index begin = 0; begin < predicted; begin += context) {
    begins.push_back(begin);
    lengths.push_back(std::min(context, predicted - begin));
    if (static_cast<Index>(begins.size()) < batch && begin + context < predicted) continue;
    batches.push_back(make_batch(ids, std::exchange(begins, {}), std::exchange(lengths, {})));
  }
  return batches;
}

}  // namespace heed
