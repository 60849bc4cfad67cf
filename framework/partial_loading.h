#pragma once

#include <span>
#include <string>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/module.h"
#include "framework/parameter_patterns.h"

// Loads a part of a model from another model:
//
//     const Checkpoint old = load("runs/old/checkpoints/best.heed");
//     const ParameterPatterns chosen({"encoder*", "!*.bias"});
//     const LoadingPlan plan = plan_loading(tensors_under(old, "model."), model, chosen);
//     apply(plan);  // throws, and changes nothing, unless every chosen parameter can be loaded

namespace heed {

/// For each row (of the first axis) of a parameter, the number of its row in the source. A row with
/// -1 is not in the source and does not change.
struct RowMap {
  ParameterRef parameter;
  std::vector<Index> rows;
  Index source_rows = 0;
};

/// What loading would do. Nothing changes until it is applied.
struct LoadingPlan {
  struct Loaded {
    std::string name;
    Tensor from;
    ParameterRef to;
    std::vector<Index> rows;  // as in RowMap; empty: the whole tensor as it is
    Index numbers() const;    // how many elements are copied
  };
  struct Mismatch {
    std::string name;
    Shape source;
    Shape model;
  };
  std::vector<Loaded> loaded;
  std::vector<std::string> unselected;  // parameters that the patterns do not choose
  std::vector<std::string> missing;     // chosen, but not in the source
  std::vector<Mismatch> mismatched;     // chosen, but of another shape in the source
  std::vector<std::string> extra;       // tensors of the source that the model does not have
  std::vector<std::string> unmatched;   // patterns that match no parameter of the model

  bool fits() const {
    return !loaded.empty() && missing.empty() && mismatched.empty() && unmatched.empty();
  }
  /// Why it does not fit, with three names of each kind. Empty if it fits.
  /// "missing: a, b, c and 9 more; of another shape: d is (2, 3) and should be (4, 3)".
  std::string problems() const;
};

/// Compares the tensors of `source` with the parameters of `model` that the patterns choose.
/// `rows` is for parameters whose rows have another order in the source, such as embeddings of
/// other classes. Throws Error when a row number is outside the source.
LoadingPlan plan_loading(std::span<const NamedTensor> source, AnyModule model,
                         const ParameterPatterns& chosen = ParameterPatterns(),
                         std::span<const RowMap> rows = {});
/// Copies the elements. Throws Error, and changes nothing, when the plan does not fit.
void apply(const LoadingPlan& plan);

/// The tensors whose names begin with `prefix`, which is removed from their names.
std::vector<NamedTensor> tensors_under(const Checkpoint& checkpoint, std::string_view prefix);

}  // namespace heed
