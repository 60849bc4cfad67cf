#include "experiments/comparison/internal/tuning.h"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "experiments/corpus.h"
#include "experiments/progress.h"
#include "framework/files.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

fs::path tuning_path(const fs::path& folder, const std::string& model) {
  return folder / "tuning" / (model + ".json");
}

/// Tunes one model, named `name`. Its corpus is its own, as in its runs: a model that copies reads
/// other ids.
Tuning tuning_of(const std::string& name, Settings settings, const Tokenizers& tokenizers,
                 const TuningRequest& request, const TuningObservers& observers) {
  settings.train.seed = 1;
  try {
    Corpus corpus = open_corpus(settings, tokenizers, {.should_stop = observers.should_stop});
    return tune(settings, corpus, request, observers);
  } catch (const Error& error) {
    fail("tuning {}: {}", name, error.what());
  }
}

/// Whether steps alone end a training: how many is known before the data are read.
bool is_counted(const TrainSettings& train) {
  return train.steps > 0 && train.epochs == 0 && train.time.empty();
}

}  // namespace

void check_tuning(const ComparisonPlan& plan) {
  const std::string& tune = plan.settings.tune;
  if (tune.empty()) return;
  const TuningRequest request = parse_tuning(tune);
  const auto has_it = [&](const ComparedModel& m) { return m.settings.has(request.key); };
  try {
    if (std::ranges::none_of(plan.models, has_it))
      plan.models.front().settings.value(request.key);  // throws
    for (const ComparedModel& model : plan.models) {
      if (!has_it(model)) continue;
      const Settings& settings = model.settings;
      const std::size_t candidates = tuning_values(settings, request).size();
      if (is_counted(settings.train))
        short_training(settings, candidates, settings.train.steps, /*exact=*/true);
    }
  } catch (const Error& error) {
    fail_comparison("tune {}: {}", tune, error.what());
  }
}

std::vector<ModelTuning> tune_models(ComparisonPlan& plan, const fs::path& folder,
                                     const std::function<void(const std::string&)>& on_line,
                                     const ShouldStop& should_stop) {
  std::vector<ModelTuning> all;
  if (plan.settings.tune.empty()) return all;
  const TuningRequest request = parse_tuning(plan.settings.tune);
  for (auto& [model, settings] : plan.models) {
    if (!settings.has(request.key)) continue;
    TuningObservers observers;
    observers.on_line = [&, name = model](const std::string& line) {
      on_line(line + " (" + name + ")");
    };
    observers.should_stop = should_stop;
    const fs::path path = tuning_path(folder, model);
    const bool was_done = fs::exists(path);
    Tuning tuning = was_done ? read_tuning(path)
                             : tuning_of(model, settings, plan.tokenizers, request, observers);
    if (was_done) on_line(to_text(tuning) + " (" + model + ", done before)");
    if (!was_done) {
      fs::create_directories(path.parent_path());
      replace_file(path, to_json(tuning));
    }
    settings.set(tuning.key, tuning.value());
    all.push_back({.model = model, .tuning = std::move(tuning)});
  }
  return all;
}

std::vector<std::vector<std::string>> tuning_rows(const std::vector<ModelTuning>& tunings) {
  std::vector<std::vector<std::string>> rows{
      {"tuned", "setting", "value", "steps", "valid loss", ""}};
  for (const auto& [model, tuning] : tunings)
    for (const TuningCandidate& c : tuning.candidates) {
      const bool chosen = &c == &tuning.candidates[tuning.chosen];
      const std::string mark = tuning.at_edge() ? "chosen, at the edge" : "chosen";
      rows.push_back(
          {model, tuning.key, c.value, fmt::format("{}", c.steps),
           std::isfinite(c.valid_loss) ? fmt::format("{:.4f}", c.valid_loss) : "not finite",
           chosen ? mark : ""});
    }
  return rows;
}

std::string tuning_note(const std::vector<ModelTuning>& tunings) {
  std::vector<std::string> costs;
  for (const auto& [model, tuning] : tunings)
    costs.push_back(fmt::format("{} for {}", duration_text(tuning.seconds), model));
  return fmt::format("Tuned before the runs, beside their budget: {}, in {}.",
                     tunings.front().tuning.key, fmt::join(costs, ", "));
}

}  // namespace heed
