#include <cmath>
#include <limits>

#include "datasets/text/batch.h"
#include "models/decode/decode.h"
#include "optim/optimizer.h"
#include "tests/message_of.h"
#include "tests/models/tiny.h"

// Copying words that the vocabulary lacks (See et al. 2017).

namespace heed {
namespace {

constexpr Index v = tiny_vocabulary;

struct Copier {
  const char* name;
  std::function<std::unique_ptr<Seq2Seq>()> make;
};
const std::vector<Copier>& copiers() {
  static const std::vector<Copier> all = [] {
    std::vector<Copier> some = {{"transformer", [] {
                                   return std::make_unique<Transformer>(
                                       tiny_transformer(NormPlace::pre, 0, v, true));
                                 }}};
    for (const TinyRecurrent& row : tiny_recurrents())
      if (row.options.copy)
        some.push_back(
            {row.name, [row] { return std::make_unique<RecurrentSeq2Seq>(tiny_recurrent(row)); }});
    return some;
  }();
  return all;
}

// Sources with unknown words: v and v + 1 are different words in each.
const Lines sources = {{5, v, 6, v + 1, v, 2}, {7, v, 2}, {8, 9, 2}};
const Lines targets = {{v + 1, 7, v}, {v}, {9, 3, 8, 8}};

// log((1 - g) sum_j a_j [token_j = w] + g softmax(z)_w), computed in double.
TEST(Copying, MixesWhatIsSaidWithWhatIsPointedAt) {
  const Tensor logits = random_tensor({3, 4}, 1);
  const Tensor gate = random_tensor({3}, 2);
  const std::vector<Index> query_lengths = {2, 1};
  const std::vector<Index> key_lengths = {3, 2};
  const Pairing pairing{.queries = Spans::packed(query_lengths),
                        .keys = Spans::packed(key_lengths)};
  const std::vector<Real> weights = {Real(0.2), Real(0.3), Real(0.5),  1,
                                     0,         0,         Real(0.25), Real(0.75)};
  const std::vector<Id> tokens = {4, 1, 4, 5, 0};
  const Tensor y =
      copy_log_probabilities(logits, gate, Tensor({8}, weights), pairing, Ids({5}, tokens), 6);
  const std::vector<std::vector<std::pair<Id, double>>> pointed = {
      {{4, 0.2}, {1, 0.3}, {4, 0.5}}, {{4, 1}, {1, 0}, {4, 0}}, {{5, 0.25}, {0, 0.75}}};
  for (Index row = 0; row < 3; ++row) {
    double total = 0;
    double sum = 0;
    for (Index c = 0; c < 4; ++c)
      total += std::exp(static_cast<double>(logits[row * 4 + c]));
    const double g = 1 / (1 + std::exp(-static_cast<double>(gate[row])));
    for (Index c = 0; c < 6; ++c) {
      double p = c < 4 ? g * std::exp(static_cast<double>(logits[row * 4 + c])) / total : 0;
      for (const auto& [word, weight] : pointed[static_cast<std::size_t>(row)])
        if (word == c) p += (1 - g) * weight;
      if (p == 0)
        EXPECT_EQ(y[row * 6 + c], Seq2Seq::never_copied) << row << ' ' << c;
      else
        EXPECT_NEAR(y[row * 6 + c], std::log(p), 10 * close) << row << ' ' << c;
      sum += p;
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

// The loss and its gradients against plain ops: -log of the mixture.
TEST(Copying, FusedLossIsItsComposition) {
  const Index n = 5;
  const Index d = 3;
  const std::vector<Id> answers = {1, 3, 0, 2, 3};
  const Ids gold({n}, answers);
  struct Inputs {
    Parameter x;
    Parameter weight;
    Parameter bias;
    Parameter gate;
    Parameter copied;
    void visit(Visitor& t) {
      t("x", x);
      t("weight", weight);
      t("bias", bias);
      t("gate", gate);
      t("copied", copied);
    }
  } in{Parameter(random_tensor({n, d}, 1)), Parameter(random_tensor({4, d}, 2)),
       Parameter(random_tensor({4}, 3)), Parameter(random_tensor({n}, 4)),
       Parameter(random_tensor({n}, 5))};
  for (Real& c : in.copied.value().span())
    c = std::abs(c);
  for (const Real smoothing : {Real(0), Real(0.3)}) {
    const Gradients got = gradients(in, [&] {
      return copy_cross_entropy(in.x, in.weight, in.bias, in.gate, in.copied, gold,
                                {.label_smoothing = smoothing});
    });
    const Gradients expected = gradients(in, [&] {
      const Variable logs = log_softmax(linear(in.x, in.weight, in.bias));
      const Variable g = sigmoid(in.gate);
      const Variable p = g * exp(pick(logs, gold)) + (1 - g) * in.copied;
      return mean(log(p)) * (smoothing - 1) - mean(logs) * smoothing;
    });
    expect_close(got, expected, fmt::format("smoothing of {}", smoothing));
  }
}

// Gold outside the vocabulary, ignored rows, and rows where generating or copying, or both, give
// almost nothing. The expected values are computed in double from the definition.
TEST(Copying, LossHoldsAtItsEdges) {
  const double inf = std::numeric_limits<double>::infinity();
  struct Row {
    Real gate;
    Real copied;
    Id gold;
    double loss;  // of logits 0, -200
  };
  const Row rows[] = {{0, Real(0.5), 0, -std::log(0.5 * 1 + 0.5 * 0.5)},  // generated or copied
                      {0, Real(0.5), 7, -std::log(0.5 * 0.5)},            // outside: copied alone
                      {2, 0, 0, std::log1p(std::exp(-2.0))},              // can only be generated
                      // certain of another word: plain cross entropy plus log 2
                      {0, 0, 1, std::log(2.0) + 200},
                      // never generated, certainly copied
                      {-3, 1, 1, std::log1p(std::exp(-3.0))},
                      {0, 0, 5, 69},            // neither generated nor copied
                      {0, Real(0.5), 4, inf}};  // ignored
  for (const Row& row : rows) {
    Parameter x(Tensor::full({1, 1}, 1));
    Parameter weight(Tensor({2, 1}, {0, -200}));

    Parameter gate(Tensor::full({1}, row.gate));
    Parameter copied(Tensor::full({1}, row.copied));
    Tape tape;
    const Variable loss = copy_cross_entropy(x, weight, Variable(), gate, copied,
                                             Ids::full({1}, row.gold), {.ignore = 4});
    EXPECT_NEAR(loss.item(), row.gold == 4 ? 0 : row.loss, 1e-4) << row.gold;
    tape.backward(loss);
    for (const Parameter* p : {&x, &weight, &gate, &copied})
      for (Real g : p->gradient().span())
        EXPECT_TRUE(std::isfinite(g)) << row.gold;
    if (row.gold == 1 && row.copied == 0) {
      EXPECT_NEAR(weight.gradient()[1], -1, 1e-5)
          << "a wrong answer pulls as hard as in plain cross entropy";
    }
  }
}

// In training the loss contains lambda sum_t sum_i min(a_ti, c_ti), with c_t the sum of the weights
// before t (equations 10, 12, 13).
TEST(Coverage, CostsWhatIsLookedAtTwice) {
  for (const TinyRecurrent& row : tiny_recurrents()) {
    if (row.options.coverage == 0) continue;
    RecurrentSeq2Seq model = tiny_recurrent(row);
    const Batch batch = make_batch(random_lines({4, 1, 6}, 3), random_lines({5, 2, 0}, 4));
    const Index answers = batch.target.spans.tokens();
    double nats = 0;
    const CrossEntropy mean{.ignore = ignored_id, .nats = &nats};
    const double training = loss_of(model, batch, mean).item();
    const double plain = nats / static_cast<double>(answers);
    set_training(model, false);
    const double evaluation = loss_of(model, batch, mean).item();
    EXPECT_NEAR(plain, evaluation, 1e-5) << row.name << ": what is shown is without it";
    std::vector<AttentionMap> maps;
    logits_of(model, batch, &maps);
    double repeated = 0;
    for (const Tensor& weights : maps.front().weights) {  // (1, steps, words)
      const Index steps = weights.shape()[1];
      const Index words = weights.shape()[2];
      for (Index i = 0; i < words; ++i) {
        double covered = 0;
        for (Index t = 0; t < steps; ++t) {
          const double a = weights[t * words + i];
          repeated += std::min(a, covered);
          covered += a;
        }
      }
    }
    EXPECT_GT(repeated, 0.1);
    EXPECT_NEAR(training - evaluation,
                static_cast<double>(row.options.coverage) * repeated / static_cast<double>(answers),
                1e-4)
        << row.name;
  }
}

TEST(Copying, LossIsThatOfItsDistribution) {
  for (const Copier& copier : copiers()) {
    const auto model = copier.make();
    set_training(*model, false);
    const Batch batch = make_batch(sources, targets);
    const Tensor y = logits_of(*model, batch).value();
    ASSERT_EQ(to_string(y.shape()), fmt::format("({}, {})", batch.target.spans.rows(), v + 2))
        << copier.name;
    double loss = 0;
    for (Index row = 0; row < y.rows(); ++row) {
      double sum = 0;
      for (Index c = 0; c < v + 2; ++c)
        sum += std::exp(static_cast<double>(y[row * (v + 2) + c]));
      EXPECT_NEAR(sum, 1, 1e-5) << copier.name;
      loss -= static_cast<double>(y[row * (v + 2) + batch.gold[row]]);
    }
    EXPECT_NEAR(loss_of(*model, batch, {.divisor = 1}).item(), loss, 1e-4) << copier.name;
    const auto at = [&](Index sentence, Index c) {
      return y[batch.target.spans.begin(sentence) * (v + 2) + c];
    };
    EXPECT_GT(at(0, v + 1), -60) << copier.name;
    EXPECT_EQ(at(1, v + 1), Seq2Seq::never_copied)
        << copier.name << ": the second has one unknown word";
    EXPECT_EQ(at(2, v), Seq2Seq::never_copied) << copier.name << ": the third has none";
  }
}

TEST(Copying, UnknownWordsOfOthersChangeNothing) {
  for (const Copier& copier : copiers()) {
    const auto model = copier.make();
    const CrossEntropy summed{.label_smoothing = Real(0.1), .divisor = 1};
    const Batch together = make_batch(sources, targets);
    const Gradients got = gradients(*model, [&] { return loss_of(*model, together, summed); });
    Gradients expected;
    for (std::size_t i = 0; i < sources.size(); ++i)
      add(expected, gradients(*model, [&] {
            return loss_of(*model, make_batch({sources[i]}, {targets[i]}), summed);
          }));
    expect_close(got, expected, copier.name);
    // Step by step, the second and the third alone.
    const auto decoder = model->decoder();
    const auto state = decoder->start(pack(sources));
    const std::vector<Index> chosen = {2, 0};
    const std::vector<Id> first(3, bos_id);
    const std::vector<Id> second = {9, v + 1};
    state->step(first);
    state->select(chosen);
    const Tensor stepped = state->step(second);
    for (std::size_t r = 0; r < chosen.size(); ++r) {
      const Batch whole = make_batch({sources[static_cast<std::size_t>(chosen[r])]}, {{second[r]}});
      const Tensor y = logits_of(*model, whole).value();
      const Index columns = y.columns();
      EXPECT_LE(difference(stepped.slice(static_cast<Index>(r), static_cast<Index>(r) + 1)
                               .span()
                               .first(static_cast<std::size_t>(columns)),
                           y.slice(1, 2).span()),
                10 * close)
          << copier.name;
    }
  }
}

TEST(Copying, OutputsNameWordsOfTheirOwnSource) {
  for (const Copier& copier : copiers()) {
    const auto model = copier.make();
    set_training(*model, false);
    for (const int beam : {1, 4}) {
      const auto results = decode(*model, sources, {.beam = beam, .nbest = beam, .max_length = 8});
      const Id most[] = {v + 1, v, v - 1};
      for (std::size_t i = 0; i < sources.size(); ++i)
        for (const Hypothesis& h : results[i])
          for (Id id : h.ids)
            EXPECT_LE(id, most[i]) << copier.name << ", source " << i;
    }
  }
}

std::unique_ptr<Seq2Seq> untrained_copier(bool recurrent) {
  Random random(6);
  if (recurrent)
    return std::make_unique<RecurrentSeq2Seq>(RecurrentSeq2SeqOptions{.vocabulary = v,
                                                                      .d = 32,
                                                                      .cell = CellKind::gru,
                                                                      .attention = "additive",
                                                                      .dropout = 0,
                                                                      .copy = true,
                                                                      .coverage = 1},
                                              random);
  return std::make_unique<Transformer>(
      TransformerOptions{
          .vocabulary = v, .d = 32, .layers = 1, .heads = 2, .dropout = 0, .copy = true},
      random);
}

struct CopyingTask {
  Lines sources;
  Lines targets;
};

/// Lines whose target is their first word. Half of the words are unknown; the id of an unknown word
/// says only its place in the line.
CopyingTask first_words(Random& random) {
  CopyingTask task;
  for (int i = 0; i < 16; ++i) {
    std::vector<Id> line;
    const Index length = 2 + static_cast<Index>(random.below(4));
    Id unknown = v;
    for (Index j = 0; j < length; ++j) {
      if (random.below(2))
        line.push_back(unknown++);
      else
        line.push_back(static_cast<Id>(5 + random.below(20)));
    }
    task.targets.push_back({line.front()});
    line.push_back(eos_id);
    task.sources.push_back(line);
  }
  return task;
}

TEST(Copying, LearnsToCopyWordsItHasNeverSeen) {
  for (const bool recurrent : {false, true}) {
    Random random(7);
    const std::unique_ptr<Seq2Seq> model = untrained_copier(recurrent);
    Adam adam(*model, {.lr = 5e-3});
    for (int step = 0; step < 300; ++step) {
      const CopyingTask task = first_words(random);
      Tape tape;
      tape.backward(loss_of(*model, make_batch(task.sources, task.targets), {}));
      adam.step();
      adam.clear_gradients();
    }
    set_training(*model, false);
    const CopyingTask task = first_words(random);
    const auto results = decode(*model, task.sources, {.beam = 1});
    int right = 0;
    for (std::size_t i = 0; i < task.sources.size(); ++i)
      right += results[i][0].ids == task.targets[i];
    EXPECT_GE(right, 15) << (recurrent ? "recurrent" : "transformer");
  }
}

TEST(Copying, NeedsOneVocabularyAndAttentionThatPoints) {
  Random random(1);
  EXPECT_EQ(message_of([&] {
              Transformer({.vocabulary = 9, .source_vocabulary = 8, .copy = true}, random);
            }),
            "[transformer] expected one vocabulary for both sides, so that words can be copied");
  EXPECT_EQ(message_of([&] {
              RecurrentSeq2Seq({.vocabulary = 9, .attention = "multi_head", .copy = true}, random);
            }),
            "[rnn] expected attention that points (additive, dot, general, concat), to copy with; "
            "got 'multi_head'");
  EXPECT_EQ(message_of([&] { RecurrentSeq2Seq({.vocabulary = 9, .copy = true}, random); }),
            "[rnn] expected attention that points (additive, dot, general, concat), to copy with; "
            "got ''");
  EXPECT_EQ(message_of([&] {
              RecurrentSeq2Seq({.vocabulary = 9, .attention = "dot", .coverage = 1}, random);
            }),
            "[attention] expected additive attention for coverage; got dot");
  const Transformer plain = tiny_transformer();
  EXPECT_NE(message_of([&] { plain.decoder()->start(pack(Lines{{v}})); }), "")
      << "a model that does not copy knows no such id";
}

}  // namespace
}  // namespace heed
