#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace heed {

/// A file of two runs.
struct RunFileDifference {
  std::string name;
  std::uintmax_t bytes = 0;  // in the first run; 0 where it is not there
  std::string difference;    // how it differs; "" where it is the same
};

/// Compares every file of two runs but the log. Of metrics.jsonl the times do not count.
std::vector<RunFileDifference> compare_runs(const std::filesystem::path& a,
                                            const std::filesystem::path& b);

}  // namespace heed
