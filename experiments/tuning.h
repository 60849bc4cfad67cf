#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "experiments/inference/interrupted.h"
#include "experiments/requested_settings.h"
#include "experiments/settings.h"
#include "training/trainer.h"

namespace heed {

struct Corpus;

/// One setting to tune, and what to try for it.
struct TuningRequest {
  std::string key;
  std::vector<std::string> values = {};  // empty: 1/4, 1/2, 1, 2 and 4 times the present optim.lr
};
/// "optim.lr" or "optim.clip=0.5,1,2". Throws Error where it is neither.
TuningRequest parse_tuning(const std::string& text);

/// Whether this setting is among the assignments or the values.
bool gives(const RequestedSettings& requested, const std::string& key);

struct TuningCandidate {
  std::string value;
  Index steps = 0;           // trained
  double valid_loss = 0;     // after them; infinity: not finite
  std::string problem = {};  // what ended it before its end; "" mostly
};

/// What tuning found.
struct Tuning {
  std::string key;
  std::vector<TuningCandidate> candidates = {};  // by their values
  std::size_t chosen = 0;
  double seconds = 0;  // it took

  const std::string& value() const { return candidates[chosen].value; }
  /// Whether the chosen value is the smallest or the largest that was tried. 0 is no edge: no
  /// setting that can be tuned has a smaller value.
  bool at_edge() const;
};
/// "tune      optim.lr = 0.003: the lowest validation loss of 5, 2.3456, in 34 s"
std::string to_text(const Tuning& tuning);

/// The candidate with the lowest loss; of several the first, which has the smallest value. Throws
/// Error where no loss is finite.
std::size_t best_candidate(const Tuning& tuning);

/// The values that will be tried for these settings, in ascending order. Throws Error where
/// - there is no such number among the settings, or it decides which data are read, or when
///   training ends;
/// - the setting does not take a value, or two are the same, or there are fewer than two.
std::vector<std::string> tuning_values(const Settings& settings, const TuningRequest& request);

/// The settings of a short training: 1 / (2 candidates) of the steps, and of the time where a time
/// limits the training. The schedule is that of a training of this length. A warm-up of more than
/// half of it is shortened in the proportion in which the training is. `full_steps`: the length of
/// the training, estimated where a time limits it. `exact`: steps or epochs limit it too.
Settings short_training(const Settings& settings, std::size_t candidates, Index full_steps,
                        bool exact);

struct TuningObservers {
  std::function<void(const std::string& line)> on_line = {};
  /// A short training goes on: "optim.lr = 0.003", and the part of all of them that is done.
  std::function<void(const std::string& what, double done)> on_progress = {};
  ShouldStop should_stop = {};
};

/// Trains briefly with each value, from the same first weights, on the same batches in the same
/// order, and takes the one with the lowest validation loss. All together cost half of a training
/// at most, in steps or in time, and the validations at their ends. Keeps nothing on disk. The
/// corpus is at the same position before and after.
///
/// A value with which a loss is not finite loses. Throws Error where tuning_values() does, where
/// there is nothing to validate on, or where the training is too short; Interrupted.
Tuning tune(const Settings& settings, Corpus& corpus, const TuningRequest& request,
            const TuningObservers& observers = {});

/// tuning.json of a run or of a model in a comparison.
std::string to_json(const Tuning& tuning);
/// Throws Error where the file is missing or damaged.
Tuning read_tuning(const std::filesystem::path& path);

}  // namespace heed
