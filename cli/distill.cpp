#include <iostream>
#include <optional>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/field_options.h"
#include "cli/run_training.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "experiments/distillation.h"
#include "experiments/live_progress.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  RequestedSettings requested;
  GivenOptions lines;     // of DistillationOptions
  GivenOptions decoding;  // of DecodeOptions
  std::string teacher;
  std::string checkpoint;
  std::string out;
  int threads = 0;
};

DistillationOptions options_of(const Options& o) {
  DistillationOptions options;
  set_fields(fields_of(options), o.lines);
  options.decoding = o.decoding;
  const auto data = [&](const char* key) {
    const auto given = o.requested.values.find(key);
    return given == o.requested.values.end() ? std::vector<std::string>()
                                             : std::get<std::vector<std::string>>(given->second);
  };
  options.train = data("data.train");
  options.valid = data("data.valid");
  options.fields = data("data.fields");
  return options;
}

/// Writes the pairs. A signal ends the program at once: what is written so far stays.
void write_pairs(Distillation& distillation, const std::string& out) {
  const InterruptAtOnce goes_on(
      fmt::format("stopped; the same command goes on with the translations in {}", out));
  DistillationDisplay display(standard_error());
  distillation.write(display.observers());
}

void distill(const Options& o) {
  check_out(o.out, /*resume=*/false);
  outlive_the_reader();
  set_threads(o.threads);
  std::string warning;
  try {
    Distillation distillation(o.teacher, o.checkpoint, options_of(o), o.out);
    distillation.settings(o.requested, warning);
    write_pairs(distillation, o.out);
    const Settings settings = distillation.settings(o.requested, warning);
    if (!warning.empty()) std::cerr << "warning: " << warning << '\n';
    run_training(settings, o.out, {.tokenizers = distillation.tokenizers()});
  } catch (const DistillationError& error) {
    fail("--{}", error.what());  // the message begins with the field
  }
}

constexpr const char* examples =
    "Go on with the training by heed train --resume --out RUN.\n\n"
    "Examples:\n"
    "  heed distill --teacher runs/large --model transformer --set model.d=64 --out runs/small\n"
    "  heed distill --teacher runs/en-de --sources news.en --mix --model transformer --out "
    "runs/more\n"
    "  heed distill --teacher runs/de-en --back --sources news.de --train train.en train.de "
    "--model transformer --out runs/en-de";

}  // namespace

void add_distill(CLI::App& app) {
  auto* command =
      app.add_subcommand("distill", "Train a model on what another one, its teacher, translates");
  auto o = std::make_shared<Options>();
  command->add_option("--teacher", o->teacher, "folder of the run that translates")->required();
  command->add_option("--checkpoint", o->checkpoint,
                      "of the teacher: last, best or one such as step-000400 (default: best, else "
                      "last)");
  DistillationOptions lines;
  add_field_options(command, fields_of(lines), o->lines);
  DecodeOptions decode;
  for (const auto& [key, option] :
       add_field_options(command, fields_of(decode), o->decoding, {"beam", "length_penalty"}))
    option->description(option->get_description() + " (default: the teacher's)");
  add_setting_options(command, o->requested);
  command->get_option("--train")->description(
      "DATA whose sources the teacher translates; with --back, pairs to read (default: the "
      "teacher's data)");
  command->get_option("--valid")->description(
      "DATA to validate on (default: what the teacher was validated on)");
  command->add_option("--out", o->out, "folder to keep the run in");
  add_threads(command, o->threads);
  command->footer(examples);
  command->callback([o] { distill(*o); });
}

}  // namespace heed::cli
