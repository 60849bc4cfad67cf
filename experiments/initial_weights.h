#pragma once

#include <string>
#include <vector>

#include "datasets/text/tokenizer.h"
#include "experiments/settings.h"
#include "framework/parameter_patterns.h"
#include "models/model.h"

namespace heed {

/// What was done: a few lines to show to the user, and lines for the log that list every name.
struct Notes {
  std::vector<std::string> shown;
  std::vector<std::string> logged;
};

/// Returns the absolute path of what train.init names. Throws Error unless it is a run's folder, a
/// checkpoint or a .safetensors file.
std::string initial_source(const std::string& from);

/// Loads the parameters that train.init and train.init_only choose into the model. Of a run's
/// folder it takes the best checkpoint, else the last. A parameter may have a row for each token,
/// as an embedding has; where both vocabularies are known and differ, a row is taken by its token.
///
/// Throws Error, before anything is changed, where parameters are missing or have another shape.
/// The message lists them all, with the patterns that leave them out.
Notes load_initial(const Settings& settings, const Tokenizers& tokenizers, Model& model);

/// Freezes the parameters that train.freeze chooses. Throws Error where a pattern matches nothing,
/// or nothing is left to train.
Notes freeze_chosen(const Settings& settings, Model& model);

/// The patterns of a setting. Throws Error that names the setting, where a pattern is empty or
/// matches no parameter of the model: the message has the nearest one, or how the names begin.
ParameterPatterns checked_patterns(const std::string& setting,
                                   const std::vector<std::string>& given, Model& model);

/// "1675264 parameters, 400000 frozen"
std::string parameters_text(Model& model);

}  // namespace heed
