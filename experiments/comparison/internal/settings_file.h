#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "experiments/comparison/settings.h"

namespace heed {

/// The name that the settings of a comparison have on disk: of their file in its folder, and of
/// their key in comparison.json. It stays as it is, so that older folders can be resumed and read.
inline constexpr const char* settings_name = "duel";

nlohmann::ordered_json to_json(const ComparisonSettings& settings);
/// Throws FieldError or Json::exception where a field is missing or wrong. Fields that earlier
/// versions did not write may be missing.
ComparisonSettings comparison_settings_from_json(const nlohmann::ordered_json& json);

/// Replaces the names of the data by absolute names.
void make_data_absolute(ComparisonSettings& settings);

/// The settings with which the comparison in the folder goes on: those it has, with the data of
/// `given`, which may have moved. Throws ComparisonError where another field differs.
ComparisonSettings resumed_comparison(ComparisonSettings given,
                                      const std::filesystem::path& folder);

/// `contents`: fingerprints of the data and the tokenizers by their settings ("data.train").
void save_comparison_settings(const ComparisonSettings& settings,
                              const std::map<std::string, std::string>& contents,
                              const std::filesystem::path& folder);
/// Throws Error where the data or the tokenizers are not those that the comparison began with.
/// Comparisons of earlier versions kept no fingerprints, and pass.
void check_contents(const std::map<std::string, std::string>& contents,
                    const std::filesystem::path& folder);

}  // namespace heed
