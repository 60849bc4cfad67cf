#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/sequences.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

namespace heed {

enum class OnNan { stop, skip };

struct TrainerOptions {
  Index steps = 0;   // stop after so many, 0: no limit
  Index epochs = 0;  // stop after so many passes over the data, as BatchStream::epochs() counts
                     // them, 0: no limit
  /// The step at which steps and epochs are expected to end the training: the schedule and what is
  /// shown of the rest follow it. 0: `steps`.
  Index expected_steps = 0;
  // stop after so many of wall-clock time, evaluating and saving included, 0: no limit
  double seconds = 0;
  Schedule schedule = {};  // of the optimizer's lr
  double clip = 1;         // largest norm of the gradients, 0: no limit
  Index accumulate = 1;    // batches a step
  Index log_every = 20;    // steps to a row of metrics.jsonl
  Index eval_every = 0;    // steps; 0: at the end only
  Index save_every = 0;
  int keep = 3;      // how many step checkpoints stay, the newest
  int patience = 0;  // stop after so many evaluations without improvement, 0: never
  /// Evaluate, and keep as best, the mean of the weights now and of the last average - 1 that were
  /// saved by save_every (Vaswani et al. 2017, section 6.1). They are held in memory and in each
  /// checkpoint.
  int average = 1;
  /// Where a loss or a gradient is not finite. skip: the model and the optimizer stay as they are,
  /// and the step counts; 50 in a row stop.
  OnNan on_nan = OnNan::stop;
  std::uint64_t seed = 1;
  std::string folder = {};                       // of the run, "": keep nothing on disk
  std::map<std::string, std::string> text = {};  // put into each checkpoint: the configuration
  /// Given the text of the checkpoint that resume() is about to take up: throws, naming a file,
  /// where it belongs to other data.
  std::function<void(const std::map<std::string, std::string>& text)> accept = {};
};

/// What a batch costs.
struct Loss {
  Variable optimised;          // with smoothing and penalties, divided by the divisor
  std::optional<double> nats;  // the plain cross entropy of its gold, summed, which metrics show

  /// Where no nats are given, what is optimised is shown.
  Loss(Variable loss, std::optional<double> plain = std::nullopt)  // NOLINT: meant to convert
      : optimised(std::move(loss)), nats(plain) {}
};
/// The sum of the losses of a batch's gold tokens divided by `divisor`, which counts the gold
/// tokens of all batches of the step: the sum of their Batch::weight().
using LossFunction = std::function<Loss(const Batch& batch, Real divisor)>;

struct Evaluation {
  double loss = 0;                             // nats a token; the lower the better
  double score = 0;                            // for people to read: BLEU, ROUGE ...
  std::map<std::string, double> metrics = {};  // further columns of the row in metrics.jsonl
};
using EvaluateFunction = std::function<Evaluation()>;

struct StepReport {
  // steps 0: limited by time alone
  Index step = 0;
  Index steps = 0;
  double done = 0;  // fraction of the budget
  /// Loss (nats a gold token) and perplexity are means over the steps since the last row of
  /// metrics, without those that were skipped; NaN where none is left.
  double loss = 0;
  double perplexity = 0;
  double lr = 0;
  double gradient_norm = 0;  // of this step
  double tokens_per_s = 0;   // of source and target
  double seconds = 0;
  double seconds_left = 0;
  Index skipped = 0;     // steps so far, because they were not finite
  double objective = 0;  // such a mean of what is optimised: with smoothing and penalties
};

struct EvaluationReport {
  Index step = 0;
  Evaluation evaluation;
  bool best = false;
  double seconds = 0;
};

struct Observers {
  std::function<void(const StepReport&)> on_step = {};
  std::function<void(const EvaluationReport&)> on_evaluation = {};
  std::function<void(const std::string&)> on_warning = {};  // a line for people; training goes on
  std::function<bool()> should_stop = {};  // asked before each step: true saves and returns
  std::function<bool()> should_save = {};  // asked before each step: true saves and goes on
};

/// What ended a training, or ends it before its next step.
enum class EndedBy { nothing, steps, epochs, seconds, patience };

struct TrainResult {
  Index step = 0;
  Index trained = 0;  // steps of this run alone
  EndedBy ended_by = EndedBy::nothing;
  double loss = 0;     // of the last row of metrics, the plain cross entropy
  double seconds = 0;  // earlier runs that were resumed included
  std::optional<Evaluation> best;
  Index best_step = 0;
  bool interrupted = false;    // by should_stop
  bool stopped_early = false;  // by patience
  Index skipped = 0;           // steps, because they were not finite
};

/// The training loop. In the run's folder it keeps `metrics.jsonl` and
///   checkpoints/step-000123.heed  by save_every and at the end: all that decides the future
///   checkpoints/last.heed         the same, of the newest
///   checkpoints/best.heed         the weights ("model.*") with the lowest evaluation loss
/// The same seed, data and options give the same bytes in every one of them, and the same rows of
/// metrics but for times, however often training was interrupted, killed and resumed (a limit of
/// time excepted).
class Trainer {
 public:
  /// Keeps references to model and optimizer. Throws Error when an option is out of range.
  Trainer(AnyModule model, Optimizer& optimizer, TrainerOptions options);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// Loads the newest checkpoint, or that of a name such as "step-000400", so that run() continues
  /// from it; false when there is none. The folder is claimed.
  bool resume(const std::string& which = {});
  /// Makes the folder, where there is none, and keeps it for this trainer alone until it ends;
  /// throws Error when another process has it. resume() and run() do so too.
  void claim();
  /// Trains until a limit, the patience or should_stop ends it. Throws Error when the folder cannot
  /// be claimed or holds a run that was not resumed; when a loss or a gradient is not finite,
  /// naming the step, the op, the layer and the lines, before the model changes (see on_nan); and
  /// when all batches of a step together have no gold token (a batch without any, among others that
  /// have, is passed over). Whatever error or exception ends it, what was trained before is saved,
  /// where that can still be done, and the message says from where to resume.
  TrainResult run(BatchStream& data, const LossFunction& loss,
                  const EvaluateFunction& evaluate = {}, const Observers& observers = {});
  /// What has ended the training already, of one that was resumed: run() would train no step.
  /// `data` goes to where it was.
  EndedBy ended_by(BatchStream& data);
  Index step() const;      // how many were trained
  double seconds() const;  // for how long, where a time limits the training
  bool saved() const;      // all of them are in a checkpoint
  /// Loads the best weights into the model; false when nothing was evaluated.
  bool load_best();

 private:
  struct State;
  AnyModule model_;
  Optimizer& optimizer_;
  TrainerOptions options_;
  std::unique_ptr<State> state_;
};

}  // namespace heed
