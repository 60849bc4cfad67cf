#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "framework/error.h"
#include "framework/fields.h"

namespace heed {

/// What a comparison trains, on what, and for how long. Data are named as in Settings: two files,
/// one .tsv or .jsonl, or toy:NAME.
struct ComparisonSettings {
  std::vector<std::string> models = {};       // rows of model_families(), or NAME=ROW
  std::vector<std::string> data = {};         // to train on
  std::string task = {};                      // "": what the data ask for, as default_settings()
  std::vector<std::string> valid = {};        // empty: some of the training data is held out
  std::vector<std::string> test = {};         // empty: a built-in corpus' test lines, else `valid`
  std::vector<std::string> fields = {};       // source and target: keys of a .jsonl, or columns
  std::vector<std::string> assignments = {};  // key=value for all models, NAME:key=value for one
  std::string metric = {};  // which is better: a figure of the task; "": its first
  // What all models have alike: "parameters" (as many as the largest model; earlier versions say
  // "largest"), a number of parameters, "work" (as many floating-point operations a step as the
  // model with most), or "none" (the widths stay as they are set).
  std::string match = "parameters";
  // The budget of each run: one of these three. None given: the models' own limits.
  std::string time = {};  // "90s", "10m", "1.5h"
  Index steps = 0;
  Index epochs = 0;
  // A setting that each model tunes before its runs, as parse_tuning() reads it; "": none.
  std::string tune = {};
  Index seeds = 3;           // each model is trained with the seeds 1 to `seeds`
  Index lines = 1000;        // lines of a built-in corpus to test on
  bool exact_epochs = true;  // false in comparisons that an earlier Heed began: train.exact_epochs
  bool defaults_by_data = true;  // choose_defaults(); false in comparisons from before it

  void list(Fields& f);
};

/// A field of the settings is missing or wrong. The message begins with the name by which the field
/// is listed.
struct ComparisonError : Error {
  using Error::Error;
};
template <class... Args>
[[noreturn]] void fail_comparison(fmt::format_string<Args...> message, Args&&... args) {
  throw ComparisonError(fmt::format(message, std::forward<Args>(args)...));
}

/// Throws ComparisonError where a setting is missing or out of its range.
void check_comparison(const ComparisonSettings& settings);

/// Whether a comparison was begun in this folder.
bool holds_comparison(const std::filesystem::path& folder);
/// The settings of the comparison in this folder. Throws Error where there is none, or its file is
/// damaged.
ComparisonSettings read_comparison_settings(const std::filesystem::path& folder);

}  // namespace heed
