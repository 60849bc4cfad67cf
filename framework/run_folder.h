#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/checkpoint.h"

namespace heed {

/// The files of a run: FOLDER/metrics.jsonl and FOLDER/checkpoints/{last,best,step-000123}.heed.
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Throws Error when the folder cannot be made.
  void create() const;
  std::filesystem::path metrics() const { return folder_ / "metrics.jsonl"; }
  std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  std::filesystem::path last() const { return checkpoints() / "last.heed"; }
  std::filesystem::path best() const { return checkpoints() / "best.heed"; }
  std::filesystem::path step(Index step) const;
  /// The steps that have a checkpoint of their own, in ascending order.
  std::vector<Index> steps() const;
  /// last.heed. Where there is none, as after a kill during the first save, the newest step.
  std::optional<std::filesystem::path> newest() const;
  /// The checkpoints there are: "last", "best", "step-000400".
  std::vector<std::string> names() const;
  /// The file of one of names(). Throws Error for any other name.
  std::filesystem::path named(const std::string& name) const;
  /// Deletes what a killed process left unfinished. Only the process that has locked the folder may
  /// call it.
  void remove_partial() const;

  /// Writes step-N.heed, links last.heed to it, and deletes older step checkpoints until `keep` are
  /// left. With keep = 0 it writes last.heed alone.
  void save_step(const Checkpoint& checkpoint, Index step, int keep) const;
  /// Renames the checkpoints of steps after `step`, and the best where it is of such a step, to
  /// NAME.aside: a run resumed from `step` trains these steps again. Throws Error when the best
  /// cannot be read.
  void set_aside(Index step) const;
  /// The deletion of save_step() alone. A kill may have interrupted that.
  void prune(Index step, int keep) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace heed
