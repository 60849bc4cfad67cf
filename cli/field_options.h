#pragma once

#include <map>
#include <string>

#include "framework/fields.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace heed::cli {

/// The values of options that were given, by the keys of the fields for which they stand.
using GivenOptions = std::map<std::string, FieldValue>;

/// Adds an option to the command for each field that names one. `given` gets the values. Returns
/// the options by the keys of their fields. An option that the command has already stays as it is:
/// it serves all fields of its key.
std::map<std::string, CLI::Option*> add_field_options(CLI::App* command, const Fields& fields,
                                                      GivenOptions& given);

}  // namespace heed::cli
