#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "layers/seq2seq/model.h"

namespace heed::bench {

/// A training step of fixed size: a model and one batch drawn as its table in README.md says.
struct Case {
  std::string name;
  Index positions;  // of a batch, padding included: what tokens/s counts
  Real label_smoothing;
  std::function<std::unique_ptr<Seq2Seq>(Random&)> model;
  std::function<Batch(Random&)> batch;
};

const std::vector<Case>& cases();

/// Random ids; lengths uniform in [n / 2, n].
std::vector<std::vector<Id>> random_lines(Index count, Index n, Random& random);

}  // namespace heed::bench
