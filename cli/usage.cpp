#include "cli/usage.h"

#include <algorithm>

#include <fmt/format.h>

#include "framework/nearest.h"

namespace heed::cli {

namespace {

/// CLI11's counts, "At Most 1 required but received 2", in plain words.
std::string explain_count(const CLI::ArgumentMismatch& error, const CLI::App& app) {
  const std::string what = error.what();
  const std::string name = what.substr(0, what.find(':'));
  const CLI::Option* option = app.get_option_no_throw(name);
  if (!option) return what;
  const int least = option->get_items_expected_min();
  const int most = option->get_items_expected_max();
  std::string counts = most == 1 ? "a value" : fmt::format("{} values", most);
  if (least < most) counts = fmt::format("{} to {} values", least, most);
  if (most >= CLI::detail::expected_max_vector_size) counts = "a value or more";
  const std::string received = "received ";
  const auto at = what.rfind(received);
  if (at == std::string::npos) return fmt::format("{}: takes {}", name, counts);
  return fmt::format("{}: takes {}; got {}", name, counts, what.substr(at + received.size()));
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      names.push_back("--" + name);
  return names;
}

}  // namespace

void check_subcommand(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), argv[1]) == names.end())
    throw CLI::ParseError(
        fmt::format("'{}' is no command{}", argv[1], did_you_mean(argv[1], names)),
        CLI::ExitCodes::InvalidError);
}

std::string explain(const CLI::ParseError& error, const CLI::App& app) {
  if (const auto* mismatch = dynamic_cast<const CLI::ArgumentMismatch*>(&error))
    return explain_count(*mismatch, app);
  const std::vector<std::string> left = app.remaining();
  const bool missing = dynamic_cast<const CLI::RequiredError*>(&error);  // or misspelt
  const bool unknown = dynamic_cast<const CLI::ExtrasError*>(&error);
  if (!unknown && !(missing && !left.empty())) return error.what();
  for (const std::string& word : left)
    if (word.starts_with("-"))
      return fmt::format("unknown option {}{}", word, did_you_mean(word, option_names(app)));
  return fmt::format("unexpected argument '{}'", left.empty() ? "" : left.front());
}

}  // namespace heed::cli
