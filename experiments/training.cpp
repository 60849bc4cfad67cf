#include "experiments/training.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include <fmt/ranges.h>

#include "datasets/reader.h"
#include "datasets/text/labels.h"
#include "experiments/chosen_optimizer.h"
#include "experiments/inference/run.h"
#include "experiments/inference/tokenizer_files.h"
#include "experiments/inference/toml.h"
#include "experiments/internal/run_log.h"
#include "experiments/internal/same_data.h"
#include "experiments/internal/training_settings.h"
#include "experiments/made_by.h"
#include "experiments/report/text.h"
#include "experiments/run_report/run_report.h"
#include "experiments/setting_warnings.h"
#include "experiments/task_works.h"
#include "experiments/training_advice.h"
#include "framework/files.h"
#include "framework/flops.h"
#include "framework/memory.h"
#include "framework/run_folder.h"
#include "framework/threads.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

/// The checkpoint that resuming tried: the one named, or the last. "" where there is no such one.
fs::path tried_checkpoint(const RunFolder& folder, const std::string& name) {
  if (name.empty()) return folder.last();
  const std::vector<std::string> names = folder.names();
  const bool exists = std::find(names.begin(), names.end(), name) != names.end();
  return exists ? folder.named(name) : fs::path();
}

TrainerOptions trainer_options(const Settings& s, const Limits& limits, const Corpus& corpus,
                               const std::string& folder) {
  TrainerOptions o = step_options(s, limits);
  o.log_every = s.train.log_every;
  o.eval_every = s.train.eval_every;
  o.save_every = s.train.save_every;
  o.keep = static_cast<int>(s.train.keep);
  o.patience = static_cast<int>(s.train.patience);
  o.average = static_cast<int>(s.train.average);
  o.average_at_end = static_cast<int>(s.train.average_at_end);
  o.ema = s.train.ema;
  o.on_nan = s.train.on_nan == "skip" ? OnNan::skip : OnNan::stop;
  o.folder = folder;
  o.text = corpus.fingerprints;
  o.text["config"] = to_toml(s.fields());
  o.explain = [&s](const TrainingWarning& warning) { return training_advice(warning, s); };
  o.accept = [&s, &corpus, folder](const auto& text) { check_same_run(text, s, corpus, folder); };
  return o;
}

/// The tokenizers of a run that is resumed. Labels are checked before any data are read by them: of
/// others, data would seem wrong.
Tokenizers tokenizers_of_run(const Settings& settings, const fs::path& folder) {
  Tokenizers tokenizers = load_tokenizers(folder);
  check_complete(folder.string(), settings, tokenizers);
  const auto newest = RunFolder(folder).newest();
  if (tokenizers.labels && newest)
    check_same_tokenizers(folder.string(), tokenizers, load(*newest).text);
  return tokenizers;
}

/// open_corpus(). In a resumed run a label that it does not know means that the data are others.
Corpus open_training_corpus(const Settings& settings, const fs::path& folder,
                            const TrainingOptions& options) {
  if (!options.resume) return open_corpus(settings, options.tokenizers, options.preparing);
  try {
    return open_corpus(settings, tokenizers_of_run(settings, folder), options.preparing);
  } catch (const UnknownLabel& error) {
    fail("{}; the data have changed since this run began: give what it began with", error.what());
  }
}

/// "labels    2 classes: negative, positive"
std::string labels_text(const Labels& labels) {
  constexpr std::ptrdiff_t most = 10;
  const std::vector<std::string>& names = labels.names();
  const auto end = names.begin() + std::min(most, std::ssize(names));
  return fmt::format("labels    {} classes: {}{}", names.size(),
                     fmt::join(names.begin(), end, ", "), end == names.end() ? "" : ", ...");
}

