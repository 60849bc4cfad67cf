#include "experiments/comparison/internal/compared_model.h"

namespace heed {

ModelName split_model(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) return {.name = text, .family = text};
  return {.name = text.substr(0, equals), .family = text.substr(equals + 1)};
}

std::vector<std::string> names_of(const std::vector<std::string>& models) {
  std::vector<std::string> names;
  for (const std::string& model : models)
    names.push_back(split_model(model).name);
  return names;
}

}  // namespace heed
