#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "framework/files.h"
#include "framework/run_folder.h"
#include "optim/averaging.h"
#include "training/draw_order.h"
#include "training/internal/gradient_tree.h"
#include "training/internal/training_state.h"
#include "training/metrics_log.h"
#include "training/not_finite.h"
#include "training/trainer.h"
#include "training/watch.h"

// What the Trainer is made of. training_loop.cpp opens a run and does what is due between steps,
// training_step.cpp computes a step, training_checkpoints.cpp saves and restores.

namespace heed {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

inline constexpr Index skips_explained = 3;  // of all; the others are only counted

inline void warn(const Observers& observers, const std::string& text) {
  if (observers.on_warning && !text.empty()) observers.on_warning(text);
}

/// What the passes of one step read and gave.
struct StepValues {
  Index step = 0;
  Index weight = 0;          // of all draws
  Index tokens = 0;          // of all draws
  std::size_t computed = 0;  // draws, up to the first whose loss is not finite
  double loss = 0;           // what is optimised, divided by the weight
  double nats = 0;           // the plain loss, summed
  double gradient_norm = 0;  // computed where the loss is finite

  bool finite_loss() const;
  bool finite() const;
};

struct Trainer::Loop {
  AnyModule model;
  Optimizer& optimizer;
  const TrainerOptions& options;

  Loop(AnyModule m, Optimizer& o, const TrainerOptions& settings);

  TrainingState state;
  std::vector<std::int64_t> position;  // of the data, at state.step
  double epochs_read = 0;              // at state.step
  WeightAverage average;
  std::optional<MovingAverage> ema;
  GradientTree tree;
  std::optional<Snapshot> best;  // where there is no folder
  std::optional<RunFolder> folder;
  std::optional<FolderLock> lock;
  std::optional<MetricsLog> metrics;
  DrawOrder order = DrawOrder::tree;
  bool started = false;        // by this object, or by the run that it resumes
  Index saved_step = -1;       // of the newest checkpoint that can be resumed from; -1: none
  bool saved = false;          // that checkpoint holds the present state
  bool resumed_older = false;  // from a checkpoint that is not the newest, as was asked
  bool best_is_due = false;    // the present weights are the best, and are not yet kept

  // Of one call of run():
  Clock::time_point start{};
  Index first_step = 0;
  double lr = 0;
  std::optional<double> baseline;  // Objective::baseline()
  double last_row_loss = 0;
  // since the last row of metrics, for columns that only people read
  Index speed_tokens = 0;
  double speed_seconds = 0;
  std::vector<std::shared_ptr<const Draw>> draws;  // of the step

  double seconds() const { return state.seconds + seconds_since(start); }
  bool patience_is_over() const;
  EndedBy ended_by() const;
  bool finished() const { return ended_by() != EndedBy::nothing; }
  /// The step at which training is expected to end; 0: only the time is limited.
  Index last_step() const {
    return options.expected_steps > 0 ? options.expected_steps : options.steps;
  }
  bool due(Index every) const { return every > 0 && state.step > 0 && state.step % every == 0; }

  // The run
  void claim();
  void open(Objective& objective);
  void open_folder();
  /// Trains until it is finished, or until should_stop says so: then true.
  bool run(Objective& objective, const Observers& observers);
  TrainResult result() const;

  // A step
  double learning_rate(Index step);
  WatchLimits watch_limits() const;
  std::string text_of(const TrainingWarning& warning) const {
    return options.explain ? options.explain(warning) : to_text(warning);
  }
  void train_step(Objective& objective, const Observers& observers);
  StepValues draw_all(Objective& objective);
  void compute_gradients(StepValues& values, const Objective& objective);
  void compute_gradients(StepValues& values, const Draw& draw, const Objective& objective);
  /// For a step that is not finite: returns where it is to be skipped, and throws otherwise.
  void stop_or_skip(const StepValues& values, const Objective& objective,
                    const Observers& observers);
  void record(const StepValues& values, const Objective& objective);
  void report(double gradient_norm, const Observers& observers) const;

  // Between steps
  void finish_step(Objective& objective, const Observers& observers);
  void finish_row(const Observers& observers);
  void write_row();
  void evaluate(Objective& objective, const Observers& observers);
  EvaluationReport evaluation_report(Objective& objective);
  /// The weights that are validated and kept: the mean of the newest `weights`; of one, the moving
  /// average, or what the optimizer says. Empty: the model's.
  std::vector<NamedTensor> weights_to_use(std::int64_t weights) const;
  bool averages() const { return options.average > 1 || ema; }
  /// The evaluation of weights_to_use().
  Evaluation evaluate_mean(Objective& objective, std::int64_t weights);
  void choose_mean(Objective& objective, const Observers& observers);
  void keep_best();

  // Checkpoints
  Checkpoint checkpoint() const;
  /// Throws Error where a save
  /// - would go to another run's folder;
  /// - would keep weights that are not finite, which nothing can be done with.
  void check_savable() const;
  /// Whether the checkpoint of this step stands under its own name too. An error or a signal saves
  /// as last alone.
  bool has_step() const;
  void save_step();
  void save_last();
  /// After an error: saves what was trained before it. Returns what to add to the message.
  std::string rescue() noexcept;
  void restore(const Checkpoint& checkpoint);
};

}  // namespace heed
