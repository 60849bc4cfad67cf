#include "experiments/comparison/comparison.h"

#include <chrono>
#include <optional>

#include "experiments/comparison/internal/estimate.h"
#include "experiments/comparison/internal/plan.h"
#include "experiments/comparison/internal/report.h"
#include "experiments/comparison/internal/settings_file.h"
#include "experiments/comparison/internal/trial.h"
#include "experiments/comparison/internal/tuning.h"
#include "experiments/progress.h"
#include "framework/files.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

/// Calls an observer that may have been left out.
template <class Observer, class... Args>
void tell(const Observer& observer, const Args&... args) {
  if (observer) observer(args...);
}

/// Runs all trials of a plan: one seed of every model, then the next seed. Whatever else the
/// machine does meanwhile so meets all models alike.
class TrialLoop {
 public:
  TrialLoop(const ComparisonPlan& plan, const fs::path& folder,
            const ComparisonObservers& observers)
      : plan_(plan),
        folder_(folder),
        observers_(observers),
        estimate_(plan.models.size(), seconds_per_run(plan.settings)) {}

  /// Runs that are finished already are only read.
  std::vector<RunResult> run() {
    for (std::size_t i = 0; i < plan_.runs(); ++i)
      run(trial(i));
    return std::move(results_);
  }

  /// The number of runs that are not finished.
  std::size_t left() const {
    std::size_t left = 0;
    for (std::size_t i = 0; i < plan_.runs(); ++i) {
      const ComparisonTrial next = trial(i);
      left += !read_result(run_folder(folder_, next.model, next.seed), plan_.test.sources.size());
    }
    return left;
  }

 private:
  std::size_t model_of(const ComparisonTrial& trial) const {
    return trial.number % plan_.models.size();
  }

  ComparisonTrial trial(std::size_t i) const {
    return {.number = i,
            .count = plan_.runs(),
            .model = plan_.models[i % plan_.models.size()].name,
            .seed = static_cast<Index>(i / plan_.models.size()) + 1};
  }

  void run(const ComparisonTrial& trial) {
    stop_if(observers_.should_stop);
    const fs::path folder = run_folder(folder_, trial.model, trial.seed);
    std::optional<RunResult> kept = read_result(folder, plan_.test.sources.size());
    const bool was_done = kept.has_value();
    results_.push_back(was_done ? std::move(*kept) : train(trial, folder));
    RunResult& result = results_.back();
    result.folder = fs::relative(folder, folder_).string();
    result.scores = score_on(plan_.test, result.hypotheses, plan_.figures());
    tell(observers_.on_result, result_text(trial, result) + (was_done ? " (done before)" : ""));
  }

  RunResult train(const ComparisonTrial& trial, const fs::path& folder) {
    const auto begin = Clock::now();
    Settings settings = plan_.models[model_of(trial)].settings;
    settings.train.seed = trial.seed;
    try {
      RunResult result = run_trial(trial.model, settings, folder, plan_, observers_of(trial));
      estimate_.took(model_of(trial), std::chrono::duration<double>(Clock::now() - begin).count());
      return result;
    } catch (const Error& failure) {
      fail("{}: {}", trial.title(), failure.what());
    }
  }

  TrialObservers observers_of(const ComparisonTrial& trial) {
    TrialObservers told;
    told.on_begin = [this, &trial] { tell(observers_.on_trial_begin, trial); };
    told.on_written = [this, &trial] { tell(observers_.on_trial_written, trial); };
    told.on_step = [this, &trial](const StepReport& report) {
      const double now = report.seconds + report.seconds_left;
      const double others = estimate_.left(trial.number + 1, trial.count, now);
      tell(observers_.on_step, trial, report, report.seconds_left + others);
    };
    told.on_warning = [this, &trial](const std::string& text) {
      if (trial.seed == 1) tell(observers_.on_warning, fmt::format("{}: {}", trial.model, text));
    };
    told.should_stop = observers_.should_stop;
    return told;
  }

