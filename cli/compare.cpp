#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/comparison/comparison.h"
#include "experiments/live_progress.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  GivenOptions given;  // that stand for fields of ComparisonSettings
  std::string out;
  int threads = 0;
  bool resume = false;
};

/// Shows a comparison on stderr. While nothing is written, Ctrl-C ends the program at once.
class Display {
 public:
  Display(std::string out, Index runs)
      : out_(std::move(out)), runs_(runs), nothing_written_(std::in_place) {}

  /// They refer to this display. Ctrl-C stops the comparison.
  ComparisonObservers observers() {
    ComparisonObservers told;
    told.on_warning = [this](const std::string& text) { print("warning: " + text); };
    told.on_plan = [this](const std::string& line) {
      begun_ = true;
      nothing_written_.reset();
      print(line);
    };
    told.on_trial_begin = [this](const auto&) { nothing_written_.emplace(stopped_text()); };
    told.on_trial_written = [this](const auto&) { nothing_written_.reset(); };
    told.on_step = [this](const auto& trial, const auto& report, double left) {
      show(trial, report, left);
    };
    told.on_result = [this](const std::string& line) {
      print(line);
      ++done_;
    };
    told.should_stop = interrupted;
    return told;
  }

  void print_how_to_go_on() {
    if (begun_) print(stopped_text());
  }

 private:
  void print(const std::string& line) {
    live_.clear();
    std::cerr << line << '\n';
  }

  void show(const ComparisonTrial& trial, const StepReport& report, double left) {
    const double done =
        (static_cast<double>(trial.number) + report.done) / static_cast<double>(trial.count);
    live_.show(
        fmt::format("{}  loss {:.3f}  {} left", trial.title(), report.loss, duration_text(left)),
        done, report.seconds);
  }

  std::string stopped_text() const {
    return fmt::format("stopped after {} of {} runs; go on with: heed compare --resume --out {}",
                       done_, runs_, out_);
  }

  std::string out_;
  Index runs_;
  Index done_ = 0;
  bool begun_ = false;
  LiveLine live_{standard_error()};
  std::optional<InterruptAtOnce> nothing_written_;
};

void check_out(const Options& o) {
  if (o.out.empty()) fail("where should the comparison be kept? give --out FOLDER");
  if (o.resume && !holds_comparison(o.out))
    fail("{}: no comparison to resume here; leave out --resume to start one", o.out);
  if (!o.resume && holds_comparison(o.out))
    fail("{}: holds a comparison already; add --resume to go on with it, or give another --out",
         o.out);
}

/// What is given, over the defaults, or over the comparison that is resumed.
ComparisonSettings settings_of(const Options& o) {
  ComparisonSettings settings = o.resume ? read_comparison_settings(o.out) : ComparisonSettings();
  const Fields fields = fields_of(settings);
  for (const auto& [key, value] : o.given)
    fields.find(key)->set(value);
  return settings;
}

void run_compare(const Options& o) {
  check_out(o);
  outlive_the_reader();
  set_threads(o.threads);
  const ComparisonSettings settings = settings_of(o);
  Display display(o.out, std::ssize(settings.models) * settings.seeds);
  try {
    std::cout << to_text(
        compare(settings, o.out, {.resume = o.resume, .observers = display.observers()}));
  } catch (const ComparisonError& error) {
    fail("--{}", error.what());  // the message begins with the field
  } catch (const Interrupted&) {
    display.print_how_to_go_on();
    throw;
  }
}

void add_settings(CLI::App* command, GivenOptions& given) {
  ComparisonSettings defaults;
  const Fields fields = fields_of(defaults);
  auto options = add_field_options(command, fields, given);
  options.at("models")->delimiter(',');
  options.at("set")->take_all();
  for (const char* key : {"lines", "seeds", "match"})
    options.at(key)->default_str(to_text(fields.find(key)->value()));
  options.at("steps")->excludes(options.at("time"));
  options.at("epochs")->excludes(options.at("time"))->excludes(options.at("steps"));
}

}  // namespace

void add_compare(CLI::App& app) {
  auto* command = app.add_subcommand(
      "compare", "Train several models alike, and say which is better and by how much");
  auto o = std::make_shared<Options>();
  add_settings(command, o->given);
  command->add_option("--out", o->out, "folder to keep the comparison in");
  command->add_flag("--resume", o->resume,
                    "continue the comparison in --out; finished runs are not repeated");
  add_threads(command, o->threads);
  command->footer(
      "Examples:\n  heed compare --train toy:translation --models rnn,rnn+additive,transformer "
      "--time 90s --out comparison\n  heed compare --train train.de train.en --valid valid.de "
      "valid.en --test test.de test.en --models conv,transformer --epochs 10 --out comparison\n"
      "  heed compare --train toy:reviews --models rnn,conv,transformer --time 30s --out labels");
  command->callback([o] { run_compare(*o); });
}

}  // namespace heed::cli
