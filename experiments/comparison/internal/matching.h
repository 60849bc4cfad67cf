#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/comparison/internal/compared_model.h"
#include "experiments/comparison/settings.h"

namespace heed {

// A model of this size is built to be counted, so there is a limit.
inline constexpr Index most_matched_parameters = 500'000'000;
/// The number of parameters in ComparisonSettings::match; 0 where it is no such number.
Index matched_count(const std::string& match);
/// Whether ComparisonSettings::match asks for equal parameters, or equal work; neither where it is
/// "none".
bool matches_parameters(const std::string& match);
bool matches_work(const std::string& match);

/// Lowers data.max_length of all models to the longest side that every model takes, so that all
/// learn from the same batches. Returns a note where that changed anything.
std::vector<std::string> match_lengths(std::vector<ComparedModel>& models);

/// Chooses model.d of every model so that its size is nearest to the wanted one: that of the
/// largest model, or the number in ComparisonSettings::match. `size_of` returns the parameters of a
/// model with these settings, or the work of a step. Returns a warning for each model that misses
/// the wanted size by more than 5 %.
std::vector<std::string> match_sizes(const ComparisonSettings& comparison,
                                     std::vector<ComparedModel>& models,
                                     const std::function<Index(const Settings&)>& size_of);

}  // namespace heed
