#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>

#include "cli/commands.h"
#include "cli/plots/text.h"
#include "cli/progress.h"
#include "cli/reuse.h"
#include "cli/run.h"
#include "cli/setting_warnings.h"
#include "cli/training.h"
#include "cli/values.h"
#include "cli/verify_resume.h"
#include "framework/kernels/parallel.h"
#include "optim/run_folder.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

struct Options {
  std::vector<std::string> train;
  std::vector<std::string> valid;
  std::vector<std::string> fields;
  std::vector<std::string> assignments;
  std::vector<std::string> init_only;
  std::vector<std::string> freeze;
  std::string model;
  std::string out;
  std::string config;
  std::string time;
  std::string checkpoint;
  std::string init;
  std::string on_nan;
  Index steps = 0;
  Index epochs = 0;
  Index seed = 1;
  Index keep = 0;
  int threads = 0;
  bool resume = false;
  bool list_settings = false;
  std::string precision = "fp32";
};

bool given(const CLI::App& command, const char* option) {
  const CLI::Option* found = command.get_option_no_throw(option);
  return found && found->count() > 0;
}

/// Options that are settings, too.
struct OptionSetting {
  const char* option;
  const char* key;
  void (*apply)(const Options& o, Settings& s);
};

const OptionSetting option_settings[] = {
    {"--model", "model.name", [](const Options& o, Settings& s) { s.model.name = o.model; }},
    {"--train", "data.train", [](const Options& o, Settings& s) { s.data.train = o.train; }},
    {"--valid", "data.valid", [](const Options& o, Settings& s) { s.data.valid = o.valid; }},
    {"--fields", "data.fields", [](const Options& o, Settings& s) { s.data.fields = o.fields; }},
    {"--steps", "train.steps", [](const Options& o, Settings& s) { s.train.steps = o.steps; }},
    {"--epochs", "train.epochs", [](const Options& o, Settings& s) { s.train.epochs = o.epochs; }},
    {"--time", "train.time", [](const Options& o, Settings& s) { s.train.time = o.time; }},
    {"--keep", "train.keep", [](const Options& o, Settings& s) { s.train.keep = o.keep; }},
    {"--seed", "train.seed", [](const Options& o, Settings& s) { s.train.seed = o.seed; }},
    {"--init", "train.init", [](const Options& o, Settings& s) { s.train.init = o.init; }},
    {"--init-only", "train.init_only",
     [](const Options& o, Settings& s) { s.train.init_only = o.init_only; }},
    {"--freeze", "train.freeze", [](const Options& o, Settings& s) { s.train.freeze = o.freeze; }},
    {"--on-nan", "train.on_nan", [](const Options& o, Settings& s) { s.train.on_nan = o.on_nan; }},
    {"--precision", "train.precision",
     [](const Options& o, Settings& s) { s.train.precision = o.precision; }},
};

/// Applies --set and the options that are settings; returns their keys. One that is given as both
/// must be the same.
GivenKeys apply_command_line(const Options& o, const CLI::App& command, Settings& s) {
  GivenKeys given_keys;
  for (const std::string& assignment : o.assignments)
    given_keys.insert(set(s, assignment));
  for (const OptionSetting& option : option_settings) {
    if (!given(command, option.option)) continue;
    const std::string before = text_of(s, option.key);
    option.apply(o, s);
    const std::string after = text_of(s, option.key);
    const bool twice = !given_keys.insert(option.key).second;
    if (twice && before != after)
      fail("{} asks for {}, and --set {} for {}; give one of them", option.option, after,
           option.key, before);
  }
  return given_keys;
}

/// What of a run's defaults depends on, wherever it was given.
Settings model_and_data(const Options& o, const CLI::App& command) {
  Settings s{};
  if (!o.config.empty()) read_settings(o.config, s);
  apply_command_line(o, command, s);
  return s;
}

