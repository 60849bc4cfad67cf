// The training loop: exactness of resuming, the files of a run, evaluation, and its errors.

#include "training/trainer.h"

#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "datasets/text/batch.h"
#include "framework/memory.h"
#include "framework/ops.h"
#include "framework/run_folder.h"
#include "optim/muon.h"
#include "optim/schedule_free.h"
#include "tests/datasets/temporary.h"
#include "tests/lines_text.h"
#include "tests/message_of.h"
#include "tests/training/draws_by_hand.h"
#include "tests/training/function_objective.h"
#include "training/draw_order.h"
#include "training/metrics_log.h"

namespace heed {
namespace {

constexpr Index classes = 8;
constexpr Index d = 6;

/// Answers a token with a class, through dropout.
struct Toy {
  Parameter table;
  Parameter weight;
  Parameter bias;
  bool training = true;
  explicit Toy(std::uint64_t seed = 1) {
    Random random(seed);
    table = Parameter(normal({classes, d}, random, 1));
    weight = Parameter(normal({classes, d}, random, 1));
    bias = Parameter(zeros({classes}));
  }
  void visit(Visitor& v) {
    v("table", table);
    v("weight", weight);
    v("bias", bias);
    v.training(training);
  }

  Variable loss(const Batch& batch, Real divisor) const {
    Variable x = embedding(batch.target.ids, table);  // (n, d)
    if (training) x = dropout(x, Real(0.3), step_random().next_key());
    return cross_entropy(linear(tanh(x), weight, bias), batch.gold,
                         {.ignore = ignored_id, .divisor = divisor});
  }
};

/// Batch n is a function of n alone.
struct Numbered : BatchStream {
  std::string describe(std::span<const Index> lines) const override { return lines_text(lines); }
  std::int64_t number = 0;
  std::set<std::int64_t> without_gold;
  Batch next() override {
    Random random(7, static_cast<std::uint64_t>(number));
    std::vector<std::vector<Id>> lines(2 + random.below(2));
    Batch batch;
    for (auto& line : lines) {
      line.resize(1 + random.below(4));
      for (Id& id : line)
        id = static_cast<Id>(random.below(classes));
      batch.lines.push_back(10 * number + static_cast<Index>(batch.lines.size()));
    }
    batch.target = pack(lines);
    batch.ignored = ignored_id;
    batch.gold = batch.target.ids.clone();
    for (Id& id : batch.gold.span())
      id = without_gold.contains(number) ? ignored_id : static_cast<Id>((id + 3) % classes);
    if (batch.gold[0] == ignored_id && !without_gold.contains(number)) batch.gold[0] = 1;
    ++number;
    return batch;
  }
  std::vector<std::int64_t> position() const override { return {number}; }
  void seek(std::span<const std::int64_t> position) override { number = position[0]; }
  double epochs() const override { return static_cast<double>(number / 5); }
};

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(Toy& model)>;

std::unique_ptr<Optimizer> make_adam(Toy& model) {
  return std::make_unique<Adam>(model, AdamOptions{.lr = 0.05});
}
std::unique_ptr<Optimizer> make_muon(Toy& model) {
  return std::make_unique<Muon>(model,
                                MuonOptions{.lr = 0.05, .weight_decay = 0.1, .hidden = {"weight"}});
}
std::unique_ptr<Optimizer> make_schedule_free(Toy& model) {
  return std::make_unique<ScheduleFree>(model,
                                        ScheduleFreeOptions{.lr = 0.05, .weight_decay = 0.1});
}

struct Training {
  Toy model;
  std::unique_ptr<Optimizer> optimizer;
  Numbered data;
  Trainer trainer;
  std::vector<StepReport> reports;
  std::vector<EvaluationReport> evaluations;

  explicit Training(const TrainerOptions& options, std::uint64_t model_seed = 1,
                    const MakeOptimizer& make = make_adam)
      : model(model_seed), optimizer(make(model)), trainer(model, *optimizer, options) {}

