#include "datasets/text_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "datasets/utf8.h"
#include "framework/error.h"

namespace heed {

namespace {

std::string read_bytes(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) fail("{}: is a folder; name a text file", path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             [](std::FILE* f) { return std::fclose(f); });
  if (!file) {
    if (errno == ENOENT) fail("{}: no such file; check the name", path);
    fail("{}: cannot be read ({}); check the file and its permissions", path, std::strerror(errno));
  }
  std::string bytes;
  char chunk[1 << 16];
  while (const std::size_t n = std::fread(chunk, 1, sizeof chunk, file.get())) bytes.append(chunk, n);
  if (std::ferror(file.get())) fail("{}: cannot be read to its end ({}); check the disk", path, std::strerror(errno));
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.erase(0, 3);
  if (bytes.empty()) fail("{}: is empty; expected at least one line of text", path);
  return bytes;
}

// Calls take(line) for each line, its end removed and its bytes checked.
template <class Take>
void for_each_line(const std::string& path, std::string_view bytes, Take&& take) {
  for (std::size_t begin = 0, number = 1; begin < bytes.size(); ++number) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    std::string_view line = bytes.substr(begin, end - begin);
    check_line(line, path, number);
    if (end < bytes.size() && line.ends_with('\r')) line.remove_suffix(1);
    take(line, end < bytes.size());
    begin = end + 1;
  }
}

}  // namespace

void check_line(std::string_view text, std::string_view file, std::size_t line) {
  if (const std::size_t at = utf8::find_invalid(text); at != std::string_view::npos)
    fail("{}:{}: malformed UTF-8 at byte {} of the line (0x{:02X}); save the file as UTF-8", file, line, at + 1,
         static_cast<unsigned char>(text[at]));
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos)
    fail("{}:{}: NUL at byte {} of the line; is this a text file, and saved as UTF-8?", file, line, at + 1);
}

std::vector<std::string> read_lines(const std::string& path) {
  std::vector<std::string> lines;
  for_each_line(path, read_bytes(path), [&](std::string_view line, bool) { lines.emplace_back(line); });
  return lines;
}

std::string read_text(const std::string& path) {
  const std::string bytes = read_bytes(path);
  std::string text;
  text.reserve(bytes.size());
  for_each_line(path, bytes, [&](std::string_view line, bool ended) {
    text.append(line);
    if (ended) text.push_back('\n');
  });
  return text;
}

}  // namespace heed
