#pragma once

#include <CLI/CLI.hpp>

namespace heed::cli {

// Each adds one subcommand, with its options and what it does when chosen.
void add_train(CLI::App& app);
void add_translate(CLI::App& app);
void add_summarize(CLI::App& app);
void add_compare(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_score(CLI::App& app);
void add_inspect(CLI::App& app);
void add_generate(CLI::App& app);
void add_verify_resume(CLI::App& app);
void add_export(CLI::App& app);
void add_import(CLI::App& app);

/// Thrown by a command that was interrupted and has saved: exit status 130.
struct Interrupted {};

/// True once the user has pressed Ctrl-C (SIGINT) or the system asks to end (SIGTERM, SIGHUP); a
/// second signal ends at once.
bool interrupted();
/// Throws Interrupted in that case.
void stop_if_interrupted();
/// True once after each SIGUSR1: training saves, and goes on.
bool save_requested();
/// For commands whose work must not end because nobody reads their progress any more.
void outlive_the_reader();
void handle_signals();

/// At the start: where standard input, output or error is closed, the next file that is opened
/// would take its place, and get what is printed. Reading and writing still fail.
void open_standard_descriptors();

/// While one lives nothing is at stake: a signal ends the program at once, with exit status 130,
/// wherever it is. Standard output must be flushed. One at a time.
class AtOnce {
 public:
  /// `line` is what is then said on stderr. Throws Interrupted where a signal has come before.
  explicit AtOnce(const std::string& line = "");
  ~AtOnce();
  AtOnce(const AtOnce&) = delete;
  AtOnce& operator=(const AtOnce&) = delete;
};

}  // namespace heed::cli
