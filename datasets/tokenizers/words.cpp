#include "datasets/tokenizers/words.h"

#include <algorithm>
#include <array>

#include "datasets/utf8.h"

namespace heed {

namespace {

constexpr std::string_view joiner = "￭", escape = "％", escaped_joiner = "％ffed", escaped_escape = "％ff05";
constexpr char32_t joiner_code = 0xFFED, escape_code = 0xFF05, quote = 0x2019;

struct Character {
  char32_t code;
  std::string_view bytes;
};

bool is_apostrophe(char32_t c) { return c == '\'' || c == quote; }
bool is_letter(char32_t c) {
  if (c >= 0x80) return c != quote;
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

struct Scanner {
  std::vector<Character> text;

  bool letter(std::size_t i) const { return i < text.size() && is_letter(text[i].code); }
  std::size_t run(std::size_t i) const {  // the end of the letters that begin at i
    while (letter(i)) ++i;
    return i;
  }

  // Whether the letters at i are what English contracts: don't, Anna's, we'll. There an apostrophe elides nothing before it.
  bool english_ending(std::size_t i) const {
    static constexpr std::array<std::string_view, 7> endings{"s", "t", "d", "m", "re", "ve", "ll"};
    std::string word;
    for (const std::size_t end = run(i); i < end && word.size() < 3; ++i) word += text[i].bytes;
    std::transform(word.begin(), word.end(), word.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return std::find(endings.begin(), endings.end(), word) != endings.end();
  }

  std::size_t word(std::size_t i) const {  // the end of the word that begins at i
    for (;;) {
      i = run(i);
      if (i >= text.size() || !letter(i + 1)) return i;
      if (is_apostrophe(text[i].code)) {
        if (!english_ending(i + 1)) return i + 1;
      } else if (text[i].code != '-') {
        return i;
      }
      ++i;
    }
  }
};

void unescape(std::string_view piece, std::string& out) {
  while (!piece.empty()) {
    const std::size_t at = std::min(piece.find(escape), piece.size());
    out += piece.substr(0, at);
    piece.remove_prefix(at);
    if (piece.starts_with(escaped_joiner))
      out += joiner, piece.remove_prefix(escaped_joiner.size());
    else if (piece.starts_with(escaped_escape))
      out += escape, piece.remove_prefix(escaped_escape.size());
    else if (!piece.empty())
      out += escape, piece.remove_prefix(escape.size());  // not ours: keep it as it stands
  }
}

}  // namespace

std::vector<std::string> Words::tokens(std::string_view text) const {
  Scanner scanner;
  scanner.text.reserve(text.size());
  utf8::for_each(text, [&](char32_t code, std::string_view bytes) { scanner.text.push_back({code, bytes}); });
  std::vector<std::string> pieces;
  bool touches = false;  // the piece before ends where this one begins
  for (std::size_t i = 0; i < scanner.text.size();) {
    if (scanner.text[i].code == ' ') {
      touches = false, ++i;
      continue;
    }
    const bool word = scanner.letter(i);
    const std::size_t end = word ? scanner.word(i) : i + 1;
    std::string piece;
    if (touches && word)
      pieces.back() += joiner;
    else if (touches)
      piece += joiner;
    for (; i < end; ++i) {
      const Character& c = scanner.text[i];
      piece += c.code == joiner_code ? escaped_joiner : c.code == escape_code ? escaped_escape : c.bytes;
    }
    pieces.push_back(std::move(piece));
    touches = true;
  }
  return pieces;
}

std::string Words::join(std::span<const std::string> pieces) const {
  std::string text;
  bool touches = true;
  for (std::string_view piece : pieces) {
    if (piece.starts_with(joiner)) touches = true, piece.remove_prefix(joiner.size());
    const bool next_touches = piece.ends_with(joiner);
    if (next_touches) piece.remove_suffix(joiner.size());
    if (!touches) text += ' ';
    unescape(piece, text);
    touches = next_touches;
  }
  return text;
}

}  // namespace heed
