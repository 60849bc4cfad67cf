#include "datasets/text/foreign_text.h"

#include <algorithm>
#include <array>

#include "datasets/text/internal/gzip.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"

namespace heed {

namespace {

using namespace std::string_view_literals;

struct Magic {
  std::string_view bytes;
  ForeignText text;
};

constexpr std::string_view to_line_feeds = R"(write line feeds (tr '\r' '\n'))";
constexpr ForeignText utf16{"UTF-16", "save it as UTF-8"};
constexpr ForeignText utf32{"UTF-32", "save it as UTF-8"};
constexpr std::array magics{
    Magic{"\xFD\x37zXZ\0"sv, {"packed by xz", "unpack it (xz -d)", true}},
    Magic{"\x28\xB5\x2F\xFD"sv, {"packed by zstd", "unpack it (zstd -d)", true}},
    Magic{"BZh91AY&SY"sv, {"packed by bzip2", "unpack it (bzip2 -d)", true}},
    Magic{"PK\x03\x04"sv, {"a zip archive", "unpack it and name the files in it"}},
    Magic{"\xFF\xFE\0\0"sv, utf32},  // before UTF-16, whose mark is its beginning
    Magic{"\0\0\xFE\xFF"sv, utf32},
    Magic{"\xFF\xFE"sv, utf16},
    Magic{"\xFE\xFF"sv, utf16},
};

// Whether the text begins with two Latin letters in UTF-16 without a byte order mark.
bool alternates_with_nul(std::string_view start) {
  if (start.size() < 4) return false;
  const bool odd = start[1] == 0 && start[3] == 0;
  const bool even = start[0] == 0 && start[2] == 0;
  return (odd && start[0] != 0 && start[2] != 0) || (even && start[1] != 0 && start[3] != 0);
}

}  // namespace

std::optional<ForeignText> foreign_text(std::string_view start) {
  if (is_gzip(start)) return ForeignText{"packed by gzip", "unpack it (gzip -d)", true};
  for (const Magic& magic : magics)
    if (start.starts_with(magic.bytes)) return magic.text;
  if (alternates_with_nul(start)) return utf16;
  return std::nullopt;
}

bool ends_lines_by_returns(std::string_view start) {
  std::size_t feeds = 0;
  std::size_t returns = 0;
  for (std::size_t i = 0; i < start.size(); ++i) {
    feeds += start[i] == '\n';
    if (start[i] == '\r')
      returns += i + 1 < start.size() && start[i + 1] != '\r' && start[i + 1] != '\n';
  }
  return returns > feeds;
}

// False when `start` holds bytes that no text holds. Binary files have carriage returns too, and
// are not to be taken for text of an old Mac. The end of `start` may cut a character.
bool may_be_text(std::string_view start) {
  constexpr std::size_t longest_character = 4;
  if (start.find('\0') != std::string_view::npos) return false;
  const std::size_t invalid = utf8::find_invalid(start);
  return invalid == std::string_view::npos || invalid + longest_character > start.size();
}

void check_start(std::string_view start, std::string_view file) {
  if (const auto foreign = foreign_text(start))
    fail("{}: is {}; {}", file, foreign->what, foreign->remedy);
  if (may_be_text(start) && ends_lines_by_returns(start))
    fail("{}: its lines end in carriage returns alone, as on old Macs; {}", file, to_line_feeds);
}

}  // namespace heed
