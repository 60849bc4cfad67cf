#include <algorithm>
#include <bit>
#include <map>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "training/internal/training_loop.h"

// Saving a run, and resuming it.

namespace heed {

namespace {

/// The entry of a checkpoint that says that several draws a step follow DrawOrder::tree.
constexpr const char* draws_by_tree = "draws_by_tree";
/// The bits of Optimizer::sums(), where there are any.
constexpr const char* optimizer_sums = "optimizer.sums";
/// MovingAverage::steps().
constexpr const char* ema_steps = "ema_steps";

}  // namespace

void Trainer::Loop::keep_best() {
  const std::int64_t count = options.average > 1 ? average.available(state.step) : state.best_mean;
  std::vector<NamedTensor> weights = weights_to_use(count);
  if (weights.empty()) weights = named_tensors(model);
  best_is_due = false;
  if (!folder) {
    if (!best) best = blank_snapshot(model);
    copy(weights, best->weights);
    return;
  }
  Checkpoint kept{.tensors = {},
                  .text = options.text,
                  .numbers = {{"step", state.step}},
                  .reals = {},
                  .lists = {}};
  if (state.best_step > 0)
    kept.reals = {{"best_loss", state.best_loss}, {"best_score", state.best_score}};
  put(kept, "model.", weights);
  check_savable();
  save(kept, folder->best());
}

namespace {

void put_sums(Checkpoint& checkpoint, Optimizer& optimizer) {
  if (optimizer.sums().empty()) return;
  std::vector<std::int64_t>& bits = checkpoint.lists[optimizer_sums];
  for (const double sum : optimizer.sums())
    bits.push_back(std::bit_cast<std::int64_t>(sum));
}

std::vector<double> take_sums(const Checkpoint& checkpoint, Optimizer& optimizer) {
  std::vector<double> sums;
  if (optimizer.sums().empty()) return sums;
  for (const std::int64_t bits : checkpoint.list(optimizer_sums))
    sums.push_back(std::bit_cast<double>(bits));
  if (sums.size() != optimizer.sums().size())
    fail("the checkpoint is of another model or optimizer");
  return sums;
}

}  // namespace

Checkpoint Trainer::Loop::checkpoint() const {
  Checkpoint result;
  result.text = options.text;
  TrainingState now = state;
  now.seconds = seconds();
  put_training_state(result, now, options.seconds > 0);
  if (options.accumulate > 1 && order == DrawOrder::tree) result.numbers[draws_by_tree] = 1;
  result.lists["data"] = position;
  result.lists["optimizer.steps"] = {optimizer.steps().begin(), optimizer.steps().end()};
  put_sums(result, optimizer);
  const std::vector<NamedTensor> used = optimizer.weights_to_use();
  put(result, "model.", used.empty() ? named_tensors(model) : used);
  put(result, "optimizer.", optimizer.state());
  if (ema) {
    result.numbers[ema_steps] = ema->steps();
    put(result, "ema.", ema->weights());
  }
  std::vector<std::int64_t>& steps = result.lists["average.steps"];
  for (const Snapshot& snapshot : average.snapshots()) {
    put(result, fmt::format("average.{}.", steps.size()), snapshot.weights);
    steps.push_back(snapshot.step);
  }
  return result;
}

void Trainer::Loop::check_savable() const {
  if (lock) lock->check();
  if (const std::string name = bad_parameter(model); !name.empty())
    fail(
        "step {}: the weights of {} are no longer finite, and are not saved; begin a new run with "
        "a lower learning rate",
        state.step, name);
}

bool Trainer::Loop::has_step() const {
  return !folder || options.keep == 0 || std::filesystem::exists(folder->step(state.step));
}

void Trainer::Loop::save_step() {
  check_savable();
  if (metrics) metrics->sync();  // the rows before a checkpoint must be on the disk before it is
  if (folder) folder->save_step(checkpoint(), state.step, options.keep);
  saved = true;
  saved_step = state.step;
}

void Trainer::Loop::save_last() {
  if (saved) return;
  check_savable();
  if (metrics) metrics->sync();
  if (folder) save(checkpoint(), folder->last());
  saved = true;
  saved_step = state.step;
}

std::string Trainer::Loop::rescue() noexcept {
  try {
    optimizer.clear_gradients();
    draws.clear();
    if (!folder) return "";
    try {
      if (state.step > first_step) save_last();
    } catch (...) {  // the first error is the one to report
    }
    if (saved_step < 0 || !folder->newest()) return "";
    return fmt::format("; step {} is saved, and can be resumed from", saved_step);
  } catch (...) {
    return "";
  }
}

namespace {

void append(std::vector<NamedTensor>& to, const std::string& prefix,
            const std::vector<NamedTensor>& tensors) {
  for (const auto& [name, tensor] : tensors)
    to.push_back({prefix + name, tensor});
}

/// Room for the snapshots that a checkpoint averages. Throws Error, before it allocates a snapshot,
/// when the checkpoint lacks its weights.
std::vector<Snapshot> blank_snapshots(const Checkpoint& checkpoint,
                                      const std::vector<std::int64_t>& steps, AnyModule model) {
  std::map<std::string_view, const Tensor*> held;
  for (const auto& [name, tensor] : checkpoint.tensors)
    held.emplace(name, &tensor);
  std::vector<Snapshot> snapshots;
  for (const std::int64_t step : steps) {
    for (const auto& [name, tensor] : named_tensors(model)) {
      const auto at = held.find(fmt::format("average.{}.{}", snapshots.size(), name));
      if (at == held.end() || at->second->shape() != tensor.shape())
        fail("the checkpoint lacks weights of step {}, which it says it averages", step);
    }
    snapshots.push_back(blank_snapshot(model));
    snapshots.back().step = step;
  }
  return snapshots;
}

}  // namespace

void Trainer::Loop::restore(const Checkpoint& checkpoint) {
  const TrainingState restored = take_training_state(checkpoint);
  if (restored.seed != static_cast<std::int64_t>(options.seed))
    fail("it was trained with seed {}, not {}", static_cast<std::uint64_t>(restored.seed),
         options.seed);
  const auto& steps = checkpoint.list("optimizer.steps");
  const auto& averaged = checkpoint.list("average.steps");
  if (steps.size() != optimizer.steps().size() || averaged.size() > checkpoint.tensors.size())
    fail("the checkpoint is of another model or optimizer");

  // One list of all tensors, so that nothing changes unless everything fits.
  std::vector<NamedTensor> targets;
  append(targets, "model.", named_tensors(model));
  append(targets, "optimizer.", optimizer.state());
  std::vector<Snapshot> snapshots = blank_snapshots(checkpoint, averaged, model);
  for (std::size_t i = 0; i < snapshots.size(); ++i)
    append(targets, fmt::format("average.{}.", i), snapshots[i].weights);
  if (ema) append(targets, "ema.", ema->weights());
  const std::int64_t steps_of_ema = ema ? checkpoint.number(ema_steps) : 0;
  const std::vector<double> sums = take_sums(checkpoint, optimizer);
  std::vector<std::int64_t> data_position = checkpoint.list("data");
  take(checkpoint, "", targets);

  // Earlier versions had no other order, and did not name it.
  const bool by_tree = options.accumulate == 1 || checkpoint.numbers.contains(draws_by_tree);
  order = by_tree ? DrawOrder::tree : DrawOrder::running;
  std::copy(steps.begin(), steps.end(), optimizer.steps().begin());
  std::copy(sums.begin(), sums.end(), optimizer.sums().begin());
  optimizer.restored();
  if (ema) ema->set_steps(steps_of_ema);
  average.set_snapshots(std::move(snapshots));
  state = restored;
  position = std::move(data_position);
  started = true;
  saved_step = state.step;
  // The run may have been killed before it kept them.
  best_is_due = state.best_step == state.step && state.step > 0;
}

}  // namespace heed
