#include "experiments/inference/confidence.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "experiments/inference/internal/forced_lines.h"
#include "framework/sequences.h"

namespace heed {

namespace {

/// The name of a token by its id.
using NameOf = std::function<std::string(Id)>;

/// What a row of logits says of the token that follows.
TokenConfidence confidence_of(std::span<const Real> logits, Id gold, std::size_t most,
                              const NameOf& name_of) {
  const auto value = [&](Id id) {
    return static_cast<double>(logits[static_cast<std::size_t>(id)]);
  };
  const double highest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const Real logit : logits)
    sum += std::exp(static_cast<double>(logit) - highest);
  const auto probability = [&](Id id) { return std::exp(value(id) - highest) / sum; };
  std::vector<Id> order(logits.size());
  std::iota(order.begin(), order.end(), Id{0});
  const auto kept = order.begin() + static_cast<std::ptrdiff_t>(std::min(most, order.size()));
  std::partial_sort(order.begin(), kept, order.end(), [&](Id a, Id b) {
    return value(a) > value(b) || (value(a) == value(b) && a < b);
  });
  TokenConfidence found{.token = name_of(gold), .probability = probability(gold)};
  found.rank += std::count_if(logits.begin(), logits.end(),
                              [&](Real logit) { return static_cast<double>(logit) > value(gold); });
  for (auto id = order.begin(); id != kept; ++id)
    found.best.push_back({name_of(*id), probability(*id)});
  return found;
}

std::span<const Real> row_of(const Tensor& logits, Index row) {
  const auto columns = static_cast<std::size_t>(logits.shape()[1]);
  return logits.span().subspan(static_cast<std::size_t>(row) * columns, columns);
}

}  // namespace

std::vector<std::vector<TokenConfidence>> confidences(
    const Decoder& decoder, const Tokenizers& tokenizers, std::span<const std::string> lines,
    std::span<const std::vector<Translation>> results, std::size_t most) {
  std::vector<std::vector<TokenConfidence>> found(lines.size());
  const auto look = [&](std::span<const ForcedLine> batch) {
    const Tensor logits = decoder.logits(sources_of(batch), targets_of(batch)).value();
    Index row = 0;
    for (const ForcedLine& line : batch) {
      // Columns after these are unknown words of other sources.
      const std::size_t own = static_cast<std::size_t>(decoder.vocabulary()) + line.extra.size();
      const NameOf name_of = [&](Id id) { return tokenizers.target->token(id, line.extra); };
      for (const Id gold : line.gold) {
        const std::span<const Real> all = row_of(logits, row++);
        found[line.number].push_back(
            confidence_of(all.first(std::min(own, all.size())), gold, most, name_of));
      }
    }
  };
  for_forced_batches(decoder, tokenizers, lines, results, look);
  return found;
}

std::vector<TokenConfidence> confidences_of_text(const Decoder& decoder, const Tokenizer& tokenizer,
                                                 std::span<const Id> text, Index context,
                                                 std::size_t most) {
  std::vector<TokenConfidence> found;
  const auto window = static_cast<std::size_t>(context);
  for (std::size_t begin = 0; begin + 1 < text.size(); begin += window) {
    const std::span<const Id> read = text.subspan(begin, std::min(window, text.size() - 1 - begin));
    const Tensor logits =
        decoder.logits({}, pack({std::vector<Id>(read.begin(), read.end())})).value();
    for (std::size_t i = 0; i < read.size(); ++i)
      found.push_back(confidence_of(row_of(logits, static_cast<Index>(i)), text[begin + i + 1],
                                    most, [&](Id id) { return tokenizer.token(id); }));
  }
  return found;
}

}  // namespace heed
