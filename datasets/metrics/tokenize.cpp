#include "datasets/metrics/tokenize.h"

#include <cwctype>
#include <locale.h>

#include <fmt/format.h>

#include "datasets/nearest.h"
#include "datasets/utf8.h"
#include "framework/error.h"

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
  for (std::size_t at; (at = text.find(from, begin)) != std::string::npos; begin = at + from.size())
    result.append(text, begin, at - begin).append(to);
  if (begin > 0) text = result.append(text, begin);
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_stop(char c) { return c == '.' || c == ','; }
bool is_symbol(char c) {  // ASCII marks but ' , - .
  return (c >= '{' && c <= '~') || (c >= '[' && c <= '`') || (c >= ' ' && c <= '&') || (c >= '(' && c <= '+') ||
         (c >= ':' && c <= '@') || c == '/';
}

// Puts text around two neighbouring bytes that match and goes on behind both: one pass of a regular expression.
template <class Match>
std::string separate(const std::string& text, std::string_view before, std::string_view between, std::string_view after,
                     Match&& match) {
  std::string result;
  result.reserve(text.size() * 2);
  for (std::size_t i = 0; i < text.size();) {
    if (i + 1 < text.size() && match(text[i], text[i + 1])) {
      result.append(before).append(1, text[i]).append(between).append(1, text[i + 1]).append(after);
      i += 2;
    } else {
      result += text[i++];
    }
  }
  return result;
}

// The rules of mteval-v13a.pl in its order; each rule sees what the one before it left. Bytes suffice: all it looks for is ASCII.
std::vector<std::string> tokenize_13a(std::string_view line) {
  std::string text = " " + std::string(line) + " ";
  replace_all(text, "<skipped>", "");
  replace_all(text, "-\n", "");
  replace_all(text, "\n", " ");
  replace_all(text, "&quot;", "\"");
  replace_all(text, "&amp;", "&");  // before the two below, so that &amp;lt; ends as <
  replace_all(text, "&lt;", "<");
  replace_all(text, "&gt;", ">");
  std::string marked;
  for (const char c : text) is_symbol(c) ? marked.append({' ', c, ' '}) : marked.append(1, c);
  text = separate(marked, "", " ", " ", [](char a, char b) { return !is_digit(a) && is_stop(b); });
  text = separate(text, " ", " ", "", [](char a, char b) { return is_stop(a) && !is_digit(b); });
  text = separate(text, "", " ", " ", [](char a, char b) { return is_digit(a) && b == '-'; });
  return split(text);
}

struct Named {
  std::string name;
  MetricTokenizer tokenize;
};

const std::vector<Named>& table() {
  static const std::vector<Named> rows{{"13a", tokenize_13a}, {"none", split}};
  return rows;
}

locale_t unicode() {
  static const locale_t locale = [] {
    const locale_t found = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    if (!found) fail("[lowercase] this system has no locale C.UTF-8; install it, or score without --lowercase");
    return found;
  }();
  return locale;
}

}  // namespace

const std::vector<std::string>& bleu_tokenizers() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const Named& row : table()) result.push_back(row.name);
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

std::string lowercase(std::string_view text) {
  constexpr char32_t dotted_i = 0x130, dot_above = 0x307, capital_sigma = 0x3A3, final_sigma = 0x3C2;
  const auto cased = [](char32_t c) {
    return iswupper_l(static_cast<wint_t>(c), unicode()) || iswlower_l(static_cast<wint_t>(c), unicode());
  };
  std::string result;
  result.reserve(text.size());
  char32_t before = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t code = utf8::next(text, at);
    std::size_t ahead = at;
    if (code < 0x80) {
      result += static_cast<char>(code >= 'A' && code <= 'Z' ? code + 32 : code);
    } else if (code == dotted_i) {
      result += 'i', utf8::append(result, dot_above);
    } else if (code == capital_sigma && cased(before) && !(at < text.size() && cased(utf8::next(text, ahead)))) {
      utf8::append(result, final_sigma);
    } else {
      utf8::append(result, static_cast<char32_t>(towlower_l(static_cast<wint_t>(code), unicode())));
    }
    before = code;
  }
  return result;
}

}  // namespace heed
