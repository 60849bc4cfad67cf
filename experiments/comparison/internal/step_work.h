#pragma once

#include <map>

#include "experiments/corpus.h"
#include "models/model.h"

namespace heed {

/// The work of the first step of models that read the same data.
class StepWork {
 public:
  StepWork(const Tokenizers& tokenizers, const PreparationObserver& preparing)
      : tokenizers_(tokenizers), preparing_(preparing) {}

  /// Floating-point operations, without the optimizer's update (FlopCounter).
  Index of(const Settings& settings, Model& model);

 private:
  const Tokenizers& tokenizers_;
  const PreparationObserver& preparing_;
  std::map<bool, Corpus> corpora_;  // models that copy read other ids
};

}  // namespace heed
