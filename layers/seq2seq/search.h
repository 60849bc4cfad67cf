#pragma once

#include "layers/seq2seq/decode.h"

// What decode() is made of.

namespace heed {

/// decode()'s arguments, checked; most[i]: tokens of an output for source i.
struct Decoding {
  const Seq2Seq& model;
  std::span<const std::vector<Id>> sources;
  const DecodeOptions& options;
  std::vector<Index> most;
  std::shared_ptr<const Prepared> prepared;
};
/// Where outputs begin: the state of one row for each source, and the token that its first step
/// feeds: <s>, or where the model goes on from a text, the last of it. (Training shows a language
/// model no <s>.)
struct Beginning {
  std::unique_ptr<DecoderState> state;
  std::vector<Id> tokens;
};
Beginning begin(const Decoding& decoding);
/// Throws Error where a language model has no text to go on from.
void check_texts(const char* op, const Seq2Seq& model, std::span<const std::vector<Id>> sources);
std::vector<std::vector<Hypothesis>> beam_search(const Decoding& decoding);
std::vector<std::vector<Hypothesis>> draw_samples(const Decoding& decoding,
                                                  std::span<const std::uint64_t> numbers);

/// False of Seq2Seq::never_copied and of what is ruled out, log-probabilities taken off them or
/// not.
constexpr bool usable(Real logit) { return logit > Real(-1e20); }

/// Makes unusable what may not follow `ids`: <pad>, <s>, </s> before min_length, and what would
/// complete an n-gram that ids hold.
void rule_out(std::span<const Id> ids, const DecodeOptions& options, std::span<Real> logits);

/// log P / ((5 + length) / 6)^alpha.
double penalised(double log_probability, std::size_t length, Real alpha);

/// Given outputs to be computed in one forced pass.
struct Forced {
  std::span<const Id> source;  // of a language model the text before
  std::span<const Id> target;  // without <s> and </s>
  bool ended;                  // </s> follows it
};
/// sum_i log min(1, sum_j p_ij), p_ij the attention of target token j to source token i: the mean
/// over the heads of the last layer that attends. A sum below 1e-6 counts as that.
std::vector<double> coverage(const Seq2Seq& model, std::span<const Forced> outputs);

/// A token and its logit; `weight` is proportional to its probability.
struct Choice {
  Id id;
  Real logit;
  double weight;
};
/// What sampling may draw from: the usable logits, by temperature, top_k and top_p.
std::vector<Choice> choices(std::span<const Real> logits, const DecodeOptions& options);
/// The choice at `u` of the way, 0 <= u < 1, through the sum of weights.
Id draw(std::span<const Choice> choices, double u);

}  // namespace heed
