#pragma once

#include <nlohmann/json.hpp>

#include "experiments/comparison/result.h"

namespace heed {

/// All but the outputs and the folder.
nlohmann::ordered_json to_json(const RunResult& result);
/// Throws Json::exception where a figure is missing.
RunResult result_from_json(const nlohmann::ordered_json& json);

/// What comparison.json says of the models; the runs are not in it.
nlohmann::ordered_json to_json(const Comparison& comparison);

}  // namespace heed
