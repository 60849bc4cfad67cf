#pragma once

#include <filesystem>
#include <vector>

#include "experiments/training.h"

namespace heed {

/// The settings of a training in this folder: of a new one with the defaults that its data ask for,
/// which `chosen` gets; of a resumed one those that are given. Throws Error where they contradict
/// each other, RunFolderError, and CannotChange where a resumed run must keep a setting.
Settings settled(const Settings& given, const std::filesystem::path& folder,
                 const TrainingOptions& options, std::vector<ChosenDefaults>& chosen);

/// Gives data.train and data.valid absolute paths.
void make_data_absolute(Settings& settings);

}  // namespace heed
