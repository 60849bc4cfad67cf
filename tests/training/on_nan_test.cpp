// Training with steps that are not finite: stopping, skipping, and what is saved.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "datasets/text/batch.h"
#include "framework/ops.h"
#include "framework/run_folder.h"
#include "tests/datasets/temporary.h"
#include "tests/lines_text.h"
#include "tests/training/draws_by_hand.h"
#include "tests/training/function_objective.h"
#include "training/draw_order.h"
#include "training/trainer.h"

namespace heed {
namespace {

constexpr Index classes = 6;

struct Toy {
  Parameter table;
  Parameter weight;
  bool training = true;
  explicit Toy(std::uint64_t seed = 1) {
    Random random(seed);
    table = Parameter(normal({classes, 4}, random, 1));
    weight = Parameter(normal({classes, 4}, random, 1));
  }
  void visit(Visitor& v) {
    v("embedding.weight", table);
    v("output.weight", weight);
    v.training(training);
  }
};

enum class Fault { loss, gradient };

/// Batch n is a function of n alone. Those of `bad` hold a line whose second token is 0.
struct Numbered : BatchStream {
  std::string describe(std::span<const Index> lines) const override { return lines_text(lines); }
  std::int64_t number = 0;
  std::set<std::int64_t> bad;
  Batch next() override {
    Random random(7, static_cast<std::uint64_t>(number));
    std::vector<std::vector<Id>> lines(3);
    Batch batch;
    for (auto& line : lines) {
      line.resize(2 + random.below(3));
      for (Id& id : line)
        id = static_cast<Id>(1 + random.below(classes - 1));
      batch.lines.push_back(10 * number + static_cast<Index>(batch.lines.size()));
    }
    if (bad.contains(number)) lines[1][1] = 0;
    batch.target = pack(lines);
    batch.gold = Ids({batch.target.spans.rows()});
    for (Index i = 0; i < batch.gold.size(); ++i)
      batch.gold[i] = static_cast<Id>(1 + (batch.target.ids[i] + 1) % (classes - 1));
    ++number;
    return batch;
  }
  std::vector<std::int64_t> position() const override { return {number}; }
  void seek(std::span<const std::int64_t> position) override { number = position[0]; }
};

/// Id 0 gives log 0, or a root whose gradient is infinite, on top of an ordinary loss with dropout.
Variable loss_of(const Toy& m, const Batch& batch, Real divisor, Fault fault) {
  Variable x = embedding(batch.target.ids, m.table);
  if (m.training) x = dropout(x, Real(0.3), step_random().next_key());
  Variable extra = Tensor::zeros({});
  const auto ids = std::as_const(batch.target.ids).span();
  if (std::find(ids.begin(), ids.end(), 0) != ids.end()) {
    const Variable zero = square(x) * 0;
    extra = sum(fault == Fault::loss ? log(zero) : sqrt(zero));
  }
  return cross_entropy(linear(tanh(x), m.weight), batch.gold,
                       {.ignore = ignored_id, .divisor = divisor}) +
         extra;
}

struct Training {
  Toy model;
  Adam optimizer;
  Numbered data;
  Fault fault = Fault::loss;
  Trainer trainer;
  std::vector<std::string> warnings;
  std::vector<StepReport> reports;

