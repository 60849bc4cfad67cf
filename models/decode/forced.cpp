#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "framework/kernels/top_k.h"
#include "framework/tape.h"
#include "layers/dropout.h"
#include "models/decode/internal/search.h"

namespace heed {

namespace {

// Limits of one pass. A single output may exceed those below the first.
constexpr std::size_t most_outputs = 64;
constexpr Index most_logits = Index{1} << 24;
constexpr Index most_weights = Index{1} << 20;  // of a head's attention: target x source tokens
constexpr Index most_source_tokens = Index{1} << 14;

constexpr double least_coverage = 1e-6;

std::size_t rows_of(const Forced& f) { return f.target.size() + (f.ended ? 1 : 0); }

constexpr Id given = -1;  // in place of the gold id of a token that is given, not predicted

/// What a forced pass over one output reads, and the token that it must answer after each.
struct Line {
  std::vector<Id> read;
  std::vector<Id> gold;
};
Line forced_line(const Decoder& decoder, const Forced& f, const SpecialIds& special) {
  std::vector<Id> said(f.target.begin(), f.target.end());
  if (f.ended) said.push_back(special.eos);
  Line line{{special.bos}, {}};
  if (decoder.continues()) line.read.assign(f.source.begin(), f.source.end());
  line.gold.assign(line.read.size() - 1, given);
  line.gold.insert(line.gold.end(), said.begin(), said.end());
  line.read.insert(line.read.end(), said.begin(), said.end());
  line.read.pop_back();  // nothing follows the last token
  return line;
}

/// What a pass over some outputs computes.
struct PassSize {
  Index rows = 0;
  Index weights = 0;
  Index source_tokens = 0;

  void add(Index target, Index source) {
    rows += target;
    weights += target * source;
    source_tokens += source;
  }
  bool too_large(Index vocabulary) const {
    return rows * vocabulary > most_logits || weights > most_weights ||
           source_tokens > most_source_tokens;
  }
};

/// Which outputs, those of similar length next to each other.
std::vector<std::size_t> by_length(std::span<const Forced> outputs) {
  std::vector<std::size_t> order(outputs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto length = [&](std::size_t i) {
    return outputs[i].source.size() + outputs[i].target.size();
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return length(a) < length(b); });
  return order;
}

/// What one pass reads and answers.
struct Pass {
  Sequences sources;  // none where outputs continue a text
  Sequences targets;
  Ids gold;
};

/// Forced passes over outputs, those of similar length together.
class ForcedPasses {
 public:
  ForcedPasses(const Decoder& decoder, std::span<const Forced> outputs, const SpecialIds& special)
      : decoder_(decoder), outputs_(outputs), special_(special) {}

  /// Calls `take` with each pass, and with which outputs it holds.
  void for_each(const std::function<void(const Pass&, std::span<const std::size_t>)>& take) const {
    const Tape::Pause pause;
    const NoDropout evaluate;
    const std::vector<std::size_t> order = by_length(outputs_);
    std::span<const std::size_t> left(order);
    while (!left.empty()) {
      const std::span<const std::size_t> before = left;
      const Pass pass = next(left);
      take(pass, before.first(before.size() - left.size()));
    }
  }

 private:
  /// The first outputs of `order`, as many as one pass takes; moves `order` past them.
  Pass next(std::span<const std::size_t>& order) const {
    std::vector<std::vector<Id>> sources;
    std::vector<std::vector<Id>> targets;
    std::vector<std::vector<Id>> golds;
    PassSize size;
    while (targets.size() < std::min(order.size(), most_outputs)) {
      const Forced& f = outputs_[order[targets.size()]];
      Line line = forced_line(decoder_, f, special_);
      size.add(std::ssize(line.read), std::ssize(f.source));
      if (!targets.empty() && size.too_large(decoder_.vocabulary())) break;
      sources.emplace_back(f.source.begin(), f.source.end());
      targets.push_back(std::move(line.read));
      golds.push_back(std::move(line.gold));
    }
    order = order.subspan(targets.size());
    return {.sources = decoder_.continues() ? Sequences{} : pack(sources),
            .targets = pack(targets),
            .gold = pack(golds).ids};
  }

