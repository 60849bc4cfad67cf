#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <optional>

#include "cli/commands.h"
#include "cli/option_values.h"
#include "cli/signals.h"
#include "cli/verify_resume.h"
#include "experiments/inference/run.h"
#include "experiments/initial_weights.h"
#include "experiments/live_progress.h"
#include "experiments/report/text.h"
#include "experiments/setting_warnings.h"
#include "experiments/training.h"
#include "framework/run_folder.h"
#include "framework/threads.h"

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

/// An option that stands for a setting.
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

/// Applies --set and the options that stand for settings. Returns their keys. Throws Error where a
/// setting is given twice with different values.
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

/// The settings of a run as it was asked for.
struct RequestedRun {
  Settings settings;
  std::vector<std::string> warnings;
  bool new_limits = false;  // a resumed run that is limited in another way than before
};

// A new run

/// The settings that were given, without defaults: the defaults depend on the model and the data.
Settings given_settings(const Options& o, const CLI::App& command) {
  Settings s{};
  if (!o.config.empty()) read_settings(o.config, s);
  apply_command_line(o, command, s);
  return s;
}

/// Removes the default limit where another limit is given.
void drop_default_limit(const GivenKeys& given_keys, Settings& s) {
  const bool steps = given_keys.contains("train.steps") && s.train.steps != 0;
  const bool epochs = given_keys.contains("train.epochs") && s.train.epochs != 0;
  const bool time = given_keys.contains("train.time") && !s.train.time.empty();
  if ((epochs || time) && !steps) s.train.steps = 0;
}

/// Removes the keys whose values are the defaults. The config.toml of a run names every setting;
/// those with their default values were not chosen by the user.
void erase_defaults(GivenKeys& keys, Settings& s, Settings defaults) {
  std::erase_if(keys,
                [&](const std::string& key) { return text_of(s, key) == text_of(defaults, key); });
}

RequestedRun new_run(const Options& o, const CLI::App& command) {
  const Settings first = given_settings(o, command);
  if (first.model.name.empty())
    fail("which model? give --model transformer, rnn, rnn+additive, conv or lm");
  const Settings defaults = new_run_settings(first.model.name, first.data.train);
  RequestedRun run{defaults, {}};
  Settings& s = run.settings;
  GivenKeys in_file;
  if (!o.config.empty()) in_file = read_settings(o.config, s);
  if (s.model.name != first.model.name)
    run.warnings.push_back(fmt::format("--model {} replaces the model.name of {}, {}",
                                       first.model.name, o.config, s.model.name));
  GivenKeys given_keys = apply_command_line(o, command, s);
  GivenKeys limits = in_file;
  limits.insert(given_keys.begin(), given_keys.end());
  drop_default_limit(limits, s);
  erase_defaults(in_file, s, defaults);
  given_keys.merge(in_file);
  for (std::string& warning : unused_settings(s, given_keys))
    run.warnings.push_back(std::move(warning));
  if (!s.train.init.empty()) s.train.init = initial_source(s.train.init);
  if (s.data.train.empty())
    fail(
        "nothing to train on; give --train with files or a built-in corpus such as "
        "toy:translation");
  return run;
}

// A run that is resumed

void make_data_absolute(Settings& s) {
  s.data.train = absolute_data(s.data.train);
  s.data.valid = absolute_data(s.data.valid);
}

/// Whether the data of this setting are given again, and so may have moved. That they are the same
/// is checked when they have been read.
bool may_have_moved(const std::string& key, const Options& o, const Settings& saved) {
  if (key == "data.train") return !o.train.empty();
  if (key == "data.valid") return !o.valid.empty() && !saved.data.valid.empty();
  return false;
}

/// Throws Error where a setting that a resumed run must keep is another.
void check_unchanged(Settings& saved, Settings& asked, const Options& o) {
  const std::vector<Setting> before = settings_of(saved);
  const std::vector<Setting> after = settings_of(asked);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string key = before[i].key;
    if (!is_fixed(key) || may_have_moved(key, o, saved)) continue;
    if (text_of(before[i]) != text_of(after[i]))
      fail(
          "--resume goes on with the run as it is: {} cannot change; start a new run with another "
          "--out",
          key);
  }
}

/// Counts epochs exactly from now on. In runs that an earlier Heed began, train.steps did not count
/// beside train.epochs, so it must not become a limit unasked.
void count_epochs_exactly(Settings& asked, const Settings& saved, const GivenKeys& given_keys) {
  if (saved.train.epochs > 0 && !given_keys.contains("train.steps")) asked.train.steps = 0;
  asked.train.exact_epochs = true;
}

