#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/commands.h"
#include "cli/run_training.h"
#include "cli/shared_options.h"
#include "cli/signals.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  RequestedSettings requested;
  std::string out;
  std::string checkpoint;
  std::string tune;
  int threads = 0;
  bool resume = false;
  bool list_settings = false;
};

/// Lists the settings of the model that is given; of all models where none is.
void print_settings(const RequestedSettings& requested) {
  const auto model = requested.values.find("model.name");
  std::vector<std::string> names = model_families().names();
  if (model != requested.values.end()) names = {to_text(model->second)};
  std::cout << settings_help(names);
}

void check_options(const Options& o) {
  check_out(o.out, o.resume);
  if (!o.resume && !o.checkpoint.empty())
    fail("--checkpoint {}: says from where to go on; add --resume", o.checkpoint);
}

/// The request of --tune. A setting that is tuned is not given.
std::optional<TuningRequest> tuning_of(const Options& o) {
  if (o.tune.empty()) return {};
  TuningRequest request = parse_tuning(o.tune);
  if (gives(o.requested, request.key))
    fail("--tune {}: {} is given too; leave out one of them", o.tune, request.key);
  return request;
}

void train(const Options& o) {
  if (o.list_settings) return print_settings(o.requested);
  check_options(o);
  std::string warning;
  const Settings settings =
      o.resume ? resumed_settings(o.requested, o.out) : new_settings(o.requested, warning);
  if (!warning.empty()) std::cerr << "warning: " << warning << '\n';
  outlive_the_reader();
  set_threads(o.threads);
  run_training(settings, o.out,
               {.resume = o.resume,
                .checkpoint = o.checkpoint,
                .tokenizers = {},
                .preparing = {},
                .tune = tuning_of(o)});
}

constexpr const char* examples =
    "Examples:\n"
    "  heed train --train toy:translation --model transformer --out runs/first\n"
    "  heed train --train train.de train.en --valid valid.de valid.en --model transformer "
    "--epochs 20 --out runs/de-en\n"
    "  heed train --train reviews.tsv --model rnn --epochs 10 --out runs/reviews\n"
    "  heed train --train corpus.txt --model lm --steps 2000 --out runs/lm\n"
    "  heed train --train other.de other.en --model transformer --init runs/de-en --freeze "
    "'encoder*' --out runs/other\n"
    "  heed train --resume --steps 6000 --out runs/first";

}  // namespace

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "Train a model and keep it in a folder");
  auto o = std::make_shared<Options>();
  add_setting_options(command, o->requested);
  command->add_option("--out", o->out, "folder to keep the run in");
  add_threads(command, o->threads);
  command->add_flag("--resume", o->resume,
                    "continue the run in --out; --train and --valid may say where its data are "
                    "now, if they moved");
  command->add_option(
      "--checkpoint", o->checkpoint,
      "with --resume: continue from last or one such as step-000400 (default: the newest)");
  command
      ->add_option("--tune", o->tune,
                   "first try several values of a setting, KEY=a,b,c, in short trainings, and take "
                   "the one with the lowest validation loss; optim.lr alone tries 1/4 to 4 times "
                   "its default")
      ->check(not_empty)
      ->excludes("--resume")
      ->type_name("KEY[=a,b,c]");
  command->add_flag("--help-settings", o->list_settings,
                    "list every setting of --model that --set and --config take");
  command->footer(examples);
  command->callback([o] { train(*o); });
}

}  // namespace heed::cli