  LossFunction loss() {
    return [this](const Batch& batch, Real divisor) { return model.loss(batch, divisor); };
  }
  /// On batches that training does not see.
  EvaluateFunction evaluate() {
    return [this] {
      Numbered held_out;
      held_out.number = 1000;
      double total = 0;
      for (int i = 0; i < 3; ++i) {
        const Batch batch = held_out.next();
        total += static_cast<double>(model.loss(batch, static_cast<Real>(batch.weight())).item());
      }
      return Evaluation{total / 3, -total, {{"bleu", 1.5}}};
    };
  }
  Observers observers(std::int64_t stop_at = -1) {
    return {
        .on_step = [this](const StepReport& report) { reports.push_back(report); },
        .on_evaluation = [this](const EvaluationReport& report) { evaluations.push_back(report); },
        .should_stop =
            [this, stop_at] {
              return !reports.empty() ? reports.back().step == stop_at : stop_at == 0;
            }};
  }
  TrainResult run(std::int64_t stop_at = -1) { return run(evaluate(), observers(stop_at)); }
  TrainResult run(const EvaluateFunction& by, const Observers& observers) {
    return run(loss(), by, observers);
  }
  TrainResult run(const LossFunction& of, const EvaluateFunction& by, const Observers& observers) {
    FunctionObjective objective(data, of, by);
    return trainer.run(objective, observers);
  }
};

Checkpoint last_of(const std::string& folder) { return load(RunFolder(folder).last()); }

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// Every checkpoint of a run by name, to the byte.
std::map<std::string, std::string> checkpoints_of(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(RunFolder(folder).checkpoints()))
    files[entry.path().filename()] = bytes_of(entry.path());
  return files;
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

TrainerOptions options(Index steps, std::string folder = "") {
  return {.steps = steps, .seed = 3, .folder = std::move(folder)};
}

struct Setting {
  const char* name;
  TrainerOptions options;
  MakeOptimizer make = make_adam;
};
std::vector<Setting> settings() {
  std::vector<Setting> rows;
  rows.push_back({"plain", options(12)});
  rows.push_back({"accumulate", options(12)});
  rows.back().options.accumulate = 2;
  rows.push_back({"everything", options(12)});
  auto& o = rows.back().options;
  o.accumulate = 2;
  o.log_every = 5;
  o.eval_every = 3;
  o.save_every = 4;
  o.average = 3;
  o.clip = 0.5;
  o.schedule = {.kind = "inverse_sqrt", .warmup = 4};
  rows.push_back({"cosine, patience", options(12)});
  auto& p = rows.back().options;
  p.eval_every = 2;
  p.patience = 2;
  p.log_every = 1;
  p.keep = 0;
  p.save_every = 5;
  p.schedule = {.kind = "cosine", .warmup = 3, .final = 0.1};
  rows.push_back({"averaged at the end", options(11)});
  rows.back().options.eval_every = 4;
  rows.back().options.save_every = 2;
  rows.back().options.log_every = 3;
  rows.back().options.average_at_end = 4;
  rows.push_back({"linear", options(12)});
  rows.back().options.schedule = {.kind = "linear"};
  rows.push_back({"muon, wsd", options(12), make_muon});
  rows.back().options.schedule = {.kind = "wsd", .warmup = 3};
  rows.back().options.save_every = 5;
  rows.push_back({"schedule-free", options(12), make_schedule_free});
  rows.back().options.schedule = {.kind = "constant", .warmup = 3};
  rows.back().options.eval_every = 3;
  rows.back().options.save_every = 4;
  rows.push_back({"moving average", options(12)});
  rows.back().options.ema = 0.8;
  rows.back().options.accumulate = 2;
  rows.back().options.eval_every = 3;
  rows.back().options.save_every = 4;
  return rows;
}

TEST(Trainer, ResumesToTheBitAfterEveryStep) {
  const TemporaryFolder folder;
  int made = 0;
  for (const Setting& setting : settings()) {
    TrainerOptions whole = setting.options;
    whole.folder = folder.path("whole-" + std::to_string(++made));
    Training uninterrupted(whole, 1, setting.make);
    const TrainResult expected = uninterrupted.run();
    EXPECT_FALSE(expected.interrupted);
    for (Index k = 0; k < expected.step; ++k) {
      TrainerOptions parts = setting.options;
      parts.folder = folder.path("parts-" + std::to_string(made) + "-" + std::to_string(k));
      const TrainResult first = Training(parts, 1, setting.make).run(k);
      EXPECT_TRUE(first.interrupted);
      EXPECT_EQ(first.step, k);
      Training second(parts, /*model_seed=*/99,
                      setting.make);  // what it starts with does not matter
      ASSERT_TRUE(second.trainer.resume());
      const TrainResult result = second.run();
      EXPECT_EQ(result.step, expected.step);
      EXPECT_EQ(result.stopped_early, expected.stopped_early);
      EXPECT_EQ(result.best_step, expected.best_step);
      EXPECT_EQ(difference(last_of(whole.folder), last_of(parts.folder)), "")
          << setting.name << ", step " << k;
      EXPECT_EQ(checkpoints_of(whole.folder), checkpoints_of(parts.folder))
          << setting.name << ", step " << k;
      EXPECT_EQ(timeless_rows(whole.folder), timeless_rows(parts.folder))
          << setting.name << ", step " << k;
    }
  }
}

TEST(Trainer, ResumesToTheBitAfterBeingKilled) {
  const TemporaryFolder folder;
  int made = 0;
  for (const Setting& setting : settings()) {
    TrainerOptions whole = setting.options;
    whole.folder = folder.path("whole-" + std::to_string(++made));
    // what a kill within each step, and within each evaluation, leaves on the disk
    std::vector<std::string> killed;
    const auto leave = [&](const char* when) {
      killed.push_back(folder.path(fmt::format("killed-{}-{}-{}", made, killed.size(), when)));
      std::filesystem::copy(whole.folder, killed.back(), std::filesystem::copy_options::recursive);
      std::ofstream(RunFolder(killed.back()).metrics(), std::ios::app)
          << R"({"step": 1, "spl)";  // cut short
      std::ofstream(RunFolder(killed.back()).checkpoints() / "last.heed.partial") << "HEED";
    };
    Training uninterrupted(whole, 1, setting.make);
    Observers observers;
    observers.on_step = [&](const StepReport&) { leave("step"); };
    observers.on_evaluation = [&](const EvaluationReport&) { leave("evaluation"); };
    observers.on_average = [&](const AverageReport&) { leave("average"); };
    uninterrupted.run(uninterrupted.evaluate(), observers);
    EXPECT_GE(killed.size(), 13u);
    for (const std::string& left : killed) {
      TrainerOptions again = setting.options;
      again.folder = left;
      Training second(again, 1, setting.make);
      second.trainer.resume();  // nothing had been saved before the first checkpoint
      second.run();
      EXPECT_EQ(checkpoints_of(whole.folder), checkpoints_of(left)) << setting.name << ", " << left;
      EXPECT_EQ(timeless_rows(whole.folder), timeless_rows(left)) << setting.name << ", " << left;
    }
  }
}

enum class FailsIn { data, loss, step, evaluation };
constexpr const char* failure = "the disk was pulled out";

struct FailingData : Numbered {
  std::function<void()> before;
  Batch next() override {
    before();
    return Numbered::next();
  }
};

/// Trains until `where` throws, at or after `step`.
void train_until_failure(Training& training, FailsIn where, Index step) {
  Index steps = 0;
  const auto fail_when = [&](bool now) {
    if (now) throw Error(failure);
  };
  FailingData data;
  data.before = [&] { fail_when(where == FailsIn::data && steps == step); };
  const LossFunction loss = [&](const Batch& batch, Real divisor) {
    fail_when(where == FailsIn::loss && steps == step);
    return training.model.loss(batch, divisor);
  };
  const EvaluateFunction evaluate = [&] {
    fail_when(where == FailsIn::evaluation && steps >= step);
    return training.evaluate()();
  };
  Observers observers;
  observers.on_step = [&](const StepReport& report) {
    steps = report.step;
    fail_when(where == FailsIn::step && steps == step);
  };
  FunctionObjective objective(data, loss, evaluate);
  training.trainer.run(objective, observers);
}

/// A run that fails is saved, and goes on as `whole` from where it failed.
void expect_saved(const TemporaryFolder& folder, const TrainerOptions& whole, FailsIn where,
                  Index step) {
  const std::string name = fmt::format("broken-{}-{}", static_cast<int>(where), step);
  TrainerOptions broken = whole;
  broken.folder = folder.path(name);
  auto first = std::make_unique<Training>(broken);
  const std::string message = folder.message([&] { train_until_failure(*first, where, step); });
  const Index saved = where == FailsIn::evaluation ? (step + 3) / 4 * 4 : step;
  EXPECT_EQ(message, fmt::format("{}; step {} is saved, and can be resumed from", failure, saved))
      << name;
  EXPECT_FALSE(first->model.weight.gradient().defined());
  EXPECT_EQ(last_of(broken.folder).number("step"), saved);
  Training second(broken, 99);
  EXPECT_EQ(folder.message([&] { second.trainer.resume(); }),
            name +
                ": another process is training here; wait until it has ended, or choose another "
                "folder");
  first.reset();
  ASSERT_TRUE(second.trainer.resume());
  second.run();
  EXPECT_EQ(checkpoints_of(whole.folder), checkpoints_of(broken.folder)) << name;
  EXPECT_EQ(timeless_rows(whole.folder), timeless_rows(broken.folder)) << name;
}

TEST(Trainer, SavesWhatWasTrainedBeforeAnError) {
  const TemporaryFolder folder;
  TrainerOptions whole = options(12, folder.path("whole"));
  whole.save_every = 5;
  whole.eval_every = 4;
  whole.log_every = 3;
  whole.average = 2;
  Training(whole).run();
  for (const FailsIn where : {FailsIn::data, FailsIn::loss, FailsIn::step, FailsIn::evaluation})
    for (const Index step : {2, 4, 5, 8, 10, 11})
      expect_saved(folder, whole, where, step);
}

TEST(Trainer, WritesNothingIntoAFolderThatTookItsPlace) {
  const TemporaryFolder folder;
  TrainerOptions o = options(6, folder.path("run"));
  o.save_every = 2;
  Training training(o);
  Observers observers;
  observers.on_step = [&](const StepReport& report) {
    if (report.step != 3) return;
    std::filesystem::rename(folder.path("run"), folder.path("away"));
    std::filesystem::create_directories(RunFolder(o.folder).checkpoints());
  };
  EXPECT_EQ(folder.message([&] { training.run(training.evaluate(), observers); }),
            folder.path("run").substr(folder.path("").size()) +
                ": the folder was moved or removed; nothing more is written");
  EXPECT_TRUE(std::filesystem::is_empty(RunFolder(o.folder).checkpoints()));
  EXPECT_EQ(last_of(folder.path("away")).number("step"), 2);
}

TEST(Trainer, TakesAllOfACheckpointOrNothing) {
  const TemporaryFolder folder;
  TrainerOptions o = options(4, folder.path("run"));
  o.save_every = 2;
  o.average = 2;
  Training(o).run();
  const std::string last = RunFolder(o.folder).last().string();
  const Checkpoint whole = load(last);
  const struct {
    std::function<void(Checkpoint&)> change;
    const char* message;
  } rows[] = {{[](Checkpoint& c) { c.lists.erase("data"); },
               "the checkpoint has no entry data; it was not written by training"},
              {[](Checkpoint& c) { c.lists["average.steps"].assign(3, 2); },
               "the checkpoint lacks weights of step 2, which it says it averages"},
              {[](Checkpoint& c) { c.numbers["row_steps"] = -1; },
               "the checkpoint counts to -1; it was not written by training"}};
  for (const auto& row : rows) {
    Checkpoint changed = whole;
    row.change(changed);
    save(changed, last);
    Training other(o, 99);
    const auto before = other.model.weight.value().to_vector();
    EXPECT_EQ(folder.message([&] { other.trainer.resume(); }),
              std::string("run/checkpoints/last.heed: ") + row.message);
    EXPECT_EQ(other.model.weight.value().to_vector(), before) << row.message;
  }
}

TEST(Trainer, ContinuesInTheSameProgram) {
  Training whole(options(12));
  Training parts(options(12));
  whole.run();
  EXPECT_TRUE(parts.run(5).interrupted);
  parts.reports.clear();
  EXPECT_FALSE(parts.run().interrupted);
  EXPECT_EQ(parts.model.weight.value().to_vector(), whole.model.weight.value().to_vector());
}

TEST(Trainer, DependsOnItsSeedAlone) {
  Training a(options(4));
  Training b(options(4));
  TrainerOptions other = options(4);
  other.seed = 4;
  Training c(other);
  step_random().next_key();
  a.run();
  b.run();
  c.run();
  EXPECT_EQ(a.model.table.value().to_vector(), b.model.table.value().to_vector());
  EXPECT_NE(a.model.table.value().to_vector(), c.model.table.value().to_vector());
}

TEST(Trainer, FollowsTheLoopWrittenByHand) {
  TrainerOptions o = options(5);
  o.accumulate = 2;
  o.clip = 0.1;
  o.schedule = {.kind = "constant", .warmup = 3};
  Training run(o);
  run.run();
  Toy model;
  Adam adam(model, {.lr = 0.05});
  Numbered data;
  for (Index step = 1; step <= 5; ++step) {
    const Batch batches[] = {data.next(), data.next()};
    const auto gold = static_cast<Real>(
        std::count_if(batches[0].gold.span().begin(), batches[0].gold.span().end(),
                      [](Id id) { return id != 0; }) +
        std::count_if(batches[1].gold.span().begin(), batches[1].gold.span().end(),
                      [](Id id) { return id != 0; }));
    DrawGradients sum;
    for (std::size_t i = 0; i < 2; ++i) {
      step_random() = draw_random(3, step, i);
      Tape tape;
      tape.backward(model.loss(batches[i], gold));
      sum = i == 0 ? take_gradients(model) : sum_of(sum, take_gradients(model));
    }
    give_gradients(model, sum);
    const double norm = adam.gradient_norm();
    EXPECT_NEAR(run.reports[step - 1].gradient_norm, norm, 1e-9);
    adam.step(0.05 * std::min(1.0, static_cast<double>(step) / 3), 0.1 / norm);
    adam.clear_gradients();
  }
  EXPECT_EQ(model.weight.value().to_vector(), run.model.weight.value().to_vector());
}

TEST(Trainer, Learns) {
  TrainerOptions o = options(150);
  o.eval_every = 50;
  Training run(o);
  const TrainResult result = run.run();
  EXPECT_LT(result.best->loss, 0.3);
  EXPECT_LT(run.evaluations.back().evaluation.loss, 0.5 * run.reports.front().loss);
}

TEST(Trainer, ReportsEveryStep) {
  TrainerOptions o = options(6);
  o.eval_every = 4;
  Training run(o);
  const TrainResult result = run.run();
  ASSERT_EQ(run.reports.size(), 6u);
  for (Index i = 0; i < 6; ++i) {
    const StepReport& report = run.reports[i];
    EXPECT_EQ(report.step, i + 1);
    EXPECT_EQ(report.steps, 6);
    EXPECT_NEAR(report.done, static_cast<double>(i + 1) / 6, 1e-12);
    EXPECT_NEAR(report.perplexity, std::exp(report.loss), 1e-9);
    EXPECT_EQ(report.lr, 0.05);
    EXPECT_GT(report.gradient_norm, 0);
    EXPECT_GT(report.tokens_per_s, 0);
    EXPECT_GE(report.seconds_left, 0);
  }
  EXPECT_EQ(run.reports.back().seconds_left, 0);
  ASSERT_EQ(run.evaluations.size(), 2u) << "at 4 and at the end";
  EXPECT_EQ(run.evaluations[0].step, 4);
  EXPECT_EQ(run.evaluations[1].step, 6);
  EXPECT_TRUE(run.evaluations[0].best);
  EXPECT_GT(result.seconds, 0);
  EXPECT_TRUE(run.model.training) << "back from evaluation";
}

TEST(Trainer, WritesMetrics) {
  const TemporaryFolder folder;
  TrainerOptions o = options(7, folder.path("run"));
  o.log_every = 3;
  o.eval_every = 5;
  Training run(o);
  const TrainResult result = run.run();
  const auto rows = rows_of(o.folder);
  std::string order;
  for (const auto& row : rows)
    order += row["split"].get<std::string>() + " " + std::to_string(row["step"].get<int>()) + ", ";
  EXPECT_EQ(order, "train 3, valid 5, train 6, train 7, valid 7, ");
  const std::vector<const char*> train = {"loss",          "perplexity", "objective",    "lr",
                                          "gradient_norm", "tokens",     "tokens_per_s", "seconds"};
  const std::vector<const char*> valid = {"loss", "perplexity", "score", "seconds", "bleu"};
  for (const auto& row : rows)
    for (const char* column : row["split"] == "train" ? train : valid)
      EXPECT_TRUE(row.contains(column) && row[column].is_number())
          << column << " in " << row.dump();
  EXPECT_EQ(rows[3]["loss"].get<double>(), result.loss);
}

/// The loss of a row is the mean over its steps, weighted by their gold tokens.
TEST(Trainer, WritesTheMeansOfARow) {
  const TemporaryFolder folder;
  TrainerOptions o = options(3, folder.path("run"));
  o.log_every = 3;
  Training run(o);
  std::vector<double> losses;  // of each step
  const LossFunction noting = [&](const Batch& batch, Real divisor) {
    const Variable loss = run.model.loss(batch, divisor);
    losses.push_back(loss.item());
    return loss;
  };
  run.run(noting, {}, run.observers());
  Numbered data;
  double loss = 0;
  double norm = 0;
  Index gold = 0;
  for (Index i = 0; i < 3; ++i) {
    const Index n = data.next().weight();
    loss += losses[i] * static_cast<double>(n);
    gold += n;
    norm += run.reports[i].gradient_norm / 3;
    EXPECT_NEAR(run.reports[i].loss, loss / static_cast<double>(gold), 1e-9) << "of the row so far";
  }
  const nlohmann::json row = rows_of(o.folder).at(0);
  EXPECT_NEAR(row["loss"].get<double>(), loss / static_cast<double>(gold), 1e-9);
  EXPECT_EQ(row["loss"].get<double>(), run.reports[2].loss) << "what the screen shows";
  EXPECT_EQ(row["objective"].get<double>(), row["loss"].get<double>()) << "one loss alone";
  EXPECT_NEAR(row["gradient_norm"].get<double>(), norm, 1e-9);
}

/// Batches of the given gold, over and over; the id `ignored` adds nothing.
struct GoldOf : BatchStream {
  std::string describe(std::span<const Index> lines) const override { return lines_text(lines); }
  std::vector<std::vector<Id>> gold;
  std::optional<Id> ignored;
  std::size_t at = 0;
  GoldOf(std::vector<std::vector<Id>> g, std::optional<Id> i) : gold(std::move(g)), ignored(i) {}
  Batch next() override {
    const std::vector<Id>& ids = gold[at++ % gold.size()];
    Batch batch;
    batch.gold = Ids({std::ssize(ids)});
    std::copy(ids.begin(), ids.end(), batch.gold.data());
    batch.ignored = ignored;
    return batch;
  }
  std::vector<std::int64_t> position() const override { return {static_cast<std::int64_t>(at)}; }
  void seek(std::span<const std::int64_t> position) override {
    at = static_cast<std::size_t>(position[0]);
  }
};

TEST(Trainer, CountsTheGoldThatItsBatchDoesNotIgnore) {
  const struct {
    const char* name;
    std::vector<std::vector<Id>> gold;  // of the batches of a step
    std::optional<Id> ignored;
    double divisor;  // 0: nothing to learn from
  } rows[] = {{"class 0 and another", {{0, 0, 0, 1}}, std::nullopt, 4},
              {"class 0 alone", {{0, 0, 0, 0}}, std::nullopt, 4},
              {"padding", {{0, 0, 0, 1}}, 0, 1},
              {"another padding", {{0, 2, 0, 1}}, 2, 3},
              {"padding alone", {{0, 0}}, 0, 0},
              {"two batches", {{0, 1}, {0, 0, 0}}, std::nullopt, 5},
              {"two batches, one of padding", {{0, 1, 1}, {0, 0, 0}}, 0, 2},
              {"negative padding", {{-1, 1, 0}}, -1, 2}};
  for (const auto& row : rows) {
    Toy model;
    Sgd sgd(model, {.lr = 0});
    TrainerOptions o = options(2);
    o.log_every = 1;
    o.accumulate = std::ssize(row.gold);
    Trainer trainer(model, sgd, o);
    GoldOf data(row.gold, row.ignored);
    std::vector<double> losses;
    const Observers observers{.on_step = [&](const StepReport& r) { losses.push_back(r.loss); }};
    const LossFunction loss = [&](const Batch& batch, Real divisor) {
      EXPECT_EQ(divisor, row.divisor) << row.name;
      const Variable zeros = matmul(Tensor::zeros({batch.gold.size(), classes}), model.weight) * 0;
      const Variable logits = matmul(zeros, model.weight, {.b = true});
      return cross_entropy(logits, batch.gold, {.ignore = batch.ignored, .divisor = divisor});
    };
    const std::string message = message_of([&] {
      FunctionObjective objective(data, loss);
      trainer.run(objective, observers);
    });
    const bool nothing = message.find("every draw has weight 0") != std::string::npos;
    EXPECT_EQ(nothing, row.divisor == 0) << row.name;
    for (const double found : losses)
      EXPECT_NEAR(found, std::log(8.0), 1e-5) << row.name;
    EXPECT_EQ(losses.size(), row.divisor == 0 ? 0u : 2u) << row.name << ": " << message;
  }
}

/// Optimises twice the plain loss plus 1.
LossFunction with_penalty(Toy& model) {
  return [&model](const Batch& batch, Real divisor) {
    const Variable plain = model.loss(batch, divisor);
    const double nats = static_cast<double>(plain.item()) * static_cast<double>(divisor);
    return BatchLoss(plain * 2 + static_cast<Real>(batch.weight()) / divisor, nats);
  };
}

TEST(Trainer, ShowsThePlainLossAndWhatIsOptimisedBesideIt) {
  const TemporaryFolder folder;
  for (const Index accumulate : {1, 3}) {
    TrainerOptions o = options(6, folder.path(fmt::format("run-{}", accumulate)));
    o.log_every = 4;
    o.accumulate = accumulate;
    Training run(o);
    const LossFunction loss_function = with_penalty(run.model);
    const TrainResult result = run.run(loss_function, {}, run.observers());
    const auto rows = rows_of(o.folder);
    ASSERT_EQ(rows.size(), 2u);
    for (const auto& row : rows) {
      const double loss = row["loss"].get<double>();
      EXPECT_NEAR(row["perplexity"].get<double>(), std::exp(loss), 1e-9);
      EXPECT_NEAR(row["objective"].get<double>(), 2 * loss + 1, 1e-5) << accumulate;
      const StepReport& report = run.reports[row["step"].get<std::size_t>() - 1];
      EXPECT_EQ(report.loss, loss);
      EXPECT_EQ(report.perplexity, std::exp(loss));
      EXPECT_EQ(report.objective, row["objective"].get<double>());
    }
    EXPECT_EQ(result.loss, rows[1]["loss"].get<double>());
  }
}

TEST(Trainer, GoesOnWithTheRowOfACheckpointThatKnewOneLossAlone) {
  const TemporaryFolder folder;
  TrainerOptions o = options(6, folder.path("run"));
  o.log_every = 4;
  Training whole(o);
  whole.run();
  const auto expected = rows_of(o.folder);
  for (const bool old : {false, true}) {
    o.folder = folder.path(old ? "old" : "new");
    Training(o).run(2);
    if (old) {
      Checkpoint checkpoint = last_of(o.folder);
      checkpoint.reals.erase("row_nats");
      save(checkpoint, RunFolder(o.folder).last());
    }
    Training on(o);
    ASSERT_TRUE(on.trainer.resume());
    on.run();
    const auto rows = rows_of(o.folder);
    ASSERT_EQ(rows.size(), expected.size());
    for (const char* column : {"loss", "perplexity", "objective"})
      EXPECT_EQ(rows[0][column], expected[0][column]) << column << (old ? " of an old one" : "");
  }
}

TEST(Trainer, KeepsTheNewestTheLastAndTheBest) {
  const TemporaryFolder folder;
  TrainerOptions o = options(11, folder.path("run"));
  o.save_every = 2;
  o.eval_every = 3;
  o.keep = 2;
  o.text = {{"config", "d = 6"}};
  Training run(o);
  const TrainResult result = run.run();
  const RunFolder files(o.folder);
  EXPECT_EQ(files.steps(), (std::vector<Index>{10, 11}));
  EXPECT_EQ(files.step(10).filename().string(), "step-000010.heed");
  EXPECT_EQ(difference(load(files.last()), load(files.step(11))), "");
  EXPECT_EQ(load(files.last()).text.at("config"), "d = 6");
  const Checkpoint best = load(files.best());
  EXPECT_EQ(best.number("step"), result.best_step);
  EXPECT_EQ(best.real("best_loss"), result.best->loss);
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(files.checkpoints()))
    names.insert(entry.path().filename().string());
  EXPECT_EQ(names, (std::set<std::string>{"best.heed", "last.heed", "step-000010.heed",
                                          "step-000011.heed"}));
  ASSERT_TRUE(run.trainer.load_best());
  EXPECT_NEAR(run.evaluate()().loss, result.best->loss, 1) << "with dropout: about";
  EXPECT_EQ(run.model.weight.value().to_vector(), best.find("model.weight")->to_vector());
}

