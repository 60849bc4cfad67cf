#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "experiments/inspection.h"

namespace heed::cli {

namespace {

struct Options {
  std::string what;
  bool all = false;
  bool json = false;
};

void run_inspect(const Options& o) {
  const CheckpointSummary summary = inspect(o.what);
  if (!summary.warning.empty()) std::cerr << fmt::format("heed: warning: {}\n", summary.warning);
  std::cout << (o.json ? to_json(summary) : to_text(summary, o.all));
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto* command = app.add_subcommand(
      "inspect", "Show what a run or a checkpoint holds: step, best loss, settings, parameters");
  auto o = std::make_shared<Options>();
  command->add_option("what", o->what, "a run's folder or a checkpoint file")->required();
  command->add_flag("--all", o->all, "also the state of the training, and every setting");
  command->add_flag("--json", o->json, "print one JSON object, without the table of parameters")
      ->excludes("--all");
  command->callback([o] { run_inspect(*o); });
}

}  // namespace heed::cli
