#include "experiments/verify_resume.h"

#include <algorithm>
#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/shared_options.h"
#include "cli/signals.h"

namespace heed::cli {

namespace {

struct Options {
  RequestedSettings requested;
  int threads = 0;
};

/// Prints how each file compares. Throws Error where one differs.
void print_comparison(const std::vector<RunFileDifference>& files) {
  std::cout << to_text(files);
  const auto differs = [](const RunFileDifference& file) { return !file.difference.empty(); };
  const auto differing = std::ranges::count_if(files, differs);
  if (differing > 0)
    fail("resuming is not exact on these settings: {} of {} files differ", differing, files.size());
}

void run_verify_resume(const Options& o) {
  const auto given = o.requested.values.find("train.steps");
  if (given == o.requested.values.end()) fail("how many steps? give --steps N");
  const Index steps = std::get<Index>(given->second);
  if (steps < 2)
    fail("--steps {}: a run of one step cannot be killed half-way; give 2 or more", steps);
  std::string warning;
  const Settings settings = new_settings(o.requested, warning);
  if (!warning.empty()) std::cerr << "warning: " << warning << '\n';
  outlive_the_reader();
  print_comparison(verify_resume(
      settings, {.threads = o.threads,
                 .on_line = [](const std::string& line) { std::cout << line << std::endl; },
                 .should_stop = interrupted}));
  std::cout << "the same: resuming is exact on these settings\n";
}

constexpr const char* help =
    "Trains N steps twice: once without a stop; once saved at step N/2, killed a step or two\n"
    "later, and resumed. Then compares every file of the two runs. Exit status 1 where they\n"
    "differ.\n\n"
    "Example:\n"
    "  heed verify-resume --train toy:translation --model transformer --steps 40";

}  // namespace

void add_verify_resume(CLI::App& app) {
  auto* command = app.add_subcommand(
      "verify-resume",
      "Check that a killed and resumed training writes the same bytes as an undisturbed one");
  auto o = std::make_shared<Options>();
  add_setting_options(command, o->requested);
  for (const char* option : {"--epochs", "--time", "--keep"})
    command->remove_option(command->get_option(option));
  add_threads(command, o->threads);
  command->footer(help);
  command->callback([o] { run_verify_resume(*o); });
}

}  // namespace heed::cli
