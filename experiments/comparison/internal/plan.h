#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "datasets/text/tokenizer.h"
#include "experiments/comparison/internal/compared_model.h"
#include "experiments/comparison/settings.h"
#include "experiments/inference/test_set.h"
#include "experiments/observers.h"
#include "experiments/task_works.h"

namespace heed {

/// The folder of one run of the comparison in `folder`.
std::filesystem::path run_folder(const std::filesystem::path& folder, const std::string& model,
                                 Index seed);

/// All that the runs of a comparison have in common.
struct ComparisonPlan {
  ComparisonSettings settings;
  std::vector<ComparedModel> models;
  TestSet test;
  std::vector<Grouping> groupings;              // of its lines; none of one text
  Tokenizers tokenizers;                        // the same for every run
  std::map<std::string, std::string> contents;  // fingerprints of the data and the tokenizers
  std::vector<std::string> warnings;
  std::vector<std::string> chosen;  // lines about the defaults that follow from the data
  std::vector<std::string> misses;  // models that miss the wanted number of parameters
  std::string data;                 // describes the training data in one line

  const TaskWork& work() const { return task_works().at(models.front().settings.task.name); }
  /// The figures of the task; that of settings.metric is the first.
  std::vector<ComparedFigure> figures() const;
  /// Whether a step of every model reads the same: language models cut a text into windows of
  /// their context.
  bool has_same_batches() const;
  std::size_t runs() const { return models.size() * static_cast<std::size_t>(settings.seeds); }
};

/// Opens the data and makes the plan. What the runs in `folder` have, they keep: of a comparison
/// that is resumed the tokenizers and the widths. Where there are none they are trained and chosen.
ComparisonPlan make_plan(ComparisonSettings settings, const std::filesystem::path& folder,
                         const PreparationObserver& preparing);

/// The lines that say what will be done.
std::vector<std::string> plan_lines(const ComparisonPlan& plan);

/// The seconds that each run may take; 0 where the budget is not a time.
double seconds_per_run(const ComparisonSettings& settings);

}  // namespace heed
