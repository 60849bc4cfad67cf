#pragma once

#include "framework/random.h"
#include "models/decode/decode.h"

// The parts of decode().

namespace heed {

/// The arguments of decode(), checked.
struct Decoding {
  DecodingStart start;
  const Decoder* decoder;  // with `sources`, for coverage; null: only the start is known
  std::span<const std::vector<Id>> sources;
  const DecodeOptions& options;
};

/// The state with one row for each source, and the token that its first step feeds: <s>, or the
/// last token of a text that is continued. (In training a language model sees no <s>.)
DecodingStart begin(const Decoder& decoder, std::span<const std::vector<Id>> sources,
                    const SpecialIds& special);
/// Throws Error when an option is out of its range, or options contradict each other.
void check_options(const DecodeOptions& options);
/// Throws Error when outputs continue texts and a text is empty.
void check_texts(const char* op, const Decoder& decoder, std::span<const std::vector<Id>> sources);
/// The outputs for each source, under each length penalty in the place of that of the options.
std::vector<std::vector<std::vector<Hypothesis>>> beam_search(
    Decoding& decoding, std::span<const Real> length_penalties);
std::vector<std::vector<Hypothesis>> draw_samples(Decoding& decoding,
                                                  std::span<const std::uint64_t> numbers);

/// False for Seq2Seq::never_copied and for what rule_out() marks, also after a log sum was
/// subtracted.
constexpr bool usable(Real logit) { return logit > Real(-1e20); }

/// Sets to -infinity the logits of tokens that may not follow `ids`:
/// - <pad> and <s>;
/// - </s> before min_length;
/// - a token that would complete an n-gram that `ids` already holds;
/// - <unk> with forbid_unk.
void rule_out(std::span<const Id> ids, const DecodeOptions& options, std::span<Real> logits);

/// log P / ((5 + length) / 6)^alpha.
double penalised(double log_probability, std::size_t length, Real alpha);

/// A given output, for a pass with teacher forcing.
struct Forced {
  std::span<const Id> source;  // or the text before
  std::span<const Id> target;  // without <s> and </s>
  bool ended;                  // </s> follows it
};
/// sum_i log min(1, sum_j p_ij) of each output (Wu et al. 2016, equation 14), with p_ij the
/// attention of target token j to source token i: the mean over the heads of the last layer that
/// attends. A sum over j below 1e-6 counts as 1e-6. Throws Error when the model does not attend to
/// a source.
std::vector<double> coverage(const Decoder& decoder, std::span<const Forced> outputs,
                             const SpecialIds& special);

/// A token and its logit; `weight` is proportional to its probability.
struct TokenChoice {
  Id id;
  Real logit;
  double weight;
};
/// The tokens that sampling may draw: the usable logits, after temperature, top_k and top_p.
std::vector<TokenChoice> choices(std::span<const Real> logits, const DecodeOptions& options);
/// The first choice at which the sum of the weights so far exceeds u times their total, 0 <= u < 1.
Id draw(std::span<const TokenChoice> choices, double u);

/// The random numbers of a sample of the source of that number.
inline RandomKey sample_key(std::uint64_t seed, std::uint64_t number, std::uint64_t sample) {
  return {seed, mix(number, sample)};
}
/// Draws the token that follows `ids` in the sample of this key; <pad> where every token is ruled
/// out. Replaces the logits of what is ruled out.
Id draw_next(std::span<const Id> ids, RandomKey key, const DecodeOptions& options,
             std::span<Real> logits);

}  // namespace heed