/// Evaluations that give `losses` one after the other.
EvaluateFunction scripted(std::vector<double> losses) {
  return [losses, i = std::size_t{0}]() mutable {
    return Evaluation{losses[std::min(i++, losses.size() - 1)], 0, {}};
  };
}

TEST(Trainer, StopsWhenPatienceIsOver) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const struct {
    std::vector<double> losses;
    int patience;
    Index step;
    Index best_step;
    bool early;
  } rows[] = {
      {{3, 2, 1}, 1, 8, 6, true},  // the fourth is 1 again
      {{3, 4, 5, 1}, 2, 6, 2, true},   {{3, 4, 2, 4, 4}, 2, 10, 6, true},
      {{3, 4, 5, 6}, 0, 20, 2, false}, {{3, nan, nan}, 2, 6, 2, true},
      {{nan}, 3, 6, 0, true},
  };
  for (const auto& row : rows) {
    TrainerOptions o = options(20);
    o.eval_every = 2;
    o.patience = row.patience;
    Training run(o);
    const TrainResult result = run.run(scripted(row.losses), {});
    EXPECT_EQ(result.step, row.step);
    EXPECT_EQ(result.best_step, row.best_step);
    EXPECT_EQ(result.best.has_value(), row.best_step > 0);
    EXPECT_EQ(result.stopped_early, row.early);
    EXPECT_EQ(run.trainer.load_best(), row.best_step > 0);
  }
}

