#include "datasets/metrics/bleu.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "datasets/metrics/internal/lines.h"
#include "datasets/metrics/item_counts.h"
#include "datasets/metrics/metrics.h"
#include "datasets/metrics/tokenize.h"
#include "datasets/metrics/version.h"
#include "datasets/text/utf8.h"
#include "datasets/text/vocabulary.h"
#include "framework/error.h"
#include "framework/fields.h"
#include "framework/nearest.h"

namespace heed {

namespace {

constexpr int orders = BleuCounts::orders;
constexpr std::size_t row_width = 2 + 2 * orders;  // of bleu_items()
using Counts = std::array<StringMap<Index>, orders>;

const std::vector<std::string> smoothings{"exp", "floor", "add-k", "none"};

struct Line {
  std::vector<std::string> words;
  Counts ngrams;  // keys are words joined by spaces, which no word holds
  Index length() const { return static_cast<Index>(words.size()); }
};

std::string_view without_trailing_space(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();)
    if (!utf8::is_space(utf8::next(text, at))) end = at;
  return text.substr(0, end);
}

Line count(const std::string& text, const BleuOptions& options, MetricTokenizer tokenize) {
  const std::string cased = options.lowercase ? lowercase(text) : text;
  Line line{tokenize(without_trailing_space(cased)), {}};
  std::string ngram;
  for (std::size_t i = 0; i < line.words.size(); ++i) {
    ngram.clear();
    for (std::size_t n = 0; n < orders && i + n < line.words.size(); ++n) {
      if (n > 0) ngram += ' ';
      ngram += line.words[i + n];
      ++line.ngrams[n][ngram];
    }
  }
  return line;
}

BleuCounts compare(const Line& hypothesis, const std::vector<Line>& references) {
  const auto distance = [&](const Line& r) {
    return std::pair(std::abs(r.length() - hypothesis.length()), r.length());
  };
  const auto closest =
      std::min_element(references.begin(), references.end(),
                       [&](const Line& a, const Line& b) { return distance(a) < distance(b); });
  BleuCounts counts;
  counts.sys_len = hypothesis.length();
  counts.ref_len = closest->length();
  for (std::size_t n = 0; n < orders; ++n)
    for (const auto& [ngram, times] : hypothesis.ngrams[n]) {
      Index most = 0;
      for (const Line& reference : references)
        if (const auto found = reference.ngrams[n].find(ngram); found != reference.ngrams[n].end())
          most = std::max(most, found->second);
      counts.matches[n] += std::min(times, most);
      counts.totals[n] += times;
    }
  return counts;
}

double smooth_value(const BleuOptions& options) {
  return options.smooth_value.value_or(options.smooth == "floor" ? 0.1 : 1.0);
}

double brevity_penalty(const BleuCounts& counts) {
  const double sys_len = static_cast<double>(counts.sys_len);
  const double ref_len = static_cast<double>(counts.ref_len);
  if (sys_len >= ref_len) return 1;
  return sys_len > 0 ? std::exp(1 - ref_len / sys_len) : 0;
}

// Fills the precisions, smoothed, and returns the number of orders that the score is a mean over.
int fill_precisions(BleuScore& bleu) {
  const BleuOptions& options = bleu.options;
  const double k = smooth_value(options);
  double divisor = 1;  // of "exp" smoothing: doubles with each order that has no match
  int order = orders;
  for (int n = 0; n < orders; ++n) {
    const double added = options.smooth == "add-k" && n > 0 ? k : 0;
    const double matches = static_cast<double>(bleu.matches[n]) + added;
    const double total = static_cast<double>(bleu.totals[n]) + added;
    if (total == 0) break;
    if (options.effective_order) order = n + 1;
    double& precision = bleu.precisions[n];
    if (matches > 0) {
      precision = 100 * matches / total;
    } else if (options.smooth == "exp") {
      divisor *= 2;
      precision = 100 / (divisor * total);
    } else if (options.smooth == "floor") {
      precision = 100 * k / total;
    }
  }
  return order;
}

void finish(BleuScore& bleu) {
  bleu.bp = brevity_penalty(bleu);
  // Without any match the score is 0, whatever the smoothing.
  if (std::all_of(bleu.matches.begin(), bleu.matches.end(), [](Index n) { return n == 0; })) return;
  const int order = fill_precisions(bleu);
  double logs = 0;
  for (int n = 0; n < order; ++n)
    logs += std::log(bleu.precisions[n]);  // log 0 = -inf makes the score 0
  bleu.score = bleu.bp * std::exp(logs / order);
}

void check_options(const BleuOptions& options) {
  if (std::find(smoothings.begin(), smoothings.end(), options.smooth) == smoothings.end())
    fail("unknown smoothing '{}' for BLEU: expected {}{}", options.smooth,
         fmt::join(smoothings, ", "), did_you_mean(options.smooth, smoothings));
  const double k = smooth_value(options);
  if (!(k >= 0 && k <= 1e6))  // the score of a far larger value would be NaN
    fail("[bleu] expected a smoothing value within [0, 1000000]; got {}", k);
}

}  // namespace

