#pragma once

#include <functional>
#include <span>
#include <vector>

#include "models/decode/decode.h"

namespace heed {

struct GenerateOptions {
  Index count = 400;  // the most tokens
  // These are as in DecodeOptions.
  double temperature = 1;
  Index top_k = 0;
  double top_p = 1;
  std::uint64_t seed = 1;
  bool forbid_unk = false;
  SpecialIds special = {};

  std::function<void(Id)> on_token = {};   // gets each token as soon as it is drawn
  std::function<bool()> should_stop = {};  // is asked before each token; true ends the text

  void list(Fields& f);
};

/// The tokens that follow a prompt, drawn one by one. Token y_t is drawn from
///
///     q(y) proportional to p(y | x_1 ... x_n, y_1 ... y_(t-1))^(1 / temperature)
///
/// where x is the prompt. forbid_unk rules out <unk>. Of the others top_k (Fan et al. 2018) and
/// then top_p (Holtzman et al. 2020, section 3.1) leave the likeliest, whose probabilities are
/// normalised again. A temperature of 0 takes the likeliest token each time.
///
/// These are the tokens that decode() gives for the prompt as its only source, with `sample`, an
/// nbest of 1 and a max_length of `count`. Each costs one step of the model, on one row. The tokens
/// before cost something only as far as the model attends to them. A language model attends to its
/// last `context` tokens.
///
/// The text ends
/// - after `count` tokens, or where the positions of the model end;
/// - before </s>, which is not returned (running text has none in training, so that it is rare);
/// - where should_stop answers true. The tokens so far are returned;
/// - where every token is ruled out.
///
/// The prompt of a language model is the text so far, of at least one token; of any other model it
/// is the source. What on_token or should_stop throws passes through. Both run on the calling
/// thread. Any number of threads may generate with one model.
///
/// Throws Error when
/// - an option is out of the range that its list has;
/// - the prompt of a language model is empty.
std::vector<Id> generate(const Decoder& decoder, std::span<const Id> prompt,
                         const GenerateOptions& options);
inline std::vector<Id> generate(const Model& model, std::span<const Id> prompt,
                                const GenerateOptions& options) {
  return generate(*model.decoder(), prompt, options);
}

}  // namespace heed