TEST(Trainer, LoadsTheBestWeightsFromMemory) {
  TrainerOptions o = options(6);
  o.eval_every = 2;
  Training run(o);
  Training shorter(options(4));
  run.run(scripted({3, 1, 2}), {});
  shorter.run();
  EXPECT_NE(run.model.weight.value().to_vector(), shorter.model.weight.value().to_vector());
  ASSERT_TRUE(run.trainer.load_best());
  EXPECT_EQ(run.model.weight.value().to_vector(), shorter.model.weight.value().to_vector());
}

TEST(Trainer, EvaluatesTheAverage) {
  // Saved at 2, 4, 6, 8; average = 3: at 6 the mean of 2, 4 and 6, at 7 of 4, 6 and 7, at 9 of 6, 8
  // and 9.
  TrainerOptions o = options(9);
  o.save_every = 2;
  o.eval_every = 1;
  o.average = 3;
  Training run(o);
  std::vector<std::vector<Real>> seen;
  std::vector<std::vector<Real>> raw;
  Observers observers;
  observers.on_step = [&](const StepReport&) {
    raw.push_back(run.model.weight.value().to_vector());
  };
  run.run(
      [&] {
        EXPECT_FALSE(run.model.training);
        seen.push_back(run.model.weight.value().to_vector());
        return Evaluation{10.0 - static_cast<double>(seen.size()), 0, {}};
      },
      observers);
  const std::vector<std::vector<Index>> of = {{1},       {2},       {2, 3},    {2, 4},   {2, 4, 5},
                                              {2, 4, 6}, {4, 6, 7}, {4, 6, 8}, {6, 8, 9}};
  ASSERT_EQ(seen.size(), of.size());
  for (std::size_t i = 0; i < of.size(); ++i)
    for (std::size_t j = 0; j < raw[0].size(); ++j) {
      double mean = 0;
      for (Index step : of[i])
        mean += static_cast<double>(raw[step - 1][j]) / static_cast<double>(of[i].size());
      EXPECT_NEAR(seen[i][j], mean, 1e-6);
    }
  EXPECT_EQ(run.model.weight.value().to_vector(), raw.back())
      << "training goes on with its own weights";
  ASSERT_TRUE(run.trainer.load_best());
  EXPECT_EQ(run.model.weight.value().to_vector(), seen.back());
}

