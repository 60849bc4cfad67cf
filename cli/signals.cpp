#include <csignal>

#include <unistd.h>

#include "cli/commands.h"

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
