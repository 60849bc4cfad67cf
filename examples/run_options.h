#pragma once

#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fmt/core.h>

#include "framework/error.h"
#include "training/trainer.h"

// Options and output of the examples that train with the Trainer.
//
//     --out FOLDER     keep the run in this folder; started again, the program continues it
//     --stop-at STEP   stop after this step and save, as Ctrl-C does

struct RunOptions {
  std::string out;           // "": keep nothing
  heed::Index stop_at = -1;  // -1: never
};

inline RunOptions run_options(int argc, char** argv) {
  RunOptions options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 == argc || (name != "--out" && name != "--stop-at"))
      heed::fail("usage: {} [--out FOLDER] [--stop-at STEP]", argv[0]);
    if (name == "--out") options.out = argv[i + 1];
    if (name == "--stop-at") options.stop_at = std::atoll(argv[i + 1]);
  }
  return options;
}

inline volatile std::sig_atomic_t interrupted = 0;

/// Trains, and prints every hundredth step. Continues the run in the folder where there is one.
/// Ctrl-C stops it after the current step.
inline heed::TrainResult train(heed::Trainer& trainer, heed::Objective& objective,
                               const RunOptions& options) {
  std::signal(SIGINT, [](int) { interrupted = 1; });
  heed::Observers observers;
  observers.on_step = [](const heed::StepReport& report) {
    if (report.step % 100 == 0) fmt::print("step {:3}  loss {:.4f}\n", report.step, report.loss);
  };
  observers.should_stop = [&] { return interrupted != 0 || trainer.step() == options.stop_at; };
  if (trainer.resume()) fmt::print("goes on after step {}\n", trainer.step());
  return trainer.run(objective, observers);
}

/// Prints the best score, in per cent. Returns the exit code: 1 where it is below `expected`.
inline int finish(const heed::TrainResult& result, const char* what, double expected) {
  if (result.interrupted) {
    fmt::print("stopped after step {}\n", result.step);
    return 0;
  }
  fmt::print("{:.1f} % of {}\n", result.best->score, what);
  if (result.best->score >= expected) return 0;
  fmt::print("missed: expected at least {} %\n", expected);
  return 1;
}