void BleuOptions::list(Fields& f) {
  f("tokenize", tokenize, one_of(bleu_tokenizers()),
    fmt::format("how to split words: {}", fmt::join(bleu_tokenizers(), ", ")))
      .option("tokenize");
  f("smooth", smooth, one_of(smoothings),
    fmt::format("smoothing of orders without matches: {}", fmt::join(smoothings, ", ")))
      .option("smooth");
  // A field has a value, so it cannot refer to smooth_value itself. The closure owns what it does
  // refer to.
  const auto value = std::make_shared<double>(::heed::smooth_value(*this));
  f("smooth_value", *value, between(0.0), "value of floor (default 0.1) or add-k (default 1)")
      .option("smooth-value")
      .without_effect_if(smooth != "floor" && smooth != "add-k", "smooth")
      .then([this, value] { smooth_value = *value; });
  f("lowercase", lowercase, any_value(), "ignore the case of letters").option("lowercase");
  f("effective_order", effective_order, any_value(),
    "ignore orders longer than the hypothesis, as for single lines");
}

std::string BleuScore::signature() const {
  std::string smooth = options.smooth;
  if (smooth == "floor" || smooth == "add-k")
    smooth += fmt::format("[{:.2f}]", smooth_value(options));
  return fmt::format("nrefs:{}|case:{}|eff:{}|tok:{}|smooth:{}|version:{}", references,
                     options.lowercase ? "lc" : "mixed", options.effective_order ? "yes" : "no",
                     options.tokenize, smooth, metrics_version);
}

BleuCounts& BleuCounts::operator+=(const BleuCounts& other) {
  sys_len += other.sys_len;
  ref_len += other.ref_len;
  for (std::size_t n = 0; n < orders; ++n) {
    matches[n] += other.matches[n];
    totals[n] += other.totals[n];
  }
  return *this;
}

std::vector<BleuCounts> bleu_counts(std::span<const std::string> hypotheses,
                                    std::span<const std::vector<std::string>> references,
                                    const BleuOptions& options) {
  const MetricTokenizer tokenize = bleu_tokenizer(options.tokenize);
  check_options(options);
  check_aligned("bleu", hypotheses, references);
  std::vector<BleuCounts> counts;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    std::vector<Line> lines;
    for (const auto& reference : references)
      lines.push_back(count(reference[i], options, tokenize));
    counts.push_back(compare(count(hypotheses[i], options, tokenize), lines));
  }
  return counts;
}

BleuScore bleu_score(const BleuCounts& counts, Index references, const BleuOptions& options) {
  check_options(options);
  BleuScore bleu{counts};
  bleu.options = options;
  bleu.references = references;
  finish(bleu);
  return bleu;
}

BleuScore corpus_bleu(std::span<const std::string> hypotheses,
                      std::span<const std::vector<std::string>> references,
                      const BleuOptions& options) {
  BleuCounts sum;
  for (const BleuCounts& line : bleu_counts(hypotheses, references, options))
    sum += line;
  return bleu_score(sum, static_cast<Index>(references.size()), options);
}

BleuScore sentence_bleu(const std::string& hypothesis, std::span<const std::string> references,
                        BleuOptions options) {
  options.effective_order = true;
  return corpus_bleu(std::span(&hypothesis, 1), columns(references), options);
}

ItemCounts bleu_items(std::span<const BleuCounts> lines, Index references) {
  ItemCounts items(row_width, references);
  for (const BleuCounts& line : lines) {
    std::array<double, row_width> row{};
    row[0] = static_cast<double>(line.sys_len);
    row[1] = static_cast<double>(line.ref_len);
    for (std::size_t n = 0; n < orders; ++n) {
      row[2 + n] = static_cast<double>(line.matches[n]);
      row[2 + orders + n] = static_cast<double>(line.totals[n]);
    }
    items.add(row);
  }
  return items;
}

BleuScore bleu_of_sum(std::span<const double> sum, Index references, const BleuOptions& options) {
  check(sum.size() == row_width, "bleu", "expected a row of {} counts; got {}", row_width,
        sum.size());
  BleuCounts counts;
  counts.sys_len = static_cast<Index>(sum[0]);
  counts.ref_len = static_cast<Index>(sum[1]);
  for (std::size_t n = 0; n < orders; ++n) {
    counts.matches[n] = static_cast<Index>(sum[2 + n]);
    counts.totals[n] = static_cast<Index>(sum[2 + orders + n]);
  }
  return bleu_score(counts, references, options);
}

MetricScore metric_score(const BleuScore& s) {
  return {.figures = {{"score", s.score}},
          .signature = s.signature(),
          .text = fmt::format(
              "BLEU {:.4f}   precisions {:.1f}, brevity penalty {:.3f}, {} words for {}\n", s.score,
              fmt::join(s.precisions, "/"), s.bp, s.sys_len, s.ref_len)};
}

}  // namespace heed
