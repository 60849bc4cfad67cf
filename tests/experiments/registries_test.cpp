// The tables of what can be chosen by name: their rows, and rows of a program's own.

#include <set>

#include <gtest/gtest.h>

#include "datasets/corpora/corpora.h"
#include "datasets/metrics/metrics.h"
#include "datasets/text/tokenizer_kinds.h"
#include "experiments/inference/run.h"
#include "experiments/inference/toml.h"
#include "experiments/task_works.h"
#include "experiments/training.h"
#include "layers/attention/attentions.h"
#include "layers/attention/scored.h"
#include "models/recurrent_seq2seq.h"
#include "tests/datasets/temporary.h"
#include "tests/framework/threads.h"

namespace heed {
namespace {

/// Checks what every table needs: rows, with names that a setting and a command line can hold.
template <class Row>
void expect_names(const Registry<Row>& table, std::size_t least) {
  std::set<std::string> names;
  for (const Row& row : table.rows()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " twice";
    EXPECT_EQ(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_+"),
              std::string::npos)
        << row.name;
    EXPECT_EQ(&table.at(row.name), &row);
  }
  EXPECT_GE(names.size(), least);
}

bool lists(AnyOptions options, const char* name) { return fields_of(options).has(name); }

TEST(Registries, EveryRowIsComplete) {
  expect_names(model_families(), 12);
  for (const ModelFamily& row : model_families().rows()) {
    EXPECT_TRUE(row.make || row.make_language_model) << row.name;
    EXPECT_TRUE(row.longest_side && !row.help.empty()) << row.name;
    EXPECT_TRUE(lists(row.options, "d") && lists(row.options, "dropout")) << row.name;
  }
  expect_names(attentions(), 13);
  for (const AttentionKind& row : attentions().rows())
    EXPECT_TRUE(row.make && !row.paper.empty()) << row.name;
  expect_names(optimizers(), 3);
  for (const OptimizerKind& row : optimizers().rows())
    EXPECT_TRUE(row.make && !row.paper.empty() && lists(row.options, "lr")) << row.name;
  expect_names(schedules(), 4);
  for (const ScheduleKind& row : schedules().rows())
    EXPECT_TRUE(row.factor) << row.name;
  expect_names(tokenizer_kinds(), 4);
  for (const TokenizerKind& row : tokenizer_kinds().rows())
    EXPECT_TRUE(row.train && row.open && !row.help.empty()) << row.name;
  expect_names(corpora(), 6);
  for (const CorpusKind& row : corpora().rows())
    EXPECT_TRUE(row.open && !row.help.empty()) << row.name;
  expect_names(metrics(), 4);
  for (const Metric& row : metrics().rows())
    EXPECT_TRUE(row.corpus && !row.help.empty() && !row.main.empty()) << row.name;
  expect_names(tasks(), 3);
  EXPECT_EQ(task_works().names(), tasks().names());
  for (const Task& row : tasks().rows()) {
    EXPECT_TRUE(row.takes && row.make && !row.help.empty()) << row.name;
    const TaskWork& work = task_works().at(row.name);
    EXPECT_TRUE(work.open && work.objective && work.sample && work.evaluate) << row.name;
    EXPECT_EQ(work.compared.empty(), work.answers == nullptr) << row.name;
    for (const ComparedFigure& figure : work.compared)
      EXPECT_TRUE(metrics().at(figure.metric).counts && !figure.title.empty()) << figure.metric;
  }
}

// Rows of a program's own ------------------------------------------------------------------------
// They stay in the tables of this process, so their names are no other's.

/// score = 2 q . m
struct DoubledAttention : DotAttention {
  static inline int made = 0;
  DoubledAttention(Index query, Index memory) : DotAttention(query, memory) { ++made; }
  bool points() const override { return false; }

 protected:
  Variable scores(const Variable& queries, const Variable& keys, const Pairing& pairing,
                  const Variable& covered) const override {
    return DotAttention::scores(queries, keys, pairing, covered) * 2;
  }
};

/// A recurrent model with the attention above, and a setting of its own.
struct PenalizedOptions {
  static inline double last_penalty = 0;  // of the model that was made last
  Index d = 16;
  double dropout = 0;
  double penalty = 0.5;

  void list(Fields& f) {
    f("d", d, even(2, 1024), "width");
    f("dropout", dropout, between(0.0, 0.9), "probability of dropping an entry");
    f("penalty", penalty, between(0.0, 10.0), "of this test alone");
  }
};

std::unique_ptr<Seq2Seq> make_penalized(const AnyOptions& any, VocabularySizes sizes,
                                        Random& random) {
  const auto& options = any.as<PenalizedOptions>();
  PenalizedOptions::last_penalty = options.penalty;
  return std::make_unique<RecurrentSeq2Seq>(
      RecurrentSeq2SeqOptions{.vocabulary = sizes.target,
                              .source_vocabulary = sizes.source,
                              .d = options.d,
                              .attention = "own_doubled",
                              .dropout = static_cast<Real>(options.dropout)},
      random);
}

struct SignOptions {
  double lr = 1e-3;
  double rest = 0;

  void list(Fields& f) {
    f("lr", lr, between(0.0, 1.0), "peak learning rate");
    f("rest", rest, between(0.0, 1.0), "of this test alone");
  }
};

/// m <- sign(g), p <- p - lr m. It keeps m so that a checkpoint has something to restore.
class OwnSign : public Optimizer {
 public:
  static inline std::vector<double> rates = {};  // of each step, of the first parameter
  OwnSign(AnyModule model, const SignOptions& options) : Optimizer(model, options.lr, {"own.m"}) {}

