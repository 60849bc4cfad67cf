#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace heed {

/// What a built-in corpus is opened with: toy:NAME.
inline constexpr std::string_view toy_prefix = "toy:";

/// The extension of a name without .gz: ".tsv" for train.tsv.gz.
inline std::string extension(const std::string& name) {
  std::filesystem::path path(name);
  if (path.extension() == ".gz") path.replace_extension();
  return path.extension().string();
}

}  // namespace heed
