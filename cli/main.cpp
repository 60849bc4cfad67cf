#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>

#include <unistd.h>

#include "cli/commands.h"
#include "cli/messages.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "cli/usage.h"
#include "framework/error.h"
#include "framework/version.h"

/// Replaces OpenBLAS's own function. When OpenBLAS is loaded it starts a thread for each processor
/// that it counts, and ends the program where the system refuses one. Heed needs one thread of it
/// (gemm.cpp).
extern "C" int get_num_procs() { return 1; }

namespace heed::cli {

namespace {

/// Adds the subcommands in the order of the help.
void add_commands(CLI::App& app) {
  for (const AddCommand add : commands())
    add(app);
}

/// Makes an empty value an error for all options of all commands. Patterns and settings have error
/// messages of their own for it.
void refuse_empty_values(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
    for (CLI::Option* option : command->get_options()) {
      const std::string name = option->get_name();
      const bool itself =
          name == "--init-only" || name == "--freeze" || name == "--set" || name == "--prompt";
      if (option->get_items_expected_max() > 0 && !itself) option->check(not_empty);
    }
}

void print_error(const std::string& message) {
  std::cerr << "heed: error: " << one_line(message) << '\n';
}

/// Ends the program without exit(), in which OpenBLAS waits for a thread of its own. That thread
/// never ends where memory is short.
[[noreturn]] void end_program(int code) {
  std::cout.flush();
  _exit(code);
}

/// Prints an exception that nobody caught, such as one in a thread of oneTBB, and ends the program.
[[noreturn]] void on_terminate() {
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
    print_error("ended by an error within Heed");
  } catch (const std::exception& error) {
    print_error(message_of(error));
  } catch (...) {
    print_error("ended by an error within Heed");
  }
  _exit(1);
}

void flush_output() {
  std::cout.flush();
  if (!std::cout) fail("standard output: cannot write; is it closed, or the disk full?");
}

void run(CLI::App& app, int argc, char** argv) {
  try {
    check_subcommand(app, argc, argv);
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    app.exit(success);
  }
  flush_output();
}

}  // namespace

}  // namespace heed::cli

int main(int argc, char** argv) {
  using namespace heed;
  cli::open_standard_descriptors();
  std::set_terminate(cli::on_terminate);
  cli::handle_signals();
  CLI::App app(
      "Heed trains small attention models on an ordinary CPU, and uses them: they "
      "translate, summarize, label and continue texts.\n\nA first run, two minutes or so:\n"
      "  heed train --train toy:translation --model transformer --out runs/first\n"
      "  echo 'The old sailor hides the keys.' | heed translate --run runs/first\n");
  app.set_version_flag("--version", std::string("heed ") + version());
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  cli::add_commands(app);
  cli::refuse_empty_values(app);
  try {
    cli::run(app, argc, argv);
    return 0;
  } catch (const CLI::ParseError& error) {
    const auto* chosen = app.get_subcommands().empty() ? nullptr : app.get_subcommands().front();
    const std::string name = chosen ? chosen->get_name() + " " : "";
    const std::string what = cli::explain(error, chosen ? *chosen : app);
    cli::print_error(fmt::format("{}; see `heed {}--help`", what, name));
    return 2;
  } catch (const Interrupted&) {
    return 130;
  } catch (const std::exception& error) {
    cli::print_error(cli::message_of(error));
    cli::end_program(1);
  }
}
