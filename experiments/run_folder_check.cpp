#include "experiments/run_folder_check.h"

#include <algorithm>

#include "experiments/inference/run.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

/// Whether a training may have left this file or folder when it was killed before its run was made.
bool is_left_by_start(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  if (name == "checkpoints") return fs::is_empty(entry.path());
  const bool made_before =
      name.starts_with("tokenizer.") || name.starts_with("distilled.") || name == "tuning.json";
  return made_before || entry.path().extension() == ".partial";
}

bool holds_only_a_start(const fs::path& folder) {
  const fs::directory_iterator entries(folder);
  return std::all_of(begin(entries), end(entries), is_left_by_start);
}

std::string folder_problem(RunFolderError::Why why, const std::string& folder) {
  using Why = RunFolderError::Why;
  switch (why) {
    case Why::none:
      return "expected a folder to keep the run in; got none";
    case Why::is_file:
      return folder + ": is a file; expected a folder to keep the run in";
    case Why::holds_run:
      return folder + ": holds a run already; resume it, or give another folder";
    case Why::not_empty:
      return folder + ": is not empty; give a new folder";
    case Why::no_run:
      return folder + ": no run to resume here; start a new one";
    case Why::imported:
      break;
  }
  return fmt::format(
      "{}: was imported, and holds weights without what else a training needs to go on; begin a "
      "new "
      "run in another folder with train.init = {}",
      folder, folder);
}

}  // namespace

void check_run_folder(const fs::path& folder, bool resume) {
  using Why = RunFolderError::Why;
  const auto refuse_if = [&](bool wrong, Why why) {
    if (wrong) throw RunFolderError(why, folder.string());
  };
  refuse_if(folder.empty(), Why::none);
  refuse_if(fs::exists(folder) && !fs::is_directory(folder), Why::is_file);
  const bool holds_run = fs::exists(config_path(folder));
  refuse_if(!resume && holds_run, Why::holds_run);
  refuse_if(resume && !holds_run, Why::no_run);
  refuse_if(resume && fs::exists(imported_path(folder)), Why::imported);
  refuse_if(!resume && fs::exists(folder) && !holds_only_a_start(folder), Why::not_empty);
}

RunFolderError::RunFolderError(Why reason, const std::string& name)
    : Error(folder_problem(reason, name)), why(reason), folder(name) {}

}  // namespace heed
