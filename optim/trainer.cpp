#include "optim/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "framework/files.h"
#include "framework/ops.h"
#include "optim/averaging.h"
#include "optim/clip.h"
#include "optim/metrics_log.h"
#include "optim/not_finite.h"
#include "optim/progress.h"
#include "optim/run_folder.h"
#include "optim/watch.h"

namespace heed {

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

constexpr Index most_skipped = 50;    // in a row
constexpr Index skips_explained = 3;  // of all; the others are counted

void warn(const Observers& observers, const std::string& text) {
  if (observers.on_warning && !text.empty()) observers.on_warning(text);
}

}  // namespace

struct Trainer::State {
  AnyModule model;
  Optimizer& optimizer;
  const TrainerOptions& options;

  State(AnyModule m, Optimizer& o, const TrainerOptions& settings)
      : model(m), optimizer(o), options(settings), average(m, settings.average) {
    progress.seed = static_cast<std::int64_t>(options.seed);
    if (!options.folder.empty()) folder.emplace(options.folder);
  }

  Progress progress;
  std::vector<std::int64_t> position;  // of the data, at progress.step
  Index epochs_read = 0;               // there
  WeightAverage average;
  std::optional<Snapshot> best;  // where there is no folder
  std::optional<RunFolder> folder;
  std::optional<FolderLock> lock;
  std::optional<MetricsLog> metrics;
  bool started = false;         // here or, resumed, in an earlier run
  Index saved_step = -1;        // of the newest checkpoint with all that is needed to go on
  bool saved = false;           // it holds what is here
  bool gave_up_future = false;  // resumed from a checkpoint that is not the newest, as was asked
  bool best_is_due = false;     // the weights here are the best, and not yet kept

  // Of one call of run():
  Clock::time_point start{};
  Index first_step = 0;
  double lr = 0;
  double row_mean_loss = 0;
  // since the last row, and the time they took: for the columns that only people read
  Index speed_tokens = 0;
  double speed_seconds = 0;
  std::vector<Batch> batches;

  double seconds() const { return progress.seconds + since(start); }
  bool patience_is_over() const {
    return options.patience > 0 && progress.since_best >= options.patience;
  }
  EndedBy ended_by() const {
    if (options.steps > 0 && progress.step >= options.steps) return EndedBy::steps;
    if (options.epochs > 0 && epochs_read >= options.epochs) return EndedBy::epochs;
    if (options.seconds > 0 && seconds() >= options.seconds) return EndedBy::seconds;
    return patience_is_over() ? EndedBy::patience : EndedBy::nothing;
  }
  bool finished() const { return ended_by() != EndedBy::nothing; }
  /// 0: only time tells.
  Index last_step() const {
    return options.expected_steps > 0 ? options.expected_steps : options.steps;
  }
  /// Whether the checkpoint of this step stands under its own name too; an error or a signal saves
  /// as last alone.
  bool has_step() const {
    return !folder || options.keep == 0 || std::filesystem::exists(folder->step(progress.step));
  }
  bool due(Index every) const {
    return every > 0 && progress.step > 0 && progress.step % every == 0;
  }

  void claim();
  void open(BatchStream& data);
  double learning_rate(Index step);
  void train_step(BatchStream& data, const LossFunction& loss, const Observers& observers);
  void pass_over(NotFiniteStep failed, const BatchStream& data, const LossFunction& loss,
                 const Observers& observers);
  void finish_step(const EvaluateFunction& evaluate, const Observers& observers);
  void report(double norm, const Observers& observers) const;
  void write_row();
  void evaluate(const EvaluateFunction& evaluate, const Observers& observers);
  void keep_best();
  Checkpoint checkpoint() const;
  void check_place() const;
  void save_step();
  void save_last();
  std::string rescue() noexcept;
  TrainResult result() const;
};

void Trainer::State::claim() {
  if (!folder || lock) return;
  folder->create();
  lock.emplace(options.folder);
  folder->remove_partial();
}

