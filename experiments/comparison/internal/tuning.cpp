#include "experiments/comparison/internal/tuning.h"

#include <cmath>
#include <optional>

#include <fmt/ranges.h>

#include "experiments/corpus.h"
#include "experiments/progress.h"
#include "framework/files.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

/// The data of all models, opened when the first is tuned. They differ in the length of their
/// training alone, which decides what is counted of an epoch.
class SharedCorpus {
 public:
  SharedCorpus(const Tokenizers& tokenizers, ShouldStop should_stop) : tokenizers_(tokenizers) {
    preparing_.should_stop = std::move(should_stop);
  }
  Corpus& of(const Settings& settings) {
    if (!corpus_ || epochs_ != settings.train.epochs) {
      corpus_ = open_corpus(settings, tokenizers_, preparing_);
      epochs_ = settings.train.epochs;
    }
    return *corpus_;
  }

 private:
  const Tokenizers& tokenizers_;
  PreparationObserver preparing_;
  std::optional<Corpus> corpus_;
  Index epochs_ = 0;
};

fs::path tuning_path(const fs::path& folder, const std::string& model) {
  return folder / "tuning" / (model + ".json");
}

Tuning tuning_of(Settings settings, SharedCorpus& corpus, const TuningRequest& request,
                 const TuningObservers& observers) {
  settings.train.seed = 1;
  try {
    return tune(settings, corpus.of(settings), request, observers);
  } catch (const Error& error) {
    fail("tuning {}: {}", settings.model.name, error.what());
  }
}

}  // namespace

std::vector<ModelTuning> tune_models(ComparisonPlan& plan, const fs::path& folder,
                                     const std::function<void(const std::string&)>& on_line,
                                     const ShouldStop& should_stop) {
  std::vector<ModelTuning> all;
  if (plan.settings.tune.empty()) return all;
  const TuningRequest request = parse_tuning(plan.settings.tune);
  SharedCorpus corpus(plan.tokenizers, should_stop);
  for (Settings& settings : plan.models) {
    const std::string& model = settings.model.name;
    if (!settings.has(request.key)) continue;
    TuningObservers observers;
    observers.on_line = [&](const std::string& line) { on_line(line + " (" + model + ")"); };
    observers.should_stop = should_stop;
    const fs::path path = tuning_path(folder, model);
    const bool was_done = fs::exists(path);
    Tuning tuning = was_done ? read_tuning(path) : tuning_of(settings, corpus, request, observers);
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