 private:
  void prepare(UpdateSlot& slot, const Shape&, std::int64_t, double lr) const override {
    if (slot.begin == 0) rates.push_back(lr);
    slot.rate = static_cast<Real>(lr);
  }
  void update(std::span<const UpdateSlot> slots, Real) override {
    for (const UpdateSlot& slot : slots)
      for (Index i = 0; slot.gradient && i < slot.size; ++i) {
        Real& m = moment(0)[slot.begin + i];
        m = static_cast<Real>((slot.gradient[i] > 0) - (slot.gradient[i] < 0));
        slot.value[i] -= slot.rate * m;
      }
  }
};

void add_own_rows() {
  if (model_families().find("own_penalized")) return;
  attentions().add(
      {.name = "own_doubled",
       .paper = "none",
       .make = [](const AttentionOptions& o, Random&) -> std::unique_ptr<AttentionLayer> {
         return std::make_unique<DoubledAttention>(o.query, o.memory);
       }});
  model_families().add({.name = "own_penalized",
                        .help = "of this test alone",
                        .paper = "none",
                        .options = PenalizedOptions{},
                        .defaults = {{"optim.name", "own_sign"}, {"optim.schedule", "own_halving"}},
                        .make = make_penalized});
  optimizers().add({.name = "own_sign",
                    .paper = "none",
                    .options = SignOptions{},
                    .make = [](AnyModule model, const AnyOptions& options) {
                      return std::make_unique<OwnSign>(model, options.as<SignOptions>());
                    }});
  schedules().add({.name = "own_halving", .factor = [](const Schedule&, Index step, double) {
                     return 1 / static_cast<double>(Index{1} << step);
                   }});
}

/// Names the family alone: it brings optimizer and schedule.
Settings own_settings(const char* steps) {
  Settings settings = default_settings("own_penalized", {"toy:copy"});
  for (const auto& [key, value] : {std::pair("model.penalty", "0.75"),
                                   {"optim.rest", "0.25"},
                                   {"optim.lr", "0.125"},
                                   {"optim.warmup", "0"},
                                   {"train.steps", steps}})
    settings.set(key, value);
  return settings;
}

std::vector<Tensor> weights_of(const std::string& folder) {
  std::vector<Tensor> weights;
  const Run run = open_run(folder, "last");
  for (const auto& [name, parameter] : parameters(*run.model))
    weights.push_back(parameter.value());
  return weights;
}

TEST(Registries, RowsOfAProgramAreTrainedByName) {
  add_own_rows();
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  DoubledAttention::made = 0;
  OwnSign::rates = {};
  EXPECT_EQ(Training(own_settings("3"), run).run().step, 3);
  EXPECT_GE(DoubledAttention::made, 1);
  EXPECT_EQ(PenalizedOptions::last_penalty, 0.75);
  EXPECT_EQ(OwnSign::rates, (std::vector<double>{0.0625, 0.03125, 0.015625}));
  EXPECT_FALSE(open_run(run).translate("a b c").ids.empty());

  Settings resumed = read_run_settings(run);
  resumed.set("train.steps", "5");
  EXPECT_EQ(Training(resumed, run, {.resume = true}).run().trained, 2);
  EXPECT_EQ(OwnSign::rates.back(), 0.00390625);
  const std::string straight = folder.path("straight");
  Training(own_settings("5"), straight).run();
  EXPECT_EQ(test::first_difference(weights_of(run), weights_of(straight)), "");
}

TEST(Registries, SettingsOfAProgramAreReadBack) {
  add_own_rows();
  const TemporaryFolder folder;
  const Settings written = own_settings("3");
  folder.write("config.toml", to_toml(written.fields()));
  const Settings read = read_run_settings(folder.path(""));
  EXPECT_EQ(to_toml(read.fields()), to_toml(written.fields()));
  EXPECT_EQ(read.value("model.penalty"), FieldValue(0.75));
  EXPECT_EQ(read.value("optim.rest"), FieldValue(0.25));
  EXPECT_EQ(read.optim.name, "own_sign");
  EXPECT_EQ(read.optim.schedule.kind, "own_halving");

  struct Row {
    const char* model;
    const char* key;
    const char* value;
    const char* message;
  };
  for (const Row& row :
       {Row{"own_penalized", "model.penalty", "11",
            "model.penalty: expected a number from 0 to 10; got 11"},
        Row{"own_penalized", "model.penalti", "1",
            "unknown setting 'model.penalti'; did you mean 'model.penalty'?"},
        Row{"conv", "model.penalty", "1",
            "conv has no setting model.penalty: it is for own_penalized"},
        Row{"conv", "optim.rest", "1", "adam has no setting optim.rest: it is for own_sign"}}) {
    Settings settings = default_settings(row.model);
    EXPECT_EQ(folder.message([&] { settings.set(row.key, row.value); }), row.message);
  }
}

TEST(Registries, ARowOfATakenNameIsRefused) {
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([] { optimizers().add(optimizers().at("adam")); }),
            "[optimizer] there is one of the name adam already");
  EXPECT_EQ(folder.message([] { metrics().add({}); }), "[metric] expected a name; got none");
}

}  // namespace
}  // namespace heed
