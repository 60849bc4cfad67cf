#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/fields.h"

namespace heed {

/// A setting that is not the default.
struct ChosenSetting {
  std::string key;
  FieldValue value;
  FieldValue usual;  // the default
};

struct ParameterSummary {
  std::string name;
  Shape shape;
  double norm = 0;      // L2
  bool frozen = false;  // training never changed it
};

/// What a checkpoint says of itself. Older ones do not say everything.
struct CheckpointSummary {
  std::filesystem::path path;
  std::optional<std::int64_t> step;
  std::optional<std::int64_t> best_step;
  std::optional<double> best_loss;
  Index parameter_count = 0;
  std::string model;  // "": the checkpoint holds no settings of a training
  std::string task;
  std::vector<ChosenSetting> chosen;
  std::vector<ParameterSummary> parameters;
  std::string warning;  // where settings or tokenizers of the run are not the checkpoint's
  Checkpoint checkpoint;
};

/// Reads a checkpoint, or the newest one of a run's folder. Throws Error where there is none.
CheckpointSummary inspect(const std::string& run_or_checkpoint);

/// For people: step, best loss, settings and a table of the parameters. With `all`, also the state
/// of the training and every setting.
std::string to_text(const CheckpointSummary& summary, bool all = false);
/// A JSON object on one line, without the parameters.
std::string to_json(const CheckpointSummary& summary);

}  // namespace heed
