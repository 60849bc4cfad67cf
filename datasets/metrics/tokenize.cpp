#include "datasets/metrics/tokenize.h"

#include <algorithm>

#include <fmt/format.h>

#include "datasets/text/unicode.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"
#include "framework/nearest.h"

namespace heed {

namespace {

std::vector<std::string> split(std::string_view line) {
  std::vector<std::string> words;
  bool inside = false;
  utf8::for_each(line, [&](char32_t code, std::string_view bytes) {
    const bool space = utf8::is_space(code);
    if (!space && !inside) words.emplace_back();
    if (!space) words.back() += bytes;
    inside = !space;
  });
  return words;
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::string result;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t at = text.find(from, begin);
    if (at == std::string::npos) break;
    result.append(text, begin, at - begin).append(to);
    begin = at + from.size();
  }
  if (begin > 0) text = result.append(text, begin);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_stop(char c) { return c == '.' || c == ','; }
// ASCII punctuation and symbols except ' , - .
bool is_symbol(char c) {
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') ||
         (c >= '(' && c <= '+') || (c >= ':' && c <= '@') || c == '/';
}

enum class Around { first, second };

// Puts spaces around one of two neighbours that match, and continues after both, as one pass of a
// regular expression does.
template <class Text, class Match>
Text separate(const Text& text, Around which, Match&& match) {
  Text result;
  result.reserve(text.size() * 2);
  for (std::size_t i = 0; i < text.size();) {
    if (i + 1 < text.size() && match(text[i], text[i + 1])) {
      if (which == Around::first) result += ' ';
      result += text[i];
      result += ' ';
      result += text[i + 1];
      if (which == Around::second) result += ' ';
      i += 2;
    } else {
      result += text[i];
      ++i;
    }
  }
  return result;
}

// The rules of mteval-v13a.pl in its order. Each rule works on the result of the one before. The
// rules only look for ASCII, so they can work on bytes.
std::vector<std::string> split_marks(std::string_view text) {
  std::string marked;
  for (const char c : text) {
    if (is_symbol(c))
      marked.append({' ', c, ' '});
    else
      marked += c;
  }
  marked =
      separate(marked, Around::second, [](char a, char b) { return !is_digit(a) && is_stop(b); });
  marked =
      separate(marked, Around::first, [](char a, char b) { return is_stop(a) && !is_digit(b); });
  marked = separate(marked, Around::second, [](char a, char b) { return is_digit(a) && b == '-'; });
  return split(marked);
}

std::vector<std::string> tokenize_13a(std::string_view line) {
  std::string text(line);
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");  // before the two below, so that &amp;lt; becomes <
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  return split_marks(" " + text + " ");
}

// mteval-v14.pl --international-tokenization. It adds no spaces at the ends of a line, so a full
// stop after a final number stays with the number.
std::vector<std::string> tokenize_intl(std::string_view line) {
  std::u32string text;
  utf8::for_each(line, [&](char32_t code, std::string_view) { text += code; });
  text = separate(text, Around::second, [](char32_t a, char32_t b) {
    return !unicode::is_number(a) && unicode::is_punctuation(b);
  });
  text = separate(text, Around::first, [](char32_t a, char32_t b) {
    return unicode::is_punctuation(a) && !unicode::is_number(b);
  });
  std::string result;
  for (const char32_t code : text) {
    const bool symbol = unicode::is_symbol(code);
    if (symbol) result += ' ';
    utf8::append(result, code);
    if (symbol) result += ' ';
  }
  return split(result);
}

std::vector<std::string> tokenize_char(std::string_view line) {
  std::vector<std::string> words;
  utf8::for_each(line, [&](char32_t code, std::string_view bytes) {
    if (!utf8::is_space(code)) words.emplace_back(bytes);
  });
  return words;
}

// The characters that sacrebleu's zh takes for Chinese. Two of its ranges are meant to lie above
// U+FFFF but are misspelt and amount to U+2001-2A6D and U+2F81-2FA1. So rarer ideographs (U+20000
// and above) stay together, while curly quotes, dashes and arrows are split. Scores depend on this.
bool is_chinese(char32_t code) {
  static constexpr char32_t ranges[][2] = {
      {0x2001, 0x2A6D}, {0x2E80, 0x2FDF}, {0x2FF0, 0x303F}, {0x3100, 0x312F}, {0x31A0, 0x31EF},
      {0x3200, 0x4DB5}, {0x4E00, 0x9FBB}, {0xF900, 0xFA2D}, {0xFA30, 0xFA6A}, {0xFA70, 0xFAD9},
      {0xFE10, 0xFE1F}, {0xFE30, 0xFE4F}, {0xFF00, 0xFFEF}};
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const auto& r) { return code >= r[0] && code <= r[1]; });
}

std::vector<std::string> tokenize_zh(std::string_view line) {
  std::string text;
  // The end of the last character that is not white space. White space at the ends of the text
  // would change what the rules match there.
  std::size_t end = 0;
  utf8::for_each(line, [&](char32_t code, std::string_view bytes) {
    if (text.empty() && utf8::is_space(code)) return;
    const bool chinese = is_chinese(code);
    if (chinese) text += ' ';
    text += bytes;
    if (chinese) text += ' ';
    if (!utf8::is_space(code)) end = text.size();
  });
  return split_marks(std::string_view(text).substr(0, end));
}

struct Named {
  std::string name;
  MetricTokenizer tokenize;
};

const std::vector<Named>& table() {
  static const std::vector<Named> rows{{"13a", tokenize_13a},
                                       {"intl", tokenize_intl},
                                       {"char", tokenize_char},
                                       {"zh", tokenize_zh},
                                       {"none", split}};
  return rows;
}

}  // namespace

const std::vector<std::string>& bleu_tokenizers() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const Named& row : table())
      result.push_back(row.name);
    return result;
  }();
  return names;
}

MetricTokenizer bleu_tokenizer(std::string_view name) {
  for (const Named& row : table())
    if (row.name == name) return row.tokenize;
  fail("unknown tokenizer '{}' for BLEU: expected {}{}", name, fmt::join(bleu_tokenizers(), ", "),
       did_you_mean(name, bleu_tokenizers()));
}

// Whether no cased character follows at byte `at`. Case-ignorable characters, such as accents and
// apostrophes, are skipped.
static bool ends_cased_word(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const char32_t code = utf8::next(text, at);
    if (!unicode::is_case_ignorable(code)) return !unicode::is_cased(code);
  }
  return true;
}

std::string lowercase(std::string_view text) {
  constexpr char32_t dotted_i = 0x130;
  constexpr char32_t dot_above = 0x307;
  constexpr char32_t capital_sigma = 0x3A3;
  constexpr char32_t final_sigma = 0x3C2;
  std::string result;
  result.reserve(text.size());
  bool cased_before = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = utf8::next(text, at);
    if (code < 0x80) {
      result += static_cast<char>(code >= 'A' && code <= 'Z' ? code + 32 : code);
    } else if (code == dotted_i) {
      result += 'i';
      utf8::append(result, dot_above);
    } else if (code == capital_sigma && cased_before && ends_cased_word(text, at)) {
      utf8::append(result, final_sigma);
    } else {
      utf8::append(result, unicode::to_lower(code));
    }
    if (!unicode::is_case_ignorable(code)) cased_before = unicode::is_cased(code);
  }
  return result;
}

}  // namespace heed
