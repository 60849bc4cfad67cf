#include "datasets/text/tokenizers/internal/letter_case.h"

#include <algorithm>

#include "datasets/text/unicode.h"
#include "datasets/text/utf8.h"

namespace heed {

namespace {

constexpr char32_t capital_code = 0x21E7;
constexpr char32_t all_capitals_code = 0x21EA;

bool is_in_word(char32_t code) {
  if (code < 0x80) return (code | 0x20) >= 'a' && (code | 0x20) <= 'z';
  const unicode::Category category = unicode::category(code);
  return category == unicode::Category::letter || category == unicode::Category::mark;
}

/// Whether lower case changes a letter, and upper case brings it back.
bool is_capital(char32_t code) {
  const char32_t lower = unicode::to_lower(code);
  return lower != code && unicode::to_upper(lower) == code &&
         unicode::category(lower) == unicode::Category::letter;
}

/// Whether a character may stand behind the first of a word with a capital: a letter that lower
/// case leaves.
bool is_small(char32_t code) {
  return unicode::category(code) == unicode::Category::letter && unicode::to_lower(code) == code;
}

WordCase case_of(const std::u32string& word) {
  if (!is_capital(word.front())) return WordCase::as_is;
  const auto rest_is = [&](bool (*form)(char32_t)) {
    return std::all_of(word.begin() + 1, word.end(), form);
  };
  if (rest_is(is_small)) return WordCase::capital;
  return rest_is(is_capital) ? WordCase::all_capitals : WordCase::as_is;
}

/// Cuts a text into parts.
class Cutter {
 public:
  void take(char32_t code) {
    if (is_in_word(code)) {
      word_ += code;
      return;
    }
    end_word();
    utf8::append(parts_.back().text, code);
  }

  std::vector<CasedPart> parts() {
    end_word();
    return std::move(parts_);
  }

 private:
  void end_word() {
    if (word_.empty()) return;
    const WordCase written = case_of(word_);
    if (written != WordCase::as_is) parts_.push_back({written, ""});
    for (const char32_t code : word_)
      utf8::append(parts_.back().text, written == WordCase::as_is ? code : unicode::to_lower(code));
    word_.clear();
  }

  std::vector<CasedPart> parts_{1};
  std::u32string word_;
};

}  // namespace

bool is_case_mark(char32_t code) { return code == capital_code || code == all_capitals_code; }

std::vector<CasedPart> cased_parts(std::string_view text) {
  Cutter cutter;
  utf8::for_each(text, [&](char32_t code, std::string_view) { cutter.take(code); });
  return cutter.parts();
}

std::string lower_case_words(std::string_view text) {
  std::string lower;
  for (const CasedPart& part : cased_parts(text))
    utf8::for_each(part.text, [&](char32_t code, std::string_view bytes) {
      lower += is_case_mark(code) ? "\t" : bytes;
    });
  return lower;
}

std::string restore_case(WordCase written, std::string_view text) {
  if (written == WordCase::as_is) return std::string(text);
  std::string restored;
  bool within = true;  // the letters to restore
  bool first = true;
  if (text.starts_with(' ')) {
    restored = " ";
    text.remove_prefix(1);
  }
  utf8::for_each(text, [&](char32_t code, std::string_view bytes) {
    within = within && is_in_word(code) && (first || written == WordCase::all_capitals);
    first = false;
    if (within)
      utf8::append(restored, unicode::to_upper(code));
    else
      restored += bytes;
  });
  return restored;
}

}  // namespace heed
