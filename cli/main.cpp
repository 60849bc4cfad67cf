#include <csignal>
#include <cstdlib>
#include <iostream>

#include <unistd.h>

#include "cli/commands.h"
#include "framework/error.h"
#include "framework/kernels/parallel.h"
#include "framework/version.h"

namespace heed::cli {

namespace {

volatile std::sig_atomic_t signals = 0;

extern "C" void on_signal(int) {
  if (signals > 0) _exit(130);
  signals = 1;
}

}  // namespace

bool interrupted() { return signals > 0; }

void handle_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;  // no SA_RESTART: a read that waits for input returns
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal, &action, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
}

}  // namespace heed::cli

int main(int argc, char** argv) {
  using namespace heed;
  CLI::App app("Heed trains small attention models on an ordinary CPU, and translates with them.\n\nA first run, two minutes or so:\n"
               "  heed train --train toy:translation --model transformer --out runs/first\n"
               "  echo 'The old sailor hides the keys.' | heed translate --run runs/first\n");
  app.set_version_flag("--version", std::string("heed ") + version());
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  cli::add_train(app);
  cli::add_translate(app);
  cli::add_evaluate(app);
  cli::add_inspect(app);
  cli::add_generate(app);
  try {
    cli::handle_signals();
    app.parse(argc, argv);
    std::cout.flush();
    if (!std::cout) fail("standard output: cannot write; is the disk full?");
    return 0;
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const auto* chosen = app.get_subcommands().empty() ? nullptr : app.get_subcommands().front();
    std::cerr << "heed: error: " << error.what() << "; see `heed " << (chosen ? chosen->get_name() + " " : "") << "--help`\n";
    return 2;
  } catch (const cli::Interrupted&) {
    return 130;
  } catch (const Error& error) {
    std::cerr << "heed: error: " << error.what() << '\n';
    return 1;
  } catch (const std::bad_alloc&) {
    std::cerr << "heed: error: out of memory; use a smaller batch or model\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "heed: error: " << error.what() << '\n';
    return 1;
  }
}