/// Limits that were given replace the default one.
void drop_default_limits(const GivenKeys& given_keys, Settings& s) {
  const bool steps = given_keys.contains("train.steps") && s.train.steps != 0;
  const bool epochs = given_keys.contains("train.epochs") && s.train.epochs != 0;
  const bool time = given_keys.contains("train.time") && !s.train.time.empty();
  if ((epochs || time) && !steps) s.train.steps = 0;
}

/// Leaves of the keys that a file names those that it changes: one that was written by a run names
/// every setting.
void erase_defaults(GivenKeys& keys, Settings& s, Settings defaults) {
  std::erase_if(keys,
                [&](const std::string& key) { return text_of(s, key) == text_of(defaults, key); });
}

struct NewRun {
  Settings settings;
  GivenKeys given;
  std::vector<std::string> warnings;
};

NewRun new_run(const Options& o, const CLI::App& command) {
  const Settings first = model_and_data(o, command);
  if (first.model.name.empty())
    fail("which model? give --model transformer, rnn, rnn+additive, conv or lm");
  const Settings defaults = new_run_settings(first.model.name, first.data.train);
  NewRun run{defaults, {}, {}};
  Settings& s = run.settings;
  GivenKeys in_file;
  if (!o.config.empty()) in_file = read_settings(o.config, s);
  if (s.model.name != first.model.name)
    run.warnings.push_back(fmt::format("--model {} replaces the model.name of {}, {}",
                                       first.model.name, o.config, s.model.name));
  run.given = apply_command_line(o, command, s);
  GivenKeys limits = in_file;
  limits.insert(run.given.begin(), run.given.end());
  drop_default_limits(limits, s);
  erase_defaults(in_file, s, defaults);
  run.given.merge(in_file);
  for (std::string& warning : unused_settings(s, run.given))
    run.warnings.push_back(std::move(warning));
  if (!s.train.init.empty()) s.train.init = initial_source(s.train.init);
  if (s.data.train.empty())
    fail(
        "nothing to train on; give --train with files or a built-in corpus such as "
        "toy:translation");
  return run;
}

struct ResumedRun {
  Settings settings;
  bool new_limits = false;
  std::vector<std::string> warnings;
};

/// The settings of a run that goes on: what decides its future may not change, but for how long it
/// trains (a limit replaces the one of its own kind), and where its data are: that they are the
/// same is found when they have been read.
ResumedRun resumed_run(const Options& o, const CLI::App& command) {
  Settings s = read_run_settings(o.out);
  const auto find_data = [](Settings& of) {
    of.data.train = absolute_data(of.data.train);
    of.data.valid = absolute_data(of.data.valid);
  };
  find_data(s);
  Settings asked = s;
  GivenKeys given_keys = apply_command_line(o, command, asked);
  std::vector<std::string> warnings = unused_settings(asked, given_keys);
  if (!o.config.empty()) {  // what the command line says replaces what the file says
    given_keys.merge(read_settings(o.config, asked));
    apply_command_line(o, command, asked);
  }
  if (!asked.train.init.empty())
    asked.train.init = fs::absolute(asked.train.init).lexically_normal().string();
  find_data(asked);
  const std::vector<Setting> before = settings_of(s);
  const std::vector<Setting> after = settings_of(asked);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string key = before[i].key;
    const bool same = text_of(before[i]) == text_of(after[i]);
    const bool moved = (key == "data.train" && !o.train.empty()) ||
                       (key == "data.valid" && !o.valid.empty() && !s.data.valid.empty());
    if (!same && !moved && is_fixed(key))
      fail(
          "--resume goes on with the run as it is: {} cannot change; start a new run with another "
          "--out",
          key);
  }
  const bool new_limits = !same_limits(s, asked);
  if (new_limits && !s.train.exact_epochs) {  // it was begun when steps did not count beside epochs
    if (s.train.epochs > 0 && !given_keys.contains("train.steps")) asked.train.steps = 0;
    asked.train.exact_epochs = true;
  }
  return {std::move(asked), new_limits, std::move(warnings)};
}

void print_settings() {
  Settings s = default_settings("transformer");
  for (const Setting& setting : settings_of(s))
    std::cout << fmt::format("{:<24} {}\n", setting.key, setting.help);
}

