#include <map>

#include "layers/attention/family.h"
#include "tests/layers/tiny.h"

namespace heed {
namespace {

TEST(RecurrentSeq2Seq, HasAsManyParametersAsTheBenchmarksPeer) {
  // Embedding, two LSTMs of 256 + 256 + 2 inputs to a gate, a decoder LSTM of 256 + 512 + 256 + 2,
  // bridge, query, key, energy, output.
  const Index v = 8000;
  const Index d = 256;
  const Index expected = v * d + 2 * 4 * d * (d + d + 2) + 4 * d * (3 * d + d + 2) +
                         (2 * d * d + d) + d * d + (2 * d * d + d) + d + (v * 4 * d + v);
  EXPECT_EQ(expected, 12679744);
  Random random(1);
  RecurrentSeq2Seq model({.vocabulary = v, .d = d, .attention = "additive", .encoder_hidden = d},
                         random);
  EXPECT_EQ(parameter_count(model), expected);
}

TEST(RecurrentSeq2Seq, GivesItsAttention) {
  const Batch batch = make_batch(random_lines({5, 1, 0, 3}, 1), random_lines({2, 6, 1, 4}, 2));
  for (const TinyRecurrent& row : tiny_recurrents()) {
    const RecurrentSeq2Seq model = tiny_recurrent(row);
    std::vector<AttentionMap> maps;
    static_cast<void>(model.logits(batch, &maps));
    if (row.options.attention.empty()) {
      EXPECT_TRUE(maps.empty()) << row.name;
      continue;
    }
    ASSERT_EQ(maps.size(), 1u) << row.name;
    EXPECT_EQ(maps[0].layer, "decoder.attention");
    ASSERT_EQ(maps[0].weights.size(), 4u) << row.name;
    const Index heads = row.options.attention == "multi_head" ? 4 : 1;
    for (Index s = 0; s < 4; ++s) {
      const Tensor& w = maps[0].weights[s];
      ASSERT_EQ(to_string(w.shape()),
                fmt::format("({}, {}, {})", heads, batch.target.spans.length(s),
                            batch.source.spans.length(s)))
          << row.name;
      if (w.size() == 0) continue;
      // The same sequence alone has the same map.
      std::vector<AttentionMap> alone;
      const auto line = [](const Sequences& q, Index i) {
        return std::vector<Id>(&q.ids[q.spans.begin(i)],
                               &q.ids[q.spans.begin(i)] + q.spans.length(i));
      };
      Batch one;
      one.source = pack(Lines{line(batch.source, s)});
      one.target = pack(Lines{line(batch.target, s)});
      model.logits(one, &alone);
      expect_close(alone[0].weights[0], w, row.name);
    }
  }
}

/// Bahdanau et al. 2015, appendix A, written out for one sentence with an LSTM (whose sums are
/// plain loops here).
TEST(RecurrentSeq2Seq, AdditiveFollowsItsPaper) {
  const RecurrentSeq2Seq model =
      tiny_recurrent({"", {.attention = "additive", .bidirectional = false}});
  std::map<std::string, Tensor> p;
  for (const auto& [name, parameter] : parameters(const_cast<RecurrentSeq2Seq&>(model)))
    p.emplace(name, parameter.value());
  using Vector = std::vector<double>;
  const Index d = 16;
  const auto times = [&](const std::string& name, const Vector& x) {
    const Tensor& w = p.at(name);
    Vector y(static_cast<std::size_t>(w.rows()), 0.0);
    EXPECT_EQ(w.columns(), static_cast<Index>(x.size())) << name;
    for (Index i = 0; i < w.rows(); ++i)
      for (Index j = 0; j < w.columns(); ++j)
        y[i] += static_cast<double>(w[i * w.columns() + j]) * x[j];
    return y;
  };
  const auto plus = [&](Vector x, const Vector& y) {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] += y[i];
    return x;
  };
  const auto bias = [&](const std::string& name) {
    return Vector(p.at(name).span().begin(), p.at(name).span().end());
  };
  const auto embed = [&](Id id) {
    Vector x(d);
    // sqrt 16
    for (Index j = 0; j < d; ++j)
      x[j] = 4 * static_cast<double>(p.at("embedding.weight")[id * d + j]);
    return x;
  };
  const auto joined = [](Vector a, const Vector& b) {
    return a.insert(a.end(), b.begin(), b.end()), a;
  };
  const auto logistic = [](double z) { return 1 / (1 + std::exp(-z)); };
  const auto lstm = [&](const Vector& z, Vector& h, Vector& c) {
    for (Index j = 0; j < d; ++j) {
      c[j] = logistic(z[d + j]) * c[j] + logistic(z[j]) * std::tanh(z[2 * d + j]);
      h[j] = logistic(z[3 * d + j]) * std::tanh(c[j]);
    }
  };
  const auto squash = [](Vector x) {
    for (double& v : x)
      v = std::tanh(v);
    return x;
  };