void Trainer::State::open(BatchStream& data) {
  start = Clock::now();
  first_step = progress.step;
  optimizer.clear_gradients();
  claim();
  if (!started && folder && folder->newest())
    fail("{}: holds a run already; resume it, or choose another folder", options.folder);
  if (started)
    data.seek(position);
  else
    position = data.position();
  epochs_read = data.epochs();
  started = true;
  if (folder) {
    if (saved_step >= 0) {
      save_last();  // taken up from an older checkpoint; before rows that follow it are cut off
      if (gave_up_future) folder->set_aside(progress.step);
      folder->prune(progress.step, options.keep);
    }
    metrics.emplace(folder->metrics(), progress.step - progress.row_steps - progress.row_skipped,
                    progress.evaluated_step);
    if (progress.seconds == 0) progress.seconds = metrics->seconds();
  }
  // for a row that is still to be written
  if (progress.step > 0) lr = learning_rate(progress.step);
}

double Trainer::State::learning_rate(Index step) {
  double done = 0;
  if (last_step() > 0) done = options.schedule.progress(step, last_step());
  if (options.seconds > 0 && step > options.schedule.warmup) {
    const double now = seconds();
    if (progress.warmup_seconds < 0)
      progress.warmup_seconds = options.schedule.warmup == 0 ? 0 : now;
    done = std::max(done, (now - progress.warmup_seconds) /
                              std::max(options.seconds - progress.warmup_seconds, 1e-9));
  }
  return optimizer.lr() * options.schedule.factor(step, done);
}

void Trainer::State::train_step(BatchStream& data, const LossFunction& loss,
                                const Observers& observers) {
  const Clock::time_point step_start = Clock::now();
  // Not sooner: the average forgets its oldest weights, which the best of this step may need, here
  // or after a resume.
  if (due(options.save_every) && average.newest() < progress.step) average.add(progress.step);
  const Index step = progress.step + 1;
  Index gold = 0;
  Index tokens = 0;
  batches.clear();
  for (Index i = 0; i < options.accumulate; ++i) {
    batches.push_back(data.next());
    gold += batches.back().weight();
    tokens += batches.back().tokens();
  }
  if (gold == 0) fail("step {}: no batch has a gold token; there is nothing to learn from", step);

  // dropout is a function of (seed, step, position)
  step_random() = Random(options.seed, static_cast<std::uint64_t>(step));
  double step_loss = 0;
  double step_nats = 0;
  double norm = 0;
  std::size_t computed = 0;
  for (const Batch& batch : batches) {
    ++computed;
    if (batch.weight() == 0) continue;
    Tape tape;
    const Loss part = loss(batch, static_cast<Real>(gold));
    const double optimised = part.optimised.item();
    step_loss += optimised;
    step_nats += part.nats.value_or(optimised * static_cast<double>(gold));
    if (!std::isfinite(step_loss)) break;
    tape.backward(part.optimised);
  }
  const bool finite_loss = std::isfinite(step_loss);
  if (finite_loss) norm = optimizer.gradient_norm();
  const bool finite = finite_loss && std::isfinite(norm);
  if (!finite)
    pass_over({.step = step,
               .seed = options.seed,
               .divisor = static_cast<Real>(gold),
               .batches = {batches.data(), computed},
               .gradient = finite_loss,
               .value = finite_loss ? norm : step_loss},
              data, loss, observers);
  lr = learning_rate(step);
  if (finite) optimizer.step(lr, options.clip > 0 ? clip_factor(norm, options.clip) : 1);
  optimizer.clear_gradients();

  progress.step = step;
  position = data.position();
  epochs_read = data.epochs();
  saved = false;
  progress.row_tokens += tokens;
  if (finite) {
    progress.skipped_in_a_row = 0;
    ++progress.row_steps;
    progress.row_gold += gold;
    progress.row_loss += step_loss * static_cast<double>(gold);
    progress.row_norm += norm;
    progress.row_nats += step_nats;
  } else {
    ++progress.skipped;
    ++progress.skipped_in_a_row;
    ++progress.row_skipped;
  }
  speed_tokens += tokens;
  speed_seconds += since(step_start);
  // Observers come when the step is whole: they may throw.
  const std::string noticed =
      finite ? watch(progress.watched, step, step_loss, norm, options.clip, options.schedule.warmup)
             : "";
  report(norm, observers);
  warn(observers, noticed);
}

