#include <filesystem>
#include <optional>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/comparison/comparison.h"
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

report::Page page_of(const Options& o) {
  if (!holds_comparison(o.run)) {
    ReportOptions options;
    set_fields(fields_of(options), o.given);
    return run_report(o.run, options);
  }
  if (!o.given.empty())
    fail("{}: holds a comparison, whose page shows its test set: give --out alone", o.run);
  return comparison_report(o.run);
}

/// A page is never written over data, or over a part of a run.
void check_out(const std::string& out) {
  namespace fs = std::filesystem;
  const bool is_page = out.ends_with(".html") || out.ends_with(".htm");
  const bool is_device = fs::exists(out) && !fs::is_regular_file(out);
  if (!is_page && !is_device) fail("{}: a report is a page; name the file .html", out);
}

void write_page(const Options& o) {
  check_out(o.out);
  set_threads(o.threads);
  std::optional<InterruptAtOnce> nothing_written(std::in_place);
  const report::Page page = page_of(o);
  nothing_written.reset();
  page.write(o.out);
}

}  // namespace

void add_report(CLI::App& app) {
  auto* command = app.add_subcommand(
      "report",
      "Write a page on a run: its settings, curves, outputs, attention and weights; or on a "
      "comparison. One file, which opens anywhere");
  auto o = std::make_shared<Options>();
  command->add_option("run", o->run, "folder of a run or of a comparison")->required();
  command->add_option("--out", o->out, "file of the page, .html")->required();
  ReportOptions options;
  add_field_options(command, fields_of(options), o->given);
  add_threads(command, o->threads);
  command->footer(
      "Examples:\n  heed report runs/first --out first.html\n"
      "  heed report runs/first --data test.en test.fr --out first.html\n"
      "  heed report comparison --out comparison.html");
  command->callback([o] { write_page(*o); });
}

}  // namespace heed::cli
