#include "datasets/text/tokenizers/words.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "datasets/text/unicode.h"
#include "datasets/text/utf8.h"

namespace heed {

namespace {

constexpr std::string_view joiner = "￭";
constexpr std::string_view escape = "％";
constexpr std::string_view escaped_joiner = "％ffed";
constexpr std::string_view escaped_escape = "％ff05";
constexpr char first_byte = '\xEF';  // of both joiner and escape
constexpr char32_t quote = 0x2019;
constexpr char32_t plain_hyphen = 0x2010;
constexpr char32_t no_break_hyphen = 0x2011;
constexpr char32_t soft_hyphen = 0xAD;
constexpr char32_t zero_width_non_joiner = 0x200C;
constexpr char32_t zero_width_joiner = 0x200D;

enum class Kind : std::uint8_t {
  letter,
  accent,  // continues a word but does not begin one
  apostrophe,
  hyphen,  // and other characters that may stand between two letters of a word
  mark,
};

Kind kind_of_ascii(char32_t code) {
  const bool digit = code >= '0' && code <= '9';
  const bool letter = (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z');
  if (digit || letter) return Kind::letter;
  if (code == '\'') return Kind::apostrophe;
  return code == '-' ? Kind::hyphen : Kind::mark;
}

// The kind of a character beyond ASCII, in version 1 and in version 2.
Kind kind_in_version_1(char32_t code) { return code == quote ? Kind::apostrophe : Kind::letter; }

Kind kind_by_category(char32_t code, unicode::Category category) {
  if (code == quote) return Kind::apostrophe;
  if (code == plain_hyphen || code == no_break_hyphen || code == soft_hyphen) return Kind::hyphen;
  if (code == zero_width_joiner || code == zero_width_non_joiner) return Kind::hyphen;
  switch (category) {
    case unicode::Category::letter:
    case unicode::Category::number:
      return Kind::letter;
    // Most code points that Unicode adds later are letters.
    case unicode::Category::other:
      return Kind::letter;
    case unicode::Category::mark:
      return Kind::accent;
    default:
      return Kind::mark;
  }
}

// The text between two spaces, and its division into pieces.
class Stretch {
 public:
  explicit Stretch(int version) : version_(version) {}

  // Reads from byte `at` to the next space and returns the position of that space.
  std::size_t read(std::string_view text, std::size_t at);
  void cut(std::vector<std::string>& pieces) const;

 private:
  // A code point, or a grapheme cluster of marks. It ends where the next one begins.
  struct Character {
    Kind kind;
    std::size_t begin;
  };

  void clear(std::string_view text);
  // Adds the code point at byte `at` and moves `at` past it. False if it may change in normal form
  // C, so that the text has to be normalised.
  bool add(std::size_t& at);
  bool continues_cluster(char32_t code, Kind kind);
  bool letter(std::size_t i) const {
    return i < characters_.size() && characters_[i].kind == Kind::letter;
  }
  std::size_t run(std::size_t i) const;
  std::size_t word(std::size_t i) const;
  std::string_view bytes(std::size_t first, std::size_t last) const;
  bool english_ending(std::size_t i) const;

  int version_;
  std::string_view text_;
  std::string composed_;
  std::vector<Character> characters_;
  std::size_t end_ = 0;       // the end of the last character
  char32_t before_ = 0;       // the code point added last
  std::int32_t cluster_ = 0;  // the state for ends_cluster()
};

void Stretch::clear(std::string_view text) {
  text_ = text;
  characters_.clear();
}

std::size_t Stretch::read(std::string_view text, std::size_t at) {
  const std::size_t begin = at;
  bool composed = true;
  clear(text);
  while (at < text.size() && text[at] != ' ')
    composed = add(at) && composed;
  end_ = at;
  if (composed) return at;
  composed_ = unicode::nfc(text.substr(begin, at - begin));
  clear(composed_);
  for (end_ = 0; end_ < composed_.size();)
    add(end_);
  return at;
}

bool Stretch::add(std::size_t& at) {
  const std::size_t begin = at;
  const auto byte = static_cast<unsigned char>(text_[at]);
  if (byte < 0x80) {
    characters_.push_back({kind_of_ascii(byte), begin});
    before_ = byte;
    cluster_ = 0;
    ++at;
    return true;
  }
  const char32_t code = utf8::next(text_, at);
  if (version_ == 1) {
    characters_.push_back({kind_in_version_1(code), begin});
    return true;
  }
  const unicode::Traits traits = unicode::traits(code);
  const Kind kind = kind_by_category(code, traits.category);
  if (!continues_cluster(code, kind)) characters_.push_back({kind, begin});
  before_ = code;
  return !traits.may_change_in_nfc;
}

// Clusters of a letter and its accents are not needed: they belong to one word in any case.
bool Stretch::continues_cluster(char32_t code, Kind kind) {
  const bool after_mark = !characters_.empty() && characters_.back().kind != Kind::letter;
  if (kind != Kind::letter && after_mark && !unicode::ends_cluster(before_, code, cluster_))
    return true;
  cluster_ = 0;
  return false;
}

// The end of the letters and accents that begin at i.
std::size_t Stretch::run(std::size_t i) const {
  while (letter(i) || (i < characters_.size() && characters_[i].kind == Kind::accent))
    ++i;
  return i;
}

// Whether the letters at i are an English ending, as in don't, Anna's, we'll. The apostrophe before
// such an ending is no elision.
bool Stretch::english_ending(std::size_t i) const {
  static constexpr std::array<std::string_view, 7> endings{"s", "t", "d", "m", "re", "ve", "ll"};
  const std::string_view letters = bytes(i, run(i));
  if (letters.size() > 2) return false;
  std::string ending(letters);
  for (char& c : ending)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return std::find(endings.begin(), endings.end(), ending) != endings.end();
}

// The end of the word that begins at i.
std::size_t Stretch::word(std::size_t i) const {
  for (;;) {
    i = run(i);
    if (!letter(i + 1)) return i;
    if (characters_[i].kind == Kind::mark) return i;
    if (characters_[i].kind == Kind::apostrophe && !english_ending(i + 1)) return i + 1;
    ++i;
  }
}

std::string_view Stretch::bytes(std::size_t first, std::size_t last) const {
  const std::size_t begin = characters_[first].begin;
  const std::size_t end = last < characters_.size() ? characters_[last].begin : end_;
  return text_.substr(begin, end - begin);
}

void append_escaped(std::string_view bytes, std::string& piece) {
  for (;;) {
    const std::size_t at = bytes.find(first_byte);
    piece += bytes.substr(0, at);
    if (at == std::string_view::npos) return;
    bytes.remove_prefix(at);
    if (bytes.starts_with(joiner)) {
      piece += escaped_joiner;
      bytes.remove_prefix(joiner.size());
    } else if (bytes.starts_with(escape)) {
      piece += escaped_escape;
      bytes.remove_prefix(escape.size());
    } else {
      piece += bytes[0];
      bytes.remove_prefix(1);
    }
  }
}

void Stretch::cut(std::vector<std::string>& pieces) const {
  for (std::size_t i = 0; i < characters_.size();) {
    const bool touches = i > 0;
    const bool is_word = letter(i);
    const std::size_t end = is_word ? word(i) : i + 1;
    std::string piece;
    if (touches && is_word)
      pieces.back() += joiner;
    else if (touches)
      piece += joiner;
    append_escaped(bytes(i, end), piece);
    pieces.push_back(std::move(piece));
    i = end;
  }
}

void unescape(std::string_view piece, std::string& out) {
  while (!piece.empty()) {
    const std::size_t at = std::min(piece.find(escape), piece.size());
    out += piece.substr(0, at);
    piece.remove_prefix(at);
    if (piece.starts_with(escaped_joiner)) {
      out += joiner;
      piece.remove_prefix(escaped_joiner.size());
    } else if (piece.starts_with(escaped_escape)) {
      out += escape;
      piece.remove_prefix(escaped_escape.size());
    } else if (!piece.empty()) {  // an escape that tokens() has not written stays as it is
      out += escape;
      piece.remove_prefix(escape.size());
    }
  }
}

}  // namespace

std::vector<std::string> Words::tokens(std::string_view text) const {
  std::vector<std::string> pieces;
  Stretch stretch(version());
  for (std::size_t at = 0; at < text.size(); ++at) {  // ++at skips the space
    at = stretch.read(text, at);
    stretch.cut(pieces);
  }
  return pieces;
}

std::string Words::join(std::span<const std::string> pieces) const {
  std::string text;
  bool touches = true;
  for (std::string_view piece : pieces) {
    if (piece.starts_with(joiner)) {
      touches = true;
      piece.remove_prefix(joiner.size());
    }
    const bool next_touches = piece.ends_with(joiner);
    if (next_touches) piece.remove_suffix(joiner.size());
    if (!touches) text += ' ';
    unescape(piece, text);
    touches = next_touches;
  }
  return text;
}

}  // namespace heed
