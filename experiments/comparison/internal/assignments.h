#pragma once

#include <string>
#include <vector>

#include "experiments/comparison/internal/compared_model.h"
#include "experiments/comparison/settings.h"

namespace heed {

/// "NAME:key=value", or "key=value" for all models: `model` is "" then.
struct ModelAssignment {
  std::string model;
  std::string key;
  std::string value;

  bool is_meant_for(const std::string& name) const { return model.empty() || model == name; }
};
/// A colon after the equals sign belongs to the value. Throws ComparisonError where there is no
/// equals sign.
ModelAssignment split_assignment(const std::string& text);

/// The models with the settings of their runs. Seeds and widths are set later. `chosen`, where
/// given, gets lines about the defaults that follow from the data. Throws ComparisonError where an
/// assignment to all models belongs to none of them, or one to a model does not fit it.
std::vector<ComparedModel> compared_models(const ComparisonSettings& comparison,
                                           std::vector<std::string>* chosen = nullptr);

/// A warning for each assignment that has no effect on any model it is given to.
std::vector<std::string> unused_assignments(const ComparisonSettings& comparison,
                                            const std::vector<ComparedModel>& models);

/// Throws ComparisonError where the models would not read the same batches or would decode
/// differently.
void check_alike(const std::vector<ComparedModel>& models);

}  // namespace heed
