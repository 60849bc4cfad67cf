#include "cli/field_options.h"

#include <algorithm>

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
  const auto take = [&given, field](const std::string& text) {
    given[field.key()] = field.parse(text);
  };
  return command->add_option_function<std::string>("--" + field.option(), take, field.help())
      ->check(checked(field.range(), field.initial()))
      ->type_name(type_name(field));
}

}  // namespace

std::map<std::string, CLI::Option*> add_field_options(
    CLI::App* command, const Fields& fields, GivenOptions& given,
    std::initializer_list<std::string_view> sections) {
  std::map<std::string, CLI::Option*> options;
  for (const Field& listed : fields) {
    const auto begins = [&](std::string_view section) { return listed.key().starts_with(section); };
    const bool wanted =
        sections.size() == 0 || std::any_of(sections.begin(), sections.end(), begins);
    if (listed.option().empty() || !wanted) continue;
    const Field field = listed.as_option();
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

void set_fields(const Fields& fields, const GivenOptions& given) {
  for (const auto& [key, value] : given)
    if (const Field* field = fields.find(key)) field->set(value);
}

CLI::Validator checked(const Range& range, const FieldValue& like) {
  const Field field(
      "", [like] { return like; }, [](const FieldValue&) {}, range, "");
  const auto check = [field](std::string& text) -> std::string {
    try {
      text = to_text(field.parse(text));
      return "";
    } catch (const FieldError& error) {
      return error.reason;
    }
  };
  return CLI::Validator(check, "", "checked");
}

}  // namespace heed::cli
