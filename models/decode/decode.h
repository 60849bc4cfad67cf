#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "framework/fields.h"
#include "models/decoder.h"
#include "models/special_ids.h"

namespace heed {

/// docs/decoding.md has the equations. The lists have the ranges.
struct DecodeOptions {
  int beam = 5;                     // 1: greedy search
  Real length_penalty = Real(0.6);  // alpha of Wu et al. 2016, equation 14; 0: none
  // hypotheses returned for each source: at most beam, or the number of samples drawn
  int nbest = 1;
  Index min_length = 0;  // tokens before </s> is allowed
  Index max_length = 0;  // most tokens without </s>; 0: twice the source's + 20
  // where max_length is 0, the most tokens nevertheless; 0: no such limit
  Index usual_length = 0;
  Index no_repeat_ngram = 0;  // no n-gram of this size occurs twice in an output; 0: it may
  // beta of Wu et al. 2016, equation 14; 0: none. Needs a model that attends to its source.
  double coverage_penalty = 0;
  bool forbid_unk = false;  // no output holds <unk>
  SpecialIds special = {};  // of the vocabulary that the outputs are written in

  bool sample = false;     // draw each token from the model's distribution instead of searching
  double temperature = 1;  // p^(1 / temperature), normalised; 0: always the likeliest token
  Index top_k = 0;         // draw from the k likeliest tokens; 0: from all
  // then from the fewest of these that together have this probability (Holtzman et al. 2020); 1:
  // from all of these
  double top_p = 1;
  std::uint64_t seed = 1;  // at most 2^63 - 1

