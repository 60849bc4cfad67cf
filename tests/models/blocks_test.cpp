// Every attention with every scheme of positions, and every block, in every family that has them:
// trained for a few steps, decoded with the cache, and compared with the full pass.

#include "models/blocks.h"

#include <map>

#include "optim/optimizer.h"
#include "tests/layers/rows.h"
#include "tests/message_of.h"
#include "tests/models/decoding.h"
#include "tests/models/made_blocks.h"

namespace heed {
namespace {

/// Makes every parameter random; then a few steps of training. The loss must be finite, and every
/// parameter get a gradient.
void train(BatchModel& model, const std::string& what) {
  randomize(model);
  for (const auto& [name, p] : parameters(model))
    if (name.ends_with("span"))  // between 0 and 1, so that the gradient is not that of a bound
      for (Real& x : p.value().span())
        x = std::abs(x) + Real(0.1);
  Adam adam(model, {.lr = 0.01});
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Lines sources = random_lines({3, 7, 1, 5}, step);
    const Batch batch =
        make_batch(model.reads_source() ? sources : Lines{}, random_lines({4, 9, 6, 3}, step + 9));
    step_random() = Random(1, step);
    Tape tape;
    const Variable loss = model.loss(batch, {.label_smoothing = Real(0.1), .ignore = ignored_id});
    const Variable penalty = model.penalty();
    tape.backward(penalty.defined() ? loss + penalty : loss);
    ASSERT_TRUE(std::isfinite(loss.item())) << what;
    for (const auto& [name, p] : parameters(model))
      EXPECT_TRUE(p.gradient().defined()) << what << ": " << name;
    adam.step();
    adam.clear_gradients();
  }
  set_training(model, false);
}

/// Rows on their way: of each the source and what it has read.
struct Running {
  Lines sources;
  Lines read;

