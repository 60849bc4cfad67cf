#include "experiments/comparison/internal/plan.h"

#include <algorithm>
#include <optional>

#include <fmt/ranges.h>

#include "datasets/text/labels.h"
#include "experiments/comparison/internal/assignments.h"
#include "experiments/comparison/internal/matching.h"
#include "experiments/comparison/internal/settings_file.h"
#include "experiments/comparison/internal/step_work.h"
#include "experiments/corpus.h"
#include "experiments/inference/run.h"
#include "experiments/inference/tokenizer_files.h"
#include "experiments/progress.h"
#include "framework/nearest.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

/// A run of the comparison that was begun before, of one of these models; "" where there is none.
fs::path begun_run(const ComparisonSettings& settings, const std::vector<std::string>& models,
                   const fs::path& folder) {
  for (Index seed = 1; seed <= settings.seeds; ++seed)
    for (const std::string& model : models) {
      fs::path run = run_folder(folder, model, seed);
      if (fs::exists(config_path(run))) return run;
    }
  return {};
}

Tokenizers kept_tokenizers(const ComparisonSettings& settings, const fs::path& folder) {
  const fs::path run = begun_run(settings, names_of(settings.models), folder);
  return run.empty() ? Tokenizers() : load_tokenizers(run);
}

/// Adds the warnings that follow from the settings alone.
void add_setting_warnings(ComparisonPlan& plan) {
  const ComparisonSettings& settings = plan.settings;
  plan.warnings = unused_assignments(settings, plan.models);
  const std::vector<std::string>& test = settings.test.empty() ? settings.data : settings.test;
  if (settings.lines != ComparisonSettings().lines && !is_toy(test))
    plan.warnings.push_back(fmt::format(
        "lines = {} has no effect: the test set is no built-in corpus", settings.lines));
  if (!plan.has_same_batches())
    plan.warnings.emplace_back(
        "model.context is not the same for all: a step of each reads other windows of the text");
  for (std::string& note : match_lengths(plan.models))
    plan.warnings.push_back(std::move(note));
}

/// `test`, else the test lines of a built-in corpus, else the validation set.
TestSet choose_test_set(const ComparisonPlan& plan, const Corpus& corpus) {
  const ComparisonSettings& settings = plan.settings;
  if (plan.work().test_set) return plan.work().test_set(settings.test, corpus);
  if (!settings.test.empty() || is_toy(settings.data)) {
    const auto& data = settings.test.empty() ? settings.data : settings.test;
    const bool labelled = plan.models.front().settings.task.row().labelled;
    const auto pairs =
        open_evaluation_pairs(data, settings.fields, settings.lines, Split::test,
                              {.labelled = labelled}, plan.models.front().settings.source.row());
    if (labelled) check_labels(*pairs, *corpus.tokenizers.labels);
    return read_test_set(*pairs);
  }
  TestSet test = read_test_set(*corpus.valid_pairs);
  test.name += " (the validation set; no test set was given)";
  return test;
}

/// Whether a pair is short enough for the training, where longer ones are dropped.
bool trains_on(const Pair& pair, const Settings& s, const Tokenizers& tokenizers) {
  const Index longest = s.data.max_length;
  if (longest == 0 || s.data.long_pairs == "cut") return true;
  const auto fits = [&](const std::string& text, const Tokenizer& tokenizer) {
    // A token has at least one byte.
    return std::ssize(text) <= longest || std::ssize(tokenizer.encode(text)) <= longest;
  };
  return fits(pair.source, *tokenizers.source) &&
         (!tokenizers.target || fits(pair.target, *tokenizers.target));
}

std::vector<Grouping> groupings_of(const TestSet& test, const Corpus& corpus,
                                   const Settings& settings) {
  if (!test.has_lengths || !corpus.train_pairs || corpus.tokenizers.reader) return {};
  const SeenSources seen(*corpus.train_pairs, [&](const Pair& pair) {
    return trains_on(pair, settings, corpus.tokenizers);
  });
  return {by_length(test.sources), seen.by_percentile(test.sources), seen.by_rarity(test.sources)};
}

std::string fingerprint_of(const TestSet& test) {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < test.sources.size(); ++i)
    hash = hash_of(test.sources[i], test.references[i], hash);
  return fmt::format("{:016x}", hash);
}

/// Gives each model the width of its runs. Another version of Heed may choose another one.
void keep_widths(ComparisonPlan& plan, const fs::path& folder) {
  for (auto& [name, s] : plan.models) {
    const fs::path run = begun_run(plan.settings, {name}, folder);
    if (!run.empty()) s.assign_default("model.d", read_run_settings(run.string()).value("model.d"));
  }
}

