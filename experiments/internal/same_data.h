#pragma once

#include <map>
#include <string>

#include "experiments/corpus.h"
#include "experiments/settings.h"

namespace heed {

/// The run has other data or settings. Another of its checkpoints would not help.
struct OtherData : Error {
  using Error::Error;
};

/// Throws OtherData unless settings, data and tokenizers are those that the checkpoint was trained
/// with, whatever the files of the data are called now. `text`: what the checkpoint says of them.
void check_same_run(const std::map<std::string, std::string>& text, const Settings& settings,
                    const Corpus& corpus, const std::string& folder);

}  // namespace heed
