#include "training/trainer.h"

#include <fmt/format.h>

#include "training/internal/training_loop.h"

namespace heed {

namespace {

/// Of all ways to average the weights there is one at most.
void check_averages(const TrainerOptions& o, const Optimizer& optimizer) {
  check_argument(o.average >= 1, "trainer", "average", o.average, "of at least 1");
  check_argument(o.average == 1 || o.save_every > 0, "trainer", "save_every", o.save_every,
                 "above 0: average = {} takes the weights that it saves", o.average);
  check(o.average_at_end >= 0 && o.average_at_end != 1, "trainer",
        "expected average_at_end of at least 2, or 0 for none; got {}", o.average_at_end);
  check(o.average_at_end == 0 || o.average == 1, "trainer",
        "expected one of average and average_at_end; got {} and {}", o.average, o.average_at_end);
  check_argument(o.average_at_end == 0 || o.save_every > 0, "trainer", "save_every", o.save_every,
                 "above 0: average_at_end = {} takes the weights that it saves", o.average_at_end);
  check_argument(0 <= o.ema && o.ema < 1, "trainer", "ema", o.ema, "within [0, 1)");
  check(o.ema == 0 || (o.average == 1 && o.average_at_end == 0), "trainer",
        "expected one of ema, average and average_at_end; got {}, {} and {}", o.ema, o.average,
        o.average_at_end);
  const bool averages = o.ema > 0 || o.average > 1 || o.average_at_end > 0;
  check(!averages || optimizer.weights_to_use().empty(), "trainer",
        "expected no ema, average or average_at_end with an optimizer that averages the weights");
}

void check_options(const TrainerOptions& o) {
  check(o.steps >= 0 && o.seconds >= 0, "trainer",
        "expected steps and seconds of at least 0; got {} and {}", o.steps, o.seconds);
  schedules().at(o.schedule.kind);  // throws where there is none
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
}

}  // namespace

Trainer::Trainer(AnyModule model, Optimizer& optimizer, TrainerOptions options)
    : model_(model), optimizer_(optimizer), options_(std::move(options)) {
  check_options(options_);
  check_averages(options_, optimizer);
  loop_ = std::make_unique<Loop>(model_, optimizer_, options_);
}

Trainer::~Trainer() = default;

bool Trainer::resume(const std::string& which) {
  Loop& loop = *loop_;
  if (!loop.folder) return false;
  if (which == "best")
    fail("{}: holds weights alone; resume from last or from a step", loop.folder->best().string());
  const std::optional<std::filesystem::path> found =
      which.empty() ? loop.folder->newest() : loop.folder->named(which);
  if (!found) return false;
  loop.claim();
  const std::string path = found->string();
  const Checkpoint checkpoint = load(path);
  if (options_.accept) options_.accept(checkpoint.text);
  try {
    loop.restore(checkpoint);
  } catch (const Error& error) {
    const std::string what = error.what();
    throw what.starts_with(path) ? error : Error(path + ": " + what);
  }
  loop.saved = *found == loop.folder->last();
  loop.resumed_older = !which.empty() && !loop.saved;
  return true;
}

Index Trainer::step() const { return loop_->state.step; }
double Trainer::seconds() const { return loop_->state.seconds; }
bool Trainer::saved() const { return loop_->saved; }
void Trainer::claim() { loop_->claim(); }

EndedBy Trainer::ended_by(Objective& objective) {
  Loop& loop = *loop_;
  loop.start = Clock::now();
  if (loop.started) objective.seek(loop.position);
  loop.epochs_read = objective.epochs();
  return loop.ended_by();
}

TrainResult Trainer::run(Objective& objective, const Observers& observers) {
  Loop& loop = *loop_;
  bool interrupted = false;
  try {
    interrupted = loop.run(objective, observers);
  } catch (const Error& error) {
    throw Error(error.what() + loop.rescue());
  } catch (...) {
    loop.rescue();
    throw;
  }
  TrainResult result = loop.result();
  result.interrupted = interrupted;
  loop.draws.clear();
  loop.state.seconds = loop.seconds();
  loop.start = Clock::now();
  return result;
}

bool Trainer::load_best() {
  const Loop& loop = *loop_;
  if (loop.folder) {
    if (!std::filesystem::exists(loop.folder->best())) return false;
    take(load(loop.folder->best()), "model.", model_);
    return true;
  }
  if (!loop.best) return false;
  std::vector<NamedTensor> weights = named_tensors(model_);
  copy(loop.best->weights, weights);
  return true;
}

}  // namespace heed
