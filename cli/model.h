#pragma once

#include <memory>

#include "cli/settings.h"
#include "datasets/tokenizer.h"
#include "layers/seq2seq/model.h"
#include "optim/optimizer.h"

namespace heed::cli {

std::unique_ptr<Seq2Seq> make_model(const Settings& settings, const Tokenizers& tokenizers, Random& random);
std::unique_ptr<Optimizer> make_optimizer(const Settings& settings, Seq2Seq& model);

}  // namespace heed::cli
