#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "cli/commands.h"
#include "cli/corpus.h"
#include "cli/model.h"
#include "cli/progress.h"
#include "cli/run.h"
#include "framework/kernels/parallel.h"
#include "framework/memory.h"
#include "optim/trainer.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

struct Options {
  std::vector<std::string> train, valid, fields, assignments;
  std::string model, out, config, time;
  Index steps = 0, epochs = 0, seed = 1;
  int threads = 0;
  bool resume = false, list_settings = false;
  std::string precision = "fp32";
};

bool given(const CLI::App& command, const char* option) { return command.count(option) > 0; }

/// Limits given on the command line replace the default one.
void apply_limits(const Options& o, const CLI::App& command, Settings& s) {
  if (given(command, "--steps") || given(command, "--epochs") || given(command, "--time")) s.train.steps = 0, s.train.epochs = 0, s.train.time = "";
  if (given(command, "--steps")) s.train.steps = o.steps;
  if (given(command, "--epochs")) s.train.epochs = o.epochs;
  if (given(command, "--time")) s.train.time = o.time;
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
  if (model.empty()) fail("which model? give --model transformer or --model lm");
  Settings s = default_settings(model, is_toy(data));
  if (!o.config.empty()) read_settings(o.config, s);
  s.model.name = model;
  for (const std::string& assignment : o.assignments) set(s, assignment);
  if (given(command, "--train")) s.data.train = o.train;
  if (given(command, "--valid")) s.data.valid = o.valid;
  if (given(command, "--fields")) s.data.fields = o.fields;
  if (given(command, "--seed")) s.train.seed = o.seed;
  apply_limits(o, command, s);
  if (s.data.train.empty()) fail("nothing to train on; give --train with files or a built-in corpus such as toy:translation");
  return s;
}

/// The settings of a run that goes on: what decides its future may not change, but for how long it trains.
Settings resumed_settings(const Options& o, const CLI::App& command) {
  Settings s = read_run_settings(o.out);
  Settings asked = s;
  for (const std::string& assignment : o.assignments) set(asked, assignment);
  if (given(command, "--train")) asked.data.train = o.train;
  if (given(command, "--valid")) asked.data.valid = o.valid;
  if (given(command, "--seed")) asked.train.seed = o.seed;
  if (given(command, "--model")) asked.model.name = o.model;
  if (given(command, "--fields")) asked.data.fields = o.fields;
  if (!o.config.empty()) read_settings(o.config, asked);
  apply_limits(o, command, asked);
  const std::vector<Setting> before = settings_of(s), after = settings_of(asked);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string key = before[i].key;
    const bool same = text_of(before[i]) == text_of(after[i]);
    if (!same && (key.starts_with("data.") || key.starts_with("model.") || key.starts_with("optim.") || key == "train.seed"))
      fail("--resume goes on with the run as it is: {} cannot change; start a new run with another --out", key);
  }
  return asked;
}

void write_file(const fs::path& path, const std::string& text) {
  const fs::path partial = path.string() + ".partial";  // a full disk may not cost the file that was there
  std::ofstream out(partial, std::ios::trunc);
  out << text;
  out.close();
  std::error_code error;
  if (out) fs::rename(partial, path, error);
  if (!out || error) fail("{}: cannot write; is the disk full, or the folder read-only?", path.string());
}

struct Probe {
  double seconds_per_step = 0;
  std::size_t bytes = 0;
};

/// What a step costs: a few are computed, and change nothing.
Probe probe(const Settings& s, Seq2Seq& model, BatchStream& data) {
  const auto start_position = data.position();
  memory::reset_peak();
  Probe result;
  constexpr int warm_up = 1, steps = 3;
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < warm_up + steps; ++i) {
    if (i == warm_up) begin = std::chrono::steady_clock::now();
    const Batch batch = data.next();
    Tape tape;
    tape.backward(model.loss(batch, {.label_smoothing = static_cast<Real>(s.train.label_smoothing), .ignore = ignored_id}));
    clear_gradients(model);
  }
  result.seconds_per_step =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / steps * static_cast<double>(s.optim.accumulate);
  result.bytes = memory::statistics().peak + static_cast<std::size_t>(2 * parameter_count(model)) * sizeof(Real);  // and the optimizer's moments
  data.seek(start_position);
  return result;
}

