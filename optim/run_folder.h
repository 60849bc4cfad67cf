#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/checkpoint.h"

namespace heed {

/// Where the checkpoints of a run lie: FOLDER/checkpoints/{last,best,step-000123}.heed.
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  void create() const;
  std::filesystem::path metrics() const { return folder_ / "metrics.jsonl"; }
  std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  std::filesystem::path last() const { return checkpoints() / "last.heed"; }
  std::filesystem::path best() const { return checkpoints() / "best.heed"; }
  std::filesystem::path step(Index step) const;
  /// Of the step checkpoints, oldest first.
  std::vector<Index> steps() const;
  /// last.heed, or where there is none, as after a kill within the first save, the newest step.
  std::optional<std::filesystem::path> newest() const;
  /// "last", "best", "step-000400": those there are.
  std::vector<std::string> names() const;
  /// "last", "best" or one such as "step-000400". Throws Error when it is none of them.
  std::filesystem::path named(const std::string& name) const;
  /// Takes away what a killed process left unfinished. Only for whom the folder is locked.
  void remove_partial() const;

  /// Writes step-N.heed, names it last.heed as well, and deletes the oldest before it so that
  /// `keep` are left.
  void save_step(const Checkpoint& checkpoint, Index step, int keep) const;
  /// Renames to NAME.aside the checkpoints of steps after `step`, the best among them: they are of
  /// a future that was given up. Throws Error when the best cannot be read.
  void set_aside(Index step) const;
  /// That deletion alone, of which a kill may have left something to do.
  void prune(Index step, int keep) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace heed
