#pragma once

#include <string>
#include <vector>

#include "experiments/defaults/data_facts.h"
#include "experiments/settings.h"

namespace heed {

/// Settings that were chosen together, and why.
struct ChosenDefaults {
  Assignments values;
  std::string why;  // "725000 words of text"
};

/// The defaults for these data where they differ from default_settings(). Each is a function of the
/// facts and of settings that somebody gave: a larger batch that is given brings a higher rate.
/// docs/real-text.md has the functions and how they were chosen. Nothing where the facts are not
/// known.
std::vector<ChosenDefaults> chosen_defaults(const Settings& settings, const DataFacts& facts);

/// Sets chosen_defaults() in the settings of a new training, but for values that somebody gave or
/// that are no longer those of default_settings(). Returns what was set.
std::vector<ChosenDefaults> choose_defaults(Settings& settings, const DataFacts& facts);

/// "defaults  data.tokenizer = bpe, data.vocab_size = 8000: 725000 words of text"
std::string to_text(const ChosenDefaults& chosen);

// The functions behind them -----------------------------------------------------------------------

/// Subwords of a text of so many words: 8000 sqrt(words / 725000), a multiple of 500 from 1000 to
/// 16000. Rare subwords are never learnt, and more text makes fewer of them rare.
Index vocabulary_size(double words);

/// Tokens of source and target in a batch, such that a step predicts about a thousand: 1000
/// (source + target) / target, a multiple of 1024 from 2048 to 16384. The noise of a gradient
/// follows what is predicted, not what is read. The lengths count </s>.
Index batch_tokens(double source_tokens, double target_tokens);

/// Steps of batches with so many tokens: 30 million tokens in all, but at most 60 passes over
/// `tokens`, and at least 200 steps. A multiple of 100.
Index training_steps(double tokens, double tokens_of_batch);

/// Pixels of a side of a patch, for pictures whose longer side has so many: 4 up to 32, then 8. So
/// there are at most 64 patches of the sizes that picture_side() gives.
Index picture_patch(Index longer);
/// Pixels to which a side is brought: the nearest multiple of the patch, at most 64 where the patch
/// is not larger.
Index picture_side(Index side, Index patch);

/// Tokens in a batch of a running text of so many tokens: a 250th, a multiple of 256 from 768 to
/// 4096.
Index running_batch_tokens(double tokens);

/// Dropout for so many passes over the data: 0.1 up to 2, then growing with their logarithm to 0.3
/// from 16 on. What is above 0.1 is for models that can learn the text by heart: none of it where
/// there are no more parameters than tokens of text, all of it from 4 times as many on, and
/// between these by the logarithm.
double dropout(double passes, double parameters_per_token = 4);

/// The peak learning rate of a family for a width and a number of tokens to predict in a step:
/// rate sqrt(min(1, 128 / d)) sqrt(predicted / 1000), where the last factor is between 1/4 and 2.
/// The noisier a gradient, the smaller a step it bears (Malladi et al. 2022, the square root rule).
double learning_rate(double rate, Index d, double predicted);

}  // namespace heed
