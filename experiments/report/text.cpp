#include "experiments/report/text.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "datasets/text/utf8.h"

namespace heed::report {

namespace {

bool within(char32_t code, char32_t first, char32_t last) { return code >= first && code <= last; }

// Whether a code point is shown by its number: it changes the direction of writing, or is not a
// character of XML, or is invisible.
bool shown_by_number(char32_t code) {
  return within(code, 0x7f, 0x9f) || code == 0xad || code == 0x61c ||
         within(code, 0x200b, 0x200f) || within(code, 0x2028, 0x202e) ||
         within(code, 0x2060, 0x206f) || code == 0xfeff || within(code, 0xfff0, 0xfffb) ||
         (code & 0xfffe) == 0xfffe || within(code, 0xfdd0, 0xfdef);
}

int columns_of(char32_t code) {
  if (within(code, 0x300, 0x36f) || within(code, 0x483, 0x489) || within(code, 0x591, 0x5bd) ||
      within(code, 0x610, 0x61a) || within(code, 0x64b, 0x65f) || within(code, 0x1ab0, 0x1aff) ||
      within(code, 0x20d0, 0x20ff) || within(code, 0xfe00, 0xfe0f))
    return 0;
  const bool wide = within(code, 0x1100, 0x115f) || within(code, 0x2e80, 0x303e) ||
                    within(code, 0x3041, 0xa4cf) || within(code, 0xac00, 0xd7a3) ||
                    within(code, 0xf900, 0xfaff) || within(code, 0xfe30, 0xfe6f) ||
                    within(code, 0xff00, 0xff60) || within(code, 0x1f300, 0x1faff) ||
                    within(code, 0x20000, 0x3fffd) || code == 0xfdfd ||
                    within(code, 0x12000, 0x123ff);
  return wide ? 2 : 1;
}

std::string shown(std::string_view text, bool end_spaces) {
  const std::string whole = well_formed(text);
  const std::size_t first = whole.find_first_not_of(' ');
  const std::size_t last = whole.find_last_not_of(' ');
  std::string result;
  std::size_t at = 0;
  utf8::for_each(whole, [&](char32_t code, std::string_view bytes) {
    if (code < 0x20)
      utf8::append(result, 0x2400 + code);
    else if (code == ' ' && end_spaces && (first == std::string::npos || at < first || at > last))
      utf8::append(result, 0x2423);
    else if (code == 0xffed)
      utf8::append(result, 0x25aa);  // the joiner of tokenizers, which few fonts have, as a square
    else if (shown_by_number(code))
      result += fmt::format("U+{:04X}", static_cast<unsigned>(code));
    else
      result += bytes;
    at += bytes.size();
  });
  return result;
}

// The width of a character as a multiple of the font size.
double width_of(char32_t code) {
  constexpr std::string_view narrow = "iljI.,:;'|! ()[]ft";
  constexpr std::string_view wide = "mwMW@%&";
  if (columns_of(code) == 2) return 1.0;
  if (columns_of(code) == 0) return 0.0;
  const char c = code < 0x80 ? static_cast<char>(code) : 'n';
  if (narrow.find(c) != narrow.npos) return 0.4;
  if (wide.find(c) != wide.npos) return 1.0;
  return c >= 'A' && c <= 'Z' ? 0.75 : 0.66;
}

}  // namespace

std::string well_formed(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t bad = std::min(utf8::find_invalid(text), text.size());
    result += text.substr(0, bad);
    if (bad == text.size()) break;
    utf8::append(result, 0xfffd);
    text.remove_prefix(bad + 1);
  }
  return result;
}

std::string visible(std::string_view text) { return shown(text, true); }
std::string readable(std::string_view text) { return shown(text, false); }

std::string escape(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

int text_columns(std::string_view text) {
  int columns = 0;
  utf8::for_each(text, [&](char32_t code, std::string_view) { columns += columns_of(code); });
  return columns;
}

double text_width(std::string_view text) {
  double width = 0;
  utf8::for_each(text, [&](char32_t code, std::string_view) { width += width_of(code); });
  return width;
}

std::string shortened(std::string_view text, int most) {
  if (text_columns(text) <= most) return std::string(text);
  std::string result;
  int columns = 0;
  bool full = false;
  utf8::for_each(text, [&](char32_t code, std::string_view bytes) {
    columns += columns_of(code);
    full = full || columns > most - 1;
    if (!full) result += bytes;
  });
  return result + "…";
}

bool is_special(std::string_view token) {
  constexpr std::array<std::string_view, 4> marks = {"<pad>", "<s>", "</s>", "<unk>"};
  return std::find(marks.begin(), marks.end(), token) != marks.end();
}

}  // namespace heed::report
