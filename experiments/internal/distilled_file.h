#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/text/pairs.h"
#include "framework/files.h"

namespace heed {

/// A .jsonl of pairs that is written in order, and goes on where it was interrupted. Until commit()
/// it is PATH.partial. First come pairs as they were given, then translated lines, each with its
/// number.
class DistilledFile {
 public:
  explicit DistilledFile(std::filesystem::path path);

  /// Whole records that an interrupted writer left.
  Index records() const { return static_cast<Index>(ends_.size()); }
  /// The number of the line, from 1, that record i is of. Throws Error where it says none.
  Index line(Index i) const;
  /// Drops all records but the first `count`, and what follows the last whole one.
  void keep(Index count);
  /// `line`: from 1; 0: a pair that was given.
  void add(const Pair& pair, Index line);
  /// Writes what was added.
  void flush();
  /// Gives the file its name.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  std::string found_;              // what the file held when it was opened
  std::vector<std::size_t> ends_;  // of its records
  std::optional<FileAppender> out_;
  std::string pending_;
};

/// Throws Error where the folder holds pairs that were made otherwise; notes how these are made
/// where it holds none. A key that begins with '(' says what is not compared.
void check_made_alike(const std::filesystem::path& folder,
                      const std::map<std::string, std::string>& made);

}  // namespace heed