/// Of a step that is not finite: returns where it is to be skipped.
void Trainer::State::pass_over(NotFiniteStep failed, const BatchStream& data,
                               const LossFunction& loss, const Observers& observers) {
  optimizer.clear_gradients();
  const bool hopeless = !bad_parameter(model).empty();
  if (hopeless) saved = true;  // what was saved before is worth more than this
  failed.skips = options.on_nan == OnNan::skip && !hopeless;
  if (!failed.skips) throw Error(explain(failed, model, loss, data));
  if (progress.skipped_in_a_row + 1 >= most_skipped)
    fail(
        "{} steps in a row were not finite, so the weights no longer give finite numbers; begin a "
        "new run with a lower optim.lr. "
        "The last: {}",
        most_skipped, explain(failed, model, loss, data));
  if (progress.skipped < skips_explained) warn(observers, explain(failed, model, loss, data));
}

/// Does what the step that was trained last makes due and is not done yet: after a resume that may
/// be any part of it.
void Trainer::State::finish_step(const EvaluateFunction& evaluation, const Observers& observers) {
  if (due(options.log_every) || finished()) {
    if (progress.row_skipped > 0 && progress.skipped > skips_explained)
      warn(observers,
           fmt::format("step {}: {} of the last {} steps were not finite and skipped, {} in all",
                       progress.step, progress.row_skipped,
                       progress.row_skipped + progress.row_steps, progress.skipped));
    write_row();
  }
  if (evaluation && progress.evaluated_step != progress.step &&
      (due(options.eval_every) || finished()))
    evaluate(evaluation, observers);
  if (!evaluation && options.average > 1 && finished()) best_is_due = true;
  // Everything is saved before the best weights are: those can be had again from a checkpoint of
  // their step.
  if ((due(options.save_every) || finished()) && !(saved && has_step())) save_step();
  if (best_is_due) {
    save_last();
    keep_best();
  }
}

void Trainer::State::report(double norm, const Observers& observers) const {
  if (!observers.on_step) return;
  const double loss = progress.row_mean(progress.row_nats);
  // The end is expected, and may be passed.
  const Index last = last_step() > 0 ? std::max(last_step(), progress.step) : 0;
  StepReport report{.step = progress.step,
                    .steps = last,
                    .done = 0,
                    .loss = loss,
                    .perplexity = std::exp(loss),
                    .lr = lr,
                    .gradient_norm = norm,
                    .tokens_per_s = static_cast<double>(speed_tokens) / speed_seconds,
                    .seconds = seconds(),
                    .seconds_left = 0,
                    .skipped = progress.skipped,
                    .objective = progress.row_mean(progress.row_loss)};
  double left = std::numeric_limits<double>::infinity();
  if (last > 0) {
    report.done = static_cast<double>(progress.step) / static_cast<double>(last);
    left = since(start) / static_cast<double>(progress.step - first_step) *
           static_cast<double>(last - progress.step);
  }
  if (options.seconds > 0) {
    report.done = std::max(report.done, report.seconds / options.seconds);
    left = std::min(left, options.seconds - report.seconds);
  }
  report.done = std::min(report.done, 1.0);
  report.seconds_left = std::max(left, 0.0);
  observers.on_step(report);
}

