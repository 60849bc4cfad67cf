#include <map>

#include "datasets/text/batch.h"
#include "layers/attention/attentions.h"
#include "tests/layers/rows.h"
#include "tests/message_of.h"

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

/// Sequence i of a batch, alone.
Batch only(const Batch& batch, Index i) {
  const auto line = [i](const Sequences& all) {
    const Id* const begin = all.ids.data() + all.spans.begin(i);
    return pack(Lines{{begin, begin + all.spans.length(i)}});
  };
  Batch one;
  one.source = line(batch.source);
  one.target = line(batch.target);
  return one;
}

TEST(RecurrentSeq2Seq, GivesItsAttention) {
  const Batch batch = make_batch(random_lines({5, 1, 0, 3}, 1), random_lines({2, 6, 1, 4}, 2));
  for (const TinyRecurrent& row : tiny_recurrents()) {
    const RecurrentSeq2Seq model = tiny_recurrent(row);
    std::vector<AttentionMap> maps;
    static_cast<void>(logits_of(model, batch, &maps));
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
      logits_of(model, only(batch, s), &alone);
      expect_close(alone[0].weights[0], w, row.name);
    }
  }
}

/// The model of Bahdanau et al. 2015, appendix A, for one sentence and with an LSTM, whose sums are
/// plain loops here.
class AdditiveByHand {
 public:
  explicit AdditiveByHand(const RecurrentSeq2Seq& model) {
    for (const auto& [name, parameter] : parameters(const_cast<RecurrentSeq2Seq&>(model)))
      parameters_.emplace(name, rows_of(parameter.value()));
  }

  /// Reads the source; the state is then the decoder's first.
  void encode(const std::vector<Id>& source) {
    for (Id id : source) {
      lstm(gates("encoder.forward.0", embed(id)));
      annotations_.push_back(h_);
    }
    h_ = tanh_of(times("bridge.0.weight", h_) + bias("bridge.0.bias"));
    c_ = Row(d, 0.0);
  }

  /// The logits after the next token.
  Row step(Id token) {
    const Row context = attend();
    const Row y = embed(token);
    lstm(gates("decoder.0", y) + times("decoder.feed.weight", context));
    Row features = h_;
    features.insert(features.end(), context.begin(), context.end());
    features.insert(features.end(), y.begin(), y.end());
    return times("output", features) + bias("output_bias");
  }

 private:
  static constexpr std::size_t d = 16;

  Row times(const std::string& name, const Row& x) const {
    Row y;
    for (const Row& w : parameters_.at(name)) {
      EXPECT_EQ(w.size(), x.size()) << name;
      y.push_back(dot(w, x));
    }
    return y;
  }
  Row bias(const std::string& name) const { return parameters_.at(name)[0]; }
  Row embed(Id id) const {
    Row x = parameters_.at("embedding.weight")[static_cast<std::size_t>(id)];
    for (double& v : x)
      v *= 4;  // sqrt 16
    return x;
  }

  /// W x + U h, with their biases.
  Row gates(const std::string& layer, const Row& x) const {
    return (times(layer + ".input.weight", x) + bias(layer + ".input.bias")) +
           (times(layer + ".weight", h_) + bias(layer + ".bias"));
  }
  void lstm(const Row& z) {
    const auto logistic = [](double v) { return 1 / (1 + std::exp(-v)); };
    for (std::size_t j = 0; j < d; ++j) {
      c_[j] = logistic(z[d + j]) * c_[j] + logistic(z[j]) * std::tanh(z[2 * d + j]);
      h_[j] = logistic(z[3 * d + j]) * std::tanh(c_[j]);
    }
  }

  /// The context of the query h.
  Row attend() const {
    const std::string layer = "decoder.attention.";
    Row weights;
    double total = 0;
    for (const Row& a : annotations_) {
      const Row inner = tanh_of(times(layer + "query.weight", h_) + times(layer + "key.weight", a) +
                                bias(layer + "key.bias"));
      weights.push_back(std::exp(dot(parameters_.at(layer + "energy")[0], inner)));
      total += weights.back();
    }
    Row context(d, 0.0);
    for (std::size_t s = 0; s < annotations_.size(); ++s)
      for (std::size_t j = 0; j < d; ++j)
        context[j] += weights[s] / total * annotations_[s][j];
    return context;
  }

  std::map<std::string, Rows> parameters_;
  Rows annotations_;
  Row h_ = Row(d, 0.0);
  Row c_ = Row(d, 0.0);
};

TEST(RecurrentSeq2Seq, AdditiveFollowsItsPaper) {
  const RecurrentSeq2Seq model =
      tiny_recurrent({"", {.attention = "additive", .bidirectional = false}});
  const std::vector<Id> source = {7, 12, 5};
  const std::vector<Id> target = {bos_id, 9, 20, 4};
  Batch batch;
  batch.source = pack(Lines{source});
  batch.target = pack(Lines{target});
  const Rows got = rows_of(logits_of(model, batch).value());
  AdditiveByHand expected(model);
  expected.encode(source);
  for (std::size_t t = 0; t < target.size(); ++t) {
    const Row logits = expected.step(target[t]);
    ASSERT_EQ(logits.size(), got[t].size());
    for (std::size_t w = 0; w < logits.size(); ++w)
      EXPECT_NEAR(got[t][w], logits[w], 1e-4) << t << ", " << w;
  }
}

TEST(RecurrentSeq2Seq, TakesEveryAttentionThereIs) {
  for (const std::string& name : attentions().names()) {
    const RecurrentSeq2Seq model = tiny_recurrent({"", {.attention = std::string(name)}});
    const Tensor logits =
        logits_of(model, make_batch(random_lines({5, 1}, 1), random_lines({2, 6}, 2))).value();
    for (Real x : logits.span())
      ASSERT_TRUE(std::isfinite(x)) << name;
  }
}

TEST(RecurrentSeq2Seq, RefusesSizesThatDoNotFit) {
  const auto message = [](const RecurrentSeq2SeqOptions& o) {
    return message_of([&] {
      Random random(1);
      RecurrentSeq2Seq model(o, random);
    });
  };
  EXPECT_EQ(message({}), "[rnn] expected vocabulary of at least 1; got 0");
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