std::string vocabulary_text(const Settings& s, const Tokenizers& tokenizers) {
  if (tokenizers.reader) return fmt::format("source    {}", tokenizers.reader->description());
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

std::string plan_text(const Limits& limits, Index step, const Cost& cost) {
  const Index left = std::max<Index>(0, limits.last_step() - step);
  double seconds = static_cast<double>(left) * cost.seconds_per_step;
  if (limits.seconds > 0 && (limits.last_step() == 0 || limits.seconds < seconds))
    seconds = limits.seconds;
  constexpr std::size_t program_mb = 30;
  return fmt::format("plan      {}; about {} and {} MB on {} thread{}", limits.text(step),
                     duration_text(seconds), (cost.bytes >> 20) + program_mb, threads(),
                     threads() == 1 ? "" : "s");
}

/// Shows after each validation what the model gives for one item, so that people see what it has
/// learnt. Takes the items in turn.
class Samples {
 public:
  Samples(const Settings& settings, const Corpus& corpus, Model& model)
      : settings_(settings), corpus_(corpus), model_(model) {}

  void show_next(RunLog& log) {
    const Evaluating evaluating(model_);
    const std::string text =
        task_works().at(settings_.task.name).sample(settings_, model_, corpus_, shown_++);
    if (!text.empty()) log.line(text);
  }

 private:
  const Settings& settings_;
  const Corpus& corpus_;
  Model& model_;
  Index shown_ = 0;
};

}  // namespace

CannotChange::CannotChange(std::string setting)
    : Error(fmt::format(
          "{} cannot change: a run that is resumed goes on as it is; start a new run in another "
          "folder",
          setting)),
      key(std::move(setting)) {}

void check_precision(const std::string& name) {
  if (name != "bf16") return;
  if (const std::string why = precision_obstacle(Precision::bf16); !why.empty())
    fail("train.precision = bf16 {}; use fp32", why);
}

InPrecision::InPrecision(const std::string& name) {
  check_precision(name);
  set_precision(name == "bf16" ? Precision::bf16 : Precision::fp32);
}
InPrecision::~InPrecision() { set_precision(before_); }

Training::Training(Settings s, const fs::path& where, TrainingOptions options)
    : settings(settled(s, where, options, chosen)),
      precision(settings.train.precision),
      folder(where.string()),
      corpus(open_training_corpus(settings, where, options)),
      given_(std::move(options)),
      new_limits_(given_.resume && !same_limits(read_run_settings(folder), settings)) {
  make_data_absolute(settings);
  if (given_.resume && given_.tune)
    fail("{}: a run that is resumed goes on with what it has; it is not tuned", folder);
  make();
}

void Training::make() {
  Random random(static_cast<std::uint64_t>(settings.train.seed));
  model = make_model(settings, corpus.tokenizers, random);
  frozen_ = freeze_chosen(settings, *model);
  objective_ = task_works().at(settings.task.name).objective(settings, *model, corpus, [this] {
    return asks_to_stop();
  });
  optimizer_ = make_optimizer(settings, *model);
}

void Training::tune() {
  TuningObservers observers;
  observers.on_line = given_.on_tuning;
  observers.on_progress = [this](const std::string& what, double done) {
    given_.preparing.begin("tuning " + what);
    given_.preparing.done(done);
  };
  observers.should_stop = given_.preparing.should_stop;
  tuning_ = heed::tune(settings, corpus, *given_.tune, observers);
  settings.set(tuning_->key, tuning_->value());
  for (ChosenDefaults& together : chosen)
    std::erase_if(together.values, [&](const auto& value) { return value.first == tuning_->key; });
  std::erase_if(chosen, [](const ChosenDefaults& together) { return together.values.empty(); });
  make();
}

TrainerOptions step_options(const Settings& s, const Limits& limits) {
  TrainerOptions o;
  o.steps = limits.steps;
  o.epochs = limits.epochs;
  o.seconds = limits.seconds;
  o.expected_steps = limits.last_step();
  o.schedule = s.optim.schedule;
  o.clip = s.optim.clip;
  o.accumulate = s.optim.accumulate;
  o.seed = static_cast<std::uint64_t>(s.train.seed);
  return o;
}

namespace {

/// A pass forward and backward over the next draw.
void pass(Objective& objective, Model& model) {
  const std::shared_ptr<const Draw> draw = objective.draw();
  Tape tape;
  tape.backward(objective.loss(*draw, static_cast<Real>(draw->weight)).optimised);
  clear_gradients(model);
}

}  // namespace