  const Decoder& decoder_;
  std::span<const Forced> outputs_;
  const SpecialIds& special_;
};

/// sum_i log min(1, sum_j p_ij) of weights (heads, targets, sources), with the mean over the heads.
double log_coverage(const Tensor& weights) {
  const Index heads = weights.shape()[0];
  const Index targets = weights.shape()[1];
  const Index sources = weights.shape()[2];
  double sum = 0;
  for (Index i = 0; i < sources; ++i) {
    double covered = 0;
    for (Index row = 0; row < heads * targets; ++row)
      covered += static_cast<double>(weights[row * sources + i]);
    sum += std::log(std::clamp(covered / static_cast<double>(heads), least_coverage, 1.0));
  }
  return sum;
}

}  // namespace

std::vector<double> coverage(const Decoder& decoder, std::span<const Forced> outputs,
                             const SpecialIds& special) {
  check(!decoder.continues(), "coverage",
        "expected a model that attends to its source; this one has none");
  std::vector<double> result(outputs.size());
  std::vector<Forced> said;  // an output without tokens attends to nothing
  std::vector<std::size_t> which;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    result[i] = static_cast<double>(outputs[i].source.size()) * std::log(least_coverage);
    if (rows_of(outputs[i]) == 0) continue;
    said.push_back(outputs[i]);
    which.push_back(i);
  }
  const ForcedPasses passes(decoder, said, special);
  passes.for_each([&](const Pass& pass, std::span<const std::size_t> members) {
    std::vector<AttentionMap> maps;
    decoder.logits(pass.sources, pass.targets, &maps);
    check(!maps.empty(), "coverage",
          "expected a model that attends to its source; this one does not");
    for (std::size_t s = 0; s < members.size(); ++s)
      result[which[members[s]]] = log_coverage(maps.back().weights[s]);
  });
  return result;
}

namespace {

/// The score of one output. Its last `rows` rows answer its tokens.
TargetScore score_of(const Pass& pass, Index sequence, Index rows, const Tensor& logits,
                     const Tensor& sums) {
  const Spans& spans = pass.targets.spans;
  const Index n = logits.columns();
  const Index end = spans.begin(sequence) + spans.length(sequence);
  TargetScore score;
  for (Index row = end - rows; row < end; ++row) {
    const Id gold = pass.gold[row];
    check(gold >= 0 && gold < n, "score_targets", "expected ids below {}; got {}", n, gold);
    score.log_probability += static_cast<double>(logits[row * n + gold] - sums[row]);
    ++score.tokens;
  }
  return score;
}

}  // namespace

std::vector<TargetScore> score_targets(const Decoder& decoder,
                                       std::span<const std::vector<Id>> sources,
                                       std::span<const std::vector<Id>> targets,
                                       std::optional<bool> ended, const SpecialIds& special) {
  check(sources.size() == targets.size(), "score_targets",
        "expected a target for each of {} sources; got {}", sources.size(), targets.size());
  check_texts("score_targets", decoder, sources);
  std::vector<Forced> outputs;
  for (std::size_t i = 0; i < sources.size(); ++i)
    outputs.push_back({sources[i], targets[i], ended.value_or(!decoder.continues())});
  std::vector<TargetScore> scores(sources.size());
  const ForcedPasses passes(decoder, outputs, special);
  passes.for_each([&](const Pass& pass, std::span<const std::size_t> members) {
    const Tensor logits = decoder.logits(pass.sources, pass.targets).value();
    Tensor sums({logits.rows()});
    kernels::log_sum_exp(logits.rows(), logits.columns(), logits.data(), sums.data());
    for (std::size_t s = 0; s < members.size(); ++s)
      scores[members[s]] =
          score_of(pass, static_cast<Index>(s),
                   std::ssize(outputs[members[s]].target) + (outputs[members[s]].ended ? 1 : 0),
                   logits, sums);
  });
  return scores;
}

}  // namespace heed
