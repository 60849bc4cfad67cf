#include "models/ensemble.h"

#include <algorithm>

#include "framework/kernels/log_mean.h"
#include "framework/kernels/top_k.h"
#include "framework/tape.h"
#include "models/pointer.h"

namespace heed {

namespace {

constexpr Index most_logits = Index{1} << 24;  // of a part of a batch, for each model

/// The logarithm of the mean of the distributions, (rows, columns): as many columns as the widest
/// has. What one lacks has the probability 0 there.
Tensor log_mean(const std::vector<Tensor>& logits) {
  const Index rows = logits[0].rows();
  Index columns = 0;
  std::vector<Tensor> log_sums;
  std::vector<kernels::Distributions> distributions;
  for (const Tensor& of_model : logits) {
    const Index n = of_model.columns();
    columns = std::max(columns, n);
    Tensor& sums = log_sums.emplace_back(Shape{rows});
    kernels::log_sum_exp(rows, n, of_model.data(), sums.data());
    distributions.push_back({.logits = of_model.data(), .log_sums = sums.data(), .columns = n});
  }
  Tensor mean({rows, columns});
  kernels::log_mean(rows, columns, distributions, Seq2Seq::never_copied, mean.data());
  return mean;
}

/// The mean over the heads of the last map, (1, targets, sources), of each sequence.
std::vector<Tensor> head_means(const AttentionMap& map) {
  std::vector<Tensor> means;
  for (const Tensor& weights : map.weights) {
    const Index heads = weights.shape()[0];
    Tensor mean = Tensor::zeros({1, weights.shape()[1], weights.shape()[2]});
    for (Index head = 0; head < heads; ++head)
      for (Index i = 0; i < mean.size(); ++i)
        mean[i] += weights[head * mean.size() + i] / static_cast<Real>(heads);
    means.push_back(std::move(mean));
  }
  return means;
}

/// The mean of the last maps of all models; none where one has no map.
std::vector<AttentionMap> mean_attention(const std::vector<std::vector<AttentionMap>>& maps) {
  const auto none = [](const std::vector<AttentionMap>& of_model) { return of_model.empty(); };
  if (std::any_of(maps.begin(), maps.end(), none)) return {};
  AttentionMap mean{"ensemble", {}};
  for (const std::vector<AttentionMap>& of_model : maps) {
    const std::vector<Tensor> weights = head_means(of_model.back());
    if (mean.weights.empty())
      for (const Tensor& of_sequence : weights)
        mean.weights.push_back(Tensor::zeros(of_sequence.shape()));
    for (std::size_t s = 0; s < weights.size(); ++s)
      for (Index i = 0; i < weights[s].size(); ++i)
        mean.weights[s][i] += weights[s][i] / static_cast<Real>(maps.size());
  }
  return {mean};
}

/// Ids as a model reads them: where others copy and it does not, it knows no words of the source.
class KnownIds {
 public:
  KnownIds(bool needed, Index vocabulary, Id unknown)
      : needed_(needed), vocabulary_(vocabulary), unknown_(unknown) {}
  Sequences operator()(const Sequences& sequences) const {
    if (!needed_ || sequences.ids.size() == 0) return sequences;
    return {known_ids(sequences.ids, vocabulary_, unknown_), sequences.spans};
  }
  std::vector<Id> operator()(std::span<const Id> ids) const {
    std::vector<Id> known(ids.begin(), ids.end());
    for (Id& id : known)
      if (needed_ && id >= vocabulary_) id = unknown_;
    return known;
  }

 private:
  bool needed_;
  Index vocabulary_;
  Id unknown_;
};

/// The logits of the ensemble from those of its parts, which are models or decoders.
template <class Parts>
Tensor mean_logits(const Parts& parts, Id unknown, bool copying, const Sequences& sources,
                   const Sequences& targets, std::vector<AttentionMap>* attention) {
  const Tape::Pause pause;
  std::vector<Tensor> logits;
  std::vector<std::vector<AttentionMap>> maps;
  for (const auto& part : parts) {
    const KnownIds known(copying && !part->copies(), part->vocabulary(), unknown);
    std::vector<AttentionMap>* of_part = attention ? &maps.emplace_back() : nullptr;
    logits.push_back(part->logits(known(sources), known(targets), of_part).value());
  }
  if (attention) *attention = mean_attention(maps);
  return log_mean(logits);
}

/// The smallest limit; 0, which stands for none, where no part has one.
template <class Parts, class Limit>
Index strictest(const Parts& parts, Limit limit) {
  Index least = 0;
  for (const auto& part : parts) {
    const Index of_part = limit(*part);
    if (of_part > 0 && (least == 0 || of_part < least)) least = of_part;
  }
  return least;
}

template <class Parts>
bool any_copies(const Parts& parts) {
  return std::any_of(parts.begin(), parts.end(), [](const auto& part) { return part->copies(); });
}

template <class Parts>
void check_parts(const Parts& parts) {
  check(!parts.empty(), "ensemble", "expected at least one model; got none");
  for (const auto& part : parts)
    check(part->vocabulary() == parts[0]->vocabulary(), "ensemble",
          "expected models of one vocabulary; got {} and {} tokens", parts[0]->vocabulary(),
          part->vocabulary());
}

class EnsembleState final : public DecoderState {
 public:
  EnsembleState(std::vector<std::unique_ptr<DecoderState>> states, std::vector<KnownIds> known)
      : states_(std::move(states)), known_(std::move(known)) {}
  Index rows() const override { return states_[0]->rows(); }
  void select(std::span<const Index> rows) override {
    for (const auto& state : states_)
      state->select(rows);
  }
  Tensor step(std::span<const Id> tokens) override {
    const Tape::Pause pause;
    std::vector<Tensor> logits;
    for (std::size_t i = 0; i < states_.size(); ++i)
      logits.push_back(states_[i]->step(known_[i](tokens)));
    return log_mean(logits);
  }