void Trainer::State::write_row() {
  if (progress.row_steps == 0 && progress.row_skipped == 0) return;
  row_mean_loss = progress.row_mean(progress.row_nats);
  std::map<std::string, double> skipped;
  if (progress.row_skipped > 0) skipped["skipped"] = static_cast<double>(progress.row_skipped);
  if (metrics)
    metrics->write(
        progress.step, "train",
        {{"loss", row_mean_loss},
         {"perplexity", std::exp(row_mean_loss)},
         {"objective", progress.row_mean(progress.row_loss)},
         {"lr", lr},
         {"gradient_norm", progress.row_norm / static_cast<double>(progress.row_steps)},
         {"tokens_per_s",
          speed_seconds > 0 ? static_cast<double>(speed_tokens) / speed_seconds : std::nan("")},
         {"seconds", seconds()}},
        skipped);
  progress.row_steps = progress.row_gold = progress.row_tokens = progress.row_skipped = 0;
  progress.row_loss = progress.row_nats = progress.row_norm = 0;
  speed_tokens = 0;
  speed_seconds = 0;
  saved = false;
}

void Trainer::State::evaluate(const EvaluateFunction& evaluate, const Observers& observers) {
  EvaluationReport report{.step = progress.step, .evaluation = {}, .best = false, .seconds = 0};
  Snapshot mean;
  if (options.average > 1) mean = average.mean(progress.step);
  {
    const Tape::Pause pause;
    const Evaluating evaluating(model);
    const Swapped swapped(model, mean.weights);
    report.evaluation = evaluate();
  }
  const Evaluation& found = report.evaluation;
  report.best = std::isfinite(found.loss) && found.loss < progress.best_loss;
  report.seconds = seconds();
  if (metrics)
    metrics->write(progress.step, "valid",
                   {{"loss", found.loss},
                    {"perplexity", std::exp(found.loss)},
                    {"score", found.score},
                    {"seconds", report.seconds}},
                   found.metrics);
  if (report.best) {
    progress.best_loss = found.loss;
    progress.best_score = found.score;
    progress.best_step = progress.step;
    progress.since_best = 0;
    best_is_due = true;
  } else {
    ++progress.since_best;
  }
  progress.evaluated_step = progress.step;
  saved = false;
  if (!std::isfinite(found.loss))
    warn(observers,
         fmt::format("step {}: the validation loss is {}; the best checkpoint stays as it is",
                     progress.step, found.loss));
  if (observers.on_evaluation) observers.on_evaluation(report);
}

void Trainer::State::keep_best() {
  Snapshot mean;
  if (options.average > 1) mean = average.mean(progress.step);
  const std::vector<NamedTensor> weights =
      options.average > 1 ? std::move(mean.weights) : named_tensors(model);
  best_is_due = false;
  if (!folder) {
    if (!best) best = blank_snapshot(model);
    copy(weights, best->weights);
    return;
  }
  Checkpoint kept{.tensors = {},
                  .text = options.text,
                  .numbers = {{"step", progress.step}},
                  .reals = {},
                  .lists = {}};
  if (progress.best_step > 0)
    kept.reals = {{"best_loss", progress.best_loss}, {"best_score", progress.best_score}};
  put(kept, "model.", weights);
  check_place();
  save(kept, folder->best());
}

Checkpoint Trainer::State::checkpoint() const {
  Checkpoint result;
  result.text = options.text;
  Progress now = progress;
  now.seconds = seconds();
  put_progress(result, now, options.seconds > 0);
  result.lists["data"] = position;
  result.lists["optimizer.steps"] = {optimizer.steps().begin(), optimizer.steps().end()};
  put(result, "model.", model);
  put(result, "optimizer.", optimizer.state());
  std::vector<std::int64_t>& steps = result.lists["average.steps"];
  for (const Snapshot& snapshot : average.snapshots()) {
    put(result, fmt::format("average.{}.", steps.size()), snapshot.weights);
    steps.push_back(snapshot.step);
  }
  return result;
}

/// Before a save: throws where it would go to another run's folder, or would keep weights that
/// nothing can be done with.
void Trainer::State::check_place() const {
  if (lock) lock->check();
  if (const std::string name = bad_parameter(model); !name.empty())
    fail(
        "step {}: the weights of {} are no longer finite, and are not saved; begin a new run with "
        "a lower optim.lr",
        progress.step, name);
}

