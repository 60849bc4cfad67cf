#pragma once

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

namespace heed {

/// Null where the file is not JSON.
inline nlohmann::ordered_json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  auto json = nlohmann::ordered_json::parse(in, nullptr, false);
  return json.is_discarded() ? nlohmann::ordered_json() : json;
}

}  // namespace heed