  /// What a run keeps in its configuration: of the search, and what outputs may hold.
  void list(Fields& f);
  /// temperature, top_k, top_p and seed. They have no effect without `sample`.
  void list_sampling(Fields& f);
  /// Throws FieldError where options that are each in their range contradict each other:
  /// - min_length exceeds a max_length that is not 0;
  /// - nbest is below 1, or exceeds the beam of a search;
  /// - there is a coverage penalty for samples, which are not ranked.
  void check() const;
};

struct Hypothesis {
  std::vector<Id> ids;         // without <s> and </s>
  double log_probability = 0;  // in nats, of ids and of </s> where the output ended
  // Of a search: log probability / ((5 + length) / 6)^alpha + coverage penalty. The length counts
  // </s> where the output ended. Of a sample: the log probability.
  double score = 0;
  bool ended = false;  // by </s>; false: it was cut
};

/// The best outputs for each source, best first. Each step computes one position of the outputs for
/// all sources together. The result for a source does not depend on the others. Never drops
/// activations, whatever mode the model is in. Any number of threads may decode with one model.
///
/// Beam search keeps, at each step, the `beam` best of all continuations of a source's outputs.
/// Those that end are finished. The search for a source stops when no unfinished output can beat
/// the best `nbest` finished ones. With a coverage penalty it goes on until `beam` have finished
/// and no unfinished output can beat these. The attention over all finished outputs is then
/// computed in one forced pass, and they are ranked with it.
///
/// Sampling draws `nbest` outputs for each source and returns them in the order drawn. A draw is a
/// function of the seed, the number of the source, the sample and the position. It does not depend
/// on the other sources. `numbers` gives the number of each source; without them it is the place in
/// `sources`.
///
/// The source of a language model is the text that its output continues. It needs at least one
/// token; the model sees the last `context` tokens. Nothing is put between text and output, because
/// nothing stood between them in training. A model that was trained on lines after <s> needs <s> as
/// the first token of the text.
///
/// Tokens are ruled out by min_length, no_repeat_ngram and forbid_unk. The next likeliest take
/// their place. A search does not normalise the probabilities of the others again: scores stay
/// those of the model. A sample is drawn from the others with their probabilities normalised; its
/// log probability too stays that of the model. forbid_unk rules out <unk> alone: a model that
/// copies may still say the words of its source that the vocabulary lacks.
///
/// Where every token is ruled out, an output ends as if cut. Such outputs are returned only where
/// there are not `nbest` others. There is at least one hypothesis for each source; there may be
/// fewer than nbest.
///
/// Where max_length is 0, an output ends at the latest where the positions of the model end.
/// Throws Error when
/// - an option is out of the range that its list has, or check() refuses the options;
/// - max_length or min_length exceeds the positions of the model (ConvS2S has a limited number,
///   every other model decodes any length);
/// - the text of a language model is empty.
std::vector<std::vector<Hypothesis>> decode(const Decoder& decoder,
                                            std::span<const std::vector<Id>> sources,
                                            const DecodeOptions& options,
                                            std::span<const std::uint64_t> numbers = {});

/// decode() once with a model, whose decoder is made for this call.
inline std::vector<std::vector<Hypothesis>> decode(const Model& model,
                                                   std::span<const std::vector<Id>> sources,
                                                   const DecodeOptions& options,
                                                   std::span<const std::uint64_t> numbers = {}) {
  return decode(*model.decoder(), sources, options, numbers);
}
/// decode() with a decoder or a model, for a list of sources, and for one source.
template <class From>
std::vector<std::vector<Hypothesis>> decode(const From& from,
                                            std::initializer_list<std::vector<Id>> sources,
                                            const DecodeOptions& options) {
  return decode(from, std::span(sources.begin(), sources.size()), options);
}
template <class From, std::same_as<std::vector<Id>> Source>
std::vector<Hypothesis> decode(const From& from, const Source& source,
                               const DecodeOptions& options) {
  return decode(from, std::span<const std::vector<Id>>(&source, 1), options).front();
}

/// decode() by beam search under each of several length penalties, at the cost of the slowest:
/// result[p][i] has the outputs for sources[i] with length_penalties[p] in the place of
/// options.length_penalty.
///
/// A penalty ranks finished outputs, and so decides when a search stops. Which outputs are extended
/// does not depend on it. One search therefore gives, under each penalty, what it has found by the
/// time at which it would have stopped under that one alone.
///
/// Throws Error as decode() does, and for options that draw samples.
std::vector<std::vector<std::vector<Hypothesis>>> decode_with_penalties(
    const Decoder& decoder, std::span<const std::vector<Id>> sources, const DecodeOptions& options,
    std::span<const Real> length_penalties);

/// Where outputs begin, whatever was read before.
struct DecodingStart {
  std::unique_ptr<DecoderState> state;  // one row for each output that is wanted
  std::vector<Id> tokens;               // of each row: the first that step() is given
  std::vector<Index> longest;           // of each row: most tokens of the output
};
/// decode() from any start; the decoder of its state must still live. Throws Error where tokens or
/// longest are not as many as the rows, and where there is a coverage penalty: it needs sources to
/// attend to again.
std::vector<std::vector<Hypothesis>> decode(DecodingStart start, const DecodeOptions& options,
                                            std::span<const std::uint64_t> numbers = {});

struct TargetScore {
  double log_probability = 0;  // sum over tokens of log p(token | those before, source), in nats
  Index tokens = 0;            // with </s>, where `ended`
};

/// The log probability of targets[i] after sources[i], by teacher forcing. Targets hold neither <s>
/// nor </s>; sources are as for decode(). A result does not depend on the other targets.
///
/// `ended`: whether </s> follows each target. By default it does where outputs answer a source, and
/// does not where they continue a text: a language model sees no </s> in training.
///
/// Throws Error when
/// - there is not a target for each source;
/// - the text of a language model is empty;
/// - an id is not in the vocabulary.
std::vector<TargetScore> score_targets(const Decoder& decoder,
                                       std::span<const std::vector<Id>> sources,
                                       std::span<const std::vector<Id>> targets,
                                       std::optional<bool> ended = std::nullopt,
                                       const SpecialIds& special = {});
inline std::vector<TargetScore> score_targets(const Model& model,
                                              std::span<const std::vector<Id>> sources,
                                              std::span<const std::vector<Id>> targets,
                                              std::optional<bool> ended = std::nullopt,
                                              const SpecialIds& special = {}) {
  return score_targets(*model.decoder(), sources, targets, ended, special);
}

}  // namespace heed
