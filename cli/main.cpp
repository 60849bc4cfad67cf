#include <algorithm>
#include <cstdlib>
#include <iostream>

#include <unistd.h>

#include "cli/commands.h"
#include "datasets/nearest.h"
#include "framework/error.h"
#include "framework/kernels/parallel.h"
#include "framework/version.h"

namespace heed::cli {

namespace {

/// CLI11 would only say that a subcommand is required.
void check_subcommand(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), argv[1]) == names.end())
    throw CLI::ParseError(fmt::format("'{}' is no command{}", argv[1], did_you_mean(argv[1], names)), CLI::ExitCodes::InvalidError);
}

/// CLI11's complaint, with the nearest option where one was misspelled.
std::string explain(const CLI::ParseError& error, const CLI::App& app) {
  const bool nothing_left = app.remaining().empty();  // else what is missing may only be misspelled
  if (!dynamic_cast<const CLI::ExtrasError*>(&error) && (nothing_left || !dynamic_cast<const CLI::RequiredError*>(&error))) return error.what();
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  for (const std::string& word : app.remaining())
    if (word.starts_with("-")) return fmt::format("unknown option {}{}", word, did_you_mean(word, names));
  return fmt::format("unexpected argument '{}'", nothing_left ? "" : app.remaining().front());
}

/// A message may quote what a name or a setting holds, line breaks included.
std::string one_line(std::string text) {
  std::replace_if(text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return text;
}

/// Not by way of exit(): OpenBLAS waits there for a thread of its own that, where memory is short, never ends.
[[noreturn]] void leave(int code) {
  std::cout.flush();
  _exit(code);
}

}  // namespace

}  // namespace heed::cli

int main(int argc, char** argv) {
  using namespace heed;
  cli::handle_signals();
  CLI::App app("Heed trains small attention models on an ordinary CPU, and translates with them.\n\nA first run, two minutes or so:\n"
               "  heed train --train toy:translation --model transformer --out runs/first\n"
               "  echo 'The old sailor hides the keys.' | heed translate --run runs/first\n");
  app.set_version_flag("--version", std::string("heed ") + version());
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  cli::add_train(app);
  cli::add_translate(app);
  cli::add_summarize(app);
  cli::add_evaluate(app);
  cli::add_score(app);
  cli::add_compare(app);
  cli::add_inspect(app);
  cli::add_generate(app);
  cli::add_verify_resume(app);
  cli::add_export(app);
  cli::add_import(app);
  try {
    cli::check_subcommand(app, argc, argv);
    app.parse(argc, argv);
    std::cout.flush();
    if (!std::cout) fail("standard output: cannot write; is the disk full?");
    return 0;
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const auto* chosen = app.get_subcommands().empty() ? nullptr : app.get_subcommands().front();
    std::cerr << "heed: error: " << cli::one_line(cli::explain(error, chosen ? *chosen : app)) << "; see `heed " << (chosen ? chosen->get_name() + " " : "") << "--help`\n";
    return 2;
  } catch (const cli::Interrupted&) {
    return 130;
  } catch (const Error& error) {
    std::cerr << "heed: error: " << cli::one_line(error.what()) << '\n';
    cli::leave(1);
  } catch (const std::bad_alloc&) {
    std::cerr << "heed: error: out of memory; use a smaller batch or model\n";
    cli::leave(1);
  } catch (const std::exception& error) {
    std::cerr << "heed: error: " << cli::one_line(error.what()) << '\n';
    cli::leave(1);
  }
}
