#include <atomic>
#include <csignal>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "cli/commands.h"

namespace heed::cli {

namespace {

volatile std::sig_atomic_t signals = 0;
volatile std::sig_atomic_t saves = 0;

volatile std::sig_atomic_t at_once = 0;
std::string last_words;  // not touched while at_once is set

extern "C" void on_signal(int signal) {
  if (signal == SIGUSR1) {
    saves = 1;
    return;
  }
  if (at_once) {
    [[maybe_unused]] const ssize_t written =
        write(STDERR_FILENO, last_words.data(), last_words.size());
    _exit(130);
  }
  if (signals > 0) _exit(130);
  signals = 1;
}

}  // namespace

bool interrupted() { return signals > 0; }

void stop_if_interrupted() {
  if (interrupted()) throw Interrupted();
}

bool save_requested() {
  const bool requested = saves > 0;
  saves = 0;
  return requested;
}

void outlive_the_reader() { std::signal(SIGPIPE, SIG_IGN); }

AtOnce::AtOnce(const std::string& line) {
  // over a live line
  last_words = (isatty(STDERR_FILENO) ? "\r\033[K" : "") + line + (line.empty() ? "" : "\n");
  std::atomic_signal_fence(std::memory_order_seq_cst);
  at_once = 1;
  if (interrupted()) {
    at_once = 0;
    throw Interrupted();
  }
}

AtOnce::~AtOnce() { at_once = 0; }

void handle_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;  // no SA_RESTART: a read that waits for input returns
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    // nohup, or a shell's background job
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
  action.sa_flags = SA_RESTART;  // and one for this does not
  sigaction(SIGUSR1, &action, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the limit fails, and says so
}

void open_standard_descriptors() {
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    const int the_other_way = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    [[maybe_unused]] const int lowest = open("/dev/null", the_other_way);  // this descriptor
  }
}

}  // namespace heed::cli
