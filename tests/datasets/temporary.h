#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "framework/error.h"

namespace heed {

/// A folder that lives as long as the test; its path is left out of messages that the test
/// compares.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("heed-datasets-{}-{}", ::getpid(), ++made())) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string path(std::string_view name) const { return (path_ / name).string(); }
  std::string write(std::string_view name, std::string_view bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  /// The message of the Error that `act` throws, without this folder; "no error" when it throws
  /// none.
  std::string message(const std::function<void()>& act) const {
    try {
      act();
    } catch (const Error& error) {
      std::string text = error.what();
      const std::string prefix = path_.string() + "/";
      for (std::size_t at; (at = text.find(prefix)) != std::string::npos;)
        text.erase(at, prefix.size());
      return text;
    }
    return "no error";
  }

 private:
  static int& made() {
    static int count = 0;
    return count;
  }
  std::filesystem::path path_;
};

}  // namespace heed