/// Whether a training that was killed before it had made its run has left nothing else here.
bool holds_a_start_alone(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!(name == "checkpoints" && fs::is_empty(entry.path())) && !name.starts_with("tokenizer.") &&
        entry.path().extension() != ".partial")
      return false;
  }
  return true;
}

void check_out(const Options& o) {
  if (o.out.empty()) fail("where should the run be kept? give --out FOLDER");
  if (fs::exists(o.out) && !fs::is_directory(o.out))
    fail("{}: is a file; give --out a folder", o.out);
  const bool holds_run = fs::exists(config_path(o.out));
  if (!o.resume && holds_run)
    fail("{}: holds a run already; add --resume to go on with it, or give another --out", o.out);
  if (o.resume && !holds_run)
    fail("{}: no run to resume here; leave out --resume to start one", o.out);
  if (o.resume && fs::exists(imported_path(o.out)))
    fail(
        "{}: was imported, and holds weights without what else a training needs to go on; begin a "
        "new run with them: --init {} --out another",
        o.out, o.out);
  if (!o.resume && fs::exists(o.out) && !holds_a_start_alone(o.out))
    fail("{}: is not empty; give --out a new folder", o.out);
}

std::string plan_text(const Training& training, const Cost& cost) {
  const Limits& limits = training.limits();
  const Index left = std::max<Index>(0, limits.last_step() - training.step());
  double seconds = static_cast<double>(left) * cost.seconds_per_step;
  if (limits.seconds > 0 && (limits.last_step() == 0 || limits.seconds < seconds))
    seconds = limits.seconds;
  constexpr std::size_t program_mb = 30;
  return fmt::format("plan      {}; about {} and {} MB on {} thread{}",
                     limits.text(training.step()), duration_text(seconds),
                     (cost.bytes >> 20) + program_mb, threads(), threads() == 1 ? "" : "s");
}

