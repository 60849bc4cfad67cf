#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/corpus.h"
#include "cli/limits.h"
#include "cli/reuse.h"
#include "cli/settings.h"
#include "framework/precision.h"
#include "layers/seq2seq/model.h"
#include "optim/trainer.h"

namespace heed::cli {

struct Cost {
  double seconds_per_step = 0;
  std::size_t bytes = 0;
};

/// Throws Error where this machine or build has no such precision.
void check_precision(const std::string& name);

/// Large products in this precision while it lives (the process's setting), then in the one before.
/// Throws as check_precision().
class InPrecision {
 public:
  explicit InPrecision(const std::string& name);
  ~InPrecision();
  InPrecision(const InPrecision&) = delete;
  InPrecision& operator=(const InPrecision&) = delete;

 private:
  Precision before_ = heed::precision();
};

/// One run of training: from settings to the folder that holds what was trained. In this order:
/// construct, open, create, run.
class Training {
 public:
  /// Reads the data and makes the model; a run that is resumed keeps its tokenizers, another trains
  /// them unless they are given. Writes nothing.
  Training(Settings settings, std::string folder, bool resume, const Tokenizers& tokenizers = {});

  /// What a step costs: a few are computed, and change nothing.
  Cost probe();
  /// Throws whatever can be refused before anything is written; takes up the newest checkpoint of a
  /// run that is resumed, or the one named.
  void open(const std::string& checkpoint = {});
  /// What has ended a run that is resumed, so that it cannot train another step; after open().
  EndedBy ended_by() { return trainer_->ended_by(*corpus.train); }
  /// What a user should know of the settings' effect on this training; after open(). `new_limits`:
  /// of a run that goes on with them.
  std::vector<std::string> warnings(const Cost& cost, bool new_limits = false) const;
  /// Makes the folder a run, and this training's alone: writes the tokenizers and the settings.
  void create();
  /// Trains until a limit or an interruption. Validation loss is the evaluation.
  TrainResult run(const Observers& observers);
  /// The weights with the lowest validation loss; those of the end where nothing was validated.
  void load_best() { trainer_->load_best(); }

  Settings settings;  // may change until open(), but for what the corpus depends on
  const InPrecision precision;
  const std::string folder;
  Corpus corpus;
  std::unique_ptr<Seq2Seq> model;
  // what open() loaded from elsewhere, and what never learns
  Notes initial;
  Notes frozen;
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