/// The saved settings with those that are given again. A limit replaces the one of its own kind.
RequestedRun resumed_run(const Options& o, const CLI::App& command) {
  Settings saved = read_run_settings(o.out);
  make_data_absolute(saved);
  Settings asked = saved;
  GivenKeys given_keys = apply_command_line(o, command, asked);
  std::vector<std::string> warnings = unused_settings(asked, given_keys);
  if (!o.config.empty()) {
    given_keys.merge(read_settings(o.config, asked));
    apply_command_line(o, command, asked);  // again: the command line outranks the file
  }
  if (!asked.train.init.empty())
    asked.train.init = fs::absolute(asked.train.init).lexically_normal().string();
  make_data_absolute(asked);
  check_unchanged(saved, asked, o);
  const bool new_limits = !same_limits(saved, asked);
  if (new_limits && !saved.train.exact_epochs) count_epochs_exactly(asked, saved, given_keys);
  return {std::move(asked), std::move(warnings), new_limits};
}

// The checks before training

void print_settings() {
  Settings s = default_settings("transformer");
  for (const Setting& setting : settings_of(s))
    std::cout << fmt::format("{:<24} {}\n", setting.key, setting.help);
}

/// Whether a training may have left this file or folder when it was killed before its run was made.
bool is_left_by_start(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  if (name == "checkpoints") return fs::is_empty(entry.path());
  return name.starts_with("tokenizer.") || entry.path().extension() == ".partial";
}

bool holds_only_a_start(const fs::path& folder) {
  const fs::directory_iterator entries(folder);
  return std::all_of(begin(entries), end(entries), is_left_by_start);
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
  if (!o.resume && fs::exists(o.out) && !holds_only_a_start(o.out))
    fail("{}: is not empty; give --out a new folder", o.out);
}

/// Throws Error where options contradict each other or the run.
void check_options(const Options& o) {
  const bool data_given = !o.train.empty() || !o.valid.empty();
  if (o.resume && data_given && RunFolder(o.out).names().empty())
    fail(
        "{}: no checkpoint yet, by which data given again could be known; leave out --train and "
        "--valid",
        o.out);
  if (!o.resume && !o.checkpoint.empty())
    fail("--checkpoint {}: says from where to go on; add --resume", o.checkpoint);
}

// What training shows

std::string vocabulary_text(const Settings& s, const Tokenizers& tokenizers) {
  const Index source = tokenizers.source->size();
  const Index target = tokenizers.target->size();
  const std::string sizes =
      tokenizers.joint() ? fmt::format("{}", source) : fmt::format("{} and {}", source, target);
  std::string text =
      fmt::format("tokens    {} in the vocabulary ({})", sizes, tokenizers.source->kind());
  if (has_subwords(s.data.tokenizer) && std::max(source, target) < s.data.vocab_size)
    text += fmt::format("; the text has too few words for data.vocab_size = {}", s.data.vocab_size);
  return text;
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

std::string run_text(const Options& o, const Training& training) {
  std::string text = fmt::format("run       {}", o.out);
  if (training.resumed())
    text += ", resumed";
  else if (o.resume)
    text += ", begun again: it had no checkpoint";
  return text;
}

/// Shows data, vocabulary, model, plan and warnings. `is_over`: there is nothing left to train.
void show_start(ProgressDisplay& display, const Options& o, const RequestedRun& run,
                const Training& training, const Cost& cost, bool is_over) {
  const auto warn = [&](const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings)
      display.line("warning: " + warning);
  };
  const Settings& s = run.settings;
  display.line(fmt::format("data      {}", training.corpus.description));
  display.line(vocabulary_text(s, training.corpus.tokenizers));
  display.line(fmt::format("model     {}, {}", s.model.name, parameters_text(*training.model)));
  for (const Notes* notes : {&training.initial, &training.frozen})
    display.lines(notes->shown, notes->logged);
  display.line(plan_text(training, cost));
  if (s.train.precision != "fp32") display.line(fmt::format("precision {}", s.train.precision));
  warn(training.corpus.warnings);
  warn(run.warnings);
  if (!is_over) warn(training.warnings(cost, run.new_limits));
  display.line(run_text(o, training));
}

/// Translates one validation pair after each validation, so that the user sees what the model has
/// learnt. Takes the pairs in turn.
class SampleTranslations {
 public:
  explicit SampleTranslations(const Training& training)
      : training_(training), options_(decode_options(training.settings)) {
    options_.beam = 1;
    options_.coverage_penalty = 0;
  }

