#include "experiments/comparison/result.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "datasets/metrics/bootstrap.h"
#include "experiments/comparison/internal/compared_model.h"
#include "framework/error.h"

namespace heed {

namespace {

constexpr int fewest_resamples = 1000;
constexpr std::uint64_t bootstrap_seed = 2004;

Index words(const std::string& text) {
  std::istringstream stream(text);
  Index count = 0;
  for (std::string word; stream >> word;)
    ++count;
  return count;
}

/// A figure with its metric and options, ready to score.
class Judge {
 public:
  explicit Judge(const ComparedFigure& figure)
      : metric_(metrics().at(figure.metric)), options_(metric_options(metric_, figure.options)) {}

  ItemCounts counts(const TestSet& test, const std::vector<std::string>& hypotheses) const {
    const std::vector<std::vector<std::string>> references{test.references};
    return metric_.counts(hypotheses, references, options_);
  }
  double of(const ItemCounts& items) const {
    return metric_.main_of_sum(items.sum(), items, options_);
  }
  double of(const ItemCounts& items, const std::vector<std::size_t>& chosen) const {
    return metric_.main_of_sum(items.sum(chosen), items, options_);
  }
  std::vector<double> resampled(const ItemCounts& items, std::size_t samples) const {
    return bootstrap(metric_, items, static_cast<int>(samples), bootstrap_seed, options_);
  }
  std::string signature(const ItemCounts& items) const {
    return metric_.of_sum(items.sum(), items, options_).signature;
  }
  bool higher_is_better() const { return metric_.higher_is_better; }

 private:
  const Metric& metric_;
  AnyOptions options_;
};

/// The figures of one model's runs.
class ModelScores {
 public:
  ModelScores(const Judge& judge, std::size_t figures, std::size_t buckets, Index seeds,
              int resamples)
      : judge_(judge),
        seeds_(seeds),
        scores_(figures),
        by_length_(buckets),
        resampled_(static_cast<std::size_t>(resamples)) {}

  void add(const RunResult& run, const TestSet& test, const std::vector<LengthBucket>& buckets) {
    d_ = run.d;
    parameters_ = run.parameters;
    steps_.push_back(static_cast<double>(run.steps));
    tokens_per_s_.push_back(run.tokens_per_s);
    seconds_.push_back(run.seconds);
    peak_mb_.push_back(run.peak_mb);
    perplexity_.push_back(run.valid_perplexity());
    for (std::size_t i = 0; i < scores_.size(); ++i)
      scores_[i].push_back(run.scores[i]);
    add_items(judge_.counts(test, run.hypotheses), buckets);
  }

  Index runs() const { return std::ssize(steps_); }

  /// The first figure on each resampled test set, the mean over the seeds.
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
                         .scores = {},
                         .by_length = {}};
    for (const std::vector<double>& values : scores_)
      summary.scores.push_back(spread_of(values));
    for (const std::vector<double>& scores : by_length_)
      summary.by_length.push_back(spread_of(scores));
    return summary;
  }

 private:
  void add_items(const ItemCounts& items, const std::vector<LengthBucket>& buckets) {
    for (std::size_t b = 0; b < buckets.size(); ++b)
      by_length_[b].push_back(judge_.of(items, buckets[b].lines));
    const std::vector<double> scores = judge_.resampled(items, resampled_.size());
    for (std::size_t i = 0; i < scores.size(); ++i)
      resampled_[i] += scores[i] / static_cast<double>(seeds_);
  }

  const Judge& judge_;
  Index seeds_;
  Index d_ = 0;
  Index parameters_ = 0;
  // one entry for each run
  std::vector<double> steps_;
  std::vector<double> tokens_per_s_;
  std::vector<double> seconds_;
  std::vector<double> peak_mb_;
  std::vector<double> perplexity_;
  std::vector<std::vector<double>> scores_;     // of each figure
  std::vector<std::vector<double>> by_length_;  // of each bucket
  std::vector<double> resampled_;
};

/// Every two models, the better one first. `resampled`: the scores of each model on the resampled
/// test sets.
std::vector<ModelPair> ranked_pairs(const std::vector<ModelSummary>& models,
                                    const std::vector<std::vector<double>>& resampled,
                                    bool higher_is_better) {
  std::vector<std::size_t> order(models.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const double sign = higher_is_better ? 1 : -1;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return sign * models[a].scores[0].mean > sign * models[b].scores[0].mean;
  });
  std::vector<ModelPair> pairs;
  for (std::size_t i = 0; i < order.size(); ++i)
    for (std::size_t j = i + 1; j < order.size(); ++j)
      pairs.push_back(
          {models[order[i]].model, models[order[j]].model,
           paired_difference(resampled[order[i]], resampled[order[j]], higher_is_better)});
  std::vector<double> p;
  for (const ModelPair& pair : pairs)
    p.push_back(pair.difference.p);
  const std::vector<double> adjusted = holm(p);
  for (std::size_t i = 0; i < pairs.size(); ++i)
    pairs[i].holm_p = adjusted[i];
  return pairs;
}

/// The smallest p of a test is 2 / (1 + sets). Adjusted for the number of pairs it must be able to
/// fall far below 0.05.
int resamples_for(std::size_t models) {
  const auto pairs = static_cast<int>(models * (models - 1) / 2);
  constexpr int sets_a_pair = 100;
  return std::max(fewest_resamples, sets_a_pair * pairs);
}

}  // namespace

std::string ComparedFigure::text(double value) const {
  const std::string number = fmt::format("{:.{}f}", factor * value, digits);
  const std::string unit = title.ends_with(" %") ? " %" : "";
  return title.substr(0, title.size() - unit.size()) + " " + number + unit;
}

double RunResult::valid_perplexity() const { return std::exp(valid_loss); }

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

std::vector<double> score_on(const TestSet& test, const std::vector<std::string>& hypotheses,
                             const std::vector<ComparedFigure>& figures) {
  std::vector<double> scores;
  for (const ComparedFigure& figure : figures) {
    const Judge judge(figure);
    scores.push_back(judge.of(judge.counts(test, hypotheses)));
  }
  return scores;
}

Comparison summarise(const ComparisonSettings& settings, const TestSet& test,
                     const std::vector<ComparedFigure>& figures, std::vector<RunResult> runs) {
  Comparison result;
  result.figures = figures;
  if (test.has_lengths) result.buckets = length_buckets(test.sources);
  const Judge judge(figures.at(0));
  result.signature = judge.signature(judge.counts(test, test.references));
  for (RunResult& run : runs)
    run.scores = score_on(test, run.hypotheses, figures);
  result.resamples = resamples_for(settings.models.size());
  std::vector<std::vector<double>> resampled;  // of each model
  for (const std::string& name : names_of(settings.models)) {
    ModelScores scores(judge, figures.size(), result.buckets.size(), settings.seeds,
                       result.resamples);
    for (const RunResult& run : runs)
      if (run.model == name) scores.add(run, test, result.buckets);
    check(scores.runs() == settings.seeds, "compare", "expected {} runs of {}; got {}",
          settings.seeds, name, scores.runs());
    result.models.push_back(scores.summary(name));
    resampled.push_back(scores.resampled());
  }
  result.pairs = ranked_pairs(result.models, resampled, judge.higher_is_better());
  result.runs = std::move(runs);
  return result;
}

}  // namespace heed