void Trainer::State::save_step() {
  check_place();
  if (metrics) metrics->sync();  // what a checkpoint has behind it must be there when it is
  if (folder) folder->save_step(checkpoint(), progress.step, options.keep);
  saved = true;
  saved_step = progress.step;
}

void Trainer::State::save_last() {
  if (saved) return;
  check_place();
  if (metrics) metrics->sync();
  if (folder) save(checkpoint(), folder->last());
  saved = true;
  saved_step = progress.step;
}

/// After an error: saves what was trained before it. Returns what to add to the message.
std::string Trainer::State::rescue() noexcept {
  try {
    optimizer.clear_gradients();
    batches.clear();
    if (!folder) return "";
    try {
      if (progress.step > first_step) save_last();
    } catch (...) {  // what went wrong first is what is told
    }
    return saved_step < 0 || !folder->newest()
               ? ""
               : fmt::format("; step {} is saved, and can be resumed from", saved_step);
  } catch (...) {
    return "";
  }
}

TrainResult Trainer::State::result() const {
  TrainResult result{.step = progress.step,
                     .trained = progress.step - first_step,
                     .ended_by = ended_by(),
                     .loss = row_mean_loss,
                     .seconds = seconds(),
                     .best = {},
                     .best_step = progress.best_step,
                     .interrupted = false,
                     .stopped_early = patience_is_over(),
                     .skipped = progress.skipped};
  if (progress.best_step > 0) result.best = Evaluation{progress.best_loss, progress.best_score, {}};
  return result;
}

Trainer::Trainer(AnyModule model, Optimizer& optimizer, TrainerOptions options)
    : model_(model), optimizer_(optimizer), options_(std::move(options)) {
  const TrainerOptions& o = options_;
  check(o.steps >= 0 && o.seconds >= 0, "trainer",
        "expected steps and seconds of at least 0; got {} and {}", o.steps, o.seconds);
  check_argument(o.epochs >= 0, "trainer", "epochs", o.epochs, "of at least 0");
  check(o.steps > 0 || o.epochs > 0 || o.seconds > 0, "trainer",
        "expected a limit; set steps, epochs or seconds");
  check_argument(o.accumulate >= 1, "trainer", "accumulate", o.accumulate, "of at least 1");
  check_argument(o.log_every >= 1, "trainer", "log_every", o.log_every, "of at least 1");
  check(o.eval_every >= 0 && o.save_every >= 0 && o.keep >= 0 && o.patience >= 0 && o.clip >= 0 &&
            o.schedule.warmup >= 0,
        "trainer",
        "expected eval_every, save_every, keep, patience, clip and warmup of at least 0; got {}, "
        "{}, {}, {}, {} and {}",
        o.eval_every, o.save_every, o.keep, o.patience, o.clip, o.schedule.warmup);
  check_argument(o.average >= 1, "trainer", "average", o.average, "of at least 1");
  check_argument(o.average == 1 || o.save_every > 0, "trainer", "save_every", o.save_every,
                 "above 0: average = {} takes the weights that it saves", o.average);
  state_ = std::make_unique<State>(model_, optimizer_, options_);
}

Trainer::~Trainer() = default;

