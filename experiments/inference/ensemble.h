#pragma once

#include <string>
#include <vector>

#include "experiments/inference/run.h"

namespace heed {

/// Several runs as one, which translates and is evaluated as any other run:
///
///     const Run run = open_ensemble({"runs/a", "runs/b"});
///     fmt::print("{}\n", run.translate("The cat sleeps.").text);
///
/// Each token has the mean of the probabilities that the models give it (models/ensemble.h). The
/// families of the models may differ. Settings, such as those of decoding, are those of the first
/// run, and so are checkpoint and text. One folder gives that run as it is. `checkpoint` and
/// `check`: as for open_run(), for each run.
///
/// Throws Error as open_run() does, and where
/// - there is no folder;
/// - a run does not translate;
/// - the vocabularies of two runs differ: the message names both.
Run open_ensemble(const std::vector<std::string>& folders, const std::string& checkpoint = {},
                  const CheckConfig& check = {});

/// The same of runs that are open. `names`: what messages call them.
Run ensemble_of(std::vector<Run> runs, const std::vector<std::string>& names);

}  // namespace heed
