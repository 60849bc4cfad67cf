#include "datasets/metrics/perplexity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "datasets/metrics/internal/lines.h"
#include "datasets/metrics/item_counts.h"
#include "datasets/metrics/metrics.h"
#include "datasets/metrics/version.h"
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

double number_of_nats(const std::string& text) {
  double nats = -1;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, nats);
  check(error == std::errc() && stopped == end && std::isfinite(nats) && nats >= 0,
        "bits_per_character", "expected a number of nats of at least 0; got '{}'", text);
  return nats;
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

ItemCounts bits_items(std::span<const std::string> nats,
                      std::span<const std::vector<std::string>> texts) {
  check_aligned("bits_per_character", nats, texts);
  check(texts.size() == 1, "bits_per_character", "expected one text for each number; got {}",
        texts.size());
  ItemCounts items(2);
  for (std::size_t i = 0; i < nats.size(); ++i) {
    const auto characters = static_cast<double>(utf8::length(texts[0][i]));
    items.add(std::array<double, 2>{number_of_nats(nats[i]), characters});
  }
  return items;
}

MetricScore bits_of_sum(std::span<const double> sum) {
  const Perplexity p{.nats = sum[0], .tokens = 0, .characters = static_cast<Index>(sum[1])};
  const double bits = p.bits_per_character();
  return {.figures = {{"score", bits}},
          .signature = fmt::format("nrefs:1|version:{}", metrics_version),
          .text = fmt::format("bits per character {:.4f}   {} characters\n", bits, p.characters)};
}

}  // namespace heed
