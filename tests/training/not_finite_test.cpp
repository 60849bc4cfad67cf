// Where a number that is not finite came from: op, layer and lines.

#include "training/not_finite.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>

#include <gtest/gtest.h>

#include "datasets/text/batch.h"
#include "datasets/text/batching.h"
#include "datasets/text/text_windows.h"
#include "tests/datasets/temporary.h"
#include "tests/lines_text.h"
#include "tests/models/tiny.h"
#include "tests/training/function_objective.h"

namespace heed {
namespace {

constexpr Real huge = std::numeric_limits<Real>::max();
constexpr Real not_a_number = std::numeric_limits<Real>::quiet_NaN();

struct NoData : BatchStream {
  std::string describe(std::span<const Index> lines) const override { return lines_text(lines); }
  Batch next() override { return {}; }
  std::vector<std::int64_t> position() const override { return {}; }
  void seek(std::span<const std::int64_t>) override {}
};

/// The model of a family with its loss, whatever its type.
struct Family {
  const char* name;
  std::shared_ptr<BatchModel> model;
  LossFunction loss() const {
    return [m = model](const Batch& batch, Real divisor) {
      return m->loss(batch, {.ignore = ignored_id, .divisor = divisor});
    };
  }
  Tensor value(const std::string& parameter) const {
    for (const auto& [name_, p] : parameters(*model))
      if (name_ == parameter) return p.value();
    ADD_FAILURE() << name << " has no " << parameter;
    return Tensor::zeros({1});
  }
};
std::shared_ptr<BatchModel> recurrent(const std::string& name, Real dropout) {
  const auto& all = tiny_recurrents();
  const auto row = std::ranges::find(all, name, &TinyRecurrent::name);
  return of_batches(tiny_recurrent(*row, dropout));
}

std::vector<Family> families(Real dropout = Real(0.1)) {
  return {{"transformer", of_batches(tiny_transformer(NormPlace::pre, dropout))},
          {"conv", of_batches(tiny_convolutional(false, dropout))},
          {"rnn", recurrent("lstm", dropout)},
          {"rnn+additive", recurrent("gru, additive", dropout)},
          {"rnn+dot", recurrent("lstm, dot", dropout)},
          {"lm", of_batches(tiny_language_model(dropout))}};
}

constexpr Id marked = tiny_vocabulary - 1;

/// Four lines, which people call 10, 20, 30 and 40. Only the sources and targets of the lines named
/// hold `marked`.
Batch batch_for(const BatchModel& model, const std::vector<std::size_t>& with_mark,
                Widths widths = {}) {
  Lines sources = random_lines({3, 5, 2, 4}, 11, marked);
  Lines targets = random_lines({4, 2, 3, 5}, 12, marked);
  for (std::size_t i : with_mark) {
    sources[i].back() = marked;
    targets[i].front() = marked;
  }
  Batch batch = make_batch(model.reads_source() ? sources : Lines{}, targets, widths);
  batch.lines = {9, 19, 29, 39};
  return batch;
}

std::string explained(const NotFiniteStep& step, AnyModule model, const LossFunction& loss) {
  NoData data;
  return explain(step, model, FunctionObjective(data, loss));
}

std::string explained(const Family& family, std::span<const Batch> batches,
                      const NotFiniteStep& step = {.step = 8, .seed = 5, .divisor = 16}) {
  const auto draws = draws_of(batches);
  NotFiniteStep s = step;
  s.draws = draws;
  s.value = std::numeric_limits<double>::infinity();
  return explained(s, *family.model, family.loss());
}

TEST(NotFinite, HealthyStepsOfEveryFamilyPass) {
  for (const Family& family : families()) {
    const Batch batch = batch_for(*family.model, {});
    EXPECT_EQ(
        explained(family, {&batch, 1}),
        "step 8: the loss is inf on lines 10, 20, 30, 40; lower the learning rate, or look at "
        "these (on_nan = skip passes over such steps)")
        << family.name << ": nothing to be found";
  }
}

TEST(NotFinite, WeightsAreToBlameWhereTheyHoldIt) {
  for (const Family& family : families()) {
    const auto all = parameters(*family.model);
    for (std::size_t i = 0; i < all.size(); i += 3) {
      const auto& [name, p] = all[i];
      const Real kept =
          std::exchange(p.value()[p.value().size() - 1],
                        i % 2 == 0 ? not_a_number : -std::numeric_limits<Real>::infinity());
      const Batch batch = batch_for(*family.model, {});
      EXPECT_EQ(explained(family, {&batch, 1}),
                fmt::format("step 8: the loss is inf: the weights of layer {} ({}) are not finite "
                            "since an earlier step; begin a new run with a lower learning rate",
                            name.substr(0, name.rfind('.')), name))
          << family.name;
      p.value()[p.value().size() - 1] = kept;
    }
  }
}

TEST(NotFinite, NamesTheLayerThatOverflows) {
  const struct {
    std::size_t family;
    const char* layer;
    const char* parameter;
    const char* op;
  } rows[] = {
      {0, "encoder.0.attention.input", "weight", "linear"},
      {0, "encoder.1.feed_forward.down", "weight", "linear"},
      {0, "decoder.0.cross.query", "weight", "linear"},
      {0, "decoder.1.cross.memory", "weight", "linear"},
      {0, "decoder.1.feed_forward.up", "weight", "linear"},
      {1, "decoder.0.query", "gain", "weight_norm"},
      {1, "decoder.1.back", "gain", "weight_norm"},
      {2, "encoder.forward.0.input", "weight", "linear"},
      {2, "encoder.backward.0.input", "weight", "linear"},
      {2, "decoder.0.input", "weight", "linear"},
      {3, "encoder.forward.0", "weight", "gru"},
      {3, "decoder.attention.query", "weight", "linear"},
      {3, "decoder.attention.key", "weight", "linear"},
      {4, "decoder.combine", "weight", "linear"},
      {5, "layers.0.attention.input", "weight", "linear"},
      {5, "layers.1.feed_forward.down", "weight", "linear"},
  };
  for (const auto& row : rows) {
    const Family family = families()[row.family];
    Tensor value = family.value(fmt::format("{}.{}", row.layer, row.parameter));
    for (Real& x : value.span())
      x = huge;
    const Batch batch = batch_for(*family.model, {});
    const std::string message = explained(family, {&batch, 1});
    EXPECT_TRUE(message.starts_with(fmt::format("step 8: the loss is inf: [{}] ", row.op)))
        << family.name << ": " << message;
    EXPECT_NE(message.find(fmt::format(" in layer {}, on ", row.layer)), std::string::npos)
        << family.name << ": " << message;
    EXPECT_EQ(message.find(" -nan"), std::string::npos) << message;
  }
}

TEST(NotFinite, NamesTheLinesThatGiveItAlone) {
  const struct {
    std::vector<std::size_t> marked;
    const char* lines;
  } rows[] = {{{1}, ", on line 20; "},
              {{0, 3}, ", on lines 10, 40; "},
              {{0, 1, 2, 3}, ", on each of lines 10, 20, 30, 40; "}};
  for (const Family& family : families(0))
    for (const auto& row : rows)
      for (const Widths widths : {Widths{}, Widths{7, 8}}) {
        const Batch batches[] = {batch_for(*family.model, {}),
                                 batch_for(*family.model, row.marked, widths)};
        double whole = 0;
        double alone = 0;
        const LossFunction loss = [&](const Batch& batch, Real divisor) {
          const Variable value = family.loss()(batch, divisor).optimised;
          if (batch.lines.size() == 1)
            alone += value.item();
          else
            whole = value.item();
          const auto marks = [](const Ids& ids) {
            return std::count(ids.span().begin(), ids.span().end(), marked);
          };
          const bool both = marks(batch.target.ids) > 0 &&
                            (batch.source.spans.count() == 0 || marks(batch.source.ids) > 0);
          return both ? value + log(Tensor::zeros({})) : value;
        };
        const auto draws = draws_of(batches);
        const std::string message =
            explained({.step = 8, .seed = 5, .divisor = 16, .draws = draws}, *family.model, loss);
        EXPECT_NE(message.find(row.lines), std::string::npos) << family.name << ": " << message;
        EXPECT_NEAR(alone, whole, 1e-5 * whole)
            << family.name << ": a batch gives what its lines give";
      }
}

/// Gives a number for each token: table[id].
struct Numbers {
  Parameter table;
  Parameter unused;
  Numbers()
      : table(Tensor({6, 1}, {1, 2, huge * Real(0.7), 0, -1, 3})), unused(Tensor::zeros({2})) {}
  void visit(Visitor& v) {
    v("table", table);
    v("unused", unused);
  }
};

/// Lines of tokens, numbered from `first_line` on; every token has gold.
Batch numbers(const Lines& lines, Index first_line) {
  Batch batch{.source = {}, .target = pack(lines), .gold = {}, .lines = {}, .ignored = ignored_id};
  batch.gold = Ids::full({batch.target.spans.rows()}, 1);
  for (std::size_t i = 0; i < lines.size(); ++i)
    batch.lines.push_back(first_line + static_cast<Index>(i));
  return batch;
}

Batch without_gold(Batch batch) {
  batch.gold = Ids::full({batch.gold.size()}, ignored_id);
  return batch;
}

Batch without_gold_in_line_2(Batch batch) {
  batch.gold[1] = ignored_id;
  return batch;
}

/// The loss function of a model.
using LossOf = std::function<LossFunction(Numbers&)>;

/// The sum of f over the numbers of all tokens.
LossOf sum_of(const std::function<Variable(const Variable&)>& f) {
  return [f](Numbers& m) -> LossFunction {
    return [&m, f](const Batch& batch, Real divisor) {
      return sum(f(embedding(batch.target.ids, m.table))) * (1 / divisor);
    };
  };
}

struct StepRow {
  const char* name;
  std::vector<Batch> batches;
  LossOf loss;
  Real divisor;
  const char* expected;  // the beginning, after what is wrong with the step
  DrawOrder order = DrawOrder::tree;
};

const LossOf same = sum_of([](const Variable& x) { return x; });
const LossOf twice = sum_of([](const Variable& x) { return x * 2; });
const LossOf root = sum_of([](const Variable& x) { return sqrt(x); });
const LossOf recomputed_root = sum_of([](const Variable& x) {
  return recompute([](std::span<const Variable> v) { return sqrt(v[0]) * 1; }, {{x}});
});

void expect_message(const StepRow& row) {
  Numbers model;
  const auto draws = draws_of(row.batches);
  const NotFiniteStep step{.step = 3,
                           .seed = 1,
                           .divisor = row.divisor,
                           .draws = draws,
                           .order = row.order,
                           .gradient = true,
                           .value = std::numeric_limits<double>::infinity()};
  const std::string message = explained(step, model, row.loss(model));
  const std::string begin = "step 3: the norm of the gradients is inf: ";
  EXPECT_TRUE(message.starts_with(begin + row.expected)) << row.name << ": " << message;
  EXPECT_FALSE(model.table.gradient().defined()) << row.name;
}

TEST(NotFinite, FindsTheBatchesAndLinesThatGiveIt) {
  const Batch plain = numbers({{0, 1}, {5}}, 100);
  const Batch big = numbers({{2}, {0}, {2, 1}}, 0);
  const StepRow rows[] = {
      {"the sum alone",
       {plain, big},
       same,
       1,
       "[sum] inf in layer table, on lines 1, 2, 3 together; lower the learning rate, or look at "
       "these"},
      {"each of two",
       {plain, big},
       twice,
       1,
       "[*] inf in layer table, on lines 1, 3; lower the learning rate, or look at these"},
      {"a line without gold",
       {without_gold_in_line_2(numbers({{2}, {2}, {3}}, 400))},
       twice,
       1,
       "[*] inf in layer table, on line 401; lower the learning rate, or look at these"},
      {"a batch without gold",
       {without_gold(numbers({{2}, {2}}, 300)), big},
       twice,
       1,
       "[*] inf in layer table, on lines 1, 3; lower the learning rate, or look at these"},
      {"many",
       {numbers(Lines(14, {2}), 0)},
       twice,
       1,
       "[*] inf in layer table, on each of lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more; lower "
       "the learning rate ("},
  };
  for (const StepRow& row : rows)
    expect_message(row);
}

TEST(NotFinite, FollowsGradientsAndTheDivisor) {
  const Batch plain = numbers({{0, 1}, {5}}, 100);
  const Batch zero = numbers({{5, 3}, {1}, {3}}, 200);
  const StepRow rows[] = {
      {"in the gradient",
       {plain, zero},
       root,
       1,
       "[sqrt] inf in the gradient of layer table, on lines 201, 203; lower the learning rate, or "
       "look at these"},
      {"in a gradient that is recomputed",
       {plain, zero},
       recomputed_root,
       1,
       "[sqrt] inf in the gradient of layer table, on lines 201, 203; lower"},
      {"by the divisor",
       {plain},
       same,
       std::numeric_limits<Real>::min() / 16,
       "[*] inf in layer table, on each of lines 101, 102; lower the learning rate ("},
      {"by adding up gradients",
       {numbers({{0}}, 0), numbers({{0}}, 1)},
       same,
       Real(1.6) / huge,
       "[embedding] inf in the gradient of layer table, on line 2; lower",
       DrawOrder::running},
  };
  for (const StepRow& row : rows)
    expect_message(row);
}

TEST(NotFinite, DropoutIsThatOfTheStep) {
  // The line gives it unless dropout drops its only number. The step decides what is dropped.
  Numbers model;
  std::vector<bool> expected;
  std::string seen;
  const Batch batch = numbers({{2}}, 0);
  const LossFunction loss = [&](const Batch& b, Real) {
    return sum(dropout(embedding(b.target.ids, model.table), Real(0.5), step_random().next_key()));
  };
  for (Index step = 1; step <= 12; ++step) {
    step_random() = Random(5, static_cast<std::uint64_t>(step));
    const bool bad = !std::isfinite(loss(batch, 1).optimised.item());
    const auto draws = draws_of({&batch, 1});
    const std::string message =
        explained({.step = step, .seed = 5, .divisor = 1, .draws = draws}, model, loss);
    EXPECT_EQ(message.find("[dropout]") != std::string::npos, bad) << message;
    seen += bad ? 'b' : 'g';
  }
  EXPECT_NE(seen.find('b'), std::string::npos);
  EXPECT_NE(seen.find('g'), std::string::npos);
}

TEST(NotFinite, LinesAreCalledAsInTheirFile) {
  const TemporaryFolder folder;
  std::string tsv;
  // lines 4, 11, 18 ... are blank
  for (int i = 0; i < 200; ++i)
    tsv += i % 7 == 3 ? "\n" : fmt::format("a{}\tb\n", i);
  const std::string path = folder.write("train.tsv", tsv);
  const auto pairs = [&] { return open_pairs({path}, {}, Split::train, 1); };
  const auto kept = pairs();
  for (Index i = 0; i < kept->size(); i += 13)
    EXPECT_EQ(kept->at(i).source, fmt::format("a{}", kept->line(i) - 1)) << i;
  const auto [rest, held] = hold_out(pairs(), 40, 2);
  for (Index i = 0; i < rest->size(); i += 5)
    EXPECT_EQ(rest->at(i).source, fmt::format("a{}", rest->line(i) - 1)) << i;
  const Tokenizers words = train_tokenizer("words", {}, [](const TakeLine& take) { take("a b"); });
  const PairBatches batches(*kept, words, {});
  EXPECT_EQ(batches.describe(std::vector<Index>{3, 0}), "lines 1, 5 of " + path);
  EXPECT_EQ(batches.describe(std::vector<Index>{6}), "line 8 of " + path);
  const auto toy = open_pairs({"toy:copy"}, {}, Split::train, 1);
  EXPECT_EQ(PairBatches(*toy, words, {}).describe(std::vector<Index>{41}), "line 42 of toy:copy");
  const TextWindows windows(std::vector<Id>(50, 5), {}, {.context = 8});
  EXPECT_EQ(windows.describe(std::vector<Index>{0, 30}),
            "the windows from tokens 1, 31 of the text on");
}

}  // namespace
}  // namespace heed