void print_settings() {
  Settings s = default_settings("transformer");
  for (const Setting& setting : settings_of(s)) std::cout << fmt::format("{:<24} {}\n", setting.key, setting.help);
}

void check_out(const Options& o) {
  if (o.out.empty()) fail("where should the run be kept? give --out FOLDER");
  if (fs::exists(o.out) && !fs::is_directory(o.out)) fail("{}: is a file; give --out a folder", o.out);
  const bool holds_run = fs::exists(config_path(o.out));
  if (!o.resume && holds_run) fail("{}: holds a run already; add --resume to go on with it, or give another --out", o.out);
  if (o.resume && !holds_run) fail("{}: no run to resume here; leave out --resume to start one", o.out);
  if (!o.resume && fs::exists(o.out) && !fs::is_empty(o.out)) fail("{}: is not empty; give --out a new folder", o.out);
}

void train(const Options& o, const CLI::App& command) {
  if (o.list_settings) return print_settings();
  check_out(o);
  Settings s = o.resume ? resumed_settings(o, command) : new_settings(o, command);
  check_settings(s);
  set_threads(o.threads);

  Corpus corpus = open_corpus(s, o.resume ? Tokenizer::load(tokenizer_path(o.out).string()) : nullptr);
  Random random(static_cast<std::uint64_t>(s.train.seed));
  const auto model = make_model(s, corpus.tokenizer->size(), random);
  const auto optimizer = make_optimizer(s, *model);

  TrainerOptions options;
  options.steps = s.train.epochs > 0 ? s.train.epochs * ((corpus.batches_per_epoch + s.optim.accumulate - 1) / s.optim.accumulate) : s.train.steps;
  options.seconds = s.train.time.empty() ? 0 : parse_duration(s.train.time);
  options.schedule = {.kind = schedule_kind(s.optim.schedule), .warmup = s.optim.warmup, .final = s.optim.final_lr};
  options.clip = s.optim.clip, options.accumulate = s.optim.accumulate;
  options.log_every = s.train.log_every, options.eval_every = s.train.eval_every, options.save_every = s.train.save_every;
  options.keep = static_cast<int>(s.train.keep), options.patience = static_cast<int>(s.train.patience);
  options.average = static_cast<int>(s.train.average), options.seed = static_cast<std::uint64_t>(s.train.seed);
  options.folder = o.out, options.text = {{"config", to_toml(s)}};

  // Whatever can be refused is, before anything is written.
  Trainer trainer(*model, *optimizer, options);
  const bool resumed = o.resume && trainer.resume();
  const Probe cost = probe(s, *model, *corpus.train);
  if (interrupted()) throw Interrupted();
  std::error_code error;
  fs::create_directories(o.out, error);
  if (error) fail("{}: cannot make this folder: {}", o.out, error.message());
  if (!o.resume) corpus.tokenizer->save(tokenizer_path(o.out).string());
  write_file(config_path(o.out), to_toml(s));  // last: a folder with a config is a run

  Progress progress((fs::path(o.out) / "log.txt").string(), s.train.log_every);
  const double limit = options.seconds > 0 ? options.seconds : static_cast<double>(options.steps) * cost.seconds_per_step;
  progress.line(fmt::format("data      {}", corpus.description));
  progress.line(fmt::format("tokens    {} in the vocabulary ({})", corpus.tokenizer->size(), corpus.tokenizer->kind()));
  progress.line(fmt::format("model     {}, {} parameters", s.model.name, parameter_count(*model)));
  progress.line(fmt::format("plan      {}; about {} and {} MB on {} thread{}",
                            options.seconds > 0 ? duration_text(options.seconds) : fmt::format("{} steps", options.steps), duration_text(limit),
                            (cost.bytes >> 20) + 30, threads(), threads() == 1 ? "" : "s"));
  progress.line(fmt::format("run       {}{}", o.out, resumed ? ", resumed" : ""));

  const LossFunction loss = [&](const Batch& batch, Real divisor) {
    return model->loss(batch, {.label_smoothing = static_cast<Real>(s.train.label_smoothing), .ignore = ignored_id, .divisor = divisor});
  };
  EvaluateFunction evaluate;
  if (!corpus.valid.empty())
    evaluate = [&] {
      const Evaluating evaluating(*model);
      return Evaluation{.loss = total_loss(*model, corpus.valid).per_token(), .score = 0, .metrics = {}};
    };
  Observers observers;
  observers.on_step = [&](const StepReport& report) { progress.step(report); };
  observers.should_stop = [] { return interrupted(); };
  Index shown = 0;
  observers.on_evaluation = [&](const EvaluationReport& report) {
    progress.line(fmt::format("step {}  validation loss {:.4f}  ppl {:.3f}{}", report.step, report.evaluation.loss, std::exp(report.evaluation.loss),
                              report.best ? "  (best)" : ""));
    if (!corpus.valid_pairs) return;
    const Pair pair = corpus.valid_pairs->at(shown++ % corpus.valid_pairs->size());
    const Evaluating evaluating(*model);
    const auto best = translate(*model, *corpus.tokenizer, std::vector<std::string>{pair.source}, {.beam = 1});
    progress.line(fmt::format("    {}\n  = {}\n  > {}", pair.source, pair.target, best[0].empty() ? "" : corpus.tokenizer->decode(best[0][0].ids)));
  };
  const TrainResult result = trainer.run(*corpus.train, loss, evaluate, observers);
  if (result.interrupted) {
    progress.line(fmt::format("stopped at step {} and saved; go on with: heed train --resume --out {}", result.step, o.out));
    throw Interrupted();
  }
  std::string summary = fmt::format("done: {} steps in {}", result.step, duration_text(result.seconds));
  if (result.best) summary += fmt::format("; best validation loss {:.4f} (ppl {:.3f}) at step {}", result.best->loss, std::exp(result.best->loss), result.best_step);
  progress.line(summary + (result.stopped_early ? "; stopped early, it no longer improved" : ""));
}

}  // namespace

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "Train a model and keep it in a folder");
  auto o = std::make_shared<Options>();
  command->add_option("--train", o->train, "DATA: two line-aligned files, one .tsv, .jsonl or (for lm) .txt, or toy:NAME")->expected(1, 2);
  command->add_option("--valid", o->valid, "DATA to validate on (else some of --train is held out)")->expected(1, 2);
  command->add_option("--fields", o->fields, "source and target: keys of a .jsonl, or columns of a .tsv")->expected(2);
  command->add_option("--model", o->model, "transformer, or lm (a language model)");
  command->add_option("--out", o->out, "folder to keep the run in");
  command->add_option("--steps", o->steps, "train for N steps")->check(CLI::PositiveNumber);
  command->add_option("--epochs", o->epochs, "train for N passes over the data")->check(CLI::PositiveNumber);
  command->add_option("--time", o->time, "train for so long: 90s, 10m, 1.5h");
  command->add_option("--seed", o->seed, "of weights, order and dropout")->check(CLI::NonNegativeNumber);
  command->add_option("--threads", o->threads, "threads to compute on (0: one a core); results do not depend on it")->check(CLI::NonNegativeNumber);
  command->add_option("--config", o->config, "settings from a TOML file");
  command->add_option("--set", o->assignments, "a setting, key=value, as in config.toml; may be repeated")->expected(1)->take_all();
  command->add_flag("--resume", o->resume, "go on with the run in --out");
  command->add_option("--precision", o->precision, "of storage and products")->check(CLI::IsMember({"fp32"}))->capture_default_str();
  command->add_flag("--help-settings", o->list_settings, "list every setting that --set and --config take");
  command->footer("Examples:\n  heed train --train toy:translation --model transformer --out runs/first\n"
                  "  heed train --train train.de train.en --valid valid.de valid.en --model transformer --epochs 20 --out runs/de-en\n"
                  "  heed train --train corpus.txt --model lm --steps 2000 --out runs/lm\n"
                  "  heed train --resume --steps 6000 --out runs/first");
  command->callback([o, command] { train(*o, *command); });
}

}  // namespace heed::cli