  explicit Training(const TrainerOptions& o, std::set<std::int64_t> bad = {}, Fault f = Fault::loss,
                    std::uint64_t seed = 1)
      : model(seed), optimizer(model, {.lr = 0.05}), fault(f), trainer(model, optimizer, o) {
    data.bad = std::move(bad);
  }
  TrainResult run(const EvaluateFunction& evaluate, const Observers& observers) {
    FunctionObjective objective(
        data, [this](const Batch& b, Real divisor) { return loss_of(model, b, divisor, fault); },
        evaluate);
    return trainer.run(objective, observers);
  }
  TrainResult run(Index stop_at = -1, const EvaluateFunction& evaluate = {}) {
    Observers observers;
    observers.on_step = [this](const StepReport& r) { reports.push_back(r); };
    observers.on_warning = [this](const std::string& text) { warnings.push_back(text); };
    observers.should_stop = [this, stop_at] {
      return reports.empty() ? stop_at == 0 : reports.back().step == stop_at;
    };
    return run(evaluate, observers);
  }
};

TrainerOptions options(Index steps, OnNan on_nan = OnNan::skip, Index accumulate = 1,
                       const std::string& folder = "") {
  TrainerOptions o;
  o.steps = steps;
  o.on_nan = on_nan;
  o.accumulate = accumulate;
  o.seed = 3;
  o.folder = folder;
  o.clip = 0.5;
  o.schedule = {.kind = "cosine", .warmup = 3, .final = 0.1};
  return o;
}

std::vector<nlohmann::json> rows_of(const std::string& folder) {
  std::ifstream in(RunFolder(folder).metrics());
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(in, line);)
    rows.push_back(nlohmann::json::parse(line));
  return rows;
}
std::string timeless_rows(const std::string& folder) {
  std::string text;
  for (nlohmann::json& row : rows_of(folder)) {
    row.erase("seconds");
    row.erase("tokens_per_s");
    text += row.dump() + "\n";
  }
  return text;
}

/// The training loop written by hand. Steps with a bad batch change nothing, but count.
struct ByHand {
  Toy model;
  Adam optimizer{model, {.lr = 0.05}};
  std::vector<double> losses;  // NaN where skipped
  std::vector<double> gold_counts;

  ByHand(Index steps, Index accumulate, const std::set<std::int64_t>& bad) {
    Numbered data;
    data.bad = bad;
    const Schedule schedule{.kind = "cosine", .warmup = 3, .final = 0.1};
    for (Index step = 1; step <= steps; ++step) {
      bool skipped = false;
      std::vector<Batch> batches;
      Index gold = 0;
      for (Index i = 0; i < accumulate; ++i) {
        skipped |= bad.contains(data.number);
        batches.push_back(data.next());
        gold += batches.back().gold.size();
      }
      losses.push_back(std::nan(""));
      gold_counts.push_back(static_cast<double>(gold));
      if (skipped) continue;
      losses.back() = 0;
      DrawGradients sum;
      for (std::size_t i = 0; i < batches.size(); ++i) {
        step_random() = draw_random(3, step, i);
        Tape tape;
        const Variable loss = loss_of(model, batches[i], static_cast<Real>(gold), Fault::loss);
        losses.back() += loss.item();
        tape.backward(loss);
        sum = i == 0 ? take_gradients(model) : sum_of(sum, take_gradients(model));
      }
      give_gradients(model, sum);
      const double norm = optimizer.gradient_norm();
      optimizer.step(0.05 * schedule.factor(step, schedule.progress(step, steps)),
                     norm > 0.5 ? 0.5 / norm : 1);
      optimizer.clear_gradients();
    }
  }
};

struct Case {
  const char* name;
  Index accumulate;
  std::set<std::int64_t> bad;  // batches
  Index skipped;               // steps
};
const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"none", 1, {}, 0},
      {"the first", 1, {0}, 1},
      {"three in a row", 1, {4, 5, 6}, 3},
      {"a whole row of metrics and the last", 1, {4, 5, 6, 7, 11}, 5},
      {"the second of an accumulation", 2, {5, 13}, 2},
      {"both of one", 2, {8, 9}, 1}};
  return all;
}

TEST(OnNan, SkippedStepsLeaveNoTrace) {
  for (const Case& c : cases())
    for (Fault fault : {Fault::loss, Fault::gradient}) {
      Training run(options(12, OnNan::skip, c.accumulate), c.bad, fault);
      const TrainResult result = run.run();
      const ByHand expected(12, c.accumulate, c.bad);
      EXPECT_EQ(run.model.table.value().to_vector(), expected.model.table.value().to_vector())
          << c.name;
      EXPECT_EQ(run.model.weight.value().to_vector(), expected.model.weight.value().to_vector())
          << c.name;
      for (std::size_t i = 0; i < run.optimizer.state().size(); ++i)
        EXPECT_EQ(run.optimizer.state()[i].tensor.to_vector(),
                  expected.optimizer.state()[i].tensor.to_vector())
            << c.name;
      EXPECT_EQ(
          std::vector<std::int64_t>(run.optimizer.steps().begin(), run.optimizer.steps().end()),
          std::vector<std::int64_t>(2, 12 - c.skipped))
          << c.name;
      EXPECT_EQ(result.step, 12) << c.name;
      EXPECT_EQ(result.skipped, c.skipped) << c.name;
      EXPECT_EQ(run.data.number, 12 * c.accumulate) << c.name;
      EXPECT_EQ(run.reports.back().skipped, c.skipped) << c.name;
    }
}