/// The weights that each evaluation sees.
std::vector<std::vector<Real>> seen_weights(Training& run, std::vector<std::vector<Real>>& raw) {
  std::vector<std::vector<Real>> seen;
  Observers observers;
  observers.on_step = [&](const StepReport&) {
    raw.push_back(run.model.weight.value().to_vector());
  };
  run.run(
      [&] {
        seen.push_back(run.model.weight.value().to_vector());
        return Evaluation{10.0 - static_cast<double>(seen.size()), 0, {}};
      },
      observers);
  return seen;
}

TEST(Trainer, EvaluatesTheMovingAverage) {
  TrainerOptions o = options(9);
  o.eval_every = 1;
  o.ema = 0.5;
  Training run(o);
  std::vector<std::vector<Real>> raw;
  const std::vector<std::vector<Real>> seen = seen_weights(run, raw);
  ASSERT_EQ(seen.size(), 9u);
  for (std::size_t t = 0; t < seen.size(); ++t)
    for (std::size_t j = 0; j < raw[0].size(); ++j) {
      double sum = 0;
      double factors = 0;
      for (std::size_t k = 0; k <= t; ++k) {
        const double factor = std::pow(0.5, t - k);
        sum += factor * static_cast<double>(raw[k][j]);
        factors += factor;
      }
      EXPECT_NEAR(seen[t][j], sum / factors, 1e-6);
    }
  EXPECT_EQ(run.model.weight.value().to_vector(), raw.back())
      << "training goes on with its own weights";
  ASSERT_TRUE(run.trainer.load_best());
  EXPECT_EQ(run.model.weight.value().to_vector(), seen.back());
}

