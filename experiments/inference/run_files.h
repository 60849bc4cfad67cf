#pragma once

#include <map>
#include <string>

namespace heed {

/// The files of a run in memory: their bytes by their names in its folder, such as "config.toml",
/// "tokenizer.json" and "checkpoints/best.heed".
struct RunFiles {
  std::map<std::string, std::string> files;

  /// Null where there is no such file.
  const std::string* find(const std::string& name) const {
    const auto found = files.find(name);
    return found == files.end() ? nullptr : &found->second;
  }
};

}  // namespace heed
