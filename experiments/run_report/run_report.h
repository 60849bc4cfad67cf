#pragma once

#include <string>
#include <vector>

#include "datasets/text/pairs.h"
#include "experiments/inference/interrupted.h"
#include "experiments/report/page.h"
#include "framework/fields.h"

namespace heed {

/// What a report of a run looks at, beside what the training wrote.
struct ReportOptions {
  // what the model is tried on, as data.train; empty: the first `lines` of what the run was
  // validated on
  std::vector<std::string> data = {};
  std::vector<std::string> fields = {};  // as data.fields; empty: the run's
  Index lines = 300;                     // of a built-in corpus, and of validation data
  Split split = Split::test;             // of a built-in corpus
  Index seed = 1;                        // of the lines that are drawn at random
  bool uses_model = true;  // false: curves alone, from the files that the training wrote

  void list(Fields& f);
};

/// A page on a run, which opens anywhere: it loads nothing and runs no script.
///
///     run_report("runs/en-fr", {.data = {"test.en", "test.fr"}}).write("en-fr.html");
///
/// It has
///
/// - what was trained: data, settings that are not the defaults, parameters, machine;
/// - curves of the loss, the learning rate, the norm of the gradient and the speed, with marks of
///   where the run was resumed, stopped and best;
/// - how good the outputs are, on the whole and by length and rarity of words;
/// - best, worst and random outputs with how sure the model was of each token, the runner-up of the
///   search, and what was attended to;
/// - what each head attends to on average;
/// - how the weights are distributed.
///
/// What it shows of outputs is a matter of the task (TaskWork::report). Data of the run that are
/// gone, and a run without a checkpoint, leave their parts out and say so.
///
/// Throws
/// - Error where the folder is not a run, or the data that are asked for cannot be read;
/// - Interrupted where it should stop.
report::Page run_report(const std::string& folder, const ReportOptions& options = {},
                        const ShouldStop& should_stop = {});

}  // namespace heed
