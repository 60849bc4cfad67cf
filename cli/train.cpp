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
#include "cli/training.h"
#include "cli/values.h"
#include "cli/verify_resume.h"
#include "framework/kernels/parallel.h"
#include "optim/run_folder.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

struct Options {
  std::vector<std::string> train, valid, fields, assignments, init_only, freeze;
  std::string model, out, config, time, checkpoint, init, on_nan;
  Index steps = 0, epochs = 0, seed = 1, keep = 0;
  int threads = 0;
  bool resume = false, list_settings = false;
  std::string precision = "fp32";
};

bool given(const CLI::App& command, const char* option) {
  const CLI::Option* found = command.get_option_no_throw(option);
  return found && found->count() > 0;
}

void apply_reuse(const Options& o, const CLI::App& command, Settings& s) {
  if (given(command, "--init")) s.train.init = o.init;
  if (given(command, "--init-only")) s.train.init_only = o.init_only;
  if (given(command, "--freeze")) s.train.freeze = o.freeze;
}

/// Limits given on the command line replace the default one. They and what is kept may differ from what a resumed run began with.
void apply_limits(const Options& o, const CLI::App& command, Settings& s) {
  if (given(command, "--steps") || given(command, "--epochs") || given(command, "--time")) s.train.steps = 0, s.train.epochs = 0, s.train.time = "";
  if (given(command, "--steps")) s.train.steps = o.steps;
  if (given(command, "--epochs")) s.train.epochs = o.epochs;
  if (given(command, "--time")) s.train.time = o.time;
  if (given(command, "--keep")) s.train.keep = o.keep;
}

Settings new_settings(const Options& o, const CLI::App& command) {
  std::string model = o.model;
  std::vector<std::string> data = o.train;
  if (!o.config.empty()) {  // the file may name them
    Settings peek{};
    read_settings(o.config, peek);
    if (model.empty()) model = peek.model.name;
    if (data.empty()) data = peek.data.train;
  }
  if (model.empty()) fail("which model? give --model transformer, rnn, rnn+additive, conv or lm");
  Settings s = default_settings(model, data);
  if (!o.config.empty()) read_settings(o.config, s);
  s.model.name = model;
  for (const std::string& assignment : o.assignments) set(s, assignment);
  if (given(command, "--train")) s.data.train = o.train;
  if (given(command, "--valid")) s.data.valid = o.valid;
  if (given(command, "--fields")) s.data.fields = o.fields;
  if (given(command, "--seed")) s.train.seed = o.seed;
  apply_reuse(o, command, s);
  if (!s.train.init.empty()) s.train.init = initial_source(s.train.init);
  if (given(command, "--on-nan")) s.train.on_nan = o.on_nan;
  if (given(command, "--precision")) s.train.precision = o.precision;
  apply_limits(o, command, s);
  if (s.data.train.empty()) fail("nothing to train on; give --train with files or a built-in corpus such as toy:translation");
  return s;
}

/// The settings of a run that goes on: what decides its future may not change, but for how long it trains, and where its data are: that
/// they are the same is found when they have been read.
Settings resumed_settings(const Options& o, const CLI::App& command) {
  Settings s = read_run_settings(o.out);
  const auto find_data = [](Settings& of) { of.data.train = absolute_data(of.data.train), of.data.valid = absolute_data(of.data.valid); };
  find_data(s);
  Settings asked = s;
  for (const std::string& assignment : o.assignments) set(asked, assignment);
  if (given(command, "--train")) asked.data.train = o.train;
  if (given(command, "--valid")) asked.data.valid = o.valid;
  if (given(command, "--seed")) asked.train.seed = o.seed;
  if (given(command, "--model")) asked.model.name = o.model;
  if (given(command, "--fields")) asked.data.fields = o.fields;
  if (!o.config.empty()) read_settings(o.config, asked);
  apply_reuse(o, command, asked);
  if (!asked.train.init.empty()) asked.train.init = fs::absolute(asked.train.init).lexically_normal().string();
  if (given(command, "--on-nan")) asked.train.on_nan = o.on_nan;
  if (given(command, "--precision")) asked.train.precision = o.precision;
  apply_limits(o, command, asked);
  find_data(asked);
  const std::vector<Setting> before = settings_of(s), after = settings_of(asked);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string key = before[i].key;
    const bool same = text_of(before[i]) == text_of(after[i]);
    const bool moved = (key == "data.train" && !o.train.empty()) || (key == "data.valid" && !o.valid.empty() && !s.data.valid.empty());
    if (!same && !moved && is_fixed(key))
      fail("--resume goes on with the run as it is: {} cannot change; start a new run with another --out", key);
  }
  return asked;
}

void print_settings() {
  Settings s = default_settings("transformer");
  for (const Setting& setting : settings_of(s)) std::cout << fmt::format("{:<24} {}\n", setting.key, setting.help);
}