 private:
  std::vector<std::unique_ptr<DecoderState>> states_;
  std::vector<KnownIds> known_;
};

class EnsembleDecoder final : public Decoder {
 public:
  EnsembleDecoder(std::vector<std::unique_ptr<const Decoder>> parts, Id unknown)
      : parts_(std::move(parts)), unknown_(unknown) {
    check_parts(parts_);
    for (const auto& part : parts_)
      check(part->continues() == continues(), "ensemble",
            "expected models that all answer a source, or all continue a text; got both");
  }
  Index vocabulary() const override { return parts_[0]->vocabulary(); }
  bool continues() const override { return parts_[0]->continues(); }
  bool copies() const override { return any_copies(parts_); }
  Index longest_source() const override {
    return strictest(parts_, [](const Decoder& part) { return part.longest_source(); });
  }
  Index longest_output(Index source) const override {
    return strictest(parts_, [&](const Decoder& part) { return part.longest_output(source); });
  }
  using Decoder::start;
  std::unique_ptr<DecoderState> start(const Sequences& sources) const override {
    std::vector<std::unique_ptr<DecoderState>> states;
    std::vector<KnownIds> known;
    for (const auto& part : parts_) {
      known.emplace_back(copies() && !part->copies(), vocabulary(), unknown_);
      states.push_back(part->start(known.back()(sources)));
    }
    return std::make_unique<EnsembleState>(std::move(states), std::move(known));
  }
  Variable logits(const Sequences& sources, const Sequences& targets,
                  std::vector<AttentionMap>* attention) const override {
    return Variable(mean_logits(parts_, unknown_, copies(), sources, targets, attention));
  }

 private:
  std::vector<std::unique_ptr<const Decoder>> parts_;
  Id unknown_;
};

/// The ids of sequence i.
std::vector<Id> ids_of(const Sequences& all, Index i) {
  const Id* begin = all.ids.data() + all.spans.begin(i);
  return {begin, begin + all.spans.length(i)};
}

/// Some sequences of a batch, and the gold ids of their targets.
struct BatchPart {
  std::vector<std::vector<Id>> sources;
  std::vector<std::vector<Id>> targets;
  std::vector<std::vector<Id>> golds;
};

/// The sequences from `next` on, as many as give at most `rows` rows, but at least one.
BatchPart next_part(const Sequences& sources, const Sequences& targets, const Ids& gold, Index rows,
                    Index& next) {
  BatchPart part;
  Index taken = 0;
  while (next < targets.spans.count()) {
    taken += targets.spans.length(next);
    if (!part.targets.empty() && taken > rows) break;
    part.sources.push_back(ids_of(sources, next));
    part.targets.push_back(ids_of(targets, next));
    part.golds.push_back(ids_of({gold, targets.spans}, next));
    ++next;
  }
  return part;
}

/// The number of gold ids that count.
Index counted(const Ids& gold, std::optional<Id> ignored) {
  const auto all = gold.span();
  return std::count_if(all.begin(), all.end(), [&](Id id) { return !ignored || id != *ignored; });
}

}  // namespace

std::unique_ptr<const Decoder> ensemble(std::vector<std::unique_ptr<const Decoder>> decoders,
                                        Id unknown) {
  return std::make_unique<EnsembleDecoder>(std::move(decoders), unknown);
}

Ensemble::Ensemble(std::vector<std::unique_ptr<Seq2Seq>> models, Id unknown)
    : models_(std::move(models)), unknown_(unknown) {
  check_parts(models_);
}

void Ensemble::visit(Visitor& visitor) {
  for (std::size_t i = 0; i < models_.size(); ++i)
    visitor(std::to_string(i), *models_[i]);
}

Index Ensemble::vocabulary() const { return models_[0]->vocabulary(); }
bool Ensemble::copies() const { return any_copies(models_); }
Index Ensemble::longest() const {
  return strictest(models_, [](const Seq2Seq& model) { return model.longest(); });
}

Variable Ensemble::loss(const Sequences& sources, const Sequences& targets, const Ids& gold,
                        const CrossEntropy& options) const {
  const Tape::Pause pause;
  CrossEntropy of_part = options;
  if (!options.divisor) of_part.divisor = static_cast<Real>(counted(gold, options.ignore));
  double part_nats = 0;
  if (options.nats) *options.nats = 0;
  of_part.nats = options.nats ? &part_nats : nullptr;
  double total = 0;
  for (Index next = 0; next < targets.spans.count();) {
    const BatchPart part = next_part(sources, targets, gold, most_logits / vocabulary(), next);
    const Variable mean = logits(pack(part.sources), pack(part.targets));
    total += static_cast<double>(cross_entropy(mean, pack(part.golds).ids, of_part).item());
    if (options.nats) *options.nats += part_nats;
  }
  Tensor sum = Tensor::zeros(Shape{});
  sum[0] = static_cast<Real>(total);
  return Variable(sum);
}

Variable Ensemble::logits(const Sequences& sources, const Sequences& targets,
                          std::vector<AttentionMap>* attention) const {
  return Variable(mean_logits(models_, unknown_, copies(), sources, targets, attention));
}

std::unique_ptr<const Decoder> Ensemble::decoder() const {
  std::vector<std::unique_ptr<const Decoder>> decoders;
  for (const auto& model : models_)
    decoders.push_back(model->decoder());
  return ensemble(std::move(decoders), unknown_);
}

}  // namespace heed
