#include "datasets/metrics/chrf.h"

#include <algorithm>

#include <fmt/format.h>

#include "datasets/metrics/internal/lines.h"
#include "datasets/metrics/item_counts.h"
#include "datasets/metrics/metrics.h"
#include "datasets/metrics/tokenize.h"
#include "datasets/metrics/version.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"
#include "framework/fields.h"

namespace heed {

namespace {

// of chrf_items()
constexpr std::size_t row_width = 3 * (ChrfCounts::char_orders + ChrfCounts::word_orders);

bool is_punctuation(char32_t c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
         (c >= '{' && c <= '~');
}

struct Text {
  std::vector<std::uint32_t> characters;  // code points, without white space
  std::vector<std::string> words;
};

// Appends a word. One ASCII punctuation character becomes a word of its own: the last character if
// it is one, else the first.
void append_word(std::vector<std::string>& words, const std::string& word) {
  const std::size_t last = word.size() - 1;
  if (word.size() > 1 && is_punctuation(static_cast<unsigned char>(word[last]))) {
    words.push_back(word.substr(0, last));
    words.push_back(word.substr(last));
  } else if (word.size() > 1 && is_punctuation(static_cast<unsigned char>(word[0]))) {
    words.push_back(word.substr(0, 1));
    words.push_back(word.substr(1));
  } else {
    words.push_back(word);
  }
}

Text read(const std::string& line, const ChrfOptions& options) {
  Text text;
  const std::string cased = options.lowercase ? lowercase(line) : line;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) append_word(text.words, word);
    word.clear();
  };
  utf8::for_each(cased, [&](char32_t code, std::string_view bytes) {
    if (utf8::is_space(code)) return end_word();
    text.characters.push_back(code);
    if (options.word_order > 0) word += bytes;
  });
  end_word();
  return text;
}

ChrfCounts compare(const Text& hypothesis, const Text& reference) {
  ChrfCounts counts;
  const auto characters =
      ngram_overlap(hypothesis.characters, reference.characters, ChrfCounts::char_orders);
  WordNumbers number;
  const auto words =
      ngram_overlap(number(hypothesis.words), number(reference.words), ChrfCounts::word_orders);
  std::copy(words.begin(), words.end(),
            std::copy(characters.begin(), characters.end(), counts.orders.begin()));
  // An order that the reference is too short for does not count against the hypothesis.
  for (Overlap& order : counts.orders)
    if (order.reference == 0) order.hypothesis = 0;
  return counts;
}

double f_score(const ChrfCounts& counts) {
  constexpr double beta2 = 4;
  double precision = 0;
  double recall = 0;
  int orders = 0;
  for (const Overlap& order : counts.orders) {
    if (order.hypothesis == 0 || order.reference == 0) continue;
    precision += static_cast<double>(order.matches) / static_cast<double>(order.hypothesis);
    recall += static_cast<double>(order.matches) / static_cast<double>(order.reference);
    ++orders;
  }
  if (precision + recall == 0) return 0;
  precision /= orders;
  recall /= orders;
  return 100 * ((1 + beta2) * precision * recall / (beta2 * precision + recall));
}

}  // namespace

void ChrfOptions::list(Fields& f) {
  const auto holds = [](const FieldValue& value) {
    return value == FieldValue(Index{0}) || value == FieldValue(Index{2});
  };
  f("word_order", word_order, Range("0 (chrF) or 2 (chrF++)", holds, "0|2"), "2 for chrF++")
      .option("word-order");
  f("lowercase", lowercase, any_value(), "ignore the case of letters").option("lowercase");
}

ChrfCounts& ChrfCounts::operator+=(const ChrfCounts& other) {
  for (std::size_t n = 0; n < orders.size(); ++n) {
    orders[n].hypothesis += other.orders[n].hypothesis;
    orders[n].reference += other.orders[n].reference;
    orders[n].matches += other.orders[n].matches;
  }
  return *this;
}

std::string ChrfScore::signature() const {
  return fmt::format("nrefs:{}|case:{}|eff:yes|nc:{}|nw:{}|space:no|version:{}", references,
                     options.lowercase ? "lc" : "mixed", char_orders, options.word_order,
                     metrics_version);
}

std::vector<ChrfCounts> chrf_counts(std::span<const std::string> hypotheses,
                                    std::span<const std::vector<std::string>> references,
                                    const ChrfOptions& options) {
  check(options.word_order == 0 || options.word_order == 2, "chrf",
        "expected a word order of 0 or 2; got {}", options.word_order);
  check_aligned("chrf", hypotheses, references);
  std::vector<ChrfCounts> counts;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    const Text hypothesis = read(hypotheses[i], options);
    ChrfCounts best;
    double best_score = -1;
    for (const auto& reference : references) {
      const ChrfCounts compared = compare(hypothesis, read(reference[i], options));
      const double score = f_score(compared);
      if (score > best_score) {
        best_score = score;
        best = compared;
      }
    }
    counts.push_back(best);
  }
  return counts;
}

ChrfScore chrf_score(const ChrfCounts& counts, Index references, const ChrfOptions& options) {
  return {counts, f_score(counts), options, references};
}

ChrfScore corpus_chrf(std::span<const std::string> hypotheses,
                      std::span<const std::vector<std::string>> references,
                      const ChrfOptions& options) {
  ChrfCounts sum;
  for (const ChrfCounts& line : chrf_counts(hypotheses, references, options))
    sum += line;
  return chrf_score(sum, static_cast<Index>(references.size()), options);
}

ChrfScore sentence_chrf(const std::string& hypothesis, std::span<const std::string> references,
                        const ChrfOptions& options) {
  return corpus_chrf(std::span(&hypothesis, 1), columns(references), options);
}

ItemCounts chrf_items(std::span<const ChrfCounts> lines, Index references) {
  ItemCounts items(row_width, references);
  for (const ChrfCounts& line : lines) {
    std::vector<double> row;
    for (const Overlap& order : line.orders)
      for (const Index count : {order.hypothesis, order.reference, order.matches})
        row.push_back(static_cast<double>(count));
    items.add(row);
  }
  return items;
}

ChrfScore chrf_of_sum(std::span<const double> sum, Index references, const ChrfOptions& options) {
  check(sum.size() == row_width, "chrf", "expected a row of {} counts; got {}", row_width,
        sum.size());
  ChrfCounts counts;
  for (std::size_t n = 0; n < counts.orders.size(); ++n)
    counts.orders[n] = {.hypothesis = static_cast<Index>(sum[3 * n]),
                        .reference = static_cast<Index>(sum[3 * n + 1]),
                        .matches = static_cast<Index>(sum[3 * n + 2])};
  return chrf_score(counts, references, options);
}

MetricScore metric_score(const ChrfScore& s) {
  const char* const name = s.options.word_order == 2 ? "chrF2++" : "chrF2";
  return {.figures = {{"score", s.score}},
          .signature = s.signature(),
          .text = fmt::format("{} {:.4f}\n", name, s.score)};
}

}  // namespace heed
