// R-Drop (Liang et al. 2021): its loss by the definition, its random numbers, and its training.

#include <cmath>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "experiments/text_objective.h"
#include "experiments/training.h"
#include "framework/ops.h"
#include "framework/run_folder.h"
#include "tests/datasets/temporary.h"
#include "tests/models/tiny.h"

namespace heed {
namespace {

constexpr std::uint64_t seed = 12;
constexpr Real alpha = Real(1.7);

/// A model of each task, with a batch that has rows that do not count.
struct Case {
  std::string name;
  std::shared_ptr<Model> model;
  BatchLoss plain;
  BatchLogits logits;
  Batch batch;
};

template <class M>
Case make_case(const std::string& name, std::shared_ptr<M> model, Batch batch) {
  randomize(*model);
  return {name, model, batch_loss(*model), batch_logits(*model), std::move(batch)};
}

Batch ragged_batch(bool with_sources) {
  const Lines sources = with_sources ? random_lines({5, 2, 3}, 1) : Lines{};
  Batch batch = make_batch(sources, random_lines({2, 6, 1}, 2));
  batch.gold[1] = ignored_id;
  return batch;
}

std::vector<Case> cases() {
  const Real dropout = Real(0.3);
  Random random(1);
  std::vector<Case> all;
  all.push_back(make_case("transformer",
                          std::make_shared<Transformer>(tiny_transformer(NormPlace::pre, dropout)),
                          ragged_batch(true)));
  all.push_back(make_case("conv", std::make_shared<ConvS2S>(tiny_convolutional(false, dropout)),
                          ragged_batch(true)));
  for (const TinyRecurrent& row : tiny_recurrents())
    if (!row.options.copy && row.options.coverage == 0)
      all.push_back(make_case(row.name,
                              std::make_shared<RecurrentSeq2Seq>(tiny_recurrent(row, dropout)),
                              ragged_batch(true)));
  all.push_back(make_case("lm", std::make_shared<LanguageModel>(tiny_language_model(dropout)),
                          ragged_batch(false)));
  Batch labelled;
  labelled.source = pack(random_lines({5, 2, 3, 4}, 1));
  labelled.gold = Ids({4}, {2, 0, ignored_id, 1});
  labelled.ignored = ignored_id;
  const TransformerOptions encoder{.d = 16, .layers = 2, .heads = 4, .dropout = dropout};
  all.push_back(make_case("classifier",
                          std::make_shared<Classifier>(
                              text_classifier(tiny_vocabulary, {.classes = 3, .dropout = dropout},
                                              make_encoder(encoder, random), random)),
                          labelled));
  return all;
}

using Rows = std::vector<std::vector<double>>;

/// log softmax of each row, in double.
Rows log_probabilities(const Tensor& logits) {
  Rows rows;
  for (Index i = 0; i < logits.rows(); ++i) {
    double total = 0;
    for (Index c = 0; c < logits.columns(); ++c)
      total += std::exp(static_cast<double>(logits[i * logits.columns() + c]));
    rows.emplace_back();
    for (Index c = 0; c < logits.columns(); ++c)
      rows.back().push_back(static_cast<double>(logits[i * logits.columns() + c]) -
                            std::log(total));
  }
  return rows;
}

struct Defined {
  double optimised = 0;
  double nats = 0;
};

/// The definition, half of equation 4 with smoothed targets, over the rows that count.
Defined defined(const Rows& p, const Rows& q, const Batch& batch, double smoothing,
                double divisor) {
  Defined sums;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const Id gold = batch.gold.span()[i];
    if (gold == batch.ignored) continue;
    const auto classes = static_cast<double>(p[i].size());
    double kl_pq = 0;
    double kl_qp = 0;
    double entropies = 0;
    for (std::size_t c = 0; c < p[i].size(); ++c) {
      const double target =
          (c == static_cast<std::size_t>(gold) ? 1 - smoothing : 0) + smoothing / classes;
      entropies -= target * (p[i][c] + q[i][c]);
      kl_pq += std::exp(p[i][c]) * (p[i][c] - q[i][c]);
      kl_qp += std::exp(q[i][c]) * (q[i][c] - p[i][c]);
    }
    const auto g = static_cast<std::size_t>(gold);
    sums.nats -= (p[i][g] + q[i][g]) / 2;
    sums.optimised +=
        (entropies / 2 + static_cast<double>(alpha) / 2 * (kl_pq + kl_qp) / 2) / divisor;
  }
  return sums;
}

TEST(RDrop, IsItsDefinition) {
  for (const Case& c : cases()) {
    step_random() = Random(seed);
    const Rows p = log_probabilities(c.logits(c.batch).value());
    const Rows q = log_probabilities(c.logits(c.batch).value());
    EXPECT_NE(p, q) << c.name << ": both passes drop the same";
    const Defined expected = defined(p, q, c.batch, 0.2, 7);
    step_random() = Random(seed);
    double nats = 0;
    const Variable loss = r_drop_loss(c.logits, alpha)(
        c.batch,
        {.label_smoothing = Real(0.2), .ignore = c.batch.ignored, .divisor = 7, .nats = &nats});
    EXPECT_NEAR(static_cast<double>(loss.item()), expected.optimised, 10 * close) << c.name;
    EXPECT_NEAR(nats, expected.nats, 100 * close) << c.name;
  }
}

// The first pass drops what the only pass of training without R-Drop drops.
TEST(RDrop, DrawsTheNumbersOfTheFirstPassAsBefore) {
  for (const Case& c : cases()) {
    const auto nats_of = [&c](const BatchLoss& loss) {
      double nats = 0;
      loss(c.batch, {.ignore = c.batch.ignored, .divisor = 1, .nats = &nats});
      return nats;
    };
    step_random() = Random(seed);
    const double first = nats_of(c.plain);
    const double second = nats_of(c.plain);
    step_random() = Random(seed);
    EXPECT_NEAR(nats_of(r_drop_loss(c.logits, alpha)), (first + second) / 2, 100 * close) << c.name;
  }
}

/// The same from plain ops.
Variable composed(const Case& c, Real divisor) {
  const auto rows = static_cast<Index>(c.batch.gold.size());
  Tensor counts = Tensor::full({rows}, 1);
  Ids gold = c.batch.gold.clone();
  for (Index i = 0; i < rows; ++i)
    if (gold[i] == c.batch.ignored) {
      counts[i] = 0;
      gold[i] = 0;
    }
  const Variable p = log_softmax(c.logits(c.batch));
  const Variable q = log_softmax(c.logits(c.batch));
  const Variable kl = sum(exp(p) * (p - q), {1}) + sum(exp(q) * (q - p), {1});
  const Variable entropies = pick(p, gold) + pick(q, gold);
  return sum((kl * (alpha / 4) - entropies * Real(0.5)) * counts) / divisor;
}

TEST(RDrop, GivesGradientsThroughBothPasses) {
  for (const Case& c : cases()) {
    const auto seeded = [&](const std::function<Variable()>& f) {
      return gradients(*c.model, [&] {
        step_random() = Random(seed);
        return f();
      });
    };
    const Gradients got = seeded([&] {
      return r_drop_loss(c.logits, alpha)(c.batch, {.ignore = c.batch.ignored, .divisor = 5});
    });
    const Gradients expected = seeded([&] { return composed(c, 5); });
    EXPECT_NEAR(got.loss, expected.loss, 10 * close) << c.name;
    ASSERT_EQ(got.names, expected.names);
    for (std::size_t i = 0; i < got.names.size(); ++i)
      EXPECT_LE(difference(got.values[i], expected.values[i]), 10 * close)
          << c.name << " " << got.names[i];
  }
}

TEST(RDrop, WithoutDropoutIsTheCrossEntropy) {
  const Transformer model = tiny_transformer();
  const Batch batch = ragged_batch(true);
  const CrossEntropy options{.label_smoothing = Real(0.1), .ignore = batch.ignored};
  const Real plain = batch_loss(model)(batch, options).item();
  EXPECT_NEAR(r_drop_loss(batch_logits(model), 5)(batch, options).item(), plain, 10 * close);
}

/// A small model of a task, whose dropout is on.
Settings small(const std::string& model, const std::string& data) {
  Settings settings = default_settings(model, {data});
  for (const auto& [key, value] : {std::pair("model.d", "8"),
                                   {"model.layers", "1"},
                                   {"model.heads", "2"},
                                   {"model.context", "16"},
                                   {"model.dropout", "0.2"},
                                   {"data.batch_tokens", "64"},
                                   {"train.steps", "6"},
                                   {"train.eval_every", "2"},
                                   {"train.save_every", "2"},
                                   {"train.log_every", "1"},
                                   {"train.r_drop", "2"},
                                   {"train.average_at_end", "3"},
                                   {"optim.warmup", "2"}})
    if (settings.has(key)) settings.set(key, value);
  return settings;
}

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

struct Trained {
  const char* model;
  const char* data;
};

// Kills a training of each task in its fifth step, and resumes it to the same bytes. Its average at
// the end is chosen in both.
TEST(RDrop, ResumesToTheSameBytes) {
  const TemporaryFolder folder;
  const std::string text = folder.write(
      "t.txt", "once upon a time there was a text\nand that was all of it\nthe end\nno more\n");
  for (const auto& [model, data] :
       {Trained{"transformer", "toy:sort"}, Trained{"rnn+additive", "toy:reviews"},
        Trained{"lm", text.c_str()}}) {
    const Settings settings = small(model, data);
    const std::string whole = folder.path(std::string(model) + "-whole");
    TrainingObservers observers;
    std::set<std::string> lines;
    observers.on_line = [&](const std::string& line) { lines.insert(line.substr(0, 6)); };
    Training(settings, whole).run(observers);
    EXPECT_TRUE(lines.contains("best: ")) << model;

    const std::string cut = folder.path(std::string(model) + "-cut");
    observers.on_step = [&](const StepReport& report) {
      constexpr auto all =
          std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks;
      if (report.step == 5)
        std::filesystem::copy(folder.path(std::string(model) + "-killed"), cut, all);
    };
    Training(settings, folder.path(std::string(model) + "-killed")).run(observers);
    EXPECT_EQ(Training(read_run_settings(cut), cut, {.resume = true}).run().trained, 2);
    for (const char* name : {"last", "best"})
      EXPECT_EQ(bytes_of(RunFolder(cut).named(name)), bytes_of(RunFolder(whole).named(name)))
          << model << " " << name;
  }
}

}  // namespace
}  // namespace heed
