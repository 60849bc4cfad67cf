#include "cli/signals.h"

#include <atomic>
#include <csignal>
#include <iostream>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "framework/error.h"
namespace heed::cli {

namespace {

volatile std::sig_atomic_t signals = 0;
volatile std::sig_atomic_t saves = 0;

volatile std::sig_atomic_t at_once = 0;
std::string message_at_exit;  // must not change while at_once is set

extern "C" void on_signal(int signal) {
  if (signal == SIGUSR1) {
    saves = 1;
    return;
  }
  if (at_once) {
    [[maybe_unused]] const ssize_t written =
        write(STDERR_FILENO, message_at_exit.data(), message_at_exit.size());
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

void flush_output() {
  std::cout.flush();
  if (!std::cout) fail("standard output: cannot write");
  stop_if_interrupted();
}

bool save_requested() {
  const bool requested = saves > 0;
  saves = 0;
  return requested;
}

Terminal standard_error() { return {.out = &std::cerr, .descriptor = STDERR_FILENO}; }

void outlive_the_reader() { std::signal(SIGPIPE, SIG_IGN); }

InterruptAtOnce::InterruptAtOnce(const std::string& message) {
  message_at_exit = isatty(STDERR_FILENO) ? "\r\033[K" : "";  // erases a live line
  message_at_exit += message;
  if (!message.empty()) message_at_exit += '\n';
  std::atomic_signal_fence(std::memory_order_seq_cst);
  at_once = 1;
  if (interrupted()) {
    at_once = 0;
    throw Interrupted();
  }
}

InterruptAtOnce::~InterruptAtOnce() { at_once = 0; }

void handle_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;  // no SA_RESTART: a read that waits for input returns
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    // nohup and shells' background jobs ignore a signal; it stays ignored
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
  action.sa_flags = SA_RESTART;  // SIGUSR1 does not disturb a read
  sigaction(SIGUSR1, &action, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  std::signal(SIGXFSZ, SIG_IGN);  // a write beyond the size limit fails with an error
}

void open_standard_descriptors() {
  for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    // Opened in the wrong direction, so that its use still fails. open() returns the lowest free
    // descriptor, which is this one.
    const int direction = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    [[maybe_unused]] const int opened = open("/dev/null", direction);
  }
}

}  // namespace heed::cli