void train(const Options& o, const CLI::App& command) {
  if (o.list_settings) return print_settings();
  check_out(o);
  ResumedRun resumed;
  NewRun begun;
  if (o.resume)
    resumed = resumed_run(o, command);
  else
    begun = new_run(o, command);
  Settings s = o.resume ? resumed.settings : begun.settings;
  check_settings(s);
  if (o.resume && RunFolder(o.out).names().empty() && (!o.train.empty() || !o.valid.empty()))
    fail(
        "{}: no checkpoint yet, by which data given again could be known; leave out --train and "
        "--valid",
        o.out);
  if (!o.resume && !o.checkpoint.empty())
    fail("--checkpoint {}: says from where to go on; add --resume", o.checkpoint);
  outlive_the_reader();
  set_threads(o.threads);

  std::optional<AtOnce> nothing_written(std::in_place);
  Training training(s, o.out, o.resume);
  training.open(o.checkpoint);
  const std::string over =
      training.resumed() ? why_ended(training.ended_by(), s, training.step()) : "";
  if (!over.empty() && resumed.new_limits)
    fail("{}: done, with nothing left to train: {}", o.out, over);
  const Cost cost = training.probe();
  nothing_written.reset();
  stop_if_interrupted();
  training.create();

  const Corpus& corpus = training.corpus;
  Progress progress((fs::path(o.out) / "log.txt").string(), s.train.log_every);
  progress.line(fmt::format("data      {}", corpus.description));
  const Tokenizers& tokenizers = corpus.tokenizers;
  const Index largest = std::max(tokenizers.source->size(), tokenizers.target->size());
  const std::string fewer =
      has_subwords(s.data.tokenizer) && largest < s.data.vocab_size
          ? fmt::format("; the text has too few words for data.vocab_size = {}", s.data.vocab_size)
          : "";
  progress.line(fmt::format("tokens    {} in the vocabulary ({}){}",
                            tokenizers.joint() ? fmt::format("{}", tokenizers.source->size())
                                               : fmt::format("{} and {}", tokenizers.source->size(),
                                                             tokenizers.target->size()),
                            tokenizers.source->kind(), fewer));
  progress.line(fmt::format("model     {}, {}", s.model.name, parameters_text(*training.model)));
  for (const Notes* notes : {&training.initial, &training.frozen})
    progress.lines(notes->shown, notes->logged);
  progress.line(plan_text(training, cost));
  if (s.train.precision != "fp32") progress.line(fmt::format("precision {}", s.train.precision));
  for (const std::string& warning : corpus.warnings)
    progress.line("warning: " + warning);
  for (const std::string& warning : o.resume ? resumed.warnings : begun.warnings)
    progress.line("warning: " + warning);
  if (over.empty())
    for (const std::string& warning : training.warnings(cost, resumed.new_limits))
      progress.line("warning: " + warning);
  progress.line(fmt::format("run       {}{}", o.out,
                            training.resumed() ? ", resumed"
                            : o.resume         ? ", begun again: it had no checkpoint"
                                               : ""));

  Observers observers;
  observers.on_step = [&](const StepReport& report) { progress.step(report); };
  observers.on_warning = [&](const std::string& text) { progress.line("warning: " + text); };
  Index shown = 0;
  constexpr int widest = 600;  // columns of a document; sentences are shown whole
  DecodeOptions greedy = decode_options(s);
  greedy.beam = 1;
  greedy.coverage_penalty = 0;
  observers.on_evaluation = [&](const EvaluationReport& report) {
    progress.line(fmt::format("step {}  validation loss {:.4f}  ppl {:.3f}{}", report.step,
                              report.evaluation.loss, std::exp(report.evaluation.loss),
                              report.best ? "  (best)" : ""));
    if (!corpus.valid_pairs) return;
    const Pair pair = corpus.valid_pairs->at(shown++ % corpus.valid_pairs->size());
    const Evaluating evaluating(*training.model);
    const auto best = translate(Decoder(*training.model), corpus.tokenizers,
                                std::vector<std::string>{pair.source}, greedy);
    progress.line(fmt::format("    {}\n  = {}\n  > {}", plots::shortened(pair.source, widest),
                              plots::shortened(pair.target, widest),
                              plots::shortened(best[0].empty() ? "" : best[0][0].text, widest)));
  };
  TrainResult result;
  try {
    result = training.run(observers);
  } catch (const Interrupted&) {  // within a validation, which is begun again
    if (!training.saved())
      fail("{}: stopped at step {}, which could not be saved", o.out, training.step());
    result.interrupted = true;
  }
  if (result.interrupted) {
    progress.line(
        fmt::format("stopped at step {} and saved; go on with: heed train --resume --out {}",
                    training.step(), o.out));
    throw Interrupted();
  }
  std::string summary =
      fmt::format("done: {} steps in {}", result.step, duration_text(result.seconds));
  if (result.best)
    summary += fmt::format("; best validation loss {:.4f} (ppl {:.3f}) at step {}",
                           result.best->loss, std::exp(result.best->loss), result.best_step);
  if (result.skipped > 0)
    summary += fmt::format("; {} step{} skipped, not finite", result.skipped,
                           result.skipped == 1 ? "" : "s");
  if (training.resumed() && result.trained == 0)
    summary += "; nothing was left to train: " + why_ended(result.ended_by, s, result.step);
  else if (result.stopped_early)
    summary += "; stopped early, it no longer improved";
  progress.line(summary);
}

