#pragma once

#include <memory>

#include "datasets/text/tokenizer.h"
#include "experiments/settings.h"
#include "models/model.h"
#include "optim/optimizer.h"

namespace heed::cli {

/// The largest number of tokens of a side, without </s>, that the model can place; 0: no limit.
Index longest_side(const Settings& settings);

/// These two throw Error, naming the setting, where a value is out of its range.
std::unique_ptr<Seq2Seq> make_model(const Settings& settings, const Tokenizers& tokenizers,
                                    Random& random);
std::unique_ptr<Optimizer> make_optimizer(const Settings& settings, Seq2Seq& model);

}  // namespace heed::cli