bool Trainer::resume(const std::string& which) {
  State& state = *state_;
  if (!state.folder) return false;
  if (which == "best")
    fail("{}: holds weights alone; resume from last or from a step", state.folder->best().string());
  const std::optional<std::filesystem::path> found =
      which.empty() ? state.folder->newest() : state.folder->named(which);
  if (!found) return false;
  state.claim();
  const std::string path = found->string();
  const Checkpoint checkpoint = load(path);
  if (options_.accept) options_.accept(checkpoint.text);
  try {
    const Progress progress = take_progress(checkpoint);
    if (progress.seed != static_cast<std::int64_t>(options_.seed))
      fail("it was trained with seed {}, not {}", static_cast<std::uint64_t>(progress.seed),
           options_.seed);
    const auto& steps = checkpoint.list("optimizer.steps");
    const auto& averaged = checkpoint.list("average.steps");
    if (steps.size() != optimizer_.steps().size() || averaged.size() > checkpoint.tensors.size())
      fail("the checkpoint is of another model or optimizer");

    // One list of all tensors, so that nothing changes unless everything fits.
    std::vector<NamedTensor> targets;
    const auto want = [&](const std::string& prefix, const std::vector<NamedTensor>& tensors) {
      for (const auto& [name, tensor] : tensors)
        targets.push_back({prefix + name, tensor});
    };
    want("model.", named_tensors(model_));
    want("optimizer.", optimizer_.state());
    std::map<std::string_view, const Tensor*> held;
    for (const auto& [name, tensor] : checkpoint.tensors)
      held.emplace(name, &tensor);
    std::vector<Snapshot> snapshots;
    for (std::int64_t step : averaged) {
      for (const auto& [name, tensor] : named_tensors(model_)) {  // before as much is allocated
        const auto at = held.find(fmt::format("average.{}.{}", snapshots.size(), name));
        if (at == held.end() || at->second->shape() != tensor.shape())
          fail("the checkpoint lacks weights of step {}, which it says it averages", step);
      }
      snapshots.push_back(blank_snapshot(model_));
      snapshots.back().step = step;
      want(fmt::format("average.{}.", snapshots.size() - 1), snapshots.back().weights);
    }
    const std::vector<std::int64_t> position = checkpoint.list("data");
    take(checkpoint, "", targets);
    std::copy(steps.begin(), steps.end(), optimizer_.steps().begin());
    state.average.set_snapshots(std::move(snapshots));
    state.progress = progress;
    state.position = position;
    state.started = true;
    state.saved = *found == state.folder->last();
    state.gave_up_future = !which.empty() && !state.saved;
    state.saved_step = progress.step;
    // it may have been killed before it kept them
    state.best_is_due = progress.best_step == progress.step && progress.step > 0;
  } catch (const Error& error) {
    const std::string what = error.what();
    throw what.starts_with(path) ? error : Error(path + ": " + what);
  }
  return true;
}

Index Trainer::step() const { return state_->progress.step; }
EndedBy Trainer::ended_by(BatchStream& data) {
  State& state = *state_;
  state.start = Clock::now();
  if (state.started) data.seek(state.position);
  state.epochs_read = data.epochs();
  return state.ended_by();
}

double Trainer::seconds() const { return state_->progress.seconds; }
bool Trainer::saved() const { return state_->saved; }
void Trainer::claim() { state_->claim(); }

TrainResult Trainer::run(BatchStream& data, const LossFunction& loss,
                         const EvaluateFunction& evaluate, const Observers& observers) {
  State& state = *state_;
  const auto asked = [](const std::function<bool()>& question) { return question && question(); };
  bool interrupted = false;
  try {
    state.open(data);
    state.finish_step(evaluate, observers);
    while (!state.finished() && !(interrupted = asked(observers.should_stop))) {
      if (asked(observers.should_save)) state.save_last();
      state.train_step(data, loss, observers);
      state.finish_step(evaluate, observers);
    }
    if (interrupted) {
      state.save_last();
    } else {
      // the time may have run out while evaluating or saving
      state.finish_step(evaluate, observers);
    }
  } catch (const Error& error) {
    throw Error(error.what() + state.rescue());
  } catch (...) {
    state.rescue();
    throw;
  }
  TrainResult result = state.result();
  result.interrupted = interrupted;
  state.batches.clear();
  state.progress.seconds = state.seconds();
  state.start = Clock::now();
  return result;
}

bool Trainer::load_best() {
  State& state = *state_;
  if (state.folder) {
    if (!std::filesystem::exists(state.folder->best())) return false;
    take(load(state.folder->best()), "model.", model_);
    return true;
  }
  if (!state.best) return false;
  std::vector<NamedTensor> weights = named_tensors(model_);
  copy(state.best->weights, weights);
  return true;
}

}  // namespace heed