TEST(Trainer, KeepsTheMovingAverageWithoutEvaluation) {
  const TemporaryFolder folder;
  TrainerOptions o = options(4, folder.path("run"));
  o.ema = 0.5;
  Training run(o);
  run.run(EvaluateFunction(), {});
  const Checkpoint last = last_of(o.folder);
  EXPECT_EQ(last.number("ema_steps"), 4);
  const std::vector<Real> raw = run.model.bias.value().to_vector();
  EXPECT_EQ(last.find("model.bias")->to_vector(), raw);
  ASSERT_TRUE(run.trainer.load_best());
  EXPECT_EQ(run.model.bias.value().to_vector(), last.find("ema.bias")->to_vector());
  EXPECT_NE(run.model.bias.value().to_vector(), raw);
}

TEST(Trainer, EvaluatesAndSavesTheAverageOfAnOptimizer) {
  const TemporaryFolder folder;
  TrainerOptions o = options(6, folder.path("run"));
  o.eval_every = 1;
  Training run(o, 1, make_schedule_free);
  std::vector<std::vector<Real>> raw;
  const std::vector<std::vector<Real>> seen = seen_weights(run, raw);
  EXPECT_NE(seen.back(), raw.back());
  EXPECT_EQ(run.optimizer->weights_to_use()[1].tensor.to_vector(), seen.back());
  EXPECT_EQ(run.model.weight.value().to_vector(), raw.back()) << "it goes on learning at y";
  EXPECT_EQ(last_of(o.folder).find("model.weight")->to_vector(), seen.back());
  EXPECT_EQ(load(RunFolder(o.folder).best()).find("model.weight")->to_vector(), seen.back());
}

/// Numbers by the order in which they are asked for.
struct Answers {
  std::vector<double> losses;
  std::size_t next = 0;
  Evaluation operator()() { return {losses.at(next++), 0, {}}; }
};

struct AtEnd {
  const char* what;
  Index save_every;
  int most;
  std::vector<double> losses;  // at the steps 4, 8 and 9, and of the means of 2, 3, ...
  Index chosen;
  std::vector<Index> steps;  // whose mean is the best
};

const std::vector<AtEnd>& at_end_rows() {
  static const std::vector<AtEnd> rows = {
      {"the mean of three", 2, 4, {5, 4, 3, 2.5, 2, 2.2}, 3, {6, 8, 9}},
      {"the first of equal ones", 2, 3, {5, 4, 3, 2, 2}, 2, {8, 9}},
      {"the last alone", 2, 3, {5, 4, 3, 3, 3.1}, 1, {9}},
      {"an earlier one alone", 2, 3, {5, 2, 3, 2.5, 2}, 1, {8}},
      {"no more than were saved", 4, 9, {5, 4, 3, 2.5, 2}, 3, {4, 8, 9}},
      {"a save at the end", 3, 3, {5, 4, 3, 2.5, 2}, 3, {3, 6, 9}},
      {"nothing was saved before", 9, 3, {5, 4, 3}, 1, {9}},
      {"a loss that is no number", 2, 3, {5, 4, 3, std::nan(""), 2}, 3, {6, 8, 9}}};
  return rows;
}

TEST(Trainer, ChoosesAMeanAtTheEnd) {
  const TemporaryFolder folder;
  for (const AtEnd& row : at_end_rows()) {
    TrainerOptions o = options(9, folder.path(row.what));
    o.save_every = row.save_every;
    o.eval_every = 4;
    o.average_at_end = row.most;
    Training run(o);
    std::vector<std::vector<Real>> raw{{}};
    std::vector<AverageReport> reports;
    Observers observers;
    observers.on_step = [&](const StepReport&) {
      raw.push_back(run.model.weight.value().to_vector());
    };
    observers.on_average = [&](const AverageReport& report) { reports.push_back(report); };
    const TrainResult result = run.run(Answers{row.losses}, observers);
    EXPECT_EQ(run.model.weight.value().to_vector(), raw.back()) << row.what;
    ASSERT_TRUE(run.trainer.load_best());
    for (std::size_t j = 0; j < raw[1].size(); ++j) {
      double mean = 0;
      for (const Index step : row.steps)
        mean += static_cast<double>(raw[step][j]) / static_cast<double>(row.steps.size());
      EXPECT_NEAR(run.model.weight.value()[static_cast<Index>(j)], mean, 1e-6) << row.what;
    }
    const std::size_t tries = row.losses.size() - 3;
    ASSERT_EQ(reports.size(), tries > 0 ? 1u : 0u) << row.what;
    EXPECT_EQ(result.best_step, row.steps.back()) << row.what;
    std::vector<double> weights;
    for (const nlohmann::json& metrics : rows_of(o.folder))
      if (metrics["split"] == "average") weights.push_back(metrics["weights"]);
    ASSERT_EQ(weights.size(), tries) << row.what;
    if (tries == 0) continue;
    EXPECT_EQ(reports[0].chosen, row.chosen) << row.what;
    EXPECT_EQ(reports[0].tries.size(), tries) << row.what;
    EXPECT_EQ(reports[0].best_loss, result.best->loss) << row.what;
    EXPECT_EQ(weights.front(), 2) << row.what;
  }
}

