#pragma once

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "framework/fields.h"

namespace CLI {
class App;
class Option;
class Validator;
}  // namespace CLI

namespace heed::cli {

/// The values of options that were given, by the keys of the fields for which they stand.
using GivenOptions = std::map<std::string, FieldValue>;

/// Adds an option to the command for each field that names one. `given` gets the values. Returns
/// the options by the keys of their fields. An option that the command has already stays as it is:
/// it serves all fields of its key. `sections`: only fields whose keys begin with one of these;
/// empty: all.
std::map<std::string, CLI::Option*> add_field_options(
    CLI::App* command, const Fields& fields, GivenOptions& given,
    std::initializer_list<std::string_view> sections = {});

/// Sets the fields to the values that were given.
void set_fields(const Fields& fields, const GivenOptions& given);

/// Checks that an option's value is of the type of `like`, and in the range. Use it with
/// transform(): it passes on plain decimal digits, because CLI11 reads "010" as eight.
CLI::Validator checked(const Range& range, const FieldValue& like = Index{0});

}  // namespace heed::cli
