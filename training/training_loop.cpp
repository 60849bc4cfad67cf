#include "training/internal/training_loop.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

// A run: opening it, and what is due between its steps.

namespace heed {

Trainer::Loop::Loop(AnyModule m, Optimizer& o, const TrainerOptions& settings)
    : model(m),
      optimizer(o),
      options(settings),
      average(m, std::max(settings.average, settings.average_at_end)),
      tree(m) {
  state.seed = static_cast<std::int64_t>(options.seed);
  if (options.ema > 0) ema.emplace(m, options.ema);
  if (!options.folder.empty()) folder.emplace(options.folder);
}

bool Trainer::Loop::patience_is_over() const {
  return options.patience > 0 && state.since_best >= options.patience;
}

EndedBy Trainer::Loop::ended_by() const {
  if (options.steps > 0 && state.step >= options.steps) return EndedBy::steps;
  if (options.epochs > 0 && epochs_read >= static_cast<double>(options.epochs))
    return EndedBy::epochs;
  if (options.seconds > 0 && seconds() >= options.seconds) return EndedBy::seconds;
  return patience_is_over() ? EndedBy::patience : EndedBy::nothing;
}

WatchLimits Trainer::Loop::watch_limits() const {
  return {.clip = options.clip,
          .warmup = options.schedule.warmup,
          .lr = optimizer.lr(),
          .baseline = baseline};
}

void Trainer::Loop::claim() {
  if (!folder || lock) return;
  folder->create();
  lock.emplace(options.folder);
  folder->remove_partial();
}

void Trainer::Loop::open(Objective& objective) {
  start = Clock::now();
  first_step = state.step;
  optimizer.clear_gradients();
  claim();
  if (!started && folder && folder->newest())
    fail("{}: holds a run already; resume it, or choose another folder", options.folder);
  if (started)
    objective.seek(position);
  else
    position = objective.position();
  epochs_read = objective.epochs();
  baseline = objective.baseline();
  started = true;
  if (folder) open_folder();
  // for a row that is still to be written
  if (state.step > 0) lr = learning_rate(state.step);
}

void Trainer::Loop::open_folder() {
  if (saved_step >= 0) {
    // Of a run resumed from an older checkpoint this becomes the last one, before the rows of
    // metrics after it are cut off.
    save_last();
    if (resumed_older) folder->set_aside(state.step);
    folder->prune(state.step, options.keep);
  }
  const Index row_begin = state.step - state.row.steps - state.row.skipped;
  metrics.emplace(folder->metrics(), row_begin, state.evaluated_step);
  if (state.seconds == 0) state.seconds = metrics->seconds();
}

bool Trainer::Loop::run(Objective& objective, const Observers& observers) {
  const auto asked = [](const std::function<bool()>& question) { return question && question(); };
  open(objective);
  finish_step(objective, observers);
  while (!finished()) {
    if (asked(observers.should_stop)) {
      save_last();
      return true;
    }
    if (asked(observers.should_save)) save_last();
    train_step(objective, observers);
    finish_step(objective, observers);
  }
  // The time may have run out while evaluating or saving.
  finish_step(objective, observers);
  return false;
}

TrainResult Trainer::Loop::result() const {
  TrainResult result{.step = state.step,
                     .trained = state.step - first_step,
                     .ended_by = ended_by(),
                     .loss = last_row_loss,
                     .seconds = seconds(),
                     .best = {},
                     .best_step = state.best_step,
                     .interrupted = false,
                     .stopped_early = patience_is_over(),
                     .skipped = state.skipped.total};
  if (state.best_step > 0) result.best = Evaluation{state.best_loss, state.best_score, {}};
  return result;
}

/// Does what is due after the last step and is not done yet. After a resume that may be any part of
/// it.
void Trainer::Loop::finish_step(Objective& objective, const Observers& observers) {
  if (due(options.log_every) || finished()) finish_row(observers);
  const bool evaluates = objective.evaluates();
  if (evaluates && state.evaluated_step != state.step && (due(options.eval_every) || finished()))
    evaluate(objective, observers);
  if (evaluates && options.average_at_end > 0 && finished() && state.averaged_step != state.step)
    choose_mean(objective, observers);
  if (!evaluates && averages() && finished()) best_is_due = true;
  // Everything is saved before the best weights: those can be computed again from the checkpoint of
  // their step.
  if ((due(options.save_every) || finished()) && !(saved && has_step())) save_step();
  if (best_is_due) {
    save_last();
    keep_best();
  }
}

void Trainer::Loop::finish_row(const Observers& observers) {
  const RowSums& row = state.row;
  if (row.skipped > 0 && state.skipped.total > skips_explained)
    warn(observers,
         fmt::format("step {}: {} of the last {} steps were not finite and skipped, {} in all",
                     state.step, row.skipped, row.skipped + row.steps, state.skipped.total));
  write_row();
}

void Trainer::Loop::write_row() {
  const RowSums& row = state.row;
  if (row.empty()) return;
  last_row_loss = row.mean(row.nats);
  std::map<std::string, double> skipped;
  if (row.skipped > 0) skipped["skipped"] = static_cast<double>(row.skipped);
  const double tokens_per_s =
      speed_seconds > 0 ? static_cast<double>(speed_tokens) / speed_seconds : std::nan("");
  if (metrics)
    metrics->write(state.step, "train",
                   {{"loss", last_row_loss},
                    {"perplexity", std::exp(last_row_loss)},
                    {"objective", row.mean(row.objective)},
                    {"lr", lr},
                    {"gradient_norm", row.gradient_norm / static_cast<double>(row.steps)},
                    {"tokens", static_cast<double>(row.tokens)},
                    {"tokens_per_s", tokens_per_s},
                    {"seconds", seconds()}},
                   skipped);
  state.row = {};
  speed_tokens = 0;
  speed_seconds = 0;
  saved = false;
}

std::vector<NamedTensor> Trainer::Loop::weights_to_use(std::int64_t weights) const {
  if (weights > 1) return average.mean(state.step, weights).weights;
  if (ema && ema->steps() > 0) return ema->weights();
  return optimizer.weights_to_use();
}

Evaluation Trainer::Loop::evaluate_mean(Objective& objective, std::int64_t weights) {
  std::vector<NamedTensor> used = weights_to_use(weights);
  const Tape::Pause pause;
  const Evaluating evaluating(model);
  const Swapped swapped(model, used);
  std::optional<Evaluation> found = objective.evaluate();
  check(found.has_value(), "trainer",
        "expected an evaluation of an objective that evaluates(); got none");
  return *std::move(found);
}

EvaluationReport Trainer::Loop::evaluation_report(Objective& objective) {
  EvaluationReport report{.step = state.step, .evaluation = {}, .best = false, .seconds = 0};
  const std::int64_t weights = options.average > 1 ? average.available(state.step) : 1;
  report.evaluation = evaluate_mean(objective, weights);
  const double loss = report.evaluation.loss;
  report.best = std::isfinite(loss) && loss < state.best_loss;
  report.seconds = seconds();
  return report;
}

void Trainer::Loop::evaluate(Objective& objective, const Observers& observers) {
  const EvaluationReport report = evaluation_report(objective);
  const Evaluation& found = report.evaluation;
  if (metrics)
    metrics->write(state.step, "valid",
                   {{"loss", found.loss},
                    {"perplexity", std::exp(found.loss)},
                    {"score", found.score},
                    {"seconds", report.seconds}},
                   found.metrics);
  if (report.best) {
    state.best_loss = found.loss;
    state.best_score = found.score;
    state.best_step = state.step;
    state.best_mean = 1;
    state.since_best = 0;
    best_is_due = true;
  } else {
    ++state.since_best;
  }
  state.evaluated_step = state.step;
  saved = false;
  const std::optional<TrainingWarning> warning = watch(state.watched,
                                                       {.step = state.step,
                                                        .loss = found.loss,
                                                        .best = state.best_loss,
                                                        .best_step = state.best_step,
                                                        .lr = lr},
                                                       watch_limits());
  if (!std::isfinite(found.loss))
    warn(observers,
         fmt::format("step {}: the validation loss is {}; the best checkpoint stays as it is",
                     state.step, found.loss));
  if (observers.on_evaluation) observers.on_evaluation(report);
  if (warning) warn(observers, text_of(*warning));
}

/// Evaluates the means of the newest 2, 3, ... weights. Nothing changes before all are known: an
/// interrupted try is made again by the resumed run, and metrics hold each once.
void Trainer::Loop::choose_mean(Objective& objective, const Observers& observers) {
  AverageReport report{.step = state.step, .alone_loss = state.best_loss};
  const std::int64_t most =
      std::min<std::int64_t>(options.average_at_end, average.available(state.step));
  for (std::int64_t weights = 2; weights <= most; ++weights)
    report.tries.push_back({weights, evaluate_mean(objective, weights)});
  for (const auto& [weights, found] : report.tries) {
    if (metrics)
      metrics->write(state.step, "average",
                     {{"weights", static_cast<double>(weights)},
                      {"loss", found.loss},
                      {"perplexity", std::exp(found.loss)},
                      {"score", found.score},
                      {"seconds", seconds()}},
                     found.metrics);
    if (!(std::isfinite(found.loss) && found.loss < state.best_loss)) continue;
    // Patience is not begun anew: it may be what ended the training.
    state.best_loss = found.loss;
    state.best_score = found.score;
    state.best_step = state.step;
    state.best_mean = weights;
    report.chosen = weights;
    best_is_due = true;
  }
  state.averaged_step = state.step;
  saved = false;
  report.best_step = state.best_step;
  report.best_loss = state.best_loss;
  if (observers.on_average && !report.tries.empty()) observers.on_average(report);
}

}  // namespace heed