/// The options that say what is trained, and how.
void add_what_and_how(CLI::App* command, const std::shared_ptr<Options>& o) {
  command
      ->add_option("--train", o->train,
                   "DATA: two line-aligned files, one .tsv, .jsonl or (for lm) .txt, or toy:NAME")
      ->expected(1, 2);
  command->add_option("--valid", o->valid, "DATA to validate on (else some of --train is held out)")
      ->expected(1, 2);
  command
      ->add_option("--fields", o->fields,
                   "source and target: keys of a .jsonl, or columns of a .tsv")
      ->expected(2);
  command->add_option(
      "--model", o->model,
      "transformer, conv, rnn or rnn+ATTENTION such as rnn+additive, or lm (a language model)");
  command
      ->add_option("--steps", o->steps,
                   "stop after N steps; the first of several limits ends the training")
      ->transform(whole(1));
  command->add_option("--epochs", o->epochs, "stop after N passes over the data")
      ->transform(whole(1));
  command->add_option("--time", o->time, "stop after so long: 90s, 10m, 1.5h");
  command->add_option("--seed", o->seed, "of weights, order and dropout")->transform(whole(0));
  command
      ->add_option("--threads", o->threads,
                   "threads to compute on (0: one a core); results do not depend on it")
      ->transform(thread_count());
  command
      ->add_option(
          "--on-nan", o->on_nan,
          "where a loss or gradient is not finite: stop (default), or skip the step, and count it")
      ->check(one_of({"stop", "skip"}));
  command->add_option("--config", o->config, "settings from a TOML file");
  command
      ->add_option("--set", o->assignments,
                   "a setting, key=value, as in config.toml; may be repeated")
      ->expected(1)
      ->take_all();
  command->add_option("--init", o->init,
                      "begin with the weights of this run's folder, .heed or .safetensors file");
  command
      ->add_option("--init-only", o->init_only,
                   "patterns of the parameters to load, such as 'encoder*'; '!decoder*' leaves out")
      ->take_all();
  command->add_option("--freeze", o->freeze, "patterns of the parameters that stay as they are")
      ->take_all();
  command
      ->add_option("--precision", o->precision,
                   "of large products (storage and sums are fp32); bf16 needs AVX512-BF16 or "
                   "AMX-BF16")
      ->check(one_of({"fp32", "bf16"}))
      ->capture_default_str();
}

}  // namespace

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "Train a model and keep it in a folder");
  auto o = std::make_shared<Options>();
  add_what_and_how(command, o);
  command->add_option("--out", o->out, "folder to keep the run in");
  command->add_option("--keep", o->keep, "step checkpoints to keep, the newest (train.keep)")
      ->transform(whole(1, 1 << 20));
  command->add_flag(
      "--resume", o->resume,
      "go on with the run in --out; its data may have moved (--train, --valid), not changed");
  command->add_option(
      "--checkpoint", o->checkpoint,
      "with --resume: from where, last or one such as step-000400 (default: the newest)");
  command->add_flag("--help-settings", o->list_settings,
                    "list every setting that --set and --config take");
  command->footer(
      "Examples:\n  heed train --train toy:translation --model transformer --out runs/first\n"
      "  heed train --train train.de train.en --valid valid.de valid.en --model transformer "
      "--epochs 20 --out runs/de-en\n"
      "  heed train --train corpus.txt --model lm --steps 2000 --out runs/lm\n"
      "  heed train --train other.de other.en --model transformer --init runs/de-en --freeze "
      "'encoder*' --out runs/other\n"
      "  heed train --resume --steps 6000 --out runs/first");
  command->callback([o, command] { train(*o, *command); });
}

void add_verify_resume(CLI::App& app) {
  auto* command = app.add_subcommand(
      "verify-resume",
      "Show that training, killed and resumed, gives the bytes of training that was not");
  auto o = std::make_shared<Options>();
  add_what_and_how(command, o);
  for (const char* limit : {"--epochs", "--time"})
    command->remove_option(command->get_option(limit));
  command->footer(
      "Trains N steps twice: in one go; and saved at step N/2, killed a step or two later, "
      "resumed. Then compares every file of the two\n"
      "runs. Exit status 1 where they differ.\n\n"
      "Example:\n  heed verify-resume --train toy:translation --model transformer --steps 40");
  command->callback([o, command] {
    if (!given(*command, "--steps")) fail("how many steps? give --steps N");
    if (o->steps < 2)
      fail("--steps {}: a run of one step cannot be killed half-way; give 2 or more", o->steps);
    NewRun begun = new_run(*o, *command);
    Settings& s = begun.settings;
    check_settings(s);
    for (const std::string& warning : begun.warnings)
      std::cerr << "warning: " << warning << '\n';
    outlive_the_reader();
    verify_resume(s, o->threads);
  });
}

}  // namespace heed::cli
