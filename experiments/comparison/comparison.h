#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "experiments/comparison/result.h"
#include "experiments/comparison/settings.h"
#include "experiments/observers.h"
#include "experiments/report/page.h"
#include "training/trainer.h"

namespace heed {

/// A run of a comparison: one model with one seed.
struct ComparisonTrial {
  std::size_t number = 0;  // from 0
  std::size_t count = 0;   // of all runs
  std::string model;       // by its name in the comparison
  Index seed = 0;
  std::string title() const;  // "[1/6] rnn seed 1"
};

/// What a comparison tells while it runs, and whether it should end. Every function may be left
/// out. They are called from the thread that compares.
struct ComparisonObservers {
  std::function<void(const std::string& line)> on_warning = {};
  /// Gets the lines of the plan. The data are read, and nothing is written but an empty folder.
  std::function<void(const std::string& line)> on_plan = {};
  /// A run begins, or goes on. Until on_trial_written nothing is written.
  std::function<void(const ComparisonTrial&)> on_trial_begin = {};
  /// From now on the folder of the run is written, and what is trained can be resumed.
  std::function<void(const ComparisonTrial&)> on_trial_written = {};
  /// `seconds_left`: of this run and all after it, an estimate.
  std::function<void(const ComparisonTrial&, const StepReport&, double seconds_left)> on_step = {};
  /// "[1/6] rnn seed 1: 400 steps in 12 s, 9000 tok/s; validation loss 0.1234; test BLEU 98.76"
  std::function<void(const std::string& line)> on_result = {};
  ShouldStop should_stop = {};
  PreparationObserver preparing = {};
};

struct ComparisonOptions {
  bool resume = false;  // go on with the comparison in the folder
  ComparisonObservers observers = {};
};

/// Trains every model with every seed, tests them, and says which is better and by how much:
///
///     const Comparison comparison =
///         compare({.models = {"rnn", "conv"}, .data = {"toy:dates"}, .seeds = 3}, "comparison");
///     fmt::print("{}", to_text(comparison));
///
/// The folder gets
///
/// | file | holds |
/// |---|---|
/// | duel.json | the settings, and fingerprints of the data |
/// | tuning/MODEL.json | what the model tried and chose, with ComparisonSettings::tune |
/// | runs/MODEL-seedN | a run; in it result.json with its figures, test.hyp with its outputs |
/// | comparison.json | every figure, and what made it: version, compiler, processor, BLAS |
/// | comparison.csv | the figures of each run, as to_csv() |
/// | comparison.txt | to_text() |
/// | comparison.html | the tables, learning curves, quality by groups of lines, outputs |
///
/// With `resume`, finished runs are only read, and others go on where they stopped. The settings
/// must be those of read_comparison_settings(), but for the names of data that have moved.
///
/// Compares on the number of threads that set_threads() sets. One at a time in a process: precision
/// and peak memory are the process's. Comparisons in other processes do not disturb it, but slow it
/// down.
///
/// Throws
/// - ComparisonError where a setting is wrong, or a resumed comparison has another;
/// - Error where the folder is not empty, or holds no comparison to resume, or another process has
///   it; where data or settings of the models are wrong; where a training fails;
/// - Interrupted where should_stop asks for the end. What was trained is saved, and can be resumed.
Comparison compare(const ComparisonSettings& settings, const std::filesystem::path& folder,
                   const ComparisonOptions& options = {});

/// Writes the page of a finished comparison, as compare() writes comparison.html. Opens its data,
/// and trains nothing. Throws Error where there is no comparison, where runs are not done, and
/// where the data are gone or have changed.
report::Page comparison_report(const std::filesystem::path& folder,
                               const ShouldStop& should_stop = {});

}  // namespace heed
