#pragma once

#include <string>
#include <vector>

#include "experiments/settings.h"

namespace heed {

/// A row of a comparison: a family of models under a name of its own.
struct ModelName {
  std::string name;
  std::string family;
};

/// Splits "NAME=FAMILY"; "FAMILY" alone is a row of that name. Nothing is checked.
ModelName split_model(const std::string& text);
/// The names of the rows.
std::vector<std::string> names_of(const std::vector<std::string>& models);

/// A row of a comparison, with the settings of its runs. Their seeds are set later.
struct ComparedModel {
  std::string name;
  Settings settings;
};

}  // namespace heed