Index flops_of_draw(Objective& objective, Model& model) {
  const auto position = objective.position();
  const FlopCounter counter;
  pass(objective, model);
  objective.seek(position);
  return counter.count();
}

Cost measure_cost(Objective& objective, Model& model, Index accumulate) {
  const auto position = objective.position();
  memory::reset_peak();
  const Index flops = flops_of_draw(objective, model);  // warms up
  constexpr int steps = 3;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < steps; ++i)
    pass(objective, model);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  objective.seek(position);
  // The optimizer keeps two moments for each parameter.
  const auto moments = static_cast<std::size_t>(2 * parameter_count(model)) * sizeof(Real);
  return {.seconds_per_step = seconds / steps * static_cast<double>(accumulate),
          .flops = flops * accumulate,
          .bytes = memory::statistics().peak + moments};
}

Cost Training::probe() {
  cost_ = measure_cost(*objective_, *model, settings.optim.accumulate);
  return *cost_;
}

void Training::open() {
  if (given_.tune) tune();
  limits_ = limits_of(settings, corpus);
  options_ = trainer_options(settings, limits_, corpus, folder);
  naming_settings(settings, "train", [&] { trainer_.emplace(*model, *optimizer_, options_); });
  if (given_.resume) trainer_->claim();
  try {
    resumed_ = given_.resume && trainer_->resume(given_.checkpoint);
  } catch (const OtherData&) {
    throw;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    const fs::path tried = tried_checkpoint(RunFolder(folder), given_.checkpoint);
    fail("{}{}", error.what(), other_checkpoints(folder, tried));
  }
  if (!resumed_ && !settings.train.init.empty())
    initial_ = load_initial(settings, corpus.tokenizers, *model);
}

std::string Training::why_ended() {
  if (!resumed_) return "";
  return heed::why_ended(trainer_->ended_by(*objective_), settings, step());
}

std::vector<std::string> Training::warnings(const Cost& cost) const {
  TrainingLength length{.steps = limits_.last_step()};
  if (limits_.seconds > 0) {
    const auto steps = static_cast<Index>(std::min(limits_.seconds / cost.seconds_per_step, 1e15));
    if (length.steps == 0 || steps < length.steps)
      length = {.steps = std::max<Index>(1, steps), .about = true};
  }
  std::vector<std::string> all = unreached_settings(settings, length, !corpus.valid.empty());
  if (resumed_ && new_limits_) {
    std::string jump = rate_jump(settings, options_, step(), trainer_->seconds());
    if (!jump.empty()) all.push_back(std::move(jump));
  }
  return all;
}

Notes Training::description(const Cost& cost) {
  Notes notes;
  const auto add = [&](const std::vector<std::string>& lines) {
    notes.shown.insert(notes.shown.end(), lines.begin(), lines.end());
    notes.logged.insert(notes.logged.end(), lines.begin(), lines.end());
  };
  const auto warn = [&](const std::vector<std::string>& warnings) {
    for (const std::string& warning : warnings)
      add({"warning: " + warning});
  };
  add({fmt::format("data      {}", corpus.description),
       vocabulary_text(settings, corpus.tokenizers)});
  if (corpus.tokenizers.labels) add({labels_text(*corpus.tokenizers.labels)});
  add({fmt::format("model     {}, {}", settings.model.name, parameters_text(*model))});
  for (const Notes* part : {&initial_, &frozen_}) {
    notes.shown.insert(notes.shown.end(), part->shown.begin(), part->shown.end());
    notes.logged.insert(notes.logged.end(), part->logged.begin(), part->logged.end());
  }
  if (const std::string how = optimizer_->summary(); !how.empty()) add({"optimizer " + how});
  for (const ChosenDefaults& together : chosen)
    add({to_text(together)});
  if (tuning_) notes.logged.push_back(to_text(*tuning_));  // shown as it came
  add({plan_text(limits_, step(), cost)});
  if (settings.train.precision != "fp32")
    add({fmt::format("precision {}", settings.train.precision)});
  warn(corpus.warnings);
  warn(unused_settings(settings));
  if (why_ended().empty()) warn(warnings(cost));
  const char* how = given_.resume ? ", begun again: it had no checkpoint" : "";
  const std::string resumed = fmt::format(", resumed at step {}", step());
  add({fmt::format("run       {}{}", folder, resumed_ ? resumed : how)});
  return notes;
}

