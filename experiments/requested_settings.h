#pragma once

#include <map>
#include <string>
#include <vector>

#include "experiments/settings.h"

namespace heed {

/// The settings that somebody asks for, in the order in which they count: a file, assignments, and
/// single values.
struct RequestedSettings {
  std::string config;                        // a TOML file; "": none
  std::vector<std::string> assignments;      // "key=value"
  std::map<std::string, FieldValue> values;  // by their keys
};

/// Sets the assignments, then the values. A setting that what is chosen does not have is left out,
/// so that one request serves several models. Throws Error where a setting is given twice with
/// different values.
void apply(const RequestedSettings& requested, Settings& settings);

/// The settings of a new run: the defaults for the model and the data that are asked for, with what
/// is asked for. `warning` gets a line where a value replaces the model of the file. Throws Error
/// where a setting is given twice with different values, or no model is given.
Settings new_settings(const RequestedSettings& requested, std::string& warning);
/// A line for each setting of these models, of their tasks and of all optimizers, with its help.
/// The model, the task or the optimizer stands behind it where the first model lacks it in its
/// usual task, and with its usual optimizer.
std::string settings_help(const std::vector<std::string>& models);
/// The settings of a run that is resumed, with those that are given again.
Settings resumed_settings(const RequestedSettings& requested, const std::string& folder);

}  // namespace heed