// A try that is interrupted, or a kill in it, is made again: once in the metrics, to the same
// bytes.
TEST(Trainer, MakesItsMeansAgainWhereTheyWereInterrupted) {
  const TemporaryFolder folder;
  TrainerOptions whole = options(9, folder.path("whole"));
  whole.save_every = 2;
  whole.eval_every = 4;
  whole.average_at_end = 4;
  Training(whole).run();
  for (int fails = 3; fails < 6; ++fails) {  // evaluations at 4, 8 and 9, then three means
    TrainerOptions o = whole;
    o.folder = folder.path(fmt::format("failed-{}", fails));
    Training first(o);
    int evaluations = 0;
    EXPECT_EQ(message_of([&] {
                first.run(
                    [&] {
                      if (evaluations++ == fails) throw Error(failure);
                      return first.evaluate()();
                    },
                    {});
              }),
              fmt::format("{}; step 9 is saved, and can be resumed from", failure));
    std::filesystem::copy(o.folder, o.folder + "-again", std::filesystem::copy_options::recursive);
    o.folder += "-again";
    Training second(o, 99);
    ASSERT_TRUE(second.trainer.resume());
    second.run();
    EXPECT_EQ(checkpoints_of(whole.folder), checkpoints_of(o.folder)) << fails;
    EXPECT_EQ(timeless_rows(whole.folder), timeless_rows(o.folder)) << fails;
  }
  // A run that has ended makes none.
  Training ended(whole, 99);
  ASSERT_TRUE(ended.trainer.resume());
  ended.run([]() -> Evaluation { throw Error("evaluated"); }, {});
}

TEST(Trainer, AveragesNothingWhereItIsStopped) {
  TrainerOptions o = options(9);
  o.save_every = 2;
  o.average_at_end = 4;
  Training run(o);
  Observers observers = run.observers(6);
  observers.on_average = [](const AverageReport&) { FAIL(); };
  EXPECT_TRUE(run.run(run.evaluate(), observers).interrupted);
}

TEST(Trainer, EndsByPatienceThoughAMeanIsBetter) {
  TrainerOptions o = options(20);
  o.save_every = 1;
  o.eval_every = 1;
  o.patience = 2;
  o.average_at_end = 2;
  Training run(o);
  const TrainResult result = run.run(Answers{{1, 2, 3, 0.5}}, {});
  EXPECT_EQ(result.step, 3);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(result.best->loss, 0.5);
}

TEST(Trainer, AveragesWithoutEvaluation) {
  const TemporaryFolder folder;
  TrainerOptions o = options(4, folder.path("run"));
  o.save_every = 2;
  o.average = 2;
  Training run(o);
  std::vector<std::vector<Real>> raw;
  Observers observers;
  observers.on_step = [&](const StepReport&) { raw.push_back(run.model.bias.value().to_vector()); };
  run.run(EvaluateFunction(), observers);
  ASSERT_TRUE(run.trainer.load_best());
  const std::vector<Real> mean = run.model.bias.value().to_vector();
  for (std::size_t i = 0; i < mean.size(); ++i)
    EXPECT_NEAR(mean[i], (raw[1][i] + raw[3][i]) / 2, 1e-6) << "of the steps 2 and 4";
}

TEST(Trainer, StopsWhenItsTimeIsOver) {
  TrainerOptions o{.seconds = 0.2, .schedule = {.kind = "linear", .warmup = 2}, .seed = 3};
  Training run(o);
  const TrainResult result = run.run();
  EXPECT_GT(result.step, 2);
  EXPECT_GE(result.seconds, 0.2);
  EXPECT_LT(run.reports.back().lr, 0.02) << "the schedule goes by the time";
  EXPECT_NEAR(run.reports[1].lr, 0.05, 1e-9);
  EXPECT_EQ(run.evaluations.size(), 1u);
  EXPECT_EQ(run.reports[0].steps, 0);
}

TEST(Trainer, PassesOverBatchesWithoutGold) {
  TrainerOptions o = options(2);
  o.accumulate = 2;
  Training run(o);
  run.data.without_gold = {1};
  run.run();
  EXPECT_TRUE(std::isfinite(run.reports.back().loss));
}

void expect_no_requests(TrainerOptions o, const MakeOptimizer& make) {
  Training run(o, 1, make);
  std::vector<std::size_t> requests;
  std::vector<std::size_t> live;
  Observers observers;
  observers.on_step = [&](const StepReport&) {
    requests.push_back(memory::statistics().system_requests);
    live.push_back(memory::statistics().live);
  };
  run.run(EvaluateFunction(), observers);
  EXPECT_EQ(requests[5], requests.back());
  EXPECT_LT(live.back(), live[5] + 4096) << "batches differ in size, and nothing piles up";
}

TEST(Trainer, AsksTheSystemForNoMemory) {
  TrainerOptions averaged = options(40);
  averaged.ema = 0.9;
  expect_no_requests(options(40), make_adam);
  expect_no_requests(averaged, make_adam);
  expect_no_requests(options(40), make_muon);
  expect_no_requests(options(40), make_schedule_free);
}

TEST(Trainer, FollowsTheTimeIntoTheDecay) {
  TrainerOptions o{.seconds = 0.3, .schedule = {.kind = "wsd", .warmup = 2, .decay_share = 0.5}};
  Training run(o);
  run.run();
  EXPECT_LT(run.reports.back().lr, 0.05);
  for (const StepReport& report : run.reports) {
    if (report.step < 2 || report.seconds > 0.1) continue;
    EXPECT_NEAR(report.lr, 0.05, 1e-9) << report.step;
  }
}

TEST(Trainer, EndsByWhatWasRead) {
  struct Row {
    // five batches an epoch
    Index steps;
    Index epochs;
    Index accumulate;
    Index expected;
    EndedBy ended_by;
  };
  for (const Row& row : {Row{0, 2, 1, 10, EndedBy::epochs}, Row{0, 2, 4, 3, EndedBy::epochs},
                         Row{0, 1, 8, 1, EndedBy::epochs}, Row{7, 2, 1, 7, EndedBy::steps},
                         Row{12, 2, 1, 10, EndedBy::epochs}}) {
    TrainerOptions o = options(row.steps);
    o.epochs = row.epochs;
    o.accumulate = row.accumulate;
    Training run(o);
    const TrainResult result = run.run();
    EXPECT_EQ(result.step, row.expected);
    EXPECT_EQ(result.trained, row.expected);
    EXPECT_EQ(result.ended_by, row.ended_by);
    EXPECT_EQ(run.data.number, row.expected * row.accumulate);
  }
}

TEST(Trainer, TheScheduleFollowsTheExpectedEnd) {
  TrainerOptions o = options(0);
  o.epochs = 2;
  o.expected_steps = 8;
  o.schedule = {.kind = "linear", .warmup = 0, .final = 0.5};
  Training run(o);
  EXPECT_EQ(run.run().step, 10) << "what was read ends it, though it was counted wrongly";
  ASSERT_EQ(run.reports.size(), 10u);
  EXPECT_DOUBLE_EQ(run.reports[3].lr, 0.05 * 0.75);
  EXPECT_DOUBLE_EQ(run.reports[7].lr, 0.05 * 0.5);
  EXPECT_DOUBLE_EQ(run.reports[9].lr, 0.05 * 0.5);
  EXPECT_EQ(run.reports[3].steps, 8);
  EXPECT_EQ(run.reports[9].steps, 10);
}

