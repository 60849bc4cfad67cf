#include "experiments/comparison/result.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include <nlohmann/json.hpp>

#include "datasets/metrics/exact.h"
#include "experiments/report/number_text.h"
#include "framework/error.h"

namespace heed::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr int resamples = 1000;
constexpr std::uint64_t bootstrap_seed = 2004;

/// Effective order: a bucket of short lines may hold no output of four words. BLEU is then computed
/// from the n-gram orders that exist.
const BleuOptions bleu_options{.effective_order = true};

Index words(const std::string& text) {
  std::istringstream stream(text);
  Index count = 0;
  for (std::string word; stream >> word;)
    ++count;
  return count;
}

double bleu_of(std::span<const BleuCounts> lines, const std::vector<std::size_t>& chosen) {
  BleuCounts sum;
  for (std::size_t i : chosen)
    sum += lines[i];
  return bleu_score(sum, 1, bleu_options).score;
}

Json to_json(const Spread& s) {
  return {{"mean", s.mean}, {"deviation", s.deviation ? Json(*s.deviation) : Json(nullptr)}};
}

using Row = std::vector<std::string>;

/// Width on a terminal: the number of code points.
std::size_t width(const std::string& text) {
  const auto begins_character = [](char c) { return (c & 0xc0) != 0x80; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

/// Columns are as wide as their widest cell. The first is aligned left, the others right.
std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width(row[i]));
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width(row[i]), ' ');
      line += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

/// The figures of one model's runs.
class ModelScores {
 public:
  ModelScores(std::size_t buckets, Index seeds)
      : seeds_(seeds), by_length_(buckets), resampled_(resamples) {}

  void add(const RunResult& run, const TestSet& test, const std::vector<LengthBucket>& buckets) {
    d_ = run.d;
    parameters_ = run.parameters;
    steps_.push_back(static_cast<double>(run.steps));
    tokens_per_s_.push_back(run.tokens_per_s);
    seconds_.push_back(run.seconds);
    peak_mb_.push_back(run.peak_mb);
    perplexity_.push_back(std::exp(run.valid_loss));
    exact_.push_back(exact_match(run.hypotheses, test.references));
    const std::vector<std::vector<std::string>> references{test.references};
    add_bleu(bleu_counts(run.hypotheses, references), buckets);
  }

  Index runs() const { return std::ssize(bleu_); }

  /// BLEU on each resampled test set, the mean over the seeds.
  const std::vector<double>& resampled() const { return resampled_; }

  ModelSummary summary(const std::string& model) const {
    ModelSummary summary{.model = model,
                         .d = d_,
                         .parameters = parameters_,
                         .steps = spread_of(steps_),
                         .tokens_per_s = spread_of(tokens_per_s_),
                         .seconds = spread_of(seconds_),
                         .peak_mb = spread_of(peak_mb_),
                         .perplexity = spread_of(perplexity_),
                         .bleu = spread_of(bleu_),
                         .exact = spread_of(exact_),
                         .by_length = {}};
    for (const std::vector<double>& scores : by_length_)
      summary.by_length.push_back(spread_of(scores));
    return summary;
  }

 private:
  /// `lines`: the counts of each line of the test set.
  void add_bleu(const std::vector<BleuCounts>& lines, const std::vector<LengthBucket>& buckets) {
    BleuCounts sum;
    for (const BleuCounts& line : lines)
      sum += line;
    bleu_.push_back(bleu_score(sum, 1, bleu_options).score);
    for (std::size_t b = 0; b < buckets.size(); ++b)
      by_length_[b].push_back(bleu_of(lines, buckets[b].lines));
    const std::vector<double> scores =
        bootstrap_bleu(lines, resamples, bootstrap_seed, bleu_options);
    for (std::size_t i = 0; i < scores.size(); ++i)
      resampled_[i] += scores[i] / static_cast<double>(seeds_);
  }

  Index seeds_;
  Index d_ = 0;
  Index parameters_ = 0;
  // one entry for each run
  std::vector<double> steps_;
  std::vector<double> tokens_per_s_;
  std::vector<double> seconds_;
  std::vector<double> peak_mb_;
  std::vector<double> perplexity_;
  std::vector<double> bleu_;
  std::vector<double> exact_;
  std::vector<std::vector<double>> by_length_;  // of each bucket
  std::vector<double> resampled_;
};