  const std::vector<Id> source = {7, 12, 5};
  const std::vector<Id> target = {bos_id, 9, 20, 4};
  std::vector<Vector> annotations;
  Vector h(d, 0.0);
  Vector c(d, 0.0);
  const std::string e = "encoder.forward.0.";
  const std::string q = "decoder.0.";
  for (Id id : source) {
    lstm(plus(plus(times(e + "input.weight", embed(id)), bias(e + "input.bias")),
              plus(times(e + "weight", h), bias(e + "bias"))),
         h, c);
    annotations.push_back(h);
  }
  h = squash(plus(times("bridge.0.weight", h), bias("bridge.0.bias")));
  c = Vector(d, 0.0);
  Batch batch;
  batch.source = pack(Lines{source});
  batch.target = pack(Lines{target});
  const Tensor got = model.logits(batch).value();
  for (std::size_t t = 0; t < target.size(); ++t) {
    Vector weights;
    Vector context(d, 0.0);
    double total = 0;
    for (const Vector& a : annotations) {
      const Vector inner = squash(plus(plus(times("decoder.attention.query.weight", h),
                                            times("decoder.attention.key.weight", a)),
                                       bias("decoder.attention.key.bias")));
      double score = 0;
      for (Index j = 0; j < d; ++j)
        score += static_cast<double>(p.at("decoder.attention.energy")[j]) * inner[j];
      weights.push_back(std::exp(score));
      total += weights.back();
    }
    for (std::size_t s = 0; s < annotations.size(); ++s)
      for (Index j = 0; j < d; ++j)
        context[j] += weights[s] / total * annotations[s][j];
    const Vector y = embed(target[t]);
    lstm(plus(plus(plus(times(q + "input.weight", y), bias(q + "input.bias")),
                   times("decoder.feed.weight", context)),
              plus(times(q + "weight", h), bias(q + "bias"))),
         h, c);
    const Vector logits = plus(times("output", joined(joined(h, context), y)), bias("output_bias"));
    for (Index w = 0; w < tiny_vocabulary; ++w)
      EXPECT_NEAR(static_cast<double>(got[static_cast<Index>(t) * tiny_vocabulary + w]), logits[w],
                  1e-4)
          << t << ", " << w;
  }
}

TEST(RecurrentSeq2Seq, TakesEveryAttentionThereIs) {
  for (std::string_view name : attention_names()) {
    const RecurrentSeq2Seq model = tiny_recurrent({"", {.attention = std::string(name)}});
    const Tensor logits =
        model.logits(make_batch(random_lines({5, 1}, 1), random_lines({2, 6}, 2))).value();
    for (Real x : logits.span())
      ASSERT_TRUE(std::isfinite(x)) << name;
  }
}

TEST(RecurrentSeq2Seq, RefusesSizesThatMakeNone) {
  const auto message = [](const RecurrentSeq2SeqOptions& o) -> std::string {
    try {
      Random random(1);
      RecurrentSeq2Seq model(o, random);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message({}), "[rnn] expected vocabulary of at least 4, the marks among them; got 0");
  EXPECT_EQ(message({.vocabulary = 9, .d = 7}),
            "[rnn] expected hidden of an even number, for two directions; got 7");
  EXPECT_EQ(
      message({.vocabulary = 9, .d = 8, .encoder_hidden = 3, .bridge = false}),
      "[rnn] expected an encoder as wide as the decoder, to start without a bridge; got 6 and 8");
  EXPECT_EQ(message({.vocabulary = 9, .d = 8, .attention = "dot", .encoder_hidden = 3}),
            "[attention] expected queries as wide as the memory for dot scores; got 8 and 6");
}

}  // namespace
}  // namespace heed