TEST(Trainer, RefusesOptionsOutOfRange) {
  const struct {
    std::function<void(TrainerOptions&)> change;
    const char* message;
  } rows[] = {
      {[](TrainerOptions& o) { o.steps = 0; },
       "[trainer] expected a limit; set steps, epochs or seconds"},
      {[](TrainerOptions& o) { o.accumulate = 0; },
       "[trainer] expected accumulate of at least 1; got 0"},
      {[](TrainerOptions& o) { o.average = 3; },
       "[trainer] expected save_every above 0: average = 3 takes the weights that it saves; got "
       "0"},
      {[](TrainerOptions& o) { o.average_at_end = 3; },
       "[trainer] expected save_every above 0: average_at_end = 3 takes the weights that it saves; "
       "got 0"},
      {[](TrainerOptions& o) { o.average_at_end = 1; },
       "[trainer] expected average_at_end of at least 2, or 0 for none; got 1"},
      {[](TrainerOptions& o) {
         o.save_every = 1;
         o.average = 2;
         o.average_at_end = 3;
       },
       "[trainer] expected one of average and average_at_end; got 2 and 3"},
      {[](TrainerOptions& o) { o.ema = 1; }, "[trainer] expected ema within [0, 1); got 1"},
      {[](TrainerOptions& o) {
         o.save_every = 1;
         o.average = 2;
         o.ema = 0.9;
       },
       "[trainer] expected one of ema, average and average_at_end; got 0.9, 2 and 0"},
      {[](TrainerOptions& o) { o.steps = -1; },
       "[trainer] expected steps and seconds of at least 0; got -1 and 0"},
  };
  for (const auto& row : rows) {
    TrainerOptions o = options(3);
    row.change(o);
    EXPECT_EQ(message_of([&] { Training(o).run(); }), row.message);
  }
}

TEST(Trainer, RefusesTwoAverages) {
  TrainerOptions o = options(3);
  o.ema = 0.9;
  EXPECT_EQ(message_of([&] { Training(o, 1, make_schedule_free); }),
            "[trainer] expected no ema, average or average_at_end with an optimizer that averages "
            "the weights");
}

TEST(Trainer, RefusesAStepWithoutGold) {
  Training empty(options(3));
  empty.data.without_gold = {1};
  EXPECT_EQ(message_of([&] { empty.run(); }),
            "step 2: every draw has weight 0; there is nothing to learn from");
}

TEST(Trainer, RefusesARunThatItCannotResume) {
  const TemporaryFolder folder;
  const std::string run_folder = folder.path("run");
  Training(options(2, run_folder)).run();
  EXPECT_EQ(folder.message([&] { Training(options(2, run_folder)).run(); }),
            "run: holds a run already; resume it, or choose another folder");
  TrainerOptions seed = options(4, run_folder);
  seed.seed = 8;
  EXPECT_EQ(folder.message([&] { Training(seed).trainer.resume(); }),
            "run/checkpoints/last.heed: it was trained with seed 3, not 8");
  EXPECT_FALSE(Training(options(2, folder.path("new"))).trainer.resume());
  EXPECT_FALSE(Training(options(2)).trainer.resume());
  EXPECT_EQ(folder.message([&] { Training(options(4, run_folder)).trainer.resume("step-1"); }),
            "run/checkpoints: no checkpoint 'step-1' here");
  folder.write("run/checkpoints/last.heed", "HEEDCKPT");
  EXPECT_EQ(folder.message([&] { Training(options(4, run_folder)).trainer.resume(); }),
            "run/checkpoints/last.heed: truncated: 8 bytes are left; use another checkpoint");
}

TEST(Trainer, RefusesACheckpointOfAnotherOptimizer) {
  const TemporaryFolder folder;
  const std::string run_folder = folder.path("run");
  Training(options(2, run_folder)).run();
  Toy model;
  Sgd sgd(model, {.momentum = 0.9});
  const auto before = model.weight.value().to_vector();
  const std::string message =
      folder.message([&] { Trainer(model, sgd, options(4, run_folder)).resume(); });
  EXPECT_TRUE(
      message.starts_with("run/checkpoints/last.heed: the checkpoint does not fit the "
                          "model: missing: optimizer.sgd.m.table"))
      << message;
  EXPECT_EQ(model.weight.value().to_vector(), before);
}

TEST(Trainer, StopsBeforeALossThatIsNotFinite) {
  const TemporaryFolder folder;
  TrainerOptions o = options(5);
  o.accumulate = 2;
  Training run(o);
  int calls = 0;
  std::vector<Real> before;
  Observers observers;
  observers.on_step = [&](const StepReport&) { before = run.model.weight.value().to_vector(); };
  const LossFunction loss = [&](const Batch& batch, Real divisor) {
    const Variable l = run.model.loss(batch, divisor);
    return ++calls == 4 ? l * std::numeric_limits<Real>::quiet_NaN() : l;
  };
  const std::string message = folder.message([&] { run.run(loss, {}, observers); });
  EXPECT_EQ(message.rfind("step 2: the loss is nan on lines 31, 32", 0), 0u) << message;
  EXPECT_EQ(run.model.weight.value().to_vector(), before);
  EXPECT_FALSE(run.model.weight.gradient().defined());
  EXPECT_EQ(run.run().step, 5) << "can be tried again, from the same batch";
  EXPECT_EQ(run.data.number, 10);

  Training steep(options(5));
  const LossFunction infinite = [&](const Batch& batch, Real divisor) {
    return steep.model.loss(batch, divisor) + sum(sqrt(steep.model.bias));  // d sqrt(x) / dx at 0
  };
  const std::string norm = folder.message([&] { steep.run(infinite, {}, {}); });
  EXPECT_EQ(norm.rfind("step 1: the norm of the gradients is inf: [sqrt] inf in the gradient of "
                       "layer bias, on each of lines 1, 2",
                       0),
            0u)
      << norm;
}

TEST(MetricsLog, KeepsTheRowsOfTheStepsThatCount) {
  const TemporaryFolder folder;
  const std::string path = folder.write(
      "metrics.jsonl",
      "{\"step\": 1}\n{\"step\": 5}\nnonsense\n[1]\n{\"step\": 6}\n{\"split\": \"valid\", "
      "\"step\": 4}\n{\"split\": \"valid\", \"step\": 3}\n{\"step\": 2}\n{\"st");
  {
    MetricsLog log(path, 5, 3);
    log.write(7, "train", {{"loss", 0.5}, {"perplexity", std::numeric_limits<double>::infinity()}},
              {{"bleu", 2}});
  }
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(),
            "{\"step\": 1}\n{\"step\": 5}\n{\"split\": \"valid\", \"step\": 3}\n{\"step\": "
            "2}\n{\"step\":7,\"split\":\"train\",\"loss\":0.5,\"perplexity\":null,\"bleu\":2.0}\n");
}

}  // namespace
}  // namespace heed