void Training::create() {
  trainer_->claim();
  if (!given_.resume && fs::exists(config_path(folder)))
    fail("{}: another training has made its run here; give another folder", folder);
  if (!given_.resume) save_tokenizers(corpus.tokenizers, folder);
  if (tuning_) replace_file(fs::path(folder) / "tuning.json", to_json(*tuning_));
  // Last: a folder with a config.toml is a run.
  replace_file(config_path(folder), made_by_comment() + to_toml(settings.fields()));
  created_ = true;
}

TrainResult Training::train(const TrainingObservers& observers) {
  should_stop_ = observers.should_stop;
  try {
    return trainer_->run(*objective_, observers);
  } catch (const Interrupted&) {  // within a validation, which the resumed run begins again
    if (!saved()) fail("{}: stopped at step {}, which could not be saved", folder, step());
    TrainResult result;
    result.step = step();
    result.interrupted = true;
    return result;
  }
}

TrainResult Training::run(const TrainingObservers& given) {
  if (!trainer_) open();
  const Cost cost = cost_ ? *cost_ : probe();
  if (!created_) create();
  RunLog log((fs::path(folder) / "log.txt").string(), given);
  const Notes start = description(cost);
  for (const std::string& text : start.shown)
    log.show(text);
  for (const std::string& text : start.logged)
    log.log(text);
  Samples samples(settings, corpus, *model);
  TrainingObservers observers = given;
  observers.on_step = [&](const StepReport& report) {
    if (report.step % settings.train.log_every == 0) log.log(progress_text(report));
    if (given.on_step) given.on_step(report);
  };
  observers.on_warning = [&](const std::string& text) {
    log.line("warning: " + text);
    if (given.on_warning) given.on_warning(text);
  };
  observers.on_evaluation = [&](const EvaluationReport& report) {
    log.line(evaluation_text(report));
    samples.show_next(log);
    if (given.on_evaluation) given.on_evaluation(report);
  };
  observers.on_average = [&](const AverageReport& report) {
    log.line(average_text(report));
    if (given.on_average) given.on_average(report);
  };
  const TrainResult result = train(observers);
  if (result.interrupted) {
    log.log(fmt::format("stopped at step {} and saved", result.step));
    leave_report(false, log);
    return result;
  }
  std::string end = summary_text(result);
  if (resumed_ && result.trained == 0)
    end +=
        "; nothing was left to train: " + heed::why_ended(result.ended_by, settings, result.step);
  log.line(end);
  leave_report(true, log);
  return result;
}

void Training::leave_report(bool uses_model, RunLog& log) {
  if (!settings.train.report) return;
  constexpr Index lines = 100;  // of the validation data: it must not take long
  try {
    run_report(folder, {.lines = lines, .uses_model = uses_model}, should_stop_)
        .write((fs::path(folder) / "report.html").string());
  } catch (const Interrupted&) {
    leave_report(false, log);
  } catch (const Error& error) {
    log.line(fmt::format("warning: no report: {}", error.what()));
  }
}

std::string summary_text(const TrainResult& result) {
  std::string text =
      fmt::format("done: {} steps in {}", result.step, duration_text(result.seconds));
  if (result.best)
    text += fmt::format("; best validation loss {:.4f} (ppl {:.3f}) at step {}", result.best->loss,
                        std::exp(result.best->loss), result.best_step);
  if (result.skipped > 0)
    text += fmt::format("; {} step{} skipped, not finite", result.skipped,
                        result.skipped == 1 ? "" : "s");
  if (result.stopped_early && result.trained > 0) text += "; stopped early, it no longer improved";
  return text;
}

}  // namespace heed
