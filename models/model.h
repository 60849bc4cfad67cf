#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/error.h"
#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// The attention of one layer: for each sequence of a batch the weights (heads, queries, keys),
/// which sum to 1 over the keys.
struct AttentionMap {
  std::string layer;  // by its name among the parameters: "decoder.0.cross"
  std::vector<Tensor> weights;
};

/// The parameters with one row for each token of a vocabulary. A model that gets another vocabulary
/// moves their rows.
struct VocabularyParameters {
  std::vector<ParameterRef> source;  // none where both sides share a vocabulary
  std::vector<ParameterRef> target;
};

class Decoder;

/// What every whole model is. Any number of threads may call the const functions of one model at
/// once, as long as nothing changes it.
class Model {
 public:
  virtual ~Model() = default;
  virtual void visit(Visitor& visitor) = 0;
  virtual VocabularyParameters vocabulary_parameters() const { return {}; }
  /// The number of positions of a sequence that the model can tell apart; 0: any number.
  virtual Index longest() const { return 0; }
  /// What is added to the loss of each gold token, beside the cross entropy that loss() gives: for
  /// example the price of long spans of attention. Undefined: nothing.
  virtual Variable penalty() const { return {}; }
  /// What writes outputs token by token; it refers to this model. Throws Error where the model
  /// writes none.
  virtual std::unique_ptr<const Decoder> decoder() const;
};

/// The model as the kind M that it is known to be, such as Seq2Seq. Throws Error where it is
/// another.
template <class M>
const M& model_as(const Model& model) {
  const auto* found = dynamic_cast<const M*>(&model);
  check(found != nullptr, "model_as", "expected a model of another kind");
  return *found;
}

}  // namespace heed