  void select(const std::vector<Index>& chosen) {
    Running now;
    for (const Index row : chosen) {
      if (!sources.empty()) now.sources.push_back(sources[static_cast<std::size_t>(row)]);
      now.read.push_back(read[static_cast<std::size_t>(row)]);
    }
    *this = now;
  }
};

/// The largest difference between the logits of each step and those of the full pass over the same
/// tokens, for `steps` steps of rows that are now and then reordered, repeated and dropped, as a
/// beam's are.
double worst_step(const BatchModel& model, int steps, bool in_a_beam) {
  const auto decoder = model.decoder();
  const Lines texts = in_a_beam ? random_lines({5, 2, 8}, 3) : random_lines({5}, 3);
  Running rows{model.reads_source() ? texts : Lines{}, texts};
  if (model.reads_source())
    for (auto& line : rows.read)
      line.clear();
  const auto state = decoder->start(pack(texts));
  const std::vector<std::vector<Index>> selections = {{0, 1, 2}, {2, 0, 0}, {1, 0}, {1, 0, 1, 0}};
  double worst = 0;
  for (int step = 0; step < steps; ++step) {
    if (in_a_beam && step % 2 == 1) {
      const auto& chosen = selections[static_cast<std::size_t>(step / 2) % selections.size()];
      const auto fits = [&](Index row) { return row < state->rows(); };
      if (std::ranges::all_of(chosen, fits)) {
        state->select(chosen);
        rows.select(chosen);
      }
    }
    std::vector<Id> tokens;
    for (std::size_t r = 0; r < rows.read.size(); ++r) {
      const auto id = static_cast<Id>(4 + (7 * step + 5 * static_cast<int>(r)) % 26);
      tokens.push_back(id);
      rows.read[r].push_back(id);
    }
    const Tensor got = state->step(tokens);
    const Sequences read = pack(rows.read);
    const Tensor all =
        decoder->logits(rows.sources.empty() ? Sequences{} : pack(rows.sources), read).value();
    for (Index r = 0; r < got.rows(); ++r) {
      const Index last = read.spans.begin(r) + read.spans.length(r) - 1;
      worst =
          std::max(worst, difference(got.slice(r, r + 1).span(), all.slice(last, last + 1).span()));
    }
  }
  return worst;
}

constexpr double tolerance = 20 * close;

void expect_steps_of_full_pass(const BatchModel& model, const std::string& what) {
  // An lm with learned positions forgets what is longer than its context, 20 tokens.
  const int steps = model.longest() == 20 ? 12 : 45;
  EXPECT_LE(worst_step(model, steps, false), tolerance) << what;
  EXPECT_LE(worst_step(model, steps, true), tolerance) << what << ", in a beam";
}

/// The maps of attention, which a page shows: weights of each query, which sum to 1.
void expect_maps(const BatchModel& model, const std::string& what, std::size_t layers = 2) {
  const Lines lines = random_lines({5, 2}, 3);
  std::vector<AttentionMap> maps;
  model.decoder()->logits(model.reads_source() ? pack(lines) : Sequences{}, pack(lines), &maps);
  ASSERT_EQ(maps.size(), layers) << what;
  for (const AttentionMap& map : maps) {
    ASSERT_EQ(map.weights.size(), 2u) << what;
    for (const Tensor& weights : map.weights) {
      const Index keys = weights.shape()[2];
      for (Index query = 0; query < weights.size() / keys; ++query) {
        double total = 0;
        for (Index j = 0; j < keys; ++j)
          total += static_cast<double>(weights[query * keys + j]);
        ASSERT_NEAR(total, 1, tolerance) << what << ", " << map.layer;
      }
    }
  }
}

TEST(Blocks, EveryAttentionDecodesWithEverySchemeOfPositions) {
  int refused = 0;
  for (const std::string family : {"transformer", "lm"})
    for (const std::string& attention : layer_attentions())
      for (const std::string& positions : position_kinds().names()) {
        const std::string what = fmt::format("{:<12} {:<14} {:<11}", family, attention, positions);
        std::unique_ptr<BatchModel> model;
        const std::string why = message_of([&] {
          model = made(family, {{"attention", attention}, {"positions", positions}});
        });
        if (!model) {
          fmt::print("{} refused: {}\n", what, why);
          ++refused;
          EXPECT_NE(why.find("beside attention = " + attention), std::string::npos) << why;
          EXPECT_NE(why.find("positions"), std::string::npos) << why;
          continue;
        }
        train(*model, what);
        expect_steps_of_full_pass(*model, what);
        expect_maps(*model, what);
        fmt::print("{} steps of the cache give the full pass\n", what);
      }
  // linear with rotary, alibi and relative
  EXPECT_EQ(refused, 2 * 3);
}

TEST(Blocks, EveryBlockDecodes) {
  const std::vector<std::vector<Assignment>> rows = {
      {{"norm_kind", std::string("rms")}},
      {{"activation", std::string("relu")}},
      {{"activation", std::string("gelu")}},
      {{"activation", std::string("swiglu")}},
      {{"activation", std::string("relu_squared")}},
      {{"qk_norm", true}},
      {{"qk_norm", true}, {"attention", std::string("linear")}},
      {{"softcap", 3.0}},
      {{"tied_output", false}},
      {{"tied_layers", true}},
      {{"zero_init", true}},
      {{"attention", std::string("local")},
       {"positions", std::string("rotary")},
       {"kv_heads", Index{2}},
       {"norm_kind", std::string("rms")},
       {"activation", std::string("swiglu")},
       {"qk_norm", true},
       {"softcap", 15.0},
       {"tied_output", false},
       {"tied_layers", true}},
  };
  for (const std::string family : {"transformer", "lm"})
    for (const auto& assignments : rows) {
      const std::string what = label_of(family, assignments);
      const auto model = made(family, assignments);
      train(*model, what);
      expect_steps_of_full_pass(*model, what);
    }
}

TEST(Blocks, EveryConvolutionDecodes) {
  const std::vector<std::vector<Assignment>> rows = {
      {{"convolution", std::string("full")}},
      {{"convolution", std::string("lightweight")}},
      {{"convolution", std::string("lightweight")}, {"conv_heads", Index{4}}, {"kernel", Index{5}}},
      {{"convolution", std::string("lightweight")}, {"weight_norm", false}, {"tied", true}},
  };
  for (const auto& assignments : rows) {
    const std::string what = label_of("conv", assignments);
    const auto model = made("conv", assignments);
    train(*model, what);
    expect_steps_of_full_pass(*model, what);
    expect_maps(*model, what);
  }
}

std::vector<std::string> recurrent_attentions() {
  std::vector<std::string> names;
  for (const AttentionKind& kind : attentions().rows())
    if (!kind.by_distance) names.push_back(kind.name);
  return names;
}

TEST(Blocks, EveryRecurrentDecoderDecodes) {
  const Assignment rnn = {"decoder", std::string("rnn")};
  std::vector<std::vector<Assignment>> rows;
  for (const std::string& attention : recurrent_attentions())
    rows.push_back({rnn, {"decoder_attention", attention}});
  for (const auto& cell : cells())
    rows.push_back({rnn, {"cell", std::string(cell.name)}});
  for (const std::string& positions : position_kinds().names())
    rows.push_back({rnn, {"positions", positions}, {"decoder_attention", std::string("additive")}});
  for (const std::string& attention : layer_attentions())
    rows.push_back({rnn, {"attention", attention}});
  rows.push_back({rnn, {"encoder_layers", Index{3}}, {"decoder_layers", Index{1}}});
  rows.push_back({rnn, {"tied_output", false}, {"norm", std::string("post")}});
  for (const auto& assignments : rows) {
    const std::string what = label_of("transformer", assignments);
    const auto model = made("transformer", assignments);
    train(*model, what);
    expect_steps_of_full_pass(*model, what);
    expect_maps(*model, what, 1);
  }
}

TEST(Blocks, ARecurrentDecoderStartsFromTheMeanOfTheRows) {
  // What is read beside attention is the mean alone. Without positions a Transformer's encoder
  // gives the same rows in another order, and so the same mean and the same context.
  const auto model = made("transformer", {{"decoder", std::string("rnn")},
                                          {"decoder_attention", std::string("additive")},
                                          {"positions", std::string("none")}});
  randomize(*model);
  set_training(*model, false);
  const Lines target = random_lines({6}, 4);
  const Tensor a = model->logits(make_batch({{5, 9, 7, 12}}, target)).value();
  const Tensor b = model->logits(make_batch({{12, 7, 5, 9}}, target)).value();
  const Tensor c = model->logits(make_batch({{12, 7, 5, 8}}, target)).value();
  expect_close(b, a, "another order", tolerance);
  EXPECT_GT(difference(c.span(), a.span()), 1e-4);
}

/// The encoder's weights have the names and, from one seed, the values that the Transformer's have.
TEST(Blocks, ARecurrentDecoderLeavesTheEncoderAsItIs) {
  const auto plain = made("transformer", {});
  const auto hybrid = made("transformer", {{"decoder", std::string("rnn")}});
  std::map<std::string, std::vector<Real>> expected;
  for (const auto& [name, p] : parameters(*plain))
    if (name.starts_with("encoder") || name.starts_with("embedding"))
      expected[name] = p.value().to_vector();
  std::size_t found = 0;
  for (const auto& [name, p] : parameters(*hybrid)) {
    if (!expected.contains(name)) continue;
    EXPECT_EQ(p.value().to_vector(), expected[name]) << name;
    ++found;
  }
  EXPECT_EQ(found, expected.size());
  EXPECT_GT(found, 20u);
}

/// What a state keeps after `steps` steps of one row.
Index size_after(const std::string& attention, int steps) {
  const auto model = made("lm", {{"attention", attention}, {"positions", std::string("none")}});
  const auto decoder = model->decoder();
  const auto state = decoder->start(pack(random_lines({1}, 3)));
  for (int step = 0; step < steps; ++step) {
    const Id token = 5;
    state->step(std::span(&token, 1));
  }
  return state->state_size();
}

TEST(Blocks, AStateIsAsLargeAsItsAttentionNeeds) {
  const Index all = size_after("multi_head", 1000);
  EXPECT_EQ(all, Index{1001} * 2 * 2 * 16);  // two layers, keys and values; the prompt is one token
  EXPECT_EQ(size_after("grouped_query", 1000), all / 2);
  EXPECT_EQ(size_after("multi_query", 1000), all / 4);
  // Of 4 heads that are 4 wide, in two layers.
  EXPECT_EQ(size_after("linear", 10), 2 * 4 * 4 * 5);
  EXPECT_EQ(size_after("linear", 1000), 2 * 4 * 4 * 5);
  // What a window of 16 does not see is dropped when the history is twice as long, and 16 more.
  for (int steps = 300; steps < 350; ++steps)
    EXPECT_LE(size_after("local", steps), Index{2 * 16 + 16} * 2 * 2 * 16) << steps;
  EXPECT_LE(size_after("adaptive_span", 1000), all / 10);
}

TEST(Blocks, TheKernelAndTheLayersGiveTheSameSteps) {
  // A window that sees all is not plain, so that its layers are computed one by one.
  for (const std::string family : {"transformer", "lm"}) {
    const auto plain = made(family, {});
    const auto windowed =
        made(family, {{"attention", std::string("local")}, {"window", Index{99}}});
    set_training(*plain, false);
    set_training(*windowed, false);
    const Lines texts = random_lines({4, 2}, 5);
    const auto a = plain->decoder();
    const auto b = windowed->decoder();
    const auto x = a->start(pack(texts));
    const auto y = b->start(pack(texts));
    for (Id token = 4; token < 14; ++token) {
      const std::vector<Id> tokens = {token, token + 5};
      expect_close(y->step(tokens), x->step(tokens), family);
    }
  }
}

TEST(Blocks, SaysWhatDoesNotGoTogether) {
  const struct {
    std::vector<Assignment> assignments;
    std::string message;
  } rows[] = {
      {{{"attention", std::string("linear")}, {"positions", std::string("alibi")}},
       "[transformer] expected positions of sinusoidal, learned, none beside attention = linear, "
       "which has no score of a query and a key that a distance could change; got alibi"},
      {{{"attention", std::string("grouped_query")}, {"kv_heads", Index{3}}},
       "[transformer] expected kv_heads of a divisor of heads = 4; got 3"},
      {{{"positions", std::string("rotary")}, {"heads", Index{16}}},
       "[transformer] expected heads of a number whose double divides d = 16, for positions = "
       "rotary; got 16"},
      {{{"copy", true}, {"softcap", 3.0}},
       "[transformer] expected softcap of 0 beside copy = true; got 3"},
      {{{"decoder", std::string("rnn")}, {"copy", true}},
       "[transformer] expected copy of false beside decoder = rnn, which copies in the family rnn "
       "alone; got true"},
      {{{"decoder", std::string("rnn")}, {"softcap", 3.0}},
       "[transformer] expected softcap of 0 beside decoder = rnn, which caps no logits; got 3"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(message_of([&] { made("transformer", row.assignments); }), row.message);
  Blocks blocks;
  blocks.attention = "additive";
  EXPECT_NE(message_of([&] { blocks.check("lm", 8, 2); }).find("expected attention of multi_head"),
            std::string::npos);
}

Index weights_of(const std::vector<Assignment>& assignments, const std::string& family = "lm") {
  return parameter_count(*made(family, assignments));
}

TEST(Blocks, HaveTheirWeights) {
  const Index d = 16;
  const Index ff = 24;
  const Index plain = weights_of({});
  const Index attention = 4 * d * d + 4 * d;
  const Index layer = attention + 2 * d * ff + ff + d + 4 * d;
  EXPECT_EQ(plain, tiny_vocabulary * d + 20 * d + 2 * layer + 2 * d);
  EXPECT_EQ(weights_of({{"norm_kind", std::string("rms")}}), plain - 5 * d);
  EXPECT_EQ(weights_of({{"activation", std::string("swiglu")}}), plain + 2 * (d * ff + ff));
  EXPECT_EQ(weights_of({{"qk_norm", true}}), plain + 2 * 2 * 4);
  EXPECT_EQ(weights_of({{"tied_output", false}}), plain + tiny_vocabulary * d);
  EXPECT_EQ(weights_of({{"tied_layers", true}}), plain - layer);
  EXPECT_EQ(weights_of({{"positions", std::string("none")}}), plain - 20 * d);
  EXPECT_EQ(weights_of({{"attention", std::string("multi_query")}}), plain - 2 * 2 * (d * 12 + 12));
  // Two thirds of 4 d, so that three matrices have as many weights as two.
  EXPECT_EQ(weights_of({{"activation", std::string("swiglu")}, {"ff", Index{0}}}),
            plain - 2 * (2 * d * ff + ff) + 2 * (3 * d * 43 + 2 * 43));
  EXPECT_EQ(weights_of({{"positions", std::string("learned")}}, "transformer"),
            weights_of({}, "transformer") + 2 * 64 * d);
  // Of the decoder in place of the Transformer's, whose layers have two attentions and a norm more:
  // two LSTMs with a bridge each, one attention, what feeds the attentional vector back, what makes
  // it, and a bias of the output layer.
  const Index lstm = 2 * 4 * d * d + 2 * 4 * d;
  EXPECT_EQ(weights_of({{"decoder", std::string("rnn")}}, "transformer"),
            weights_of({}, "transformer") - 2 * (layer + attention + 2 * d) - 2 * d +
                2 * (lstm + d * d + d) + attention + 4 * d * d + 2 * d * d + tiny_vocabulary);
  // Of each of 2 + 2 layers: v, g and b of 2 d columns and 3 taps; or those of two products, and
  // the taps of d / 16 = 1 head, or of 4.
  const std::vector<Assignment> light = {{"convolution", std::string("lightweight")}};
  const Index full = 2 * d * 3 * d + 2 * 2 * d;
  const Index products = 2 * d * d + 2 * 2 * d + d * d + 2 * d;
  EXPECT_EQ(weights_of(light, "conv"), weights_of({}, "conv") + 4 * (products + 3 - full));
  EXPECT_EQ(weights_of({light[0], {"conv_heads", Index{4}}}, "conv"),
            weights_of(light, "conv") + 4 * 3 * 3);
}

TEST(Blocks, BeginAtZeroAndLeaveOtherWeightsAlone) {
  for (const std::string family : {"transformer", "lm"}) {
    const auto plain = made(family, {});
    const auto zero = made(family, {{"zero_init", true}});
    const auto expected = parameters(*plain);
    const auto got = parameters(*zero);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::string& name = got[i].name;
      const bool last = name.ends_with("attention.output.weight") ||
                        name.ends_with("cross.output.weight") || name.ends_with("down.weight");
      std::vector<Real> values = expected[i].parameter.value().to_vector();
      if (last) std::ranges::fill(values, Real{0});
      EXPECT_EQ(got[i].parameter.value().to_vector(), values) << name;
    }
  }
}

TEST(Blocks, SoftcapBoundsLogitsAndTheirLoss) {
  const auto capped = made("lm", {{"softcap", 2.0}});
  const auto plain = made("lm", {});
  randomize(*capped);
  randomize(*plain);
  for (const auto& model : {capped.get(), plain.get()}) {
    set_training(*model, false);
    for (const auto& [name, p] : parameters(*model))
      if (name == "embedding.weight")
        for (Real& x : p.value().span())
          x *= 9;
  }
  const Batch batch = make_batch({}, random_lines({5, 3}, 2));
  const Tensor y = capped->logits(batch).value();
  const Tensor x = plain->logits(batch).value();
  double loss = 0;
  for (Index r = 0; r < y.rows(); ++r) {
    double total = 0;
    for (Index c = 0; c < y.columns(); ++c) {
      const double expected = 2 * std::tanh(static_cast<double>(x[r * y.columns() + c]) / 2);
      EXPECT_NEAR(static_cast<double>(y[r * y.columns() + c]), expected, tolerance);
      total += std::exp(expected);
    }
    loss += std::log(total) - static_cast<double>(y[r * y.columns() + batch.gold[r]]);
  }
  EXPECT_NEAR(static_cast<double>(capped->loss(batch, {.divisor = 1}).item()), loss, 1e3 * close);
}

TEST(Blocks, PenaltyIsTheSumOfTheLayersMeanSpans) {
  for (const std::string family : {"transformer", "lm"}) {
    const auto model = made(family, {{"attention", std::string("adaptive_span")},
                                     {"longest", Index{10}},
                                     {"span_penalty", 0.5}});
    double expected = 0;
    for (const auto& [name, p] : parameters(*model))
      if (name.ends_with("span")) {
        p.value() = Tensor({4}, {Real(-1), Real(0.2), Real(0.6), Real(3)});
        expected += 0.5 * 10 * (0 + 0.2 + 0.6 + 1) / 4;
      }
    EXPECT_GT(expected, 0);
    EXPECT_NEAR(static_cast<double>(model->penalty().item()), expected, close);
    EXPECT_FALSE(made(family, {})->penalty().defined());
  }
}

}  // namespace
}  // namespace heed
