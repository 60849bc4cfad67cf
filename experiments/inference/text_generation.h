#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "experiments/inference/run.h"
#include "models/decode/generate.h"

namespace heed {

/// Text from a language model, drawn token by token:
///
///     generate_text(run, "ROMEO:", {.count = 400, .temperature = 0.8, .top_k = 10},
///                   [](std::string_view piece) { std::cout << piece << std::flush; });
///
/// Returns what follows the prompt. `on_text`, where given, gets it piece by piece, each of whole
/// characters, as soon as it is drawn. An empty prompt stands for the end of a line.
///
/// Throws Error where the model is no language model, the prompt has no tokens, or an option is out
/// of its range. Any number of threads may generate with one run.
std::string generate_text(const Run& run, const std::string& prompt,
                          const GenerateOptions& options = {},
                          const std::function<void(std::string_view)>& on_text = {});

}  // namespace heed
