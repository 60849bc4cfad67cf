#pragma once

#include <string>
#include <vector>

#include "cli/settings.h"
#include "datasets/tokenizer.h"
#include "layers/seq2seq/model.h"

namespace heed::cli {

/// What was done, for people: a few lines to show, and every name for the log.
struct Notes {
  std::vector<std::string> shown;
  std::vector<std::string> logged;
};

/// Where --init finds weights: a run's folder, a checkpoint or a .safetensors file. Returns the
/// path made absolute; throws Error when nothing of the kind is there.
std::string initial_source(const std::string& from);

/// Loads into the model what train.init and train.init_only say: of a run's folder the best
/// checkpoint, else the last. Rows of parameters that belong to a vocabulary are found by their
/// tokens, where both vocabularies are known and differ. Throws Error, one line that lists every
/// name that is missing or of another shape and the patterns that leave them out, before anything
/// is changed.
Notes load_initial(const Settings& settings, const Tokenizers& tokenizers, Seq2Seq& model);

/// Freezes what train.freeze chooses. Throws Error when a pattern matches nothing, or nothing is
/// left to train.
Notes freeze_chosen(const Settings& settings, Seq2Seq& model);

/// "1675264 parameters, 400000 frozen"
std::string parameters_text(Seq2Seq& model);

}  // namespace heed::cli
