#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "layers/seq2seq/model.h"

namespace heed {

/// docs/decoding.md has the equations.
struct DecodeOptions {
  int beam = 5;                     // 1: greedy
  Real length_penalty = Real(0.6);  // alpha of Wu et al. 2016, equation 14; 0: none
  // hypotheses returned for each source, at most beam; where sampled, how many are drawn
  int nbest = 1;
  Index min_length = 0;  // tokens before </s> is allowed
  Index max_length = 0;  // most tokens without </s>; 0: twice the source's + 20
  // where max_length is 0, no more than this either; 0: no such limit
  Index usual_length = 0;
  Index no_repeat_ngram = 0;  // no n tokens in a row stand twice in an output; 0: they may
  // beta of Wu et al. 2016, equation 14; 0: none. Needs a model that attends to its source
  double coverage_penalty = 0;

  bool sample = false;     // draw each token from the model's distribution, in place of the search
  double temperature = 1;  // p^(1 / temperature), normalised; 0: always the likeliest
  Index top_k = 0;         // draw from the k likeliest alone; 0: from all
  // then from the fewest of these that hold this share of the probability (Holtzman et al. 2020);
  // 1: all
  double top_p = 1;
  std::uint64_t seed = 1;
};

struct Hypothesis {
  std::vector<Id> ids;         // without <s> and </s>
  double log_probability = 0;  // of ids and </s>, in nats; where it was cut, of ids alone
  // log probability / ((5 + length) / 6)^alpha, </s>, if it was said, counted in the length; plus
  // the coverage penalty. Of a sample: its log probability
  double score = 0;
  bool ended = false;  // by </s>, not cut
};

/// The best outputs for each source, best first. Sources are decoded together, each step computing
/// one position of every row; the result for a source does not depend on the others. Of all
/// continuations of a source's outputs beam search keeps the `beam` best at each step; those that
/// end are finished, and the search ends when none that goes on could beat the best `nbest`.
///
/// A language model's source is the text that its output goes on from: at least one token, of which
/// it sees the last `context`. Nothing is put between the two, as nothing stood between them in
/// training; a model that was trained on lines after <s> is given bos_id as the text's first token.
/// Decoding never drops activations, whatever mode the model is in. Any number of threads may
/// decode with one model.
///
/// With a coverage penalty the search goes on until `beam` have finished and none that goes on
/// could beat these; the attention over all that have finished is then computed in one forced pass,
/// and they are ranked with it.
///
/// Sampling draws `nbest` outputs for each source, in the order drawn. A draw is a function of the
/// seed, the source's number (from `numbers`; its place in `sources` where there are none), the
/// sample's and the position's: never of what is decoded beside it.
///
/// An output that may say nothing more (blocked n-grams and min_length rule out all tokens) ends
/// there, as if cut; it is returned only where there are not `nbest` others. There is always one
/// hypothesis, and there may be fewer than nbest.
///
/// Throws Error when an option is out of range, when max_length or min_length is more than the
/// model can place (a ConvS2S has positions; every other model goes on for any length), and when a
/// language model's text is empty. Where max_length is 0, an output ends where the positions do.
std::vector<std::vector<Hypothesis>> decode(const Seq2Seq& model,
                                            std::span<const std::vector<Id>> sources,
                                            const DecodeOptions& options,
                                            std::span<const std::uint64_t> numbers = {});

/// The same of a list of sources, and of one source.
inline std::vector<std::vector<Hypothesis>> decode(const Seq2Seq& model,
                                                   std::initializer_list<std::vector<Id>> sources,
                                                   const DecodeOptions& options) {
  return decode(model, std::span(sources.begin(), sources.size()), options);
}
template <std::same_as<std::vector<Id>> Source>
std::vector<Hypothesis> decode(const Seq2Seq& model, const Source& source,
                               const DecodeOptions& options) {
  return decode(model, std::span<const std::vector<Id>>(&source, 1), options).front();
}

/// decode() of many batches by one model whose weights do not change meanwhile: what each batch
/// needs of them is prepared once.
class Decoder {
 public:
  explicit Decoder(const Seq2Seq& model) : model_(model), prepared_(model.prepare()) {}
  std::vector<std::vector<Hypothesis>> operator()(
      std::span<const std::vector<Id>> sources, const DecodeOptions& options,
      std::span<const std::uint64_t> numbers = {}) const;
  const Seq2Seq& model() const { return model_; }

 private:
  const Seq2Seq& model_;
  std::shared_ptr<const Prepared> prepared_;
};

struct TargetScore {
  double log_probability = 0;  // sum over tokens of log p(token | those before, source), in nats
  Index tokens = 0;            // </s> included, where it was asked for
};

/// How likely the model finds targets[i] after sources[i]: one forced pass, those of similar length
/// together. Targets hold neither <s> nor </s>. Sources are those of decode(). A result does not
/// depend on the others.
///
/// `ended`: whether </s> follows each target. Not given: of a model that reads sources; a language
/// model is shown none in training (TextWindows).
std::vector<TargetScore> score_targets(const Seq2Seq& model,
                                       std::span<const std::vector<Id>> sources,
                                       std::span<const std::vector<Id>> targets,
                                       std::optional<bool> ended = std::nullopt);

}  // namespace heed