/// Every two models, the one with the better mean BLEU first. `resampled`: the scores of each model
/// on the resampled test sets.
std::vector<ModelPair> ranked_pairs(const std::vector<ModelSummary>& models,
                                    const std::vector<std::vector<double>>& resampled) {
  std::vector<std::size_t> order(models.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return models[a].bleu.mean > models[b].bleu.mean;
  });
  std::vector<ModelPair> pairs;
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t j = i + 1; j < order.size(); ++j)
      pairs.push_back({models[order[i]].model, models[order[j]].model,
                       paired_difference(resampled[order[i]], resampled[order[j]])});
  return pairs;
}

Json to_json(const ModelSummary& m) {
  Json by_length = Json::array();
  for (const Spread& s : m.by_length)
    by_length.push_back(to_json(s));
  return {{"model", m.model},
          {"d", m.d},
          {"parameters", m.parameters},
          {"steps", to_json(m.steps)},
          {"tokens_per_s", to_json(m.tokens_per_s)},
          {"seconds", to_json(m.seconds)},
          {"peak_mb", to_json(m.peak_mb)},
          {"valid_perplexity", to_json(m.perplexity)},
          {"test_bleu", to_json(m.bleu)},
          {"test_exact", to_json(m.exact)},
          {"bleu_by_length", by_length}};
}

Json to_json(const ModelPair& p) {
  return {{"better", p.better},
          {"worse", p.worse},
          {"bleu", p.difference.mean},
          {"low", p.difference.low},
          {"high", p.difference.high},
          {"wins", p.difference.wins},
          {"significant", p.difference.significant()}};
}

std::string models_table(const std::vector<ModelSummary>& models) {
  std::vector<Row> rows{{"model", "parameters", "d", "steps", "tokens/s", "seconds", "peak MB",
                         "valid ppl", "test BLEU", "exact %"}};
  for (const ModelSummary& m : models)
    rows.push_back({m.model, fmt::format("{}", m.parameters), fmt::format("{}", m.d),
                    fmt::format("{:.0f}", m.steps.mean), fmt::format("{:.0f}", m.tokens_per_s.mean),
                    fmt::format("{:.0f}", m.seconds.mean), fmt::format("{:.0f}", m.peak_mb.mean),
                    to_text(m.perplexity, 3), to_text(m.bleu, 2), to_text(m.exact, 1, 100)});
  return table(rows);
}

std::string length_table(const ComparisonResult& result) {
  std::vector<Row> rows{{"BLEU by source words"}, {"lines"}};
  for (const LengthBucket& b : result.buckets) {
    rows[0].push_back(b.text());
    rows[1].push_back(fmt::format("{}", b.lines.size()));
  }
  for (const ModelSummary& m : result.models) {
    rows.push_back({m.model});
    for (const Spread& s : m.by_length)
      rows.back().push_back(to_text(s, 1));
  }
  return table(rows);
}

std::string pairs_table(const std::vector<ModelPair>& pairs) {
  std::vector<Row> rows{{"better", "worse", "BLEU", "95 % of test sets", "better on", ""}};
  for (const ModelPair& p : pairs) {
    const PairedDifference& d = p.difference;
    rows.push_back({p.better, p.worse, signed_fixed(d.mean, 2),
                    fmt::format("{} to {}", signed_fixed(d.low, 2), signed_fixed(d.high, 2)),
                    fmt::format("{:.1f} %", 100 * d.wins),
                    d.significant() ? "significant" : "may be chance"});
  }
  return table(rows);
}

}  // namespace

Json to_json(const RunResult& r) {
  return {{"model", r.model},
          {"seed", r.seed},
          {"d", r.d},
          {"parameters", r.parameters},
          {"steps", r.steps},
          {"best_step", r.best_step},
          {"seconds", r.seconds},
          {"tokens_per_s", r.tokens_per_s},
          {"peak_mb", r.peak_mb},
          {"valid_loss", r.valid_loss},
          {"valid_perplexity", std::exp(r.valid_loss)}};
}

