// Texts to classes: the head against its definition in double, and whole classifiers over the
// encoder of every family.

#include "models/classifier.h"

#include <cmath>
#include <map>

#include "datasets/text/batch.h"
#include "models/families.h"
#include "tests/message_of.h"
#include "tests/models/tiny.h"

namespace heed {
namespace {

constexpr Index classes = 3;
constexpr Index width = 4;

const std::vector<std::string>& pools() {
  static const std::vector<std::string> all = {"mean", "max", "first", "last", "attention"};
  return all;
}

struct HeadAndRows {
  LabelHead head;
  Parameter x;
  void visit(Visitor& v) {
    v("head", head);
    v("x", x);
  }
};

/// Every parameter by its name, in double.
using Numbers = std::map<std::string, std::vector<double>>;

Numbers numbers_of(AnyModule module) {
  Numbers numbers;
  for (const auto& [name, p] : parameters(module))
    for (const Real x : p.value().span())
      numbers[name].push_back(static_cast<double>(x));
  return numbers;
}

/// v^T tanh(W row + b)
double attention_score(const Numbers& n, const double* row) {
  const auto& w = n.at("head.pool.key.weight");
  const auto& b = n.at("head.pool.key.bias");
  double score = 0;
  for (std::size_t h = 0; h < b.size(); ++h) {
    double sum = b[h];
    for (Index c = 0; c < width; ++c)
      sum += w[h * width + static_cast<std::size_t>(c)] * row[c];
    score += n.at("head.pool.energy")[h] * std::tanh(sum);
  }
  return score;
}

/// The pooled row of the rows `x` of one sequence; zeros where it has none.
std::vector<double> pooled(const std::string& pool, const Numbers& n, const double* x,
                           Index length) {
  std::vector<double> weights(static_cast<std::size_t>(length), 0);
  double total = 0;
  for (Index i = 0; i < length; ++i) {
    double& weight = weights[static_cast<std::size_t>(i)];
    if (pool == "mean") weight = 1;
    if (pool == "first") weight = i == 0;
    if (pool == "last") weight = i + 1 == length;
    if (pool == "attention") weight = std::exp(attention_score(n, x + i * width));
    total += weight;
  }
  std::vector<double> y(width, 0);
  for (Index c = 0; c < width; ++c)
    for (Index i = 0; i < length; ++i) {
      double& to = y[static_cast<std::size_t>(c)];
      if (pool == "max")
        to = i == 0 ? x[c] : std::max(to, x[i * width + c]);
      else
        to += weights[static_cast<std::size_t>(i)] / total * x[i * width + c];
    }
  return y;
}

/// The mean over the sequences of -log softmax(W pooled + b)[gold].
double naive_loss(const std::string& pool, const Numbers& n, const std::vector<Index>& lengths,
                  const std::vector<Id>& gold) {
  double loss = 0;
  const double* x = n.at("x").data();
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    const std::vector<double> y = pooled(pool, n, x, lengths[s]);
    std::vector<double> logits = n.at("head.output.bias");
    double sum = 0;
    for (std::size_t k = 0; k < logits.size(); ++k) {
      for (std::size_t c = 0; c < y.size(); ++c)
        logits[k] += n.at("head.output.weight")[k * y.size() + c] * y[c];
      sum += std::exp(logits[k]);
    }
    loss += std::log(sum) - logits[static_cast<std::size_t>(gold[s])];
    x += lengths[s] * width;
  }
  return loss / static_cast<double>(lengths.size());
}

TEST(LabelHead, LossAndGradientsAreThoseOfItsDefinition) {
  const std::vector<Index> lengths = {3, 1, 0, 4};
  const std::vector<Id> gold = {0, 2, 1, 0};  // 0 is a class
  for (const std::string& pool : pools()) {
    Random random(2);
    HeadAndRows m{LabelHead(pool, width, classes, 0, random),
                  Parameter(random_tensor({8, width}, 5))};
    randomize(m);
    const Spans spans = Spans::packed(lengths);
    const Gradients got = gradients(m, [&] {
      return cross_entropy(m.head({.keys = {}, .values = m.x, .spans = spans}), Ids({4}, gold));
    });
    Numbers n = numbers_of(m);
    EXPECT_NEAR(got.loss, naive_loss(pool, n, lengths, gold), 1e-6) << pool;
    for (std::size_t i = 0; i < got.names.size(); ++i)
      for (std::size_t j = 0; j < n.at(got.names[i]).size(); ++j) {
        constexpr double e = 1e-6;
        double& x = n.at(got.names[i])[j];
        const double before = x;
        x = before + e;
        const double above = naive_loss(pool, n, lengths, gold);
        x = before - e;
        const double below = naive_loss(pool, n, lengths, gold);
        x = before;
        ASSERT_FALSE(got.values[i].empty()) << pool << ": " << got.names[i];
        EXPECT_NEAR(got.values[i][j], (above - below) / (2 * e), 1e-6)
            << pool << ": " << got.names[i] << "[" << j << "]";
      }
  }
}

TEST(LabelHead, GivesAMapWhereThePoolingHasWeights) {
  const std::vector<Index> lengths = {3, 0, 2};
  for (const std::string& pool : pools()) {
    Random random(2);
    const LabelHead head(pool, width, classes, 0, random);
    std::vector<AttentionMap> maps(7);
    head({.keys = {}, .values = random_tensor({5, width}, 5), .spans = Spans::packed(lengths)},
         &maps);
    ASSERT_EQ(maps.size(), pool == "attention" ? 1u : 0u) << pool;
    if (maps.empty()) continue;
    EXPECT_EQ(maps[0].layer, "pool");
    ASSERT_EQ(maps[0].weights.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_EQ(maps[0].weights[i].shape(), Shape({1, 1, lengths[i]}));
  }
}

/// A classifier over the encoder of a family, and a pooling.
struct Kind {
  std::string family;
  std::string pool;
  std::string name() const { return family + ", " + pool; }
};

std::vector<Kind> kinds() {
  std::vector<Kind> all;
  for (const char* family : {"transformer", "conv", "rnn", "rnn+additive"})
    for (const std::string& pool : pools())
      all.push_back({family, pool});
  return all;
}

Classifier make_classifier(const Kind& kind, Real dropout = 0) {
  const ModelFamily& family = model_families().at(kind.family);
  AnyOptions options = family.options;
  const Fields fields = fields_of(options);
  fields.find("d")->set(Index{16});
  fields.find("dropout")->set(static_cast<double>(dropout));
  fields.find("layers")->set(Index{2});
  Random random(9);
  Classifier model =
      text_classifier(tiny_vocabulary, {.classes = classes, .pool = kind.pool, .dropout = dropout},
                      family.make_encoder(options, random), random);
  randomize(model);
  return model;
}

const CrossEntropy summed{.divisor = 1};

TEST(Classifier, ABatchGivesWhatItsTextsGiveAlone) {
  const Lines texts = random_lines({5, 1, 7, 3}, 21);
  const std::vector<Id> gold = {0, 2, 1, 0};
  for (const Kind& kind : kinds()) {
    Classifier model = make_classifier(kind);
    const Sequences together = pack(texts);
    const Tensor logits = model.logits(together).value();
    ASSERT_EQ(logits.shape(), Shape({4, classes})) << kind.name();
    Gradients expected;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Sequences alone = pack(Lines{texts[i]});
      const auto row = static_cast<Index>(i);
      expect_close(logits.slice(row, row + 1), model.logits(alone).value(), kind.name());
      add(expected,
          gradients(model, [&] { return model.loss(alone, Ids({1}, {gold[i]}), summed); }));
    }
    const Gradients got =
        gradients(model, [&] { return model.loss(together, Ids({4}, gold), summed); });
    expect_close(got, expected, kind.name(), 10 * close);
    const Sequences padded = lay_out(texts, 9, pad_id);
    expect_close(model.logits(padded).value(), logits, kind.name() + ", padded");
  }
}

TEST(Classifier, ClassZeroCounts) {
  const Sequences texts = pack(random_lines({5, 1, 7}, 21));
  for (const Kind& kind : kinds()) {
    const Classifier model = make_classifier(kind);
    const Tensor logits = model.logits(texts).value();
    double expected = 0;
    for (Index i = 0; i < 3; ++i) {
      double sum = 0;
      for (Index k = 0; k < classes; ++k)
        sum += std::exp(static_cast<double>(logits[i * classes + k]));
      expected += std::log(sum) - static_cast<double>(logits[i * classes]);
    }
    EXPECT_NEAR(model.loss(texts, Ids({3}, {0, 0, 0}), {}).item(), expected / 3, 1e-5)
        << kind.name();
  }
}

TEST(Classifier, GradientsAreDirectionalDerivatives) {
  const double e = sizeof(Real) == 8 ? 1e-5 : 1e-3;
  const double tolerance = sizeof(Real) == 8 ? 1e-6 : 2e-2;
  const Sequences texts = pack(random_lines({4, 2, 5}, 23));
  const Ids gold({3}, {0, 1, 2});
  for (const Kind& kind : kinds()) {
    if (kind.pool == "max") continue;  // not smooth; its gradient is that of ops_test.cpp
    Classifier model = make_classifier(kind);
    const Gradients g = gradients(model, [&] { return model.loss(texts, gold, {}); });
    const auto all = parameters(model);
    for (std::size_t i = 0; i < all.size(); ++i) {
      Tensor& p = all[i].parameter.value();
      const Tensor u = random_tensor(p.shape(), 100 + i);
      const Tensor before = p.clone();
      const auto loss_at = [&](double step) {
        for (Index j = 0; j < p.size(); ++j)
          p[j] =
              static_cast<Real>(static_cast<double>(before[j]) + step * static_cast<double>(u[j]));
        return static_cast<double>(model.loss(texts, gold, {}).item());
      };
      const double slope = (loss_at(e) - loss_at(-e)) / (2 * e);
      loss_at(0);
      double expected = 0;
      for (std::size_t j = 0; j < g.values[i].size(); ++j)
        expected +=
            static_cast<double>(g.values[i][j]) * static_cast<double>(u[static_cast<Index>(j)]);
      EXPECT_NEAR(slope, expected, tolerance) << kind.name() << ": " << all[i].name;
    }
  }
}

/// The last state of a layer that reads in two directions: forwards after the last row, backwards
/// after the first.
TEST(LabelHead, TakesTheFinalStatesOfARecurrentEncoder) {
  const std::vector<Index> lengths = {4, 1, 3};
  Random random(2);
  const RecurrentEncoder encoder({.in = 5, .hidden = 2, .layers = 2, .bidirectional = true},
                                 random);
  const Encoded encoded = encoder(random_tensor({8, 5}, 5), Spans::packed(lengths));
  Tensor final({3, width});
  for (Index i = 0; i < 3; ++i) {
    const Index first = encoded.spans.begin(i);
    const Index last = first + lengths[static_cast<std::size_t>(i)] - 1;
    for (Index c = 0; c < 2; ++c) {
      final[i * width + c] = encoded.values.value()[last * width + c];
      final[i * width + 2 + c] = encoded.values.value()[first * width + 2 + c];
    }
  }
  const LabelHead head("last", width, classes, 0, random);
  expect_close(head(encoded).value(), head.output(final).value(), "final states");
}

TEST(Classifier, DropsInTrainingAlone) {
  const Sequences texts = pack(random_lines({5, 1, 7}, 21));
  for (const Kind& kind : kinds()) {
    Classifier model = make_classifier(kind, Real(0.3));
    const Classifier plain = make_classifier(kind);
    EXPECT_NE(model.logits(texts).value().to_vector(), model.logits(texts).value().to_vector())
        << kind.name();
    set_training(model, false);
    EXPECT_EQ(model.logits(texts).value().to_vector(), plain.logits(texts).value().to_vector())
        << kind.name();
  }
}

TEST(Encoder, OfAFamilyRefusesWhatItCannotBe) {
  const auto making = [](const auto& options) {
    return message_of([&] {
      Random random(1);
      make_encoder(options, random);
    });
  };
  EXPECT_EQ(making(TransformerOptions{.layers = 0}),
            "[transformer] expected layers of at least 1; got 0");
  EXPECT_EQ(making(TransformerOptions{.ff = -1}),
            "[transformer] expected ff of at least 1, or 0 for 4 d; got -1");
  EXPECT_EQ(making(ConvS2SOptions{.kernel = 2}), "[conv] expected kernel above 0 and odd; got 2");
  EXPECT_EQ(making(RecurrentSeq2SeqOptions{.layers = 0}),
            "[rnn] expected layers of at least 1; got 0");
}

TEST(Classifier, RefusesWhatDoesNotFit) {
  Random random(1);
  const auto encoder = [&] {
    return make_encoder(ConvS2SOptions{.d = 8, .layers = 1, .positions = 6}, random);
  };
  const auto making = [&](Index vocabulary, const ClassifierOptions& o) {
    return message_of([&] { text_classifier(vocabulary, o, encoder(), random); });
  };
  EXPECT_EQ(making(9, {.classes = 1}), "[label] expected classes of at least 2; got 1");
  EXPECT_EQ(making(0, {.classes = 2}), "[text] expected vocabulary of at least 1; got 0");
  EXPECT_NE(making(9, {.classes = 2, .pool = "none"}).find("none"), std::string::npos);
  const Classifier model = text_classifier(9, {.classes = 2}, encoder(), random);
  const Sequences two = pack(Lines{{1, 2}, {3}});
  EXPECT_EQ(message_of([&] {
              model.loss(two, Ids({3}, {0, 1, 1}), {});
            }),
            "[loss] expected a class for each of 2 items; got 3");
  EXPECT_NE(message_of([&] { model.loss(two, Ids({2}, {0, 2}), {}); }), "") << "no such class";
  EXPECT_NE(message_of([&] { model.logits(pack(Lines{{9}})); }), "") << "no such token";
  EXPECT_NE(message_of([&] { model.logits(Sequences{Ids({1}, {1}), two.spans}); }), "");
  EXPECT_EQ(message_of([&] { model.logits(pack(random_lines({7}, 1, 9))); }),
            "[positions] expected positions of at most 6; got 7");
  EXPECT_EQ(model.longest(), 6);
  EXPECT_EQ(message_of([&] { model.decoder(); }), "[decoder] this model writes no tokens");
}

}  // namespace
}  // namespace heed
