#pragma once

#include <span>
#include <vector>

#include "layers/seq2seq/model.h"

namespace heed {

struct DecodeOptions {
  int beam = 5;                     // 1: greedy
  Real length_penalty = Real(0.6);  // alpha of Wu et al. 2016, equation 14; 0: none
  int nbest = 1;                    // hypotheses returned for each source, at most beam
  Index min_length = 0;             // tokens before </s> is allowed
  Index max_length = 0;             // most tokens without </s>; 0: twice the source's length + 20; never more than the model can place
};

struct Hypothesis {
  std::vector<Id> ids;         // without <s> and </s>
  double log_probability = 0;  // of ids and </s>, in nats; where max_length cut it, of ids alone
  double score = 0;            // log probability / ((5 + length) / 6)^alpha, </s>, if it was said, counted in the length
  bool ended = false;          // by </s>, not cut
};

/// The best outputs for each source, best first. Sources are decoded together, each step computing one position of every row; the
/// result for a source does not depend on the others. Of all continuations of a source's outputs beam search keeps the
/// `beam` best at each step; those that end are finished, and the search ends when none that goes on could beat the best `nbest`.
std::vector<std::vector<Hypothesis>> decode(const Seq2Seq& model, std::span<const std::vector<Id>> sources, const DecodeOptions& options);

}  // namespace heed
