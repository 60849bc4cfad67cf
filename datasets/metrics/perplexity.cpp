#include "datasets/metrics/perplexity.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "datasets/text/utf8.h"

namespace heed {

namespace {

bool is_blank(char32_t code) { return code != '\n' && utf8::is_space(code); }

Index without_blanks(std::string_view text) {
  Index count = 0;
  utf8::for_each(text, [&](char32_t code, std::string_view) { count += !is_blank(code); });
  return count;
}

// end_of_tokens() within one line, which has at least `count` tokens.
std::size_t end_in_line(const Tokenizer& tokenizer, std::string_view line, Index count) {
  if (count == 0) return 0;
  const std::vector<std::string> pieces = tokenizer.tokens(line);
  const auto joined = [&](Index first) {
    return tokenizer.join(std::span(pieces).first(static_cast<std::size_t>(first)));
  };
  // A token may be one byte of a character, which ends with the last of up to 4 bytes.
  for (Index more = count; more < std::min(count + 4, std::ssize(pieces) + 1); ++more)
    if (const std::string begin = joined(more); line.starts_with(begin)) return begin.size();
  // The tokenizer does not keep every blank, so count the other characters.
  std::size_t end = 0;
  for (Index left = without_blanks(joined(count)); left > 0 && end < line.size();)
    left -= !is_blank(utf8::next(line, end));
  return end;
}

}  // namespace

std::size_t end_of_tokens(const Tokenizer& tokenizer, std::string_view text, Index count) {
  // Works on one line at a time. No token lies in two lines, and characters that a tokenizer does
  // not keep affect one line only.
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    const std::string_view line = text.substr(begin, end - begin);
    const Index here = std::ssize(tokenizer.encode(line));
    if (count <= here) return begin + end_in_line(tokenizer, line, count);
    count -= here;
    begin = end;
  }
  return text.size();
}

}  // namespace heed
