#pragma once

#include <filesystem>
#include <string>

#include "framework/error.h"

namespace heed {

/// A training cannot be kept in a folder.
struct RunFolderError : Error {
  enum class Why { none, is_file, holds_run, not_empty, no_run, imported };
  Why why;
  std::string folder;
  RunFolderError(Why reason, const std::string& name);
};

/// Throws RunFolderError unless a training can be kept in the folder: a new one in a folder that is
/// empty or not there, a resumed one in that of a run.
void check_run_folder(const std::filesystem::path& folder, bool resume);

}  // namespace heed
