#pragma once

#include <memory>
#include <optional>
#include <string>

#include "experiments/corpus.h"
#include "experiments/initial_weights.h"
#include "experiments/limits.h"
#include "experiments/settings.h"
#include "framework/precision.h"
#include "models/model.h"
#include "training/trainer.h"

namespace heed::cli {

struct Cost {
  double seconds_per_step = 0;
  std::size_t bytes = 0;
};

/// Throws Error where this machine or build cannot compute in this precision.
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

/// One run of training, from its settings to its folder. Call in this order: the constructor,
/// open(), create(), run().
class Training {
 public:
  /// Reads the data and makes the model. Writes nothing. A resumed run keeps its tokenizers; a new
  /// one takes `tokenizers`, or trains its own where they are empty.
  Training(Settings settings, std::string folder, bool resume, const Tokenizers& tokenizers = {});

  /// Measures the cost of a step by computing a few. Changes nothing.
  Cost probe();
  /// Loads what training starts from: of a resumed run the newest checkpoint or the one named, of a
  /// new run the weights of train.init. Throws Error for whatever can be refused before anything is
  /// written.
  void open(const std::string& checkpoint = {});
  /// After open(): what has ended a resumed run, so that it cannot train another step.
  EndedBy ended_by() { return trainer_->ended_by(*corpus.train); }
  /// After open(): warnings about settings without the effect that a user would expect in this
  /// training. `new_limits`: the run is resumed with other limits.
  std::vector<std::string> warnings(const Cost& cost, bool new_limits = false) const;
  /// Makes the folder a run by writing the tokenizers and the settings, and keeps other processes
  /// from training there.
  void create();
  /// Trains until a limit or an interruption. Evaluates by the validation loss.
  TrainResult run(const Observers& observers);
  /// Loads the weights with the lowest validation loss. Where nothing was validated, the last
  /// weights stay.
  void load_best() { trainer_->load_best(); }

  // May be changed until open(), except the settings of the data.
  Settings settings;
  const InPrecision precision;
  const std::string folder;
  Corpus corpus;
  std::unique_ptr<Seq2Seq> model;
  Notes initial;  // the weights that open() loaded from elsewhere
  Notes frozen;   // the parameters that are not trained
  bool resumed() const { return resumed_; }
  Index step() const { return trainer_->step(); }
  bool saved() const { return trainer_->saved(); }
  const TrainerOptions& options() const { return options_; }
  const Limits& limits() const { return limits_; }

 private:
  bool resume_;
  bool resumed_ = false;
  std::unique_ptr<Optimizer> optimizer_;
  Limits limits_;
  TrainerOptions options_;
  std::optional<Trainer> trainer_;
};

}  // namespace heed::cli