RunResult result_from_json(const Json& j) {
  return {.model = j.at("model"),
          .seed = j.at("seed"),
          .d = j.at("d"),
          .parameters = j.at("parameters"),
          .steps = j.at("steps"),
          .best_step = j.at("best_step"),
          .seconds = j.at("seconds"),
          .tokens_per_s = j.at("tokens_per_s"),
          .peak_mb = j.at("peak_mb"),
          .valid_loss = j.at("valid_loss"),
          .hypotheses = {}};
}

Spread spread_of(const std::vector<double>& values) {
  Spread s;
  if (values.empty()) return s;
  for (double v : values)
    s.mean += v / static_cast<double>(values.size());
  double squares = 0;
  for (double v : values)
    squares += (v - s.mean) * (v - s.mean);
  if (values.size() > 1) s.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return s;
}

std::string to_text(const Spread& s, int digits, double factor) {
  const std::string mean = fmt::format("{:.{}f}", factor * s.mean, digits);
  return s.deviation ? fmt::format("{} ± {:.{}f}", mean, factor * *s.deviation, digits) : mean;
}

std::string LengthBucket::text() const {
  return low == high ? fmt::format("{}", low) : fmt::format("{}-{}", low, high);
}

std::vector<LengthBucket> length_buckets(const std::vector<std::string>& sources) {
  std::vector<std::pair<Index, std::size_t>> lengths;
  for (std::size_t i = 0; i < sources.size(); ++i)
    lengths.emplace_back(words(sources[i]), i);
  std::sort(lengths.begin(), lengths.end());
  constexpr std::size_t parts = 5;
  std::vector<LengthBucket> buckets;
  for (std::size_t begin = 0; begin < lengths.size();) {
    // A bucket reaches to the end of the next fifth of the lines, and takes all lines that are as
    // long as its last one.
    const std::size_t fifth = std::min(parts, parts * begin / lengths.size() + 1);
    std::size_t end = std::max(begin + 1, lengths.size() * fifth / parts);
    while (end < lengths.size() && lengths[end].first == lengths[end - 1].first)
      ++end;
    LengthBucket bucket{lengths[begin].first, lengths[end - 1].first, {}};
    for (std::size_t i = begin; i < end; ++i)
      bucket.lines.push_back(lengths[i].second);
    buckets.push_back(std::move(bucket));
    begin = end;
  }
  return buckets;
}

ComparisonResult compare(const ComparisonSettings& comparison, const TestSet& test,
                         const std::vector<RunResult>& results) {
  ComparisonResult result;
  result.buckets = length_buckets(test.sources);
  result.signature = bleu_score({}, 1, bleu_options).signature();
  std::vector<std::vector<double>> resampled;  // of each model
  for (const std::string& name : comparison.models) {
    ModelScores scores(result.buckets.size(), comparison.seeds);
    for (const RunResult& run : results)
      if (run.model == name) scores.add(run, test, result.buckets);
    check(scores.runs() == comparison.seeds, "compare", "expected {} runs of {}; got {}",
          comparison.seeds, name, scores.runs());
    result.models.push_back(scores.summary(name));
    resampled.push_back(scores.resampled());
  }
  result.pairs = ranked_pairs(result.models, resampled);
  return result;
}

Json to_json(const ComparisonResult& result) {
  Json json{{"bleu_signature", result.signature},
            {"models", Json::array()},
            {"length_buckets", Json::array()},
            {"differences", Json::array()}};
  for (const ModelSummary& m : result.models)
    json["models"].push_back(to_json(m));
  for (const LengthBucket& b : result.buckets)
    json["length_buckets"].push_back({{"low", b.low}, {"high", b.high}, {"lines", b.lines.size()}});
  for (const ModelPair& p : result.pairs)
    json["differences"].push_back(to_json(p));
  return json;
}

std::string to_text(const ComparisonResult& result) {
  std::string text = models_table(result.models) + "\n" + length_table(result);
  if (!result.pairs.empty()) text += "\n" + pairs_table(result.pairs);
  return text;
}

}  // namespace heed::cli
