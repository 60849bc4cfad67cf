#pragma once

#include <string>
#include <vector>

#include "experiments/inference/run_settings.h"
#include "optim/optimizers.h"
#include "optim/schedule.h"

namespace heed {

/// The optimizer, its options, and how its learning rate goes.
struct OptimSettings {
  std::string name = "adam";
  AnyOptions options = optimizers().at("adam").options;
  Schedule schedule = {.kind = "cosine",
                       .warmup = 200,
                       .final = 0.02,
                       .zero_at_last = true};  // as in all runs so far
  std::vector<std::string> rates;              // see parse_rate_factor()
  double clip = 1;
  Index accumulate = 1;

  void list(Fields& f);
};

/// How long a training goes on, and what it writes.
struct TrainSettings {
  Index steps = 1600;
  Index epochs = 0;
  std::string time;
  bool exact_epochs = true;
  Index eval_every = 400;
  Index save_every = 400;
  Index keep = 3;
  Index patience = 0;
  Index average = 1;
  Index average_at_end = 0;
  double ema = 0;
  Index log_every = 50;
  bool report = true;
  Index seed = 1;
  double label_smoothing = 0.1;
  double r_drop = 0;
  std::string init;
  std::vector<std::string> init_only;
  std::vector<std::string> freeze;
  std::string on_nan = "stop";
  std::string precision = "fp32";

  void list(Fields& f);
};

/// All settings of a training. RunSettings says how they are read, set and listed.
class Settings : public RunSettings {
 public:
  OptimSettings optim;
  TrainSettings train;

  void list(Fields& f) override;
  void check() const override;

 protected:
  Owners owners(std::string_view key) const override;
  bool has_section(std::string_view key) const override;
  /// A limit that is given replaces the default one, what needs subwords chooses them, the modern
  /// recipe brings Muon, and an optimizer the schedule that suits it.
  void on_given(std::string_view key) override;

 private:
  void choose_optimizer_of_recipe();
  void choose_schedule_of_optimizer();
};

/// The defaults for a model of this family that is trained on `data` for this task ("": what data
/// that name labels ask for, else the usual one of the family). Throws FieldError where there is no
/// such family or task. What is known of the data changes some: built-in corpora have no end, so
/// they cannot be learnt by heart and need neither dropout nor label smoothing.
Settings default_settings(const std::string& model, const std::vector<std::string>& data = {},
                          const std::string& task = {});

/// The settings of a run. Throws Error where the folder is not a run.
Settings read_run_settings(const std::string& folder);
/// The settings that a checkpoint holds. `path`: its name in messages.
Settings settings_of_checkpoint(const std::string& toml, const std::string& path);

/// Makes the names of files absolute, so that a run finds its data from any folder. toy:NAME stays.
std::vector<std::string> absolute_data(std::vector<std::string> data);

/// Seconds in "90s", "10m", "1.5h" or plain "90"; throws Error otherwise.
double parse_duration(const std::string& text);

/// Whether both have the same limits.
bool same_limits(const Settings& a, const Settings& b);

}  // namespace heed
