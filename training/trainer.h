#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/checkpoint.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "training/objective.h"
#include "training/watch.h"

namespace heed {

/// What training does at a step whose loss or gradient is not finite.
enum class OnNan {
  stop,  // throws Error, before the model changes
  skip,  // leaves model and optimizer as they are and counts the step; 50 in a row throw Error
};

struct TrainerOptions {
  Index steps = 0;   // the last step; 0: no limit
  Index epochs = 0;  // passes over the data, as Objective::epochs() counts them; 0: no limit
  /// The step at which steps and epochs are expected to end the training. The schedule follows it,
  /// and so does the time that is shown as left. 0: `steps`.
  Index expected_steps = 0;
  double seconds = 0;  // of wall-clock time, evaluating and saving included; 0: no limit

  Schedule schedule = {};  // of the optimizer's learning rate
  double clip = 1;         // largest norm of the gradients; 0: no limit
  Index accumulate = 1;    // draws a step

  Index log_every = 20;  // steps to a row of metrics.jsonl
  Index eval_every = 0;  // steps; 0: at the end only
  Index save_every = 0;  // steps; 0: at the end only
  int keep = 3;          // step checkpoints that stay: the newest
  int patience = 0;      // stop after that many evaluations without improvement; 0: never

  /// Evaluates, and keeps as best, the mean of the present weights and of the last average - 1 that
  /// save_every saved (Vaswani et al. 2017, section 6.1). They are held in memory and in each
  /// checkpoint.
  int average = 1;

  /// At the end, also evaluates the means of the newest 2, 3, ... average_at_end weights, those of
  /// the end and the last that save_every saved. The one with the lowest loss becomes the best,
  /// where it is lower than that of every evaluation before. They are held as for `average`. 0:
  /// off.
  int average_at_end = 0;

  /// Evaluates, and keeps as best, the exponential moving average of the weights (MovingAverage)
  /// with this decay, such as 0.999. It is held in memory and in each checkpoint. 0: off.
  double ema = 0;

  OnNan on_nan = OnNan::stop;
  std::uint64_t seed = 1;
  std::string folder = {};                       // of the run; "": keep nothing on disk
  std::map<std::string, std::string> text = {};  // put into each checkpoint: the configuration
  /// Is called with the text of a checkpoint before resume() takes it up. It throws Error, naming a
  /// file, where the checkpoint belongs to other data.
  std::function<void(const std::map<std::string, std::string>& text)> accept = {};
  /// Makes the line of a warning about how the training goes; not given: to_text().
  std::function<std::string(const TrainingWarning&)> explain = {};
};

struct StepReport {
  Index step = 0;
  Index steps = 0;  // the step expected to be the last; 0: only the time is limited
  double done = 0;  // fraction of the budget, 0 to 1
  /// Means over the steps since the last row of metrics, without those that were skipped; NaN where
  /// none is left. `loss` is the plain loss, Loss::nats, by the weight.
  double loss = 0;
  double perplexity = 0;
  double lr = 0;
  double gradient_norm = 0;  // of this step
  double tokens_per_s = 0;   // Draw::tokens
  double seconds = 0;
  double seconds_left = 0;
  Index skipped = 0;     // steps so far that were not finite
  double objective = 0;  // the same mean of what is optimised, with smoothing and penalties
};

struct EvaluationReport {
  Index step = 0;
  Evaluation evaluation;
  bool best = false;
  double seconds = 0;
};

/// What TrainerOptions::average_at_end found.
struct AverageReport {
  struct Try {
    Index weights = 0;  // how many the mean is of
    Evaluation evaluation;
  };
  Index step = 0;
  std::vector<Try> tries = {};
  Index chosen = 1;  // the mean of so many is the best; 1: single weights are
  Index best_step = 0;
  double best_loss = 0;   // of the best
  double alone_loss = 0;  // the lowest before: of single weights, but for means at an earlier end
};

struct Observers {
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(const EvaluationReport&)> on_evaluation = {};
  std::function<void(const AverageReport&)> on_average = {};
  std::function<void(const std::string&)> on_warning = {};  // a line for people; training goes on
  std::function<bool()> should_stop = {};  // before each step: true saves and returns
  std::function<bool()> should_save = {};  // before each step: true saves and goes on
};

/// What ended a training, or ends it before its next step.
enum class EndedBy { nothing, steps, epochs, seconds, patience };

struct TrainResult {
  Index step = 0;
  Index trained = 0;  // steps of this run alone
  EndedBy ended_by = EndedBy::nothing;
  double loss = 0;     // of the last row of metrics: the plain loss
  double seconds = 0;  // with those of the runs that this one resumed
  std::optional<Evaluation> best;
  Index best_step = 0;
  bool interrupted = false;    // by should_stop
  bool stopped_early = false;  // by patience
  Index skipped = 0;           // steps that were not finite
};

/// The training loop. Of an optimizer with weights_to_use() it evaluates, keeps and saves those,
/// with what the optimizer needs to go on. It keeps in the run's folder
///
/// | file | holds | written |
/// |---|---|---|
/// | metrics.jsonl | a row of numbers | every log_every steps and at each evaluation |
/// | checkpoints/step-000123.heed | all that decides how training goes on | save_every, the end |
/// | checkpoints/last.heed | the same, of the newest step | with each of these |
/// | checkpoints/best.heed | the weights (model.*) with the lowest evaluation loss | when found |
///
/// The same seed, data and options give the same bytes in every checkpoint and the same rows of
/// metrics, apart from times. This holds however often training was interrupted, killed and
/// resumed, unless a time limits it.
class Trainer {
 public:
  /// Keeps references to model and optimizer. Throws Error when an option is out of range, or asks
  /// for an average of the weights of an optimizer that makes one itself.
  Trainer(AnyModule model, Optimizer& optimizer, TrainerOptions options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Loads the newest checkpoint, or the one named ("last", "step-000400"), so that run() continues
  /// from it. Claims the folder. Returns false when there is no checkpoint.
  ///
  /// Throws Error when
  /// - the checkpoint named is "best", which holds weights alone, or is not there;
  /// - another process has the folder;
  /// - TrainerOptions::accept refuses the checkpoint;
  /// - it is damaged, of another seed, or does not fit model and optimizer: nothing has changed.
  bool resume(const std::string& which = {});

  /// Makes the folder, where there is none, and locks it until this trainer is destroyed. resume()
  /// and run() do so too. Throws Error when another process has it.
  void claim();

  /// Trains until a limit, the patience or should_stop ends it. Draws of weight 0 add nothing to
  /// their step.
  ///
  /// Throws Error when
  /// - the folder belongs to another process, or holds a run that was not resumed;
  /// - a loss or gradient is not finite (see OnNan): the message names step, op, layer and items,
  ///   and the model has not changed;
  /// - every draw of a step has weight 0.
  /// Whatever ends it, what was trained before is saved where that can still be done, and the
  /// message says which step can be resumed from.
  TrainResult run(Objective& objective, const Observers& observers = {});

  /// What has already ended a training that was resumed; run() would train no step. Moves the
  /// objective to the position of the checkpoint.
  EndedBy ended_by(Objective& objective);
  Index step() const;      // of the last step trained
  double seconds() const;  // trained so far; of a resumed run only where a time limits it
  bool saved() const;      // whether a checkpoint holds all of it
  /// Loads the best weights into the model. Returns false when nothing was evaluated.
  bool load_best();

 private:
  struct Loop;
  AnyModule model_;
  Optimizer& optimizer_;
  TrainerOptions options_;
  std::unique_ptr<Loop> loop_;
};

}  // namespace heed
