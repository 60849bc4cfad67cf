#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "experiments/settings.h"

namespace heed::cli {

/// The settings of a comparison: which models are trained, on what, and for how long.
struct ComparisonSettings {
  std::vector<std::string> models;
  std::vector<std::string> train;
  std::vector<std::string> valid;
  std::vector<std::string> test;
  std::vector<std::string> fields;
  std::vector<std::string> assignments;  // key=value for all models, MODEL:key=value for one
  // The number of parameters that all models get: "largest" (that of the largest model), a number,
  // or "none" (the widths stay as they are set).
  std::string match = "largest";
  // The budget of each run: one of these three. None given: the models' own limits.
  std::string time = {};
  Index steps = 0;
  Index epochs = 0;
  Index seeds = 3;           // each model is trained with the seeds 1 to `seeds`
  Index lines = 1000;        // lines of a built-in corpus to test on
  bool exact_epochs = true;  // false in comparisons that an earlier Heed began: train.exact_epochs
};

nlohmann::ordered_json to_json(const ComparisonSettings& comparison);
ComparisonSettings comparison_settings_from_json(const nlohmann::ordered_json& json);

/// Replaces the names of the data by absolute names.
void make_data_absolute(ComparisonSettings& comparison);

/// Throws Error, naming the option, where a setting is missing or wrong.
void check_comparison(const ComparisonSettings& comparison);

/// The settings of one model's runs. The seed and the width are set later.
Settings trial_settings(const ComparisonSettings& comparison, const std::string& model);

/// Returns a warning for each assignment that has no effect on any model it is given to.
std::vector<std::string> unused_assignments(const ComparisonSettings& comparison,
                                            std::vector<Settings>& models);

/// Lowers data.max_length of all models to the longest side that every model takes, so that all
/// learn from the same batches. Returns a note where that changed anything.
std::vector<std::string> match_lengths(std::vector<Settings>& models);

/// Chooses model.d of every model so that its number of parameters is nearest to the wanted one.
/// `count` returns the number of parameters of a model with these settings. Returns a warning for
/// each model that misses the wanted number by more than 5 %.
std::vector<std::string> match_parameters(const ComparisonSettings& comparison,
                                          std::vector<Settings>& models,
                                          const std::function<Index(const Settings&)>& count);

}  // namespace heed::cli
