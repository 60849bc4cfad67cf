#include "experiments/comparison/result.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "datasets/metrics/bootstrap.h"
#include "experiments/comparison/internal/compared_model.h"
#include "framework/error.h"

namespace heed {

namespace {

constexpr int fewest_resamples = 1000;
constexpr std::uint64_t bootstrap_seed = 2004;

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
  ModelScores(const Judge& judge, std::size_t figures, const std::vector<Grouping>& groupings,
              Index seeds, int resamples)
      : judge_(judge),
        groupings_(groupings),
        seeds_(seeds),
        scores_(figures),
        resampled_(static_cast<std::size_t>(resamples)) {
    for (const Grouping& grouping : groupings)
      grouped_.emplace_back(grouping.groups.size());
  }

  void add(const RunResult& run, const TestSet& test) {
    summary_.d = run.d;
    summary_.parameters = run.parameters;
    add_costs(run);
    steps_.push_back(static_cast<double>(run.steps));
    tokens_per_s_.push_back(run.tokens_per_s);
    seconds_.push_back(run.seconds);
    peak_mb_.push_back(run.peak_mb);
    perplexity_.push_back(run.valid_perplexity());
    for (std::size_t i = 0; i < scores_.size(); ++i)
      scores_[i].push_back(run.scores[i]);
    add_items(judge_.counts(test, run.hypotheses));
  }

  Index runs() const { return std::ssize(steps_); }

  /// The first figure on each resampled test set, the mean over the seeds.
  const std::vector<double>& resampled() const { return resampled_; }

  ModelSummary summary(const std::string& model) const {
    ModelSummary summary = summary_;
    summary.model = model;
    summary.steps = spread_of(steps_);
    summary.tokens_per_s = spread_of(tokens_per_s_);
    summary.seconds = spread_of(seconds_);
    summary.peak_mb = spread_of(peak_mb_);
    summary.decoded_tokens_per_s = spread_of(decoded_);
    summary.perplexity = spread_of(perplexity_);
    for (const std::vector<double>& values : scores_)
      summary.scores.push_back(spread_of(values));
    for (const auto& of_groups : grouped_) {
      std::vector<Spread>& spreads = summary.grouped.emplace_back();
      for (const std::vector<double>& scores : of_groups)
        spreads.push_back(spread_of(scores));
    }
    return summary;
  }

 private:
  /// Runs of earlier versions lack them.
  void add_costs(const RunResult& run) {
    if (run.flops > 0 && summary_.flops == 0) {  // of the first seed, by which widths are matched
      summary_.flops = run.flops;
      summary_.outside_vocabulary = run.outside_vocabulary;
      summary_.state_kib = run.decoding.state_kib;
    }
    if (run.decoding.tokens_per_s > 0) decoded_.push_back(run.decoding.tokens_per_s);
  }

  void add_items(const ItemCounts& items) {
    for (std::size_t g = 0; g < groupings_.size(); ++g)
      for (std::size_t i = 0; i < groupings_[g].groups.size(); ++i)
        grouped_[g][i].push_back(judge_.of(items, groupings_[g].groups[i].lines));
    const std::vector<double> scores = judge_.resampled(items, resampled_.size());
    for (std::size_t i = 0; i < scores.size(); ++i)
      resampled_[i] += scores[i] / static_cast<double>(seeds_);
  }

  const Judge& judge_;
  const std::vector<Grouping>& groupings_;
  Index seeds_;
  ModelSummary summary_;  // what all runs of the model share
  // one entry for each run
  std::vector<double> steps_;
  std::vector<double> tokens_per_s_;
  std::vector<double> seconds_;
  std::vector<double> peak_mb_;
  std::vector<double> decoded_;
  std::vector<double> perplexity_;
  std::vector<std::vector<double>> scores_;                // of each figure
  std::vector<std::vector<std::vector<double>>> grouped_;  // of each group of each grouping
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
                     const std::vector<Grouping>& groupings,
                     const std::vector<ComparedFigure>& figures, std::vector<RunResult> runs) {
  Comparison result;
  result.figures = figures;
  result.groupings = groupings;
  const Judge judge(figures.at(0));
  check(!runs.empty(), "compare", "expected runs; got none");
  result.signature = judge.signature(judge.counts(test, runs.front().hypotheses));
  for (RunResult& run : runs)
    run.scores = score_on(test, run.hypotheses, figures);
  result.resamples = resamples_for(settings.models.size());
  std::vector<std::vector<double>> resampled;  // of each model
  for (const std::string& name : names_of(settings.models)) {
    ModelScores scores(judge, figures.size(), groupings, settings.seeds, result.resamples);
    for (const RunResult& run : runs)
      if (run.model == name) scores.add(run, test);
    check(scores.runs() == settings.seeds, "compare", "expected {} runs of {}; got {}",
          settings.seeds, name, scores.runs());
    result.models.push_back(scores.summary(name));
    resampled.push_back(scores.resampled());
  }
  result.pairs = ranked_pairs(result.models, resampled, judge.higher_is_better());
  result.lines = std::ssize(test.sources);
  result.runs = std::move(runs);
  return result;
}

}  // namespace heed
