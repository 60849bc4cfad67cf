#pragma once

#include <span>
#include <string_view>

namespace heed {

/// A file of the page that a server shows; its text is part of the program.
struct PageFile {
  const char* path;  // of its address
  const char* type;
  std::string_view content;
};

/// Made by CMake from experiments/serve/page.
std::span<const PageFile> page_files();

}  // namespace heed
