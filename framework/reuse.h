#pragma once

#include <span>
#include <string>
#include <vector>

#include "framework/checkpoint.h"
#include "framework/module.h"
#include "framework/name_patterns.h"

// Weights from elsewhere for a part of a model, and parts that do not learn:
//
//     const Checkpoint old = load("runs/old/checkpoints/best.heed");
//     const LoadingPlan plan = plan_loading(tensors_under(old, "model."), model,
//     NamePatterns({"encoder*", "!*.bias"})); apply(plan);                                    //
//     throws, having changed nothing, unless all that is chosen can be loaded freeze(model,
//     NamePatterns({"encoder*"}));      // before the first step

namespace heed {

/// A parameter with all its names: one that two layers share has several, and a pattern that
/// matches any of them matches it.
struct ParameterNames {
  ParameterRef parameter;
  std::vector<std::string> names;  // the first is the one in checkpoints
};
/// In the order of parameters().
std::vector<ParameterNames> parameter_names(AnyModule module);
/// The patterns and exclusions that match no parameter.
std::vector<std::string> unmatched(AnyModule module, const NamePatterns& patterns);

/// The parameters that the patterns choose get no gradient from now on and stay as they are.
/// Returns how many. Throws Error, having frozen nothing, when a pattern matches nothing or nothing
/// would be left to train.
int freeze(AnyModule module, const NamePatterns& patterns);

/// Where the rows (of the first axis) of a parameter are to be found in the source, -1: nowhere,
/// they stay as they are.
struct RowMap {
  ParameterRef parameter;
  std::vector<Index> rows;
  Index source_rows = 0;
};

/// What loading would do. Nothing is changed until it is applied.
struct LoadingPlan {
  struct Loaded {
    std::string name;
    Tensor from;
    ParameterRef to;
    std::vector<Index> rows;  // empty: all of it, as it is; else as in RowMap
    Index numbers() const;    // that are copied
  };
  struct Mismatch {
    std::string name;
    Shape source;
    Shape model;
  };
  std::vector<Loaded> loaded;
  std::vector<std::string> unselected;  // of the model: the patterns do not choose them
  std::vector<std::string> missing;     // chosen, and not in the source
  std::vector<Mismatch> mismatched;     // chosen, and of another shape in the source
  std::vector<std::string> extra;       // of the source: the model has no such parameter
  std::vector<std::string> unmatched;   // patterns that match no parameter of the model

  bool fits() const {
    return !loaded.empty() && missing.empty() && mismatched.empty() && unmatched.empty();
  }
  /// Why it does not fit, three of each kind named, or "":
  /// "missing: a, b, c and 9 more; of another shape: d is (2, 3) and should be (4, 3)".
  std::string problems() const;
};

/// `rows`: of parameters whose rows lie in another order in the source, such as those of a
/// vocabulary.
LoadingPlan plan_loading(std::span<const NamedTensor> source, AnyModule model,
                         const NamePatterns& chosen = NamePatterns(),
                         std::span<const RowMap> rows = {});
/// Copies. Throws Error before anything is changed when the plan does not fit.
void apply(const LoadingPlan& plan);

/// The tensors whose names begin with `prefix`, without it.
std::vector<NamedTensor> tensors_under(const Checkpoint& checkpoint, std::string_view prefix);

}  // namespace heed