  std::string result_text(const ComparisonTrial& trial, const RunResult& r) const {
    const ComparedFigure first = plan_.figures().front();
    return fmt::format("{}: {} steps in {}, {:.0f} tok/s; validation loss {:.4f}; test {}",
                       trial.title(), r.steps, duration_text(r.seconds), r.tokens_per_s,
                       r.valid_loss, first.text(r.scores[0]));
  }

  const ComparisonPlan& plan_;
  fs::path folder_;
  const ComparisonObservers& observers_;
  Estimate estimate_;
  std::vector<RunResult> results_;
};

void check_folder(const fs::path& folder, bool resume) {
  const std::string name = folder.string();
  if (name.empty()) fail("expected a folder to keep the comparison in; got none");
  if (fs::exists(folder) && !fs::is_directory(folder))
    fail("{}: is a file; expected a folder to keep the comparison in", name);
  if (resume) return;
  if (holds_comparison(folder))
    fail("{}: holds a comparison already; resume it, or give another folder", name);
  if (fs::exists(folder) && !fs::is_empty(folder))
    fail("{}: is not empty; give a new folder", name);
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail("{}: cannot make this folder: {}", folder.string(), error.message());
}

PreparationObserver preparing(const ComparisonObservers& observers) {
  PreparationObserver preparing = observers.preparing;
  if (!preparing.should_stop) preparing.should_stop = observers.should_stop;
  return preparing;
}

void tell_plan(const ComparisonPlan& plan, const ComparisonObservers& observers) {
  for (const auto* lines : {&plan.warnings, &plan.misses})
    for (const std::string& warning : *lines)
      tell(observers.on_warning, warning);
  for (const std::string& line : plan_lines(plan))
    tell(observers.on_plan, line);
}

}  // namespace

std::string ComparisonTrial::title() const {
  return fmt::format("[{}/{}] {} seed {}", number + 1, count, model, seed);
}

Comparison compare(const ComparisonSettings& given, const fs::path& folder,
                   const ComparisonOptions& options) {
  check_folder(folder, options.resume);
  const ComparisonSettings settings = options.resume ? resumed_comparison(given, folder) : given;
  std::optional<FolderLock> lock;
  if (options.resume) lock.emplace(folder);
  ComparisonPlan plan = make_plan(settings, folder, preparing(options.observers));
  if (options.resume) check_contents(plan.contents, folder);
  check_tuning(plan);
  make_folder(folder);
  if (!lock) lock.emplace(folder);
  // Again: another process may have begun a comparison here meanwhile.
  check_folder(folder, options.resume);
  tell_plan(plan, options.observers);
  save_comparison_settings(plan.settings, plan.contents, folder);
  const std::vector<ModelTuning> tunings = tune_models(
      plan, folder, [&](const std::string& line) { tell(options.observers.on_plan, line); },
      options.observers.should_stop);
  Comparison comparison = summarise(plan.settings, plan.test, plan.groupings, plan.figures(),
                                    TrialLoop(plan, folder, options.observers).run());
  comparison.tunings = tunings;
  write_report(plan, comparison, folder);
  return comparison;
}

report::Page comparison_report(const fs::path& folder, const ShouldStop& should_stop) {
  ComparisonPlan plan =
      make_plan(read_comparison_settings(folder.string()), folder, {.should_stop = should_stop});
  check_contents(plan.contents, folder);
  const ComparisonObservers nobody;
  TrialLoop trials(plan, folder, nobody);
  if (const std::size_t left = trials.left(); left > 0)
    fail("{}: {} of {} runs are not done; finish the comparison first", folder.string(), left,
         plan.runs());
  const std::vector<ModelTuning> tunings = tune_models(
      plan, folder, [](const std::string&) {}, should_stop);
  Comparison comparison =
      summarise(plan.settings, plan.test, plan.groupings, plan.figures(), trials.run());
  comparison.tunings = tunings;
  return page_of(plan, comparison, folder);
}

}  // namespace heed
