#pragma once

#include <string>

#include "experiments/inference/interrupted.h"
#include "experiments/live_progress.h"

namespace heed::cli {

/// True after the user has pressed Ctrl-C (SIGINT) or the system has asked the program to end
/// (SIGTERM, SIGHUP). A second signal ends the program at once.
bool interrupted();
/// Throws Interrupted where interrupted().
void stop_if_interrupted();
/// Flushes standard output. Throws Error where it cannot be written, and Interrupted.
void flush_output();
/// True once after each SIGUSR1: training then saves and goes on.
bool save_requested();
/// Where progress is shown.
Terminal standard_error();

/// Ignores SIGPIPE: the command goes on where nobody reads its output any more.
void outlive_the_reader();
void handle_signals();

/// Call at the start of the program. Where standard input, output or error is closed, the next file
/// that is opened would get its descriptor, and all that is printed would go into that file. This
/// occupies such descriptors; reading and writing them still fail.
void open_standard_descriptors();

/// While an object of this class exists, a signal ends the program at once, with exit status 130.
/// For work that leaves nothing behind, such as reading data. Standard output must be flushed
/// before. Only one object may exist at a time.
class InterruptAtOnce {
 public:
  /// `message`: printed to stderr when a signal comes. Throws Interrupted where one has come
  /// before.
  explicit InterruptAtOnce(const std::string& message = "");
  ~InterruptAtOnce();
  InterruptAtOnce(const InterruptAtOnce&) = delete;
  InterruptAtOnce& operator=(const InterruptAtOnce&) = delete;
};

}  // namespace heed::cli
