#include "datasets/text/internal/first_lines.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <span>
#include <string_view>

#include "datasets/text/internal/gzip.h"
#include "datasets/text/internal/line_reader.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"

namespace heed {

namespace {

constexpr std::size_t most_lines = 100;

// The first bytes of a file, decompressed, until they hold `most_lines` lines or as many bytes as
// the longest line of a corpus.
class Beginning {
 public:
  explicit Beginning(const std::string& path) : file_(path, std::ios::binary) {
    std::string start(2, '\0');
    start.resize(read(start));
    file_.clear();
    file_.seekg(0);
    if (is_gzip(start)) {
      unpack(path);
    } else {
      std::string chunk(1 << 16, '\0');
      while (const std::size_t count = enough() ? 0 : read(chunk))
        add(std::string_view(chunk).substr(0, count));
    }
  }

  // Whole lines, and the last one if the file ends with it; none from the first malformed one on.
  std::vector<std::string> lines() const {
    std::string_view rest = text_;
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (rest.starts_with(byte_order_mark)) rest.remove_prefix(byte_order_mark.size());
    std::vector<std::string> lines;
    while (!rest.empty() && lines.size() < most_lines) {
      const std::size_t end = rest.find('\n');
      if (end == std::string_view::npos && enough()) break;
      const std::string_view line = rest.substr(0, end);
      if (utf8::find_invalid(line) != std::string_view::npos) break;
      lines.emplace_back(utf8::trim(line).empty() ? "" : line);
      rest.remove_prefix(std::min(end, rest.size() - 1) + 1);
    }
    return lines;
  }

 private:
  std::size_t read(std::span<char> into) {
    file_.read(into.data(), static_cast<std::streamsize>(into.size()));
    return static_cast<std::size_t>(file_.gcount());
  }
  bool enough() const { return text_.size() >= LineReader::most_bytes || ends_ >= most_lines; }
  void add(std::string_view text) {
    text = text.substr(0, LineReader::most_bytes - std::min(text_.size(), LineReader::most_bytes));
    ends_ += static_cast<std::size_t>(std::ranges::count(text, '\n'));
    text_ += text;
  }
  void unpack(const std::string& path) {
    try {
      gunzip([&](std::span<char> into) { return enough() ? 0 : read(into); },
             [&](std::string_view text) { add(text); }, path);
    } catch (const Error&) {
      // Stopped in the middle, or damaged: what was read counts, and open_pairs tells of damage.
    }
  }

  std::ifstream file_;
  std::string text_;
  std::size_t ends_ = 0;
};

}  // namespace

std::vector<std::string> first_lines(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return {};
  return Beginning(path).lines();
}

}  // namespace heed
