#pragma once

#include <string>
#include <vector>

#include "experiments/inference/test_set.h"
#include "experiments/settings.h"
#include "models/model.h"

namespace heed {

/// A running text as a test set: parts of whole lines, each at least 300 characters long but the
/// last. A reference is what a model predicts of its part: all but the first token of the text,
/// which is given. Throws Error where there is nothing to predict.
TestSet text_in_parts(const std::string& name, const std::string& text, const Tokenizer& tokenizer);

/// The nats that a language model needs for each part, -sum ln p over its tokens, as text with all
/// digits. The model reads the whole text in windows of its context, one after another.
std::vector<std::string> nats_of_parts(const Settings& settings, const Model& model,
                                       const Tokenizers& tokenizers, const TestSet& test,
                                       const ShouldStop& should_stop);

}  // namespace heed
