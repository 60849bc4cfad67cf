#include "optim/progress.h"

#include <cmath>

#include "framework/error.h"

namespace heed {

namespace {

/// Each field once. `always` has stood in every checkpoint since the first format; what came later,
/// or is not always written, has a default in Progress.
template <class P, class Always, class Later, class Optional>
void visit(P& p, Always always, Later later, Optional optional) {
  always("seed", p.seed);
  always("step", p.step);
  always("evaluated_step", p.evaluated_step);
  always("best_step", p.best_step);
  always("since_best", p.since_best);
  always("best_loss", p.best_loss);
  always("best_score", p.best_score);
  always("row_steps", p.row_steps);
  always("row_gold", p.row_gold);
  always("row_tokens", p.row_tokens);
  always("row_loss", p.row_loss);
  always("row_norm", p.row_norm);
  later("skipped", p.skipped);
  later("skipped_in_a_row", p.skipped_in_a_row);
  later("row_skipped", p.row_skipped);
  later("row_nats", p.row_nats);
  Watched::visit(p.watched, later);
  optional("seconds", p.seconds);
  optional("warmup_seconds", p.warmup_seconds);
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

}  // namespace

void put_progress(Checkpoint& checkpoint, const Progress& progress, bool with_times) {
  const Put put{checkpoint};
  visit(progress, put, put, [&](const char* name, auto x) {
    if (with_times) put(name, x);
  });
}

Progress take_progress(const Checkpoint& checkpoint) {
  Progress p;
  visit(p, Take{checkpoint, false}, Take{checkpoint, true}, Take{checkpoint, true});
  if (!checkpoint.reals.contains("row_nats")) p.row_nats = p.row_loss;  // both were one
  for (std::int64_t count : {p.step, p.evaluated_step, p.best_step, p.since_best, p.row_steps,
                             p.row_gold, p.row_tokens, p.skipped, p.skipped_in_a_row, p.row_skipped,
                             p.watched.block_steps, p.watched.high_blocks, p.watched.clipped})
    if (count < 0) fail("the checkpoint counts to {}; it was not written by training", count);
  if (!(p.seconds >= 0 && std::isfinite(p.seconds)))
    fail("the checkpoint has trained for {} seconds; it was not written by training", p.seconds);
  return p;
}

}  // namespace heed
