#include "datasets/metrics/rouge.h"

#include <algorithm>

#include <fmt/format.h>

#include "datasets/metrics/internal/lcs.h"
#include "datasets/metrics/internal/lines.h"
#include "datasets/metrics/internal/porter.h"
#include "datasets/metrics/item_counts.h"
#include "datasets/metrics/metrics.h"
#include "datasets/metrics/overlap.h"
#include "datasets/metrics/tokenize.h"
#include "datasets/metrics/version.h"
#include "framework/error.h"
#include "framework/fields.h"

namespace heed {

namespace {

using Sentence = std::vector<std::uint32_t>;

constexpr PrecisionRecall RougeScore::*parts[] = {&RougeScore::rouge1, &RougeScore::rouge2,
                                                  &RougeScore::rouge3, &RougeScore::rougeL,
                                                  &RougeScore::rougeLsum};
constexpr const char* part_names[] = {"rouge1", "rouge2", "rouge3", "rougeL", "rougeLsum"};

// of rouge_items()
constexpr std::size_t row_width = 3 * std::size(parts) + 1;

struct Text {
  Sentence words;                   // of the whole text
  std::vector<Sentence> sentences;  // without those that have no words
};

Text read(std::string_view text, const RougeOptions& options, WordNumbers& number) {
  Text result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    Sentence words = number(rouge_words(text.substr(begin, end - begin), options));
    result.words.insert(result.words.end(), words.begin(), words.end());
    if (!words.empty()) result.sentences.push_back(std::move(words));
    begin = end + 1;
  }
  return result;
}

PrecisionRecall ratios(Index matches, Index hypothesis, Index reference) {
  PrecisionRecall r;
  if (matches == 0) return r;
  r.precision = static_cast<double>(matches) / static_cast<double>(hypothesis);
  r.recall = static_cast<double>(matches) / static_cast<double>(reference);
  r.fmeasure = 2 * r.precision * r.recall / (r.precision + r.recall);
  return r;
}

std::vector<Index> word_counts(const Text& text, std::size_t vocabulary) {
  std::vector<Index> counts(vocabulary);
  for (const std::uint32_t word : text.words)
    ++counts[word];
  return counts;
}

// Counts the words of each sentence of the reference that are in the union of its longest common
// subsequences with every sentence of the hypothesis. A word matches at most as often as either
// side holds it.
Index union_matches(const Text& hypothesis, const Text& reference, std::size_t vocabulary) {
  std::vector<Index> left_hypothesis = word_counts(hypothesis, vocabulary);
  std::vector<Index> left_reference = word_counts(reference, vocabulary);
  Index matches = 0;
  for (const Sentence& sentence : reference.sentences) {
    std::vector<bool> covered(sentence.size());
    for (const Sentence& other : hypothesis.sentences)
      for (const std::size_t i : lcs_positions(sentence, other))
        covered[i] = true;
    for (std::size_t i = 0; i < sentence.size(); ++i) {
      if (!covered[i] || left_hypothesis[sentence[i]] == 0 || left_reference[sentence[i]] == 0)
        continue;
      ++matches;
      --left_hypothesis[sentence[i]];
      --left_reference[sentence[i]];
    }
  }
  return matches;
}

RougeScore compare(const Text& hypothesis, const Text& reference, std::size_t vocabulary) {
  RougeScore score;
  const auto n = static_cast<Index>(hypothesis.words.size());
  const auto m = static_cast<Index>(reference.words.size());
  const std::vector<Overlap> ngrams = ngram_overlap(hypothesis.words, reference.words, 3);
  for (std::size_t i = 0; i < 3; ++i)
    score.*parts[i] = ratios(ngrams[i].matches, ngrams[i].hypothesis, ngrams[i].reference);
  const Index common = lcs_length(reference.words, hypothesis.words);
  score.rougeL = ratios(common, n, m);
  // With one sentence on each side, ROUGE-Lsum is ROUGE-L.
  const bool one_sentence = hypothesis.sentences.size() == 1 && reference.sentences.size() == 1;
  if (one_sentence)
    score.rougeLsum = score.rougeL;
  else
    score.rougeLsum = ratios(union_matches(hypothesis, reference, vocabulary), n, m);
  return score;
}

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

void RougeOptions::list(Fields& f) {
  f("stem", stem, any_value(), "compare stems (Porter) of words longer than three letters")
      .option("stem");
}

std::vector<std::string> rouge_words(std::string_view text, const RougeOptions& options) {
  // All of Unicode is put into lower case, since the Kelvin sign becomes a k, for instance.
  const std::string lower = lowercase(text);
  std::vector<std::string> words;
  for (auto end = lower.begin(); end != lower.end();) {
    const auto begin = std::find_if(end, lower.end(), is_word);
    end = std::find_if_not(begin, lower.end(), is_word);
    if (begin == end) break;
    words.emplace_back(begin, end);
    if (options.stem && words.back().size() > 3)
      words.back() = porter_stem(std::move(words.back()));
  }
  return words;
}

std::string rouge_signature(Index references, const RougeOptions& options) {
  return fmt::format("nrefs:{}|stem:{}|version:{}", references, options.stem ? "yes" : "no",
                     metrics_version);
}

RougeScore rouge(const std::string& hypothesis, std::span<const std::string> references,
                 const RougeOptions& options) {
  check(!references.empty(), "rouge", "expected at least one reference; got none");
  WordNumbers number;
  const Text read_hypothesis = read(hypothesis, options, number);
  RougeScore best;
  for (std::size_t r = 0; r < references.size(); ++r) {
    const Text reference = read(references[r], options, number);
    const RougeScore score = compare(read_hypothesis, reference, number.size());
    for (const auto part : parts)
      if (r == 0 || (score.*part).fmeasure > (best.*part).fmeasure) best.*part = score.*part;
  }
  return best;
}

ItemCounts rouge_items(std::span<const RougeScore> lines, Index references) {
  ItemCounts items(row_width, references);
  for (const RougeScore& line : lines) {
    std::vector<double> row;
    for (const auto part : parts)
      row.insert(row.end(), {(line.*part).precision, (line.*part).recall, (line.*part).fmeasure});
    row.push_back(1);
    items.add(row);
  }
  return items;
}

RougeScore rouge_of_sum(std::span<const double> sum) {
  check(sum.size() == row_width, "rouge", "expected a row of {} sums; got {}", row_width,
        sum.size());
  const double n = sum.back();
  RougeScore result;
  for (std::size_t i = 0; i < std::size(parts); ++i)
    result.*parts[i] = {
        .precision = sum[3 * i] / n, .recall = sum[3 * i + 1] / n, .fmeasure = sum[3 * i + 2] / n};
  return result;
}

RougeScore mean(std::span<const RougeScore> scores) {
  check(!scores.empty(), "rouge", "expected at least one line; got none");
  return rouge_of_sum(rouge_items(scores).sum());
}

std::vector<RougeScore> rouge_lines(std::span<const std::string> hypotheses,
                                    std::span<const std::vector<std::string>> references,
                                    const RougeOptions& options) {
  check_aligned("rouge", hypotheses, references);
  std::vector<RougeScore> scores;
  std::vector<std::string> line(references.size());
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    for (std::size_t r = 0; r < references.size(); ++r)
      line[r] = references[r][i];
    scores.push_back(rouge(hypotheses[i], line, options));
  }
  return scores;
}

RougeScore mean_rouge(std::span<const std::string> hypotheses,
                      std::span<const std::vector<std::string>> references,
                      const RougeOptions& options) {
  return mean(rouge_lines(hypotheses, references, options));
}

MetricScore metric_score(const RougeScore& score, Index references, const RougeOptions& options) {
  MetricScore result;
  result.signature = rouge_signature(references, options);
  result.text = fmt::format("{:<10} {:>9} {:>9} {:>9}\n", "", "precision", "recall", "F");
  for (std::size_t i = 0; i < std::size(parts); ++i) {
    const PrecisionRecall& part = score.*parts[i];
    const std::string name = part_names[i];
    result.figures.push_back({name + ".precision", part.precision});
    result.figures.push_back({name + ".recall", part.recall});
    result.figures.push_back({name + ".fmeasure", part.fmeasure});
    result.text += fmt::format("{:<10} {:9.4f} {:9.4f} {:9.4f}\n", name, part.precision,
                               part.recall, part.fmeasure);
  }
  return result;
}

}  // namespace heed