/// Whether a training that was killed before it had made its run has left nothing else here.
bool holds_a_start_alone(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!(name == "checkpoints" && fs::is_empty(entry.path())) && !name.starts_with("tokenizer.") && entry.path().extension() != ".partial") return false;
  }
  return true;
}

void check_out(const Options& o) {
  if (o.out.empty()) fail("where should the run be kept? give --out FOLDER");
  if (fs::exists(o.out) && !fs::is_directory(o.out)) fail("{}: is a file; give --out a folder", o.out);
  const bool holds_run = fs::exists(config_path(o.out));
  if (!o.resume && holds_run) fail("{}: holds a run already; add --resume to go on with it, or give another --out", o.out);
  if (o.resume && !holds_run) fail("{}: no run to resume here; leave out --resume to start one", o.out);
  if (o.resume && fs::exists(imported_path(o.out)))
    fail("{}: was imported, and holds weights without what else a training needs to go on; begin a new run with them: --init {} --out another", o.out, o.out);
  if (!o.resume && fs::exists(o.out) && !holds_a_start_alone(o.out)) fail("{}: is not empty; give --out a new folder", o.out);
}

void train(const Options& o, const CLI::App& command) {
  if (o.list_settings) return print_settings();
  check_out(o);
  Settings s = o.resume ? resumed_settings(o, command) : new_settings(o, command);
  check_settings(s);
  if (o.resume && RunFolder(o.out).names().empty() && (!o.train.empty() || !o.valid.empty()))
    fail("{}: no checkpoint yet, by which data given again could be known; leave out --train and --valid", o.out);
  if (!o.resume && !o.checkpoint.empty()) fail("--checkpoint {}: says from where to go on; add --resume", o.checkpoint);
  outlive_the_reader();
  set_threads(o.threads);

  std::optional<AtOnce> nothing_written(std::in_place);
  Training training(s, o.out, o.resume);
  training.open(o.checkpoint);
  const Cost cost = training.probe();
  nothing_written.reset();
  stop_if_interrupted();
  training.create();

  const Corpus& corpus = training.corpus;
  const TrainerOptions& limits = training.options();
  Progress progress((fs::path(o.out) / "log.txt").string(), s.train.log_every);
  const Index left = std::max<Index>(0, limits.steps - training.step());
  const double limit = limits.seconds > 0 ? limits.seconds : static_cast<double>(left) * cost.seconds_per_step;
  progress.line(fmt::format("data      {}", corpus.description));
  const Tokenizers& tokenizers = corpus.tokenizers;
  const Index largest = std::max(tokenizers.source->size(), tokenizers.target->size());
  const std::string fewer = has_subwords(s.data.tokenizer) && largest < s.data.vocab_size
                                ? fmt::format("; the text has too few words for data.vocab_size = {}", s.data.vocab_size) : "";
  progress.line(fmt::format("tokens    {} in the vocabulary ({}){}",
                            tokenizers.joint() ? fmt::format("{}", tokenizers.source->size())
                                               : fmt::format("{} and {}", tokenizers.source->size(), tokenizers.target->size()),
                            tokenizers.source->kind(), fewer));
  progress.line(fmt::format("model     {}, {}", s.model.name, parameters_text(*training.model)));
  for (const Notes* notes : {&training.initial, &training.frozen}) progress.lines(notes->shown, notes->logged);
  progress.line(fmt::format("plan      {}; about {} and {} MB on {} thread{}",
                            limits.seconds > 0 ? duration_text(limits.seconds) : left < limits.steps ? fmt::format("{} of {} steps", left, limits.steps) : fmt::format("{} steps", limits.steps), duration_text(limit),
                            (cost.bytes >> 20) + 30, threads(), threads() == 1 ? "" : "s"));
  if (s.train.precision != "fp32") progress.line(fmt::format("precision {}", s.train.precision));
  for (const std::string& warning : corpus.warnings) progress.line("warning: " + warning);
  progress.line(fmt::format("run       {}{}", o.out, training.resumed() ? ", resumed" : o.resume ? ", begun again: it had no checkpoint" : ""));

  Observers observers;
  observers.on_step = [&](const StepReport& report) { progress.step(report); };
  observers.on_warning = [&](const std::string& text) { progress.line("warning: " + text); };
  Index shown = 0;
  constexpr int widest = 600;  // columns of a document; sentences are shown whole
  DecodeOptions greedy = decode_options(s);
  greedy.beam = 1, greedy.coverage_penalty = 0;
  observers.on_evaluation = [&](const EvaluationReport& report) {
    progress.line(fmt::format("step {}  validation loss {:.4f}  ppl {:.3f}{}", report.step, report.evaluation.loss, std::exp(report.evaluation.loss),
                              report.best ? "  (best)" : ""));
    if (!corpus.valid_pairs) return;
    const Pair pair = corpus.valid_pairs->at(shown++ % corpus.valid_pairs->size());
    const Evaluating evaluating(*training.model);
    const auto best = translate(Decoder(*training.model), corpus.tokenizers, std::vector<std::string>{pair.source}, greedy);
    progress.line(fmt::format("    {}\n  = {}\n  > {}", plots::shortened(pair.source, widest), plots::shortened(pair.target, widest),
                              plots::shortened(best[0].empty() ? "" : best[0][0].text, widest)));
  };
  TrainResult result;
  try {
    result = training.run(observers);
  } catch (const Interrupted&) {  // within a validation, which is begun again
    if (!training.saved()) fail("{}: stopped at step {}, which could not be saved", o.out, training.step());
    result.interrupted = true;
  }
  if (result.interrupted) {
    progress.line(fmt::format("stopped at step {} and saved; go on with: heed train --resume --out {}", training.step(), o.out));
    throw Interrupted();
  }
  std::string summary = fmt::format("done: {} steps in {}", result.step, duration_text(result.seconds));
  if (result.best) summary += fmt::format("; best validation loss {:.4f} (ppl {:.3f}) at step {}", result.best->loss, std::exp(result.best->loss), result.best_step);
  if (result.skipped > 0) summary += fmt::format("; {} step{} skipped, not finite", result.skipped, result.skipped == 1 ? "" : "s");
  progress.line(summary + (result.stopped_early ? "; stopped early, it no longer improved" : ""));
}

