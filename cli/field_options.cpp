#include "cli/field_options.h"

#include <CLI/CLI.hpp>

namespace heed::cli {

namespace {

using Lists = std::vector<std::string>;

std::string type_name(const Field& field) {
  const bool whole = std::holds_alternative<Index>(field.initial());
  const bool number = std::holds_alternative<double>(field.initial());
  if (!whole && !number) return "TEXT";
  const std::string brief = field.range().brief();
  return (whole ? "INT" : "FLOAT") + (brief.empty() ? "" : ":" + brief);
}

CLI::Option* add_list(CLI::App* command, const Field& field, GivenOptions& given) {
  const auto take = [&given, key = field.key()](const Lists& values) { given[key] = values; };
  CLI::Option* option =
      command->add_option_function<Lists>("--" + field.option(), take, field.help());
  if (field.most_values() > 0) return option->expected(field.least_values(), field.most_values());
  return option->expected(1, CLI::detail::expected_max_vector_size)->take_all();
}

CLI::Option* add_flag(CLI::App* command, const Field& field, GivenOptions& given) {
  const auto take = [&given, key = field.key()](std::int64_t count) { given[key] = count > 0; };
  return command->add_flag_function("--" + field.option(), take, field.help());
}

CLI::Option* add_value(CLI::App* command, const Field& field, GivenOptions& given) {
  const auto parses = [field](std::string& text) -> std::string {
    try {
      field.parse(text);
      return "";
    } catch (const FieldError& error) {
      return error.reason;
    }
  };
  const auto take = [&given, field](const std::string& text) {
    given[field.key()] = field.parse(text);
  };
  return command->add_option_function<std::string>("--" + field.option(), take, field.help())
      ->check(CLI::Validator(parses, "", "field"))
      ->type_name(type_name(field));
}

}  // namespace

std::map<std::string, CLI::Option*> add_field_options(CLI::App* command, const Fields& fields,
                                                      GivenOptions& given) {
  std::map<std::string, CLI::Option*> options;
  for (const Field& field : fields.all()) {
    if (field.option().empty()) continue;
    if (CLI::Option* there = command->get_option_no_throw("--" + field.option())) {
      options[field.key()] = there;
      continue;
    }
    const bool list = std::holds_alternative<Lists>(field.initial());
    const bool flag = std::holds_alternative<bool>(field.initial());
    auto* add = add_value;
    if (list) add = add_list;
    if (flag) add = add_flag;
    options[field.key()] = add(command, field, given);
  }
  return options;
}

}  // namespace heed::cli
