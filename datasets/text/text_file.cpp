#include "datasets/text/text_file.h"

#include "datasets/text/internal/input_file.h"
#include "datasets/text/internal/line_reader.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"

namespace heed {

void check_line(std::string_view text, std::string_view file, std::size_t line) {
  if (const std::size_t at = utf8::find_invalid(text); at != std::string_view::npos)
    fail("{}:{}: malformed UTF-8 at byte {} of the line (0x{:02X}); save the file as UTF-8", file,
         line, at + 1, static_cast<unsigned char>(text[at]));
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos)
    fail("{}:{}: NUL at byte {} of the line; is this a text file, and saved as UTF-8?", file, line,
         at + 1);
}

std::vector<std::string> read_lines(const std::string& path) {
  const InputFile file(path);
  LineReader reader(file, LineReader::unlimited);
  std::vector<std::string> lines;
  for (std::string_view line; reader.next(line);)
    lines.emplace_back(line);
  return lines;
}

std::string read_text(const std::string& path) {
  const InputFile file(path);
  LineReader reader(file, LineReader::unlimited);
  std::string text;
  for (std::string_view line; reader.next(line);) {
    text.append(line);
    if (reader.ended()) text.push_back('\n');
  }
  return text;
}

}  // namespace heed
