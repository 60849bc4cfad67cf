#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/settings.h"

namespace heed::cli {

/// What several models are set against each other on.
struct Duel {
  std::vector<std::string> models;
  std::vector<std::string> train;
  std::vector<std::string> valid;
  std::vector<std::string> test;
  std::vector<std::string> fields;
  std::vector<std::string> assignments;  // key=value for all models, or MODEL:key=value for one
  // which count of parameters all get: that of the largest model, a number, "none"
  std::string match = "largest";
  std::string time = {};  // of each run; or
  Index steps = 0;
  Index epochs = 0;
  Index seeds = 3;           // runs of each model: seeds 1 to N
  Index lines = 1000;        // of a built-in corpus, to test on
  bool exact_epochs = true;  // false in one that an earlier Heed began; see train.exact_epochs
};

nlohmann::ordered_json to_json(const Duel& duel);
Duel duel_from_json(const nlohmann::ordered_json& json);

/// Makes the names of its data absolute.
void find_data(Duel& duel);

/// Throws Error, naming what is wrong, unless the duel can be fought.
void check_duel(const Duel& duel);

/// The settings of one model's runs, but for the seed and the width.
Settings duel_settings(const Duel& duel, const std::string& model);

/// Of the settings that the duel gives: which have no effect on any model they are given to.
std::vector<std::string> unused_assignments(const Duel& duel, std::vector<Settings>& models);

/// Where a model takes shorter sides than data.max_length allows, all do: they learn from the same
/// batches. Returns what is to be said.
std::vector<std::string> match_lengths(std::vector<Settings>& models);

/// Chooses model.d of every model so that its count of parameters is nearest to the wanted one.
/// Returns a line for each that is further than 5 % from it. `count` gives the parameters that
/// settings make.
std::vector<std::string> match_parameters(const Duel& duel, std::vector<Settings>& models,
                                          const std::function<Index(const Settings&)>& count);

}  // namespace heed::cli
