#include "training/internal/training_state.h"

#include <cmath>

#include "framework/error.h"

namespace heed {

void RowSums::add(const Step& step) {
  ++steps;
  weight += step.weight;
  objective += step.loss * static_cast<double>(step.weight);
  nats += step.nats;
  gradient_norm += step.gradient_norm;
}

namespace {

/// Visits each field once, by the name of its entry in a checkpoint.
/// - `always`: in every checkpoint since the first format.
/// - `later`: came with a later format; an older checkpoint gives the default.
/// - `optional`: not always written.
template <class S, class Always, class Later, class Optional>
void visit(S& s, Always always, Later later, Optional optional) {
  always("seed", s.seed);
  always("step", s.step);
  always("evaluated_step", s.evaluated_step);
  always("best_step", s.best_step);
  always("since_best", s.since_best);
  always("best_loss", s.best_loss);
  always("best_score", s.best_score);
  always("row_steps", s.row.steps);
  always("row_gold", s.row.weight);
  always("row_tokens", s.row.tokens);
  always("row_loss", s.row.objective);
  always("row_norm", s.row.gradient_norm);
  later("skipped", s.skipped.total);
  later("skipped_in_a_row", s.skipped.in_a_row);
  later("row_skipped", s.row.skipped);
  later("row_nats", s.row.nats);
  later("best_mean", s.best_mean);
  later("averaged_step", s.averaged_step);
  Watched::visit(s.watched, later);
  optional("seconds", s.seconds);
  optional("warmup_seconds", s.warmup_seconds);
}

struct Put {
  Checkpoint& to;
  void operator()(const char* name, std::int64_t x) const { to.numbers[name] = x; }
  void operator()(const char* name, double x) const { to.reals[name] = x; }
};

struct Take {
  const Checkpoint& from;
  bool may_be_missing;
  void operator()(const char* name, std::int64_t& x) const {
    if (!may_be_missing || from.numbers.contains(name)) x = from.number(name);
  }
  void operator()(const char* name, double& x) const {
    if (!may_be_missing || from.reals.contains(name)) x = from.real(name);
  }
};

void check_counts(const TrainingState& s) {
  const std::int64_t counts[] = {
      s.step,
      s.evaluated_step,
      s.best_step,
      s.since_best,
      s.best_mean,
      s.averaged_step,
      s.row.steps,
      s.row.weight,
      s.row.tokens,
      s.skipped.total,
      s.skipped.in_a_row,
      s.row.skipped,
      s.watched.block_steps,
      s.watched.high_blocks,
      s.watched.window_steps,
      s.watched.clip_steps,
      s.watched.stale,
  };
  for (const std::int64_t count : counts) {
    if (count < 0) fail("the checkpoint counts to {}; it was not written by training", count);
  }
}

}  // namespace

void put_training_state(Checkpoint& checkpoint, const TrainingState& state, bool with_times) {
  const Put put{checkpoint};
  visit(state, put, put, [&](const char* name, auto x) {
    if (with_times) put(name, x);
  });
}

TrainingState take_training_state(const Checkpoint& checkpoint) {
  TrainingState s;
  visit(s, Take{checkpoint, false}, Take{checkpoint, true}, Take{checkpoint, true});
  // The first format had one sum for what was optimised and the plain cross entropy.
  if (!checkpoint.reals.contains("row_nats")) s.row.nats = s.row.objective;
  check_counts(s);
  if (!(s.seconds >= 0 && std::isfinite(s.seconds)))
    fail("the checkpoint has trained for {} seconds; it was not written by training", s.seconds);
  return s;
}

}  // namespace heed