  /// Shows the source, the reference (=) and the output (>).
  void show_next(ProgressDisplay& display) {
    const Corpus& corpus = training_.corpus;
    if (!corpus.valid_pairs) return;
    const Pair pair = corpus.valid_pairs->at(shown_++ % corpus.valid_pairs->size());
    const Evaluating evaluating(*training_.model);
    const auto best = translate(Decoder(*training_.model), corpus.tokenizers,
                                std::vector<std::string>{pair.source}, options_);
    constexpr int widest = 600;  // columns: documents are shortened, sentences are not
    const std::string output = best[0].empty() ? "" : best[0][0].text;
    display.line(fmt::format("    {}\n  = {}\n  > {}", plots::shortened(pair.source, widest),
                             plots::shortened(pair.target, widest),
                             plots::shortened(output, widest)));
  }

 private:
  const Training& training_;
  DecodeOptions options_;
  Index shown_ = 0;
};

/// Trains until a limit or an interruption. Throws Interrupted once the run is saved.
TrainResult run_training(Training& training, ProgressDisplay& display) {
  SampleTranslations samples(training);
  Observers observers;
  observers.on_step = [&](const StepReport& report) { display.step(report); };
  observers.on_warning = [&](const std::string& text) { display.line("warning: " + text); };
  observers.on_evaluation = [&](const EvaluationReport& report) {
    display.evaluation(report);
    samples.show_next(display);
  };
  TrainResult result;
  try {
    result = training.run(observers);
  } catch (const Interrupted&) {  // within a validation, which the resumed run begins again
    if (!training.saved())
      fail("{}: stopped at step {}, which could not be saved", training.folder, training.step());
    result.interrupted = true;
  }
  if (result.interrupted) {
    display.line(
        fmt::format("stopped at step {} and saved; go on with: heed train --resume --out {}",
                    training.step(), training.folder));
    throw Interrupted();
  }
  return result;
}

std::string summary_text(const Training& training, const TrainResult& result) {
  std::string text =
      fmt::format("done: {} steps in {}", result.step, duration_text(result.seconds));
  if (result.best)
    text += fmt::format("; best validation loss {:.4f} (ppl {:.3f}) at step {}", result.best->loss,
                        std::exp(result.best->loss), result.best_step);
  if (result.skipped > 0)
    text += fmt::format("; {} step{} skipped, not finite", result.skipped,
                        result.skipped == 1 ? "" : "s");
  if (training.resumed() && result.trained == 0)
    text += "; nothing was left to train: " +
            why_ended(result.ended_by, training.settings, result.step);
  else if (result.stopped_early)
    text += "; stopped early, it no longer improved";
  return text;
}

void train(const Options& o, const CLI::App& command) {
  if (o.list_settings) return print_settings();
  check_out(o);
  RequestedRun run = o.resume ? resumed_run(o, command) : new_run(o, command);
  check_settings(run.settings);
  check_options(o);
  outlive_the_reader();
  set_threads(o.threads);

  std::optional<InterruptAtOnce> nothing_written(std::in_place);
  Training training(run.settings, o.out, o.resume);
  training.open(o.checkpoint);
  std::string over;  // why there is nothing left to train; "" where there is
  if (training.resumed()) over = why_ended(training.ended_by(), run.settings, training.step());
  if (!over.empty() && run.new_limits)
    fail("{}: done, with nothing left to train: {}", o.out, over);
  const Cost cost = training.probe();
  nothing_written.reset();
  stop_if_interrupted();
  training.create();

  ProgressDisplay display((fs::path(o.out) / "log.txt").string(), run.settings.train.log_every);
  show_start(display, o, run, training, cost, !over.empty());
  const TrainResult result = run_training(training, display);
  display.line(summary_text(training, result));
}

// Options, in the order of the help

void add_data_options(CLI::App* command, Options& o) {
  command
      ->add_option("--train", o.train,
                   "DATA: two line-aligned files, one .tsv, .jsonl or (for lm) .txt, or toy:NAME")
      ->expected(1, 2);
  command
      ->add_option("--valid", o.valid, "DATA to validate on (default: some of --train is held out)")
      ->expected(1, 2);
  command
      ->add_option("--fields", o.fields,
                   "source and target: keys of a .jsonl, or columns of a .tsv")
      ->expected(2);
  command->add_option(
      "--model", o.model,
      "transformer, conv, rnn or rnn+ATTENTION such as rnn+additive, or lm (a language model)");
}

void add_limit_options(CLI::App* command, Options& o) {
  command
      ->add_option("--steps", o.steps,
                   "stop after N steps; the first of several limits ends the training")
      ->transform(whole(1));
  command->add_option("--epochs", o.epochs, "stop after N passes over the data")
      ->transform(whole(1));
  command->add_option("--time", o.time, "stop after this time: 90s, 10m, 1.5h");
}

