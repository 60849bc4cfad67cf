#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "experiments/corpus.h"
#include "experiments/defaults/chosen_defaults.h"
#include "experiments/initial_weights.h"
#include "experiments/limits.h"
#include "experiments/observers.h"
#include "experiments/progress.h"
#include "experiments/run_folder_check.h"
#include "experiments/settings.h"
#include "experiments/tuning.h"
#include "framework/precision.h"
#include "models/model.h"
#include "training/trainer.h"

namespace heed {

/// What a step costs.
struct Cost {
  double seconds_per_step = 0;
  Index flops = 0;  // of a step, without the optimizer's update (FlopCounter)
  std::size_t bytes = 0;
};
/// Of a pass forward and backward over the next draw. Changes nothing.
Index flops_of_draw(Objective& objective, Model& model);
/// Computes a few passes. `accumulate`: draws a step. Changes nothing.
Cost measure_cost(Objective& objective, Model& model, Index accumulate);

/// What decides how each step goes, and when training ends. Nothing is kept, nor evaluated before
/// the end.
TrainerOptions step_options(const Settings& settings, const Limits& limits);

/// A setting that a run keeps when it is resumed was to be changed.
struct CannotChange : Error {
  std::string key;
  explicit CannotChange(std::string setting);
};

/// Throws Error where this machine or build cannot compute in this precision ("fp32", "bf16").
void check_precision(const std::string& name);

/// While an object exists, large products of the whole process are computed in this precision; then
/// in the one before. Throws as check_precision().
class InPrecision {
 public:
  explicit InPrecision(const std::string& name);
  ~InPrecision();
  InPrecision(const InPrecision&) = delete;
  InPrecision& operator=(const InPrecision&) = delete;

 private:
  Precision before_ = heed::precision();
};

class RunLog;

struct TrainingOptions {
  bool resume = false;          // go on with the run in the folder
  std::string checkpoint = {};  // from "last" or one such as "step-000400"; "": the newest
  Tokenizers tokenizers = {};   // of a new run; empty: they are trained
  PreparationObserver preparing = {};
  bool defaults_by_data = true;  // of a new run: choose_defaults()
  /// Of a new run: open() tunes this setting first, and the training takes what was best. Its lines
  /// go to `on_tuning` as they come; log.txt gets the last.
  std::optional<TuningRequest> tune = {};
  std::function<void(const std::string& line)> on_tuning = {};
};

/// One training, from its settings to its folder:
///
///     Settings settings = default_settings("transformer", {"train.en", "train.fr"});
///     Training(settings, "runs/en-fr").run(progress_to(std::cerr));
///
/// and to go on with it:
///
///     Settings settings = read_run_settings("runs/en-fr");
///     settings.set("train.steps", "6000");
///     Training(settings, "runs/en-fr", {.resume = true}).run();
///
/// run() calls open() and create() where that was not done before. One thread uses an object;
/// trainings in several threads share the precision and the random numbers of nothing, but the
/// number of threads that all compute on.
class Training {
 public:
  /// Reads the data and makes the model. Writes nothing.
  ///
  /// Throws
  /// - RunFolderError where the folder holds anything and the training is a new one, or holds no
  /// run
  ///   and it is resumed;
  /// - Error where settings or data are wrong;
  /// - CannotChange where a resumed run is given another value of a setting that must stay;
  /// - Interrupted where the observer asks for the end.
  Training(Settings settings, const std::filesystem::path& folder, TrainingOptions options = {});

  /// Measures the cost of a step by computing a few. Changes nothing.
  Cost probe();
  /// Loads what training starts from: of a resumed run its checkpoint, of a new run the weights of
  /// train.init. A new run is tuned first where TrainingOptions asks for that; it stays in
  /// tuning.json. Throws Error for whatever can be refused before anything is written.
  void open();
  /// After open(): why a resumed run cannot train another step, and what to do; "" where it can.
  std::string why_ended();
  /// Makes the folder a run by writing the tokenizers and the settings, and keeps other processes
  /// from training there.
  void create();
  /// Trains until a limit, the patience or should_stop ends it. Evaluates by the validation loss.
  /// Writes log.txt beside what Trainer writes; where it cannot be written, training goes on.
  TrainResult run(const TrainingObservers& observers = {});
  /// Loads the weights with the lowest validation loss. Where nothing was validated, the last
  /// weights stay.
  void load_best() { trainer_->load_best(); }

  /// After open(): lines about the data, the vocabulary, the model, the plan, and warnings.
  /// run() gives them to on_line.
  Notes description(const Cost& cost);
  /// After open(): warnings about settings without the effect that a user would expect.
  std::vector<std::string> warnings(const Cost& cost) const;

  /// What a new training set that nobody gave, by what its data are like.
  std::vector<ChosenDefaults> chosen;
  // May be changed until open(), except the settings of the data.
  Settings settings;
  const InPrecision precision;
  const std::string folder;
  Corpus corpus;
  std::unique_ptr<Model> model;
  bool resumed() const { return resumed_; }
  /// Whether a resumed run was given other limits.
  bool has_new_limits() const { return new_limits_; }
  Index step() const { return trainer_->step(); }
  bool saved() const { return trainer_->saved(); }
  const Limits& limits() const { return limits_; }

 private:
  TrainResult train(const TrainingObservers& observers);
  void make();  // model, objective and optimizer
  /// report.html, or a warning why there is none. `uses_model`: not of a run that was interrupted.
  void leave_report(bool uses_model, RunLog& log);
  void tune();
  bool asks_to_stop() const { return should_stop_ && should_stop_(); }

  TrainingOptions given_;
  bool new_limits_;
  bool resumed_ = false;
  bool created_ = false;
  std::optional<Cost> cost_;
  Notes initial_;  // the weights that open() loaded from elsewhere
  Notes frozen_;   // the parameters that are not trained
  std::optional<Tuning> tuning_;
  std::unique_ptr<Objective> objective_;
  ShouldStop should_stop_;  // of run()
  std::unique_ptr<Optimizer> optimizer_;
  Limits limits_;
  TrainerOptions options_;
  std::optional<Trainer> trainer_;
};

/// "done: 1600 steps in 2 min 19 s; best validation loss 0.0247 (ppl 1.025) at step 1600"
std::string summary_text(const TrainResult& result);

}  // namespace heed
