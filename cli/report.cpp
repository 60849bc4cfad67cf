#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/run_report/run_report.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  std::string run;
  std::string out;
  GivenOptions given;  // of ReportOptions
  int threads = 0;
};

void run_report(const Options& o) {
  set_threads(o.threads);
  const InterruptAtOnce nothing_written;
  ReportOptions options;
  set_fields(fields_of(options), o.given);
  write_run_report(o.run, o.out, options);
}

}  // namespace

void add_report(CLI::App& app) {
  auto* command = app.add_subcommand(
      "report",
      "Write a page on a run: its settings, curves, outputs, attention and weights, in one file "
      "that opens anywhere");
  auto o = std::make_shared<Options>();
  command->add_option("run", o->run, "folder of a run")->required();
  command->add_option("--out", o->out, "file of the page, .html")->required();
  ReportOptions options;
  add_field_options(command, fields_of(options), o->given);
  add_threads(command, o->threads);
  command->footer("Example:\n  heed report runs/first --out first.html");
  command->callback([o] { run_report(*o); });
}

}  // namespace heed::cli