TEST(OnNan, RowsLeaveSkippedStepsOut) {
  const TemporaryFolder folder;
  int made = 0;
  for (const Case& c : cases()) {
    TrainerOptions o =
        options(12, OnNan::skip, c.accumulate, folder.path("run-" + std::to_string(++made)));
    o.log_every = 4;
    Training run(o, c.bad);
    run.run();
    const ByHand expected(12, c.accumulate, c.bad);
    const auto rows = rows_of(o.folder);
    ASSERT_EQ(rows.size(), 3u) << c.name;
    for (std::size_t r = 0; r < 3; ++r) {
      double loss = 0;
      double gold = 0;
      Index skipped = 0;
      for (std::size_t i = 4 * r; i < 4 * r + 4; ++i)
        if (std::isnan(expected.losses[i]))
          ++skipped;
        else {
          loss += expected.losses[i] * expected.gold_counts[i];
          gold += expected.gold_counts[i];
        }
      EXPECT_EQ(rows[r]["step"], 4 * r + 4) << c.name;
      EXPECT_EQ(rows[r].contains("skipped"), skipped > 0) << c.name;
      if (skipped > 0) {
        EXPECT_EQ(rows[r]["skipped"], skipped) << c.name;
      }
      EXPECT_TRUE(rows[r]["lr"].is_number()) << c.name;
      if (skipped == 4) {
        for (const char* column : {"loss", "perplexity", "gradient_norm"})
          EXPECT_TRUE(rows[r][column].is_null()) << c.name << ": " << column;
      } else {
        EXPECT_NEAR(rows[r]["loss"].get<double>(), loss / gold, 1e-9) << c.name;
        EXPECT_TRUE(std::isfinite(rows[r]["gradient_norm"].get<double>())) << c.name;
      }
    }
  }
}

TEST(OnNan, ResumesToTheBitAcrossSkippedSteps) {
  const TemporaryFolder folder;
  int made = 0;
  for (const Case& c : cases()) {
    TrainerOptions o =
        options(12, OnNan::skip, c.accumulate, folder.path("whole-" + std::to_string(++made)));
    o.log_every = 4;
    o.save_every = 5;
    Training whole(o, c.bad);
    whole.run();
    for (Index k : {4, 5, 6, 11}) {
      TrainerOptions parts = o;
      parts.folder = folder.path(fmt::format("parts-{}-{}", made, k));
      std::vector<std::string> warnings;
      {
        Training first(parts, c.bad);
        first.run(k);
        warnings = first.warnings;
      }
      Training second(parts, c.bad, Fault::loss, 99);
      ASSERT_TRUE(second.trainer.resume());
      EXPECT_EQ(second.run().skipped, c.skipped);
      EXPECT_EQ(difference(load(RunFolder(o.folder).last()), load(RunFolder(parts.folder).last())),
                "")
          << c.name << ", step " << k;
      EXPECT_EQ(timeless_rows(o.folder), timeless_rows(parts.folder)) << c.name << ", step " << k;
      warnings.insert(warnings.end(), second.warnings.begin(), second.warnings.end());
      EXPECT_EQ(warnings, whole.warnings) << c.name << ", step " << k;
    }
  }
}

TEST(OnNan, SaysWhatItSkips) {
  TrainerOptions o = options(12, OnNan::skip);
  o.log_every = 4;
  Training rows(o, {2, 4, 5, 7, 8, 9});
  rows.run();
  const auto one = [](Index step, Index line) {
    return fmt::format(
        "step {}: the loss is -inf: [log] -inf in layer embedding, on line {}; skipped", step,
        line);
  };
  EXPECT_EQ(rows.warnings,
            (std::vector<std::string>{
                one(3, 22), one(5, 42), one(6, 52),
                "step 8: 3 of the last 4 steps were not finite and skipped, 4 in all",
                "step 12: 2 of the last 4 steps were not finite and skipped, 6 in all"}));
}

struct StopRow {
  Fault fault;
  Index accumulate;
  Index batch;  // the bad one
  const char* message;
};