/// The options that say what is trained, and how.
void add_what_and_how(CLI::App* command, const std::shared_ptr<Options>& o) {
  command->add_option("--train", o->train, "DATA: two line-aligned files, one .tsv, .jsonl or (for lm) .txt, or toy:NAME")->expected(1, 2);
  command->add_option("--valid", o->valid, "DATA to validate on (else some of --train is held out)")->expected(1, 2);
  command->add_option("--fields", o->fields, "source and target: keys of a .jsonl, or columns of a .tsv")->expected(2);
  command->add_option("--model", o->model, "transformer, conv, rnn or rnn+ATTENTION such as rnn+additive, or lm (a language model)");
  command->add_option("--steps", o->steps, "train for N steps")->transform(whole(1));
  command->add_option("--epochs", o->epochs, "train for N passes over the data")
      ->transform(whole(1));
  command->add_option("--time", o->time, "train for so long: 90s, 10m, 1.5h");
  command->add_option("--seed", o->seed, "of weights, order and dropout")->transform(whole(0));
  command
      ->add_option("--threads", o->threads,
                   "threads to compute on (0: one a core); results do not depend on it")
      ->transform(thread_count());
  command->add_option("--on-nan", o->on_nan, "where a loss or gradient is not finite: stop (default), or skip the step, and count it")
      ->check(one_of({"stop", "skip"}));
  command->add_option("--config", o->config, "settings from a TOML file");
  command->add_option("--set", o->assignments, "a setting, key=value, as in config.toml; may be repeated")->expected(1)->take_all();
  command->add_option("--init", o->init, "begin with the weights of this run's folder, .heed or .safetensors file");
  command->add_option("--init-only", o->init_only, "patterns of the parameters to load, such as 'encoder*'; '!decoder*' leaves out")->take_all();
  command->add_option("--freeze", o->freeze, "patterns of the parameters that stay as they are")->take_all();
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
  command->add_flag("--resume", o->resume, "go on with the run in --out; its data may have moved (--train, --valid), not changed");
  command->add_option("--checkpoint", o->checkpoint, "with --resume: from where, last or one such as step-000400 (default: the newest)");
  command->add_flag("--help-settings", o->list_settings, "list every setting that --set and --config take");
  command->footer("Examples:\n  heed train --train toy:translation --model transformer --out runs/first\n"
                  "  heed train --train train.de train.en --valid valid.de valid.en --model transformer --epochs 20 --out runs/de-en\n"
                  "  heed train --train corpus.txt --model lm --steps 2000 --out runs/lm\n"
                  "  heed train --train other.de other.en --model transformer --init runs/de-en --freeze 'encoder*' --out runs/other\n"
                  "  heed train --resume --steps 6000 --out runs/first");
  command->callback([o, command] { train(*o, *command); });
}

void add_verify_resume(CLI::App& app) {
  auto* command = app.add_subcommand("verify-resume", "Show that training, killed and resumed, gives the bytes of training that was not");
  auto o = std::make_shared<Options>();
  add_what_and_how(command, o);
  for (const char* limit : {"--epochs", "--time"}) command->remove_option(command->get_option(limit));
  command->footer("Trains N steps twice: in one go; and saved at step N/2, killed a step or two later, resumed. Then compares every file of the two\n"
                  "runs. Exit status 1 where they differ.\n\n"
                  "Example:\n  heed verify-resume --train toy:translation --model transformer --steps 40");
  command->callback([o, command] {
    if (!given(*command, "--steps")) fail("how many steps? give --steps N");
    if (o->steps < 2) fail("--steps {}: a run of one step cannot be killed half-way; give 2 or more", o->steps);
    Settings s = new_settings(*o, *command);
    check_settings(s);
    outlive_the_reader();
    verify_resume(s, o->threads);
  });
}

}  // namespace heed::cli