/// ", 3 longer than model.positions = 10 of conv allows, </s> among them, and cut": how many test
/// lines a model cannot place whole; "" where there are none.
std::string cut_sources(const ComparisonPlan& plan) {
  std::string text;
  for (const auto& [name, s] : plan.models) {
    const Index longest = s.model.longest_side();
    if (longest == 0 || plan.tokenizers.reader) continue;
    const auto is_cut = [&](const std::string& line) {
      return std::ssize(plan.tokenizers.source->encode(line)) > longest;
    };
    const auto count = std::ranges::count_if(plan.test.sources, is_cut);
    if (count == 0) continue;
    text += fmt::format(", {} longer than {} = {} of {} allows, </s> among them, and cut", count,
                        s.model.longest_key(), setting_text(s, s.model.longest_key()), name);
  }
  return text;
}

}  // namespace

fs::path run_folder(const fs::path& folder, const std::string& model, Index seed) {
  return folder / "runs" / fmt::format("{}-seed{}", model, seed);
}

bool ComparisonPlan::has_same_batches() const {
  const auto context = [](const ComparedModel& m) {
    return m.settings.value_or("model.context", Index{0});
  };
  return std::ranges::all_of(
      models, [&](const ComparedModel& m) { return context(m) == context(models.front()); });
}

std::vector<ComparedFigure> ComparisonPlan::figures() const {
  std::vector<ComparedFigure> all = work().compared;
  if (settings.metric.empty()) return all;
  all.insert(all.end(), work().also_compared.begin(), work().also_compared.end());
  std::vector<std::string> names;
  for (const ComparedFigure& figure : all)
    names.push_back(figure.metric);
  const auto found = std::ranges::find(names, settings.metric);
  if (found == names.end())
    fail_comparison("metric: expected one of {} for the task {}; got '{}'{}",
                    fmt::join(names, ", "), work().name, settings.metric,
                    did_you_mean(settings.metric, names));
  std::vector<ComparedFigure> figures{all[static_cast<std::size_t>(found - names.begin())]};
  for (const ComparedFigure& figure : work().compared)
    if (figure.metric != settings.metric) figures.push_back(figure);
  return figures;
}

ComparisonPlan make_plan(ComparisonSettings settings, const fs::path& folder,
                         const PreparationObserver& preparing) {
  check_comparison(settings);
  make_data_absolute(settings);
  ComparisonPlan plan;
  plan.settings = std::move(settings);
  plan.models = compared_models(plan.settings, &plan.chosen);
  check_alike(plan.models);
  plan.figures();                         // refuses a metric that the task lacks
  plan.settings.task = plan.work().name;  // a resumed comparison does not guess it from the data
  add_setting_warnings(plan);

  const Corpus corpus =
      open_corpus(plan.models.front().settings, kept_tokenizers(plan.settings, folder), preparing);
  plan.tokenizers = corpus.tokenizers;
  plan.data = corpus.description;
  plan.warnings.insert(plan.warnings.end(), corpus.warnings.begin(), corpus.warnings.end());
  if (corpus.valid.empty())
    fail_comparison("valid: nothing to validate on, which chooses each model's best weights");
  StepWork work(corpus.tokenizers, preparing);
  plan.misses = match_sizes(plan.settings, plan.models, [&](const Settings& s) {
    stop_if(preparing.should_stop);
    Random random = Random::blank();
    const auto model = make_model(s, corpus.tokenizers, random);
    return matches_work(plan.settings.match) ? work.of(s, *model) : parameter_count(*model);
  });
  keep_widths(plan, folder);
  plan.test = choose_test_set(plan, corpus);
  if (plan.test.sources.empty()) fail_comparison("test: no lines to test on in {}", plan.test.name);
  plan.groupings = groupings_of(plan.test, corpus, plan.models.front().settings);
  plan.contents = corpus.fingerprints;
  plan.contents["data.test"] = fingerprint_of(plan.test);
  return plan;
}

double seconds_per_run(const ComparisonSettings& settings) {
  return settings.time.empty() ? 0 : parse_duration(settings.time);
}

std::vector<std::string> plan_lines(const ComparisonPlan& plan) {
  const Index seeds = plan.settings.seeds;
  const double seconds = seconds_per_run(plan.settings);
  const double all = seconds * static_cast<double>(plan.runs());
  std::string budget;
  if (seconds > 0)
    budget = fmt::format(", {} a run: about {}", duration_text(seconds), duration_text(all));
  std::vector<std::string> lines{fmt::format("data      {}", plan.data),
                                 fmt::format("models    {}, {} seed{} each{}", plan.models.size(),
                                             seeds, seeds == 1 ? "" : "s", budget),
                                 fmt::format("test      {}: {} lines{}", plan.test.name,
                                             plan.test.sources.size(), cut_sources(plan))};
  lines.insert(lines.end(), plan.chosen.begin(), plan.chosen.end());
  if (!plan.settings.tune.empty()) {
    const double tuning = seconds / 2 * static_cast<double>(plan.models.size());
    lines.push_back(fmt::format("tune      {}, by each model, in half the length of a run{}",
                                plan.settings.tune,
                                seconds > 0 ? ": about " + duration_text(tuning) : ""));
  }
  return lines;
}

}  // namespace heed