/// The run stops at step 4 and keeps step 3. Resumed with OnNan::skip, it skips step 4.
void expect_stop(const TemporaryFolder& folder, const StopRow& row) {
  TrainerOptions o = options(8, OnNan::stop, row.accumulate,
                             folder.path(fmt::format("run-{}-{}-{}", static_cast<int>(row.fault),
                                                     row.accumulate, row.batch)));
  o.eval_every = 2;
  int evaluations = 0;
  const std::string message = folder.message([&] {
    Training(o, {row.batch}, row.fault).run(-1, [&] {
      return Evaluation{3.0 - evaluations++, 0, {}};
    });
  });
  EXPECT_TRUE(message.starts_with(row.message)) << message;
  if (row.fault == Fault::gradient) {
    EXPECT_NE(
        message.find(fmt::format(": [sqrt] inf in the gradient of layer embedding, on line {}; ",
                                 10 * row.batch + 2)),
        std::string::npos)
        << message;
  }
  EXPECT_EQ(load(RunFolder(o.folder).best()).number("step"), 2);
  EXPECT_EQ(load(RunFolder(o.folder).last()).number("step"), 3);
  const ByHand expected(8, row.accumulate, {row.batch});
  o.on_nan = OnNan::skip;  // may change when the run is resumed
  Training again(o, {row.batch}, row.fault);
  ASSERT_TRUE(again.trainer.resume());
  EXPECT_EQ(again.run().skipped, 1);
  EXPECT_EQ(again.model.weight.value().to_vector(), expected.model.weight.value().to_vector());
}

TEST(OnNan, StopsAndKeepsWhatWasThere) {
  const TemporaryFolder folder;
  const StopRow rows[] = {
      {Fault::loss, 1, 3,
       "step 4: the loss is -inf: [log] -inf in layer embedding, on line 32; lower the learning "
       "rate, or look at these (on_nan = skip passes over such steps)"},
      {Fault::loss, 2, 7,
       "step 4: the loss is -inf: [log] -inf in layer embedding, on line 72; lower"},
      {Fault::loss, 2, 6,
       "step 4: the loss is -inf: [log] -inf in layer embedding, on line 62; lower"},
      {Fault::gradient, 1, 3, "step 4: the norm of the gradients is "},
      {Fault::gradient, 2, 7, "step 4: the norm of the gradients is "},
  };
  for (const StopRow& row : rows)
    expect_stop(folder, row);
}

TEST(OnNan, ManyInARowStop) {
  const TemporaryFolder folder;
  std::set<std::int64_t> bad;
  for (int i = 5; i < 54; ++i)
    bad.insert(i);  // 49
  Training few(options(60, OnNan::skip), bad);
  EXPECT_EQ(few.run().skipped, 49);
  bad.insert(54);
  TrainerOptions o = options(60, OnNan::skip, 1, folder.path("run"));
  const std::string message = folder.message([&] { Training(o, bad).run(); });
  EXPECT_EQ(message.rfind("50 steps in a row were not finite, so the weights no longer give finite "
                          "numbers; begin a new run with a lower learning rate. The last: step 55: "
                          "the loss is -inf: [log] -inf in "
                          "layer embedding, on line 542",
                          0),
            0u)
      << message;
  EXPECT_EQ(load(RunFolder(o.folder).last()).number("step"), 54);
  Training again(o, bad);
  ASSERT_TRUE(again.trainer.resume());
  EXPECT_EQ(folder.message([&] { again.run(); }), message)
      << "skipped steps before the resume count";
}

TEST(OnNan, WeightsThatAreNotFiniteStopAndAreNotSaved) {
  const TemporaryFolder folder;
  for (OnNan on_nan : {OnNan::stop, OnNan::skip}) {
    TrainerOptions o = options(9, on_nan, 1, folder.path(on_nan == OnNan::stop ? "stop" : "skip"));
    o.save_every = 2;
    Training run(o);
    const std::string message = folder.message([&] {
      Observers observers;
      observers.on_step = [&](const StepReport& r) {
        if (r.step == 5) run.model.weight.value()[7] = std::numeric_limits<Real>::quiet_NaN();
      };
      run.run(EvaluateFunction(), observers);
    });
    EXPECT_EQ(message.rfind("step 6: the loss is nan: the weights of layer output (output.weight) "
                            "are not finite since an earlier step; begin a new run with a lower "
                            "learning rate",
                            0),
              0u)
        << message;
    EXPECT_EQ(load(RunFolder(o.folder).last()).number("step"), 4);
  }
}

