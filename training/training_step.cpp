#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "framework/ops.h"
#include "optim/clip.h"
#include "training/internal/training_loop.h"
#include "training/watch.h"

// One step of training: draws, gradients, update, and what is said about it.

namespace heed {

namespace {

constexpr Index most_skipped = 50;  // in a row

}  // namespace

bool StepValues::finite_loss() const { return std::isfinite(loss); }
bool StepValues::finite() const { return finite_loss() && std::isfinite(gradient_norm); }

double Trainer::Loop::learning_rate(Index step) {
  double done = 0;
  if (last_step() > 0) done = options.schedule.progress(step, last_step());
  if (options.seconds > 0 && step > options.schedule.warmup) {
    const double now = seconds();
    if (state.warmup_seconds < 0) state.warmup_seconds = options.schedule.warmup == 0 ? 0 : now;
    done = std::max(done, (now - state.warmup_seconds) /
                              std::max(options.seconds - state.warmup_seconds, 1e-9));
  }
  return optimizer.lr() * options.schedule.factor(step, done);
}

void Trainer::Loop::train_step(Objective& objective, const Observers& observers) {
  const Clock::time_point step_start = Clock::now();
  // The average takes the saved weights only now. It forgets its oldest weights, and the best of
  // the step before may still need those, here or after a resume.
  if (due(options.save_every) && average.newest() < state.step) average.add(state.step);
  StepValues values = draw_all(objective);
  compute_gradients(values, objective);
  if (!values.finite()) stop_or_skip(values, objective, observers);

  lr = learning_rate(values.step);
  if (values.finite()) {
    optimizer.step(lr, options.clip > 0 ? clip_factor(values.gradient_norm, options.clip) : 1);
    if (ema) ema->add();
  }
  optimizer.clear_gradients();
  record(values, objective);
  speed_seconds += seconds_since(step_start);

  // Observers come last, when the step is whole: they may throw.
  std::vector<TrainingWarning> warnings;
  if (values.finite())
    warnings = watch(state.watched,
                     {.step = values.step,
                      .loss = values.loss,
                      .nats = values.nats,
                      .weight = values.weight,
                      .norm = values.gradient_norm,
                      .epochs = epochs_read},
                     watch_limits());
  report(values.gradient_norm, observers);
  for (const TrainingWarning& warning : warnings)
    warn(observers, text_of(warning));
}

StepValues Trainer::Loop::draw_all(Objective& objective) {
  StepValues values{.step = state.step + 1};
  draws.clear();
  for (Index i = 0; i < options.accumulate; ++i) {
    draws.push_back(objective.draw());
    values.weight += draws.back()->weight;
    values.tokens += draws.back()->tokens;
  }
  if (values.weight == 0)
    fail("step {}: every draw has weight 0; there is nothing to learn from", values.step);
  return values;
}

void Trainer::Loop::compute_gradients(StepValues& values, const Objective& objective) {
  const bool by_tree = draws.size() > 1 && order == DrawOrder::tree;
  tree.clear();
  for (const std::shared_ptr<const Draw>& draw : draws) {
    if (by_tree || values.computed == 0)
      step_random() = draw_random(options.seed, values.step, values.computed);
    ++values.computed;
    if (draw->weight > 0) compute_gradients(values, *draw, objective);
    if (!values.finite_loss()) return;
    if (by_tree) tree.add();
  }
  if (by_tree) tree.give();
  values.gradient_norm = optimizer.gradient_norm();
}

void Trainer::Loop::compute_gradients(StepValues& values, const Draw& draw,
                                      const Objective& objective) {
  Tape tape;
  const Loss part = objective.loss(draw, static_cast<Real>(values.weight));
  values.loss += part.optimised.item();
  values.nats += part.nats;
  if (values.finite_loss()) tape.backward(part.optimised);
}

void Trainer::Loop::stop_or_skip(const StepValues& values, const Objective& objective,
                                 const Observers& observers) {
  optimizer.clear_gradients();
  tree.clear();  // or its gradients would stay while the step is computed again
  const bool weights_are_lost = !bad_parameter(model).empty();
  if (weights_are_lost) saved = true;  // the last checkpoint is worth more than these weights
  const NotFiniteStep failed{
      .step = values.step,
      .seed = options.seed,
      .divisor = static_cast<Real>(values.weight),
      .draws = {draws.data(), values.computed},
      .order = order,
      .gradient = values.finite_loss(),
      .value = values.finite_loss() ? values.gradient_norm : values.loss,
      .skips = options.on_nan == OnNan::skip && !weights_are_lost,
  };
  if (!failed.skips) throw Error(explain(failed, model, objective));
  if (state.skipped.in_a_row + 1 >= most_skipped)
    fail(
        "{} steps in a row were not finite, so the weights no longer give finite numbers; begin a "
        "new run with a lower learning rate. The last: {}",
        most_skipped, explain(failed, model, objective));
  if (state.skipped.total < skips_explained) warn(observers, explain(failed, model, objective));
}

void Trainer::Loop::record(const StepValues& values, const Objective& objective) {
  state.step = values.step;
  position = objective.position();
  epochs_read = objective.epochs();
  saved = false;
  speed_tokens += values.tokens;
  state.row.tokens += values.tokens;
  if (values.finite()) {
    state.row.add({.weight = values.weight,
                   .loss = values.loss,
                   .nats = values.nats,
                   .gradient_norm = values.gradient_norm});
    state.skipped.reset_run();
  } else {
    state.row.add_skipped();
    state.skipped.add();
  }
}

void Trainer::Loop::report(double gradient_norm, const Observers& observers) const {
  if (!observers.on_step) return;
  const double loss = state.row.mean(state.row.nats);
  // Training may go on after the step that was expected to be the last.
  const Index last = last_step() > 0 ? std::max(last_step(), state.step) : 0;
  StepReport report{.step = state.step,
                    .steps = last,
                    .done = 0,
                    .loss = loss,
                    .perplexity = std::exp(loss),
                    .lr = lr,
                    .gradient_norm = gradient_norm,
                    .tokens_per_s = static_cast<double>(speed_tokens) / speed_seconds,
                    .seconds = seconds(),
                    .seconds_left = 0,
                    .skipped = state.skipped.total,
                    .objective = state.row.mean(state.row.objective)};
  double left = std::numeric_limits<double>::infinity();
  if (last > 0) {
    report.done = static_cast<double>(state.step) / static_cast<double>(last);
    left = seconds_since(start) / static_cast<double>(state.step - first_step) *
           static_cast<double>(last - state.step);
  }
  if (options.seconds > 0) {
    report.done = std::max(report.done, report.seconds / options.seconds);
    left = std::min(left, options.seconds - report.seconds);
  }
  report.done = std::min(report.done, 1.0);
  report.seconds_left = std::max(left, 0.0);
  observers.on_step(report);
}

}  // namespace heed
