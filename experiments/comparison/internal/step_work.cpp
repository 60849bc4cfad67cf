#include "experiments/comparison/internal/step_work.h"

#include "experiments/task_works.h"
#include "experiments/training.h"

namespace heed {

Index StepWork::of(const Settings& settings, Model& model) {
  const bool copies = settings.value_or("model.copy", false);
  if (!corpora_.contains(copies))
    corpora_.emplace(copies, open_corpus(settings, tokenizers_, preparing_));
  const TaskWork& work = task_works().at(settings.task.name);
  const auto objective =
      work.objective(settings, model, corpora_.at(copies), preparing_.should_stop);
  return flops_of_draw(*objective, model) * settings.optim.accumulate;
}

}  // namespace heed