TEST(OnNan, ValidationThatIsNotFiniteIsNeverTheBest) {
  const double nan = std::numeric_limits<double>::quiet_NaN();

  const double inf = std::numeric_limits<double>::infinity();
  const struct {
    std::vector<double> losses;
    Index best;
    std::vector<std::string> warnings;
  } rows[] = {
      {{3, nan, 2}, 6, {"step 4: the validation loss is nan; the best checkpoint stays as it is"}},
      {{nan, 3, -inf},
       4,
       {"step 2: the validation loss is nan; the best checkpoint stays as it is",
        "step 6: the validation loss is -inf; the best checkpoint stays as it is"}},
      {{inf, inf, nan},
       0,
       {"step 2: the validation loss is inf; the best checkpoint stays as it is",
        "step 4: the validation loss is inf; the best checkpoint stays as it is",
        "step 6: the validation loss is nan; the best checkpoint stays as it is"}},
  };
  const TemporaryFolder folder;
  int made = 0;
  for (const auto& row : rows) {
    TrainerOptions o = options(6, OnNan::stop, 1, folder.path("run-" + std::to_string(++made)));
    o.eval_every = 2;
    Training run(o);
    std::size_t i = 0;
    const TrainResult result = run.run(-1, [&] { return Evaluation{row.losses[i++], 0, {}}; });
    EXPECT_EQ(result.best_step, row.best);
    EXPECT_EQ(run.warnings, row.warnings);
    EXPECT_EQ(std::filesystem::exists(RunFolder(o.folder).best()), row.best > 0);
    if (row.best > 0) {
      EXPECT_EQ(load(RunFolder(o.folder).best()).number("step"), row.best);
    }
  }
}

TEST(OnNan, CheckpointsFromBeforeItLoad) {
  const TemporaryFolder folder;
  TrainerOptions o = options(8, OnNan::skip, 1, folder.path("run"));
  Training whole(options(8));
  whole.run();
  Training(o).run(4);
  Checkpoint old = load(RunFolder(o.folder).last());
  EXPECT_GT(std::erase_if(old.numbers,
                          [](const auto& entry) {
                            return entry.first.starts_with("watch_") ||
                                   entry.first.find("skipped") != std::string::npos;
                          }),
            3u);
  EXPECT_GT(
      std::erase_if(old.reals, [](const auto& entry) { return entry.first.starts_with("watch_"); }),
      1u);
  save(old, RunFolder(o.folder).last());
  Training second(o);
  ASSERT_TRUE(second.trainer.resume());
  EXPECT_EQ(second.run().skipped, 0);
  EXPECT_EQ(second.model.weight.value().to_vector(), whole.model.weight.value().to_vector());
}

TEST(OnNan, ADivergingRunIsWarnedOfOnceAcrossAResume) {
  const TemporaryFolder folder;
  std::vector<std::string> expected;
  for (Index cut : {-1, 70, 130, 199}) {
    TrainerOptions o = options(240, OnNan::stop, 1, folder.path(fmt::format("run{}", cut)));
    o.schedule = {};
    const auto run_to = [&](Index stop) {
      Toy model;
      Sgd sgd(model, {.lr = 1});
      Numbered data;
      Trainer trainer(model, sgd, o);
      trainer.resume();
      std::vector<std::string> warnings;
      Index step = 0;
      Observers observers;
      observers.on_step = [&](const StepReport& r) { step = r.step; };
      observers.on_warning = [&](const std::string& text) { warnings.push_back(text); };
      observers.should_stop = [&] { return step == stop; };
      // 2, and 40 from batch 100 on, whatever the weights are
      const auto loss = [&](const Batch& b, Real divisor) {
        return loss_of(model, b, divisor, Fault::loss) * 0 +
               (b.lines[0] < 1000 ? Real(2) : Real(40));
      };
      FunctionObjective objective(data, loss);
      trainer.run(objective, observers);
      return warnings;
    };
    std::vector<std::string> warnings;
    if (cut > 0) warnings = run_to(cut);
    for (std::string& text : run_to(-1))
      warnings.push_back(std::move(text));
    EXPECT_EQ(warnings, (std::vector<std::string>{
                            "the loss rose from 2 (step 1) to 40 (step 160): "
                            "training diverges; lower the learning rate, such as to 0.33, "
                            "or raise the warm-up"}))
        << cut;
  }
}

}  // namespace
}  // namespace heed