void add_machine_options(CLI::App* command, Options& o) {
  command
      ->add_option("--seed", o.seed, "seed of the first weights, the order of the data and dropout")
      ->transform(whole(0));
  command->add_option("--threads", o.threads, threads_help)->transform(thread_count());
  command
      ->add_option("--on-nan", o.on_nan,
                   "where a loss or gradient is not finite: stop (default), or skip the step and "
                   "count it")
      ->check(one_of({"stop", "skip"}));
}

void add_setting_options(CLI::App* command, Options& o) {
  command->add_option("--config", o.config, "settings from a TOML file");
  command
      ->add_option("--set", o.assignments,
                   "a setting, key=value, as in config.toml; may be repeated")
      ->expected(1)
      ->take_all();
}

void add_weight_options(CLI::App* command, Options& o) {
  command->add_option("--init", o.init,
                      "begin with the weights of this run's folder, .heed or .safetensors file");
  command
      ->add_option("--init-only", o.init_only,
                   "patterns of the parameters to load, such as 'encoder*'; '!decoder*' leaves out")
      ->take_all();
  command->add_option("--freeze", o.freeze, "patterns of the parameters that are not trained")
      ->take_all();
  command
      ->add_option(
          "--precision", o.precision,
          "precision of large products: fp32, or bf16, which needs AVX512-BF16 or AMX-BF16; "
          "storage and sums are fp32")
      ->check(one_of({"fp32", "bf16"}))
      ->capture_default_str();
}

/// The options that `train` and `verify-resume` share.
void add_training_options(CLI::App* command, Options& o) {
  add_data_options(command, o);
  add_limit_options(command, o);
  add_machine_options(command, o);
  add_setting_options(command, o);
  add_weight_options(command, o);
}

constexpr const char* train_examples =
    "Examples:\n"
    "  heed train --train toy:translation --model transformer --out runs/first\n"
    "  heed train --train train.de train.en --valid valid.de valid.en --model transformer "
    "--epochs 20 --out runs/de-en\n"
    "  heed train --train corpus.txt --model lm --steps 2000 --out runs/lm\n"
    "  heed train --train other.de other.en --model transformer --init runs/de-en --freeze "
    "'encoder*' --out runs/other\n"
    "  heed train --resume --steps 6000 --out runs/first";

constexpr const char* verify_resume_help =
    "Trains N steps twice: once without a stop; once saved at step N/2, killed a step or two\n"
    "later, and resumed. Then compares every file of the two runs. Exit status 1 where they\n"
    "differ.\n\n"
    "Example:\n"
    "  heed verify-resume --train toy:translation --model transformer --steps 40";

void run_verify_resume(const Options& o, const CLI::App& command) {
  if (!given(command, "--steps")) fail("how many steps? give --steps N");
  if (o.steps < 2)
    fail("--steps {}: a run of one step cannot be killed half-way; give 2 or more", o.steps);
  RequestedRun run = new_run(o, command);
  check_settings(run.settings);
  for (const std::string& warning : run.warnings)
    std::cerr << "warning: " << warning << '\n';
  outlive_the_reader();
  verify_resume(run.settings, o.threads);
}

}  // namespace

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "Train a model and keep it in a folder");
  auto o = std::make_shared<Options>();
  add_training_options(command, *o);
  command->add_option("--out", o->out, "folder to keep the run in");
  command
      ->add_option("--keep", o->keep, "number of the newest step checkpoints to keep (train.keep)")
      ->transform(whole(1, 1 << 20));
  command->add_flag("--resume", o->resume,
                    "continue the run in --out; --train and --valid may say where its data are "
                    "now, if they moved");
  command->add_option(
      "--checkpoint", o->checkpoint,
      "with --resume: continue from last or one such as step-000400 (default: the newest)");
  command->add_flag("--help-settings", o->list_settings,
                    "list every setting that --set and --config take");
  command->footer(train_examples);
  command->callback([o, command] { train(*o, *command); });
}

void add_verify_resume(CLI::App& app) {
  auto* command = app.add_subcommand(
      "verify-resume",
      "Check that a killed and resumed training writes the same bytes as an undisturbed one");
  auto o = std::make_shared<Options>();
  add_training_options(command, *o);
  for (const char* limit : {"--epochs", "--time"})
    command->remove_option(command->get_option(limit));
  command->footer(verify_resume_help);
  command->callback([o, command] { run_verify_resume(*o, *command); });
}

}  // namespace heed::cli
