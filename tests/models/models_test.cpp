#include <algorithm>
#include <numeric>

#include "datasets/text/batch.h"
#include "framework/freezing.h"
#include "framework/kernels/parallel.h"
#include "framework/memory.h"
#include "framework/partial_loading.h"
#include "models/classifier.h"
#include "tests/message_of.h"
#include "tests/models/tiny.h"

namespace heed {
namespace {

// What every model promises. Family says what differs between the models.
struct Family {
  std::string name;
  std::function<std::unique_ptr<BatchModel>(Real dropout)> make;
  bool reads_source;
  bool attends = true;
};

const std::vector<Family>& families() {
  static const std::vector<Family> all = [] {
    std::vector<Family> some = {
        {"transformer, pre-norm",
         [](Real p) { return of_batches(tiny_transformer(NormPlace::pre, p)); }, true},
        {"transformer, post-norm",
         [](Real p) { return of_batches(tiny_transformer(NormPlace::post, p)); }, true},
        {"transformer, copying",
         [](Real p) {
           return of_batches(tiny_transformer(NormPlace::pre, p, tiny_vocabulary, true));
         },
         true},
        {"convolutional", [](Real p) { return of_batches(tiny_convolutional(true, p)); }, true},
        {"convolutional, normalised and tied",
         [](Real p) { return of_batches(tiny_convolutional(false, p)); }, true},
        {"convolutional, kernel of 5",
         [](Real p) { return of_batches(tiny_convolutional(true, p, 5)); }, true},
        {"convolutional, lightweight",
         [](Real p) {
           return of_batches(tiny_convolutional(true, p, 3, 48, ConvKind::lightweight));
         },
         true},
        {"convolutional, lightweight, normalised and tied",
         [](Real p) {
           return of_batches(tiny_convolutional(false, p, 5, 48, ConvKind::lightweight));
         },
         true},
        {"language model", [](Real p) { return of_batches(tiny_language_model(p)); }, false},
    };
    for (const TinyRecurrent& row : tiny_recurrents())
      some.push_back({row.name, [row](Real p) { return of_batches(tiny_recurrent(row, p)); }, true,
                      !row.options.attention.empty()});
    return some;
  }();
  return all;
}

const std::vector<Index> source_lengths = {5, 1, 7, 3};
const std::vector<Index> target_lengths = {2, 6, 0, 4};

Batch batch_of(const Family& family, const std::vector<Index>& sources,
               const std::vector<Index>& targets, std::uint64_t seed = 11, Widths widths = {},
               Id filler = pad_id) {
  return make_batch(family.reads_source ? random_lines(sources, seed) : Lines{},
                    random_lines(targets, seed + 1), widths, filler);
}

const CrossEntropy summed{.label_smoothing = Real(0.1), .ignore = ignored_id, .divisor = 1};

/// The rows of sequence i.
Tensor rows_of(const Tensor& x, const Spans& spans, Index i) {
  return x.slice(spans.begin(i), spans.begin(i) + spans.length(i));
}

TEST(Models, ABatchGivesWhatItsSequencesGiveAlone) {
  for (const Family& family : families()) {
    const auto model = family.make(0);
    const Lines sources = random_lines(source_lengths, 21);

    const Lines targets = random_lines(target_lengths, 22);
    const Batch together = make_batch(family.reads_source ? sources : Lines{}, targets);
    const Tensor logits = model->logits(together).value();
    const Gradients got = gradients(*model, [&] { return model->loss(together, summed); });
    Gradients expected;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const Batch alone =
          make_batch(family.reads_source ? Lines{sources[i]} : Lines{}, {targets[i]});
      expect_close(rows_of(logits, together.target.spans, static_cast<Index>(i)),
                   model->logits(alone).value(),
                   fmt::format("{}: logits of sequence {}", family.name, i));
      add(expected, gradients(*model, [&] { return model->loss(alone, summed); }));
    }
    // Sums over a batch have another order than sums over one sequence, and the norms over an
    // LSTM's 8 numbers divide rounding errors by their spread.
    const bool normed = std::string(family.name).starts_with("normed lstm");
    expect_close(got, expected, family.name, normed ? 10 * close : close);
  }
}

TEST(Models, PaddingChangesNothing) {
  for (const Family& family : families()) {
    const auto model = family.make(0);
    const Batch packed = batch_of(family, source_lengths, target_lengths);
    const Tensor logits = model->logits(packed).value();
    const Gradients expected = gradients(*model, [&] { return model->loss(packed, summed); });
    struct Row {
      Widths widths;
      Id filler;
    };
    for (const Row& row : {Row{{7, 7}, pad_id}, Row{{12, 9}, pad_id}, Row{{9, 20}, 17},
                           Row{{0, 8}, 5}, Row{{8, 0}, 5}}) {
      const std::string what = fmt::format("{}, {} and {} wide, filled with {}", family.name,
                                           row.widths.source, row.widths.target, row.filler);
      const Batch padded =
          batch_of(family, source_lengths, target_lengths, 11, row.widths, row.filler);
      const Tensor found = model->logits(padded).value();
      for (Index i = 0; i < packed.target.spans.count(); ++i)
        expect_close(rows_of(found, padded.target.spans, i),
                     rows_of(logits, packed.target.spans, i),
                     fmt::format("{}: sequence {}", what, i));
      expect_close(gradients(*model, [&] { return model->loss(padded, summed); }), expected, what);
    }
  }
}

TEST(Models, AnEmptySequenceAddsNothingToItsBatch) {
  for (const Family& family : families()) {
    const auto model = family.make(0);
    // The decoder's side: a sequence without rows. (Its source may be read, and changes nothing.)
    Batch with = batch_of(family, {3, 4, 2}, {2, 1, 3});
    Batch without = with;
    const auto rows = [](const Sequences& s, Index i) {
      return std::vector<Id>(&s.ids[s.spans.begin(i)],
                             &s.ids[s.spans.begin(i)] + s.spans.length(i));
    };
    const Lines kept = {rows(with.target, 0), rows(with.target, 2)};
    const Lines holed = {kept[0], {}, kept[1]};
    const Sequences gold{with.gold, with.target.spans};
    const Lines kept_gold = {rows(gold, 0), rows(gold, 2)};
    with.gold = without.gold = pack(kept_gold).ids;
    with.target = pack(holed);
    without.target = pack(kept);
    if (family.reads_source)
      without.source = pack(Lines{rows(with.source, 0), rows(with.source, 2)});
    const Gradients got = gradients(*model, [&] { return model->loss(with, summed); });
    expect_close(got, gradients(*model, [&] { return model->loss(without, summed); }), family.name);
    for (const auto& values : got.values)
      for (Real g : values)
        ASSERT_TRUE(std::isfinite(g)) << family.name;
  }
}

TEST(Models, ASourceOfNothingIsNoNaN) {
  for (const Family& family : families()) {
    if (!family.reads_source) continue;
    const auto made = family.make(0);
    const BatchModel& model = *made;
    const Lines targets = random_lines({2, 3}, 1);
    const Lines sources = random_lines({0, 4}, 2);
    const Batch batch = make_batch(sources, targets);

    const Batch other = make_batch({sources[1]}, {targets[1]});
    const Tensor logits = model.logits(batch).value();
    for (Real x : logits.span())
      ASSERT_TRUE(std::isfinite(x));
    expect_close(rows_of(logits, batch.target.spans, 1), model.logits(other).value(),
                 family.name + ": its neighbour");
    const Gradients got = gradients(*made, [&] { return model.loss(batch, summed); });
    Gradients sum = gradients(*made, [&] { return model.loss(other, summed); });
    add(sum, gradients(*made,
                       [&] { return model.loss(make_batch({sources[0]}, {targets[0]}), summed); }));
    expect_close(got, sum, family.name);
  }
}

TEST(Models, LossIsTheMeanOverGoldTokens) {
  for (const Family& family : families()) {
    const auto model = family.make(0);
    set_training(*model, false);  // without the loss of coverage
    // copy_test.cpp tests the smoothing of models that copy
    const double smoothing = model->copies() ? 0 : 0.1;
    Batch batch = batch_of(family, source_lengths, target_lengths);
    for (Index ignored : {-1, 0, 4}) {  // one more row each time
      if (ignored >= 0) batch.gold[ignored] = ignored_id;
      const Tensor logits = model->logits(batch).value();
      double total = 0;
      int counted = 0;
      for (Index row = 0; row < logits.rows(); ++row) {
        if (batch.gold[row] == ignored_id) continue;
        const Real* z = logits.data() + row * logits.columns();
        double largest = -INFINITY;
        double sum = 0;
        for (Index c = 0; c < logits.columns(); ++c)
          largest = std::max(largest, static_cast<double>(z[c]));
        for (Index c = 0; c < logits.columns(); ++c)
          sum += std::exp(static_cast<double>(z[c]) - largest);
        for (Index c = 0; c < logits.columns(); ++c) {
          const double q = smoothing / static_cast<double>(tiny_vocabulary) +
                           (c == batch.gold[row] ? 1 - smoothing : 0.0);
          total -= q * (static_cast<double>(z[c]) - largest - std::log(sum));
        }
        ++counted;
      }
      const CrossEntropy mean{.label_smoothing = static_cast<Real>(smoothing),
                              .ignore = ignored_id};
      CrossEntropy whole = mean;
      whole.divisor = 1;
      EXPECT_NEAR(static_cast<double>(model->loss(batch, mean).item()), total / counted, 1e-5)
          << family.name;
      EXPECT_NEAR(static_cast<double>(model->loss(batch, whole).item()), total, 1e-5 * total)
          << family.name;
    }
  }
}

// Numbers of parameters, for a vocabulary of v, a width of d and n layers.

/// Query, key, value and output maps.
constexpr Index attention_parameters(Index d) { return 4 * (d * d + d); }
constexpr Index feed_forward_parameters(Index d, Index ff) { return 2 * d * ff + ff + d; }
constexpr Index norm_parameters(Index d) { return 2 * d; }

/// Encoder layers have an attention and 2 norms, decoder layers 2 attentions and 3 norms.
constexpr Index transformer_parameters(Index v, Index d, Index n, Index ff) {
  const Index layer =
      3 * attention_parameters(d) + 2 * feed_forward_parameters(d, ff) + 5 * norm_parameters(d);
  return v * d + n * layer + 2 * norm_parameters(d);
}

constexpr Index language_model_parameters(Index v, Index d, Index n, Index ff, Index context) {
  const Index layer =
      attention_parameters(d) + feed_forward_parameters(d, ff) + 2 * norm_parameters(d);
  return v * d + context * d + n * layer + norm_parameters(d);
}

/// Two tables, a convolution to 2 d in each layer of either side, two linear layers in each decoder
/// layer, and the output layer.
constexpr Index convolutional_parameters(Index v, Index d, Index n, Index kernel, Index positions) {
  return v * d + positions * d + 2 * n * (2 * d * kernel * d + 2 * d) + 2 * n * (d * d + d) +
         d * v + v;
}

TEST(Models, ConvolutionalOnesCountTheirParameters) {
  // The case `conv` of benchmarks/: 2,048,000 + 262,144 + 3,149,824 + 526,336 + 2,056,000
  EXPECT_EQ(convolutional_parameters(8000, 256, 4, 3, 1024), 8042304);
  for (const bool tied : {false, true}) {
    for (const bool normed : {false, true}) {
      Random random(1);
      Index expected = convolutional_parameters(50, 16, 3, 5, 40);
      if (tied) expected -= 50 * 16;
      if (normed) expected += 2 * 3 * 2 * 16 + 2 * 3 * 16;  // gains of the layers
      if (normed && !tied) expected += 50;                  // and of the output layer
      ConvS2S model({.vocabulary = 50,
                     .d = 16,
                     .layers = 3,
                     .kernel = 5,
                     .positions = 40,
                     .weight_norm = normed,
                     .tied = tied},
                    random);
      EXPECT_EQ(parameter_count(model), expected);
      EXPECT_EQ(model.longest(), 40);
    }
  }
}

TEST(Models, TransformersCountTheirParameters) {
  // The cases of benchmarks/, by hand:
  // - tiny: 1,024,000 (embedding) + 2 (198,272 + 264,576) + 512
  // - small: 2,048,000 + 3 (789,760 + 1,053,440) + 1,024
  // - base: 4,096,000 + 6 (3,152,384 + 4,204,032) + 2,048
  EXPECT_EQ(transformer_parameters(8000, 128, 2, 512), 1950208);
  EXPECT_EQ(transformer_parameters(8000, 256, 3, 1024), 7578624);
  EXPECT_EQ(transformer_parameters(8000, 512, 6, 2048), 48236544);
  // Models have as many: the smallest case itself, the others at a smaller width.
  struct Row {
    Index v;
    Index d;
    int n;
    int heads;
    Index ff;  // 0: 4 d
  };
  for (const Row& r : {Row{8000, 128, 2, 4, 512}, Row{300, 32, 3, 4, 128}, Row{100, 16, 6, 8, 0}}) {
    Random random(1);
    Transformer model({.vocabulary = r.v, .d = r.d, .layers = r.n, .heads = r.heads, .ff = r.ff},
                      random);
    const Index ff = r.ff > 0 ? r.ff : 4 * r.d;
    EXPECT_EQ(parameter_count(model), transformer_parameters(r.v, r.d, r.n, ff));
    EXPECT_EQ(model.longest(), 0);
  }
}

struct Depths {
  int layers;
  int encoder;  // 0: `layers`
  int decoder;
};

/// Gated convolutions of width 16 to 32 over 3 rows in either side, and in the decoder two linear
/// layers.
constexpr Index convolutional_layers(Index encoder, Index decoder) {
  return (encoder + decoder) * (32 * 3 * 16 + 32) + decoder * 2 * (16 * 16 + 16);
}

/// A gru of width 16: each layer of an encoder of one direction and of the decoder has 3 gates that
/// read 16 inputs and 16 states, with two biases. Each layer of the decoder has a bridge.
constexpr Index recurrent_layers(Index encoder, Index decoder) {
  return (encoder + decoder) * (3 * 16 * 32 + 2 * 3 * 16) + decoder * (16 * 16 + 16);
}

TEST(Models, MayHaveEncodersAndDecodersOfOtherDepths) {
  for (const Depths& r :
       {Depths{2, 0, 0}, Depths{2, 5, 0}, Depths{2, 0, 1}, Depths{1, 4, 2}, Depths{3, 3, 3}}) {
    const Index encoder = r.encoder > 0 ? r.encoder : r.layers;
    const Index decoder = r.decoder > 0 ? r.decoder : r.layers;
    Random random(1);
    Transformer transformer({.vocabulary = 50,
                             .d = 16,
                             .layers = r.layers,
                             .encoder_layers = r.encoder,
                             .decoder_layers = r.decoder,
                             .heads = 2,
                             .ff = 24},
                            random);
    const Index attention = attention_parameters(16);
    const Index shared = feed_forward_parameters(16, 24) + 2 * norm_parameters(16);
    EXPECT_EQ(parameter_count(transformer),
              50 * 16 + encoder * (attention + shared) +
                  decoder * (2 * attention + shared + norm_parameters(16)) +
                  2 * norm_parameters(16));
    ConvS2S convolutional({.vocabulary = 50,
                           .d = 16,
                           .layers = r.layers,
                           .encoder_layers = r.encoder,
                           .decoder_layers = r.decoder,
                           .positions = 40,
                           .weight_norm = false},
                          random);
    EXPECT_EQ(parameter_count(convolutional),
              50 * 16 + 40 * 16 + convolutional_layers(encoder, decoder) + 16 * 50 + 50);
    RecurrentSeq2Seq recurrent({.vocabulary = 50,
                                .d = 16,
                                .layers = r.layers,
                                .encoder_layers = r.encoder,
                                .decoder_layers = r.decoder,
                                .cell = CellKind::gru,
                                .bidirectional = false},
                               random);
    EXPECT_EQ(parameter_count(recurrent), 50 * 16 + recurrent_layers(encoder, decoder) + 50);
  }
}

// Where the depths differ, every layer of the decoder starts from the encoder's top layer: what the
// layers below ended with changes nothing by itself.
TEST(Models, RecurrentDecodersOfAnotherDepthStartFromTheTop) {
  for (const int decoder : {1, 2, 3}) {
    Random random(1);
    const RecurrentSeq2Seq model(
        {.vocabulary = 30, .d = 16, .layers = 2, .decoder_layers = decoder, .cell = CellKind::gru},
        random);
    Encoded source = model.encode(pack(Lines{{5, 6, 7}}));
    const auto first = [&] {
      const Id token = bos_id;
      return model.decoder()->start(source)->step({&token, 1});
    };
    const Tensor before = first();
    source.states[0].h = Variable(Tensor::full(source.states[0].h.shape(), Real(0.9)));
    const double moved = difference(first().span(), before.span());
    EXPECT_EQ(moved > 0, decoder == 2) << decoder;
  }
}

TEST(Models, LanguageModelsCountTheirParameters) {
  // The cases of benchmarks/, by hand:
  // - chargpt: 8,320 + 8,192 (positions) + 4 x 198,272 + 256
  // - gptlong: 16,640 + 262,144 + 4 x 789,760 + 512
  EXPECT_EQ(language_model_parameters(65, 128, 4, 512, 64), 809856);
  EXPECT_EQ(language_model_parameters(65, 256, 4, 1024, 1024), 3438336);
  struct Row {
    Index d;
    Index ff;  // 0: 4 d
    Index context;
  };
  for (const Row& r : {Row{128, 512, 64}, Row{16, 0, 1024}}) {
    Random random(1);
    LanguageModel model(
        {.vocabulary = 65, .d = r.d, .layers = 4, .heads = 4, .ff = r.ff, .context = r.context},
        random);
    const Index ff = r.ff > 0 ? r.ff : 4 * r.d;
    EXPECT_EQ(parameter_count(model), language_model_parameters(65, r.d, 4, ff, r.context));
    EXPECT_EQ(model.longest(), r.context);
  }
}

TEST(Models, GradientsAreDirectionalDerivatives) {
  // (L(p + e u) - L(p - e u)) / 2 e = <dL/dp, u>, a random direction u for each parameter.
  const double e = sizeof(Real) == 8 ? 1e-5 : 1e-3;
  const double tolerance = sizeof(Real) == 8 ? 1e-6 : 2e-2;
  for (const Family& family : families()) {
    const auto model = family.make(0);
    const Batch batch = batch_of(family, {4, 2}, {3, 5});
    const CrossEntropy mean{.label_smoothing = Real(0.1), .ignore = ignored_id};
    const Gradients g = gradients(*model, [&] { return model->loss(batch, mean); });
    const auto all = parameters(*model);
    for (std::size_t i = 0; i < all.size(); ++i) {
      Tensor& p = all[i].parameter.value();
      const Tensor u = random_tensor(p.shape(), 100 + i);
      const Tensor before = p.clone();
      const auto loss_at = [&](double step) {
        for (Index j = 0; j < p.size(); ++j)
          p[j] =
              static_cast<Real>(static_cast<double>(before[j]) + step * static_cast<double>(u[j]));
        return static_cast<double>(model->loss(batch, mean).item());
      };
      const double slope = (loss_at(e) - loss_at(-e)) / (2 * e);
      loss_at(0);
      double expected = 0;
      for (Index j = 0; j < p.size(); ++j)
        expected += static_cast<double>(g.values[i][static_cast<std::size_t>(j)]) *
                    static_cast<double>(u[j]);
      EXPECT_NEAR(slope, expected, tolerance * std::max(1.0, std::abs(expected)))
          << family.name << ": " << all[i].name;
    }
  }
}

TEST(Models, GiveMapsOfWhatTheyAttendTo) {
  for (const Family& family : families()) {
    if (!family.reads_source) continue;
    const auto model = family.make(0);
    const Batch batch = batch_of(family, source_lengths, target_lengths);
    std::vector<AttentionMap> maps;
    expect_close(model->logits(batch, &maps).value(), model->logits(batch).value(), family.name);
    ASSERT_EQ(maps.empty(), !family.attends) << family.name;
    for (const AttentionMap& map : maps) {
      EXPECT_TRUE(map.layer.starts_with("decoder.")) << map.layer;
      ASSERT_EQ(map.weights.size(), source_lengths.size()) << map.layer;
      for (std::size_t i = 0; i < map.weights.size(); ++i) {
        const Tensor& w = map.weights[i];
        EXPECT_EQ(w.shape()[1], target_lengths[i] + 1);
        EXPECT_EQ(w.shape()[2], source_lengths[i]);
        for (Index row = 0; row < w.rows(); ++row) {
          double total = 0;
          for (Index s = 0; s < w.columns(); ++s)
            total += static_cast<double>(w[row * w.columns() + s]);
          EXPECT_NEAR(total, 1, 1e-5) << family.name << ", " << map.layer;
        }
      }
    }
  }
}

TEST(Models, SeeNothingOfWhatComesLater) {
  for (const Family& family : families()) {
    const auto model = family.make(0);
    Batch batch = batch_of(family, {4}, {6});
    const Tensor before = model->logits(batch).value();
    batch.target.ids[4] = batch.target.ids[4] == 9 ? 10 : 9;
    const Tensor after = model->logits(batch).value();
    for (Index row = 0; row < before.rows(); ++row) {
      const double moved =
          difference(after.slice(row, row + 1).span(), before.slice(row, row + 1).span());
      if (row < 4)
        EXPECT_EQ(moved, 0) << family.name << ", row " << row;
      else
        EXPECT_GT(moved, 1e-4) << family.name << ", row " << row;
    }
  }
}

TEST(Models, RefuseSizesThatDoNotFit) {
  Random random(1);
  EXPECT_EQ(message_of([&] { Transformer({.vocabulary = 0, .d = 8}, random); }),
            "[transformer] expected vocabulary of at least 1; got 0");
  EXPECT_EQ(message_of([&] { Transformer({.vocabulary = 9, .d = 8, .layers = 0}, random); }),
            "[transformer] expected layers of at least 1; got 0");
  EXPECT_EQ(message_of([&] { Transformer({.vocabulary = 9, .encoder_layers = -1}, random); }),
            "[transformer] expected encoder_layers of at least 0; got -1");
  EXPECT_EQ(message_of([&] { ConvS2S({.vocabulary = 9, .decoder_layers = -1}, random); }),
            "[conv] expected decoder_layers of at least 0; got -1");
  EXPECT_EQ(message_of([&] {
              RecurrentSeq2Seq({.vocabulary = 9, .decoder_layers = 2, .bridge = false}, random);
            }),
            "[rnn] expected as many layers of the encoder as of the decoder, which starts from "
            "their states without a bridge; got 1 and 2");
  EXPECT_EQ(message_of([&] { LanguageModel({.vocabulary = 9, .d = 8, .layers = 0}, random); }),
            "[lm] expected layers of at least 1; got 0");
  EXPECT_EQ(message_of([&] { ConvS2S({.vocabulary = 0, .d = 8}, random); }),
            "[conv] expected vocabulary of at least 1; got 0");
  EXPECT_EQ(message_of([&] { ConvS2S({.vocabulary = 9, .d = 8, .kernel = 4}, random); }),
            "[conv] expected kernel above 0 and odd; got 4");
  EXPECT_EQ(message_of([&] { ConvS2S({.vocabulary = 9, .d = 8, .positions = 0}, random); }),
            "[conv] expected positions of at least 1; got 0");
  EXPECT_EQ(message_of([&] { ConvS2S({.vocabulary = 9, .d = 8, .conv_heads = 3}, random); }),
            "[conv] expected conv_heads of 0 or a divisor of d = 8; got 3");
  const auto convolutional = tiny_convolutional(true, 0, 3, 4);
  EXPECT_EQ(message_of([&] {
              logits_of(convolutional, make_batch(random_lines({5}, 1), random_lines({3}, 1)));
            }),
            "[positions] expected positions of at most 4; got 5");
  EXPECT_EQ(message_of([&] {
              logits_of(convolutional, make_batch(random_lines({4}, 1), random_lines({4}, 1)));
            }),
            "[positions] expected positions of at most 4; got 5");
  const auto model = tiny_language_model(0, 4);
  EXPECT_EQ(message_of([&] { logits_of(model, make_batch({}, random_lines({4}, 1))); }),
            "[positions] expected positions of at most 4; got 5");
}

// Dropout ----------------------------------------------------------------------------------------

TEST(Dropout, IsTheIdentityInEvaluationAndFollowsItsStepInTraining) {
  for (const Family& family : families()) {
    const auto model = family.make(Real(0.3));
    const auto plain = family.make(0);
    const Batch batch = batch_of(family, source_lengths, target_lengths);
    const auto at = [&](std::uint64_t seed, std::uint64_t step) {
      step_random() = Random(seed, step);
      return static_cast<double>(model->loss(batch, summed).item());
    };
    set_training(*plain, false);  // without the loss of coverage
    const double undropped = static_cast<double>(plain->loss(batch, summed).item());
    const double first = at(1, 1);
    EXPECT_NE(first, undropped) << family.name;
    EXPECT_NE(first, at(1, 2)) << family.name;
    EXPECT_NE(first, at(2, 1)) << family.name;
    EXPECT_EQ(first, at(1, 1)) << family.name;
    EXPECT_NE(first, static_cast<double>(model->loss(batch, summed).item()))
        << family.name << ": the next step draws anew";
    {
      const Evaluating evaluating(*model);
      const std::uint64_t position = step_random().position();
      EXPECT_EQ(static_cast<double>(model->loss(batch, summed).item()), undropped) << family.name;
      EXPECT_EQ(position, step_random().position()) << family.name << ": evaluation draws nothing";
    }
    EXPECT_EQ(first, at(1, 1)) << family.name << ": training again";
  }
}

TEST(Dropout, GradientsAreThoseOfTheNetworkThatIsLeft) {
  // With the random numbers of the step fixed, the loss is a smooth function of the parameters. Its
  // slope must be the gradient of the tape.
  const double e = sizeof(Real) == 8 ? 1e-5 : 4e-3;
  const double tolerance = sizeof(Real) == 8 ? 1e-6 : 2e-2;
  for (const Family& family : families()) {
    const auto model = family.make(Real(0.2));
    const Batch batch = batch_of(family, {4, 2}, {3, 5});
    const CrossEntropy mean{.ignore = ignored_id};
    const auto loss = [&] {
      step_random() = Random(5, 6);
      return model->loss(batch, mean);
    };
    const Gradients g = gradients(*model, loss);
    const auto all = parameters(*model);
    std::vector<Tensor> directions;
    std::vector<Tensor> before;
    double expected = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      directions.push_back(random_tensor(all[i].parameter.shape(), 200 + i));
      before.push_back(all[i].parameter.value().clone());
      for (Index j = 0; j < directions[i].size(); ++j)
        expected += static_cast<double>(g.values[i][static_cast<std::size_t>(j)]) *
                    static_cast<double>(directions[i][j]);
    }
    const auto loss_at = [&](double step) {
      for (std::size_t i = 0; i < all.size(); ++i)
        for (Index j = 0; j < before[i].size(); ++j)
          all[i].parameter.value()[j] = static_cast<Real>(
              static_cast<double>(before[i][j]) + step * static_cast<double>(directions[i][j]));
      return static_cast<double>(loss().item());
    };
    const double slope = (loss_at(e / 4) - loss_at(-e / 4)) / (e / 2);
    EXPECT_NEAR(slope, expected, tolerance * std::max(1.0, std::abs(expected))) << family.name;
  }
}

/// Restores the number of threads at the end of a test.
struct ThreadsRestored {
  int before = threads();
  ~ThreadsRestored() { set_threads(before); }
};

TEST(Models, GiveTheSameBitsOnAnyNumberOfThreads) {
  const ThreadsRestored restored;
  for (const Family& family : families()) {
    const auto model = family.make(Real(0.2));
    // enough rows for several threads
    const Batch batch = batch_of(family, {40, 3, 17, 9, 25, 30}, {12, 20, 1, 9, 15, 22});
    const auto step = [&](int n) {
      set_threads(n);
      step_random() = Random(8, 9);
      return gradients(*model, [&] { return model->loss(batch, summed); });
    };
    const Gradients one = step(1);
    for (int n : {2, 3, 8}) {
      const Gradients more = step(n);
      EXPECT_EQ(one.loss, more.loss) << family.name << " on " << n;
      for (std::size_t i = 0; i < one.values.size(); ++i)
        EXPECT_EQ(one.values[i], more.values[i])
            << family.name << " on " << n << ": " << one.names[i];
    }
  }
}

// Recomputing ------------------------------------------------------------------------------------

struct LayerAndInput {
  EncoderLayer layer;
  Parameter x;
  void visit(Visitor& v) {
    v("layer", layer);
    v("x", x);
  }
};

TEST(Recompute, OfALayerWithDropoutChangesNothing) {
  for (NormPlace norm : {NormPlace::pre, NormPlace::post}) {
    Random random(1);
    const std::vector<Index> lengths = {4, 1, 3};
    const Spans spans = Spans::packed(lengths);
    LayerAndInput m{
        EncoderLayer({.d = 16, .heads = 4, .ff = 24, .dropout = Real(0.3), .norm = norm}, random),
        Parameter(random_tensor({8, 16}, 2))};
    randomize(m);
    const Tensor r = random_tensor({8, 16}, 3);
    const auto both = [&](bool again) {
      step_random() = Random(4, 5);
      return gradients(m, [&] {
        // Two layers and then a draw: each must read its own part of the random numbers.
        const auto layer = [&](std::span<const Variable> in) { return m.layer(in[0], spans); };
        const auto apply = [&](const Variable& x) {
          const Operand in[] = {x};
          return again ? recompute(layer, in) : m.layer(x, spans);
        };
        return sum(dropout(apply(apply(m.x)), Real(0.2), step_random().next_key()) * r);
      });
    };
    expect_close(both(true), both(false), norm == NormPlace::pre ? "pre" : "post", close / 10);
  }
}

// Memory -----------------------------------------------------------------------------------------

/// A frozen parameter gets no gradient. Every other one gets the same bits as in a model without
/// frozen parameters.
TEST(Models, GiveTheSameGradientsAroundFrozenParts) {
  constexpr const char* parts[] = {"encoder*", "*decoder*",   "*embedding*", "*bias", "*weight",
                                   "*output*", "*attention*", "*norm*",      "!*.0.*"};
  for (const Family& family : families()) {
    const Batch batch = batch_of(family, source_lengths, target_lengths);
    const auto whole = family.make(0);
    const Gradients expected = gradients(*whole, [&] { return whole->loss(batch, summed); });
    int frozen_somewhere = 0;
    for (const char* part : parts) {
      const ParameterPatterns patterns({part});
      const auto model = family.make(0);
      if (!unmatched(*model, patterns).empty()) continue;
      frozen_somewhere += freeze(*model, patterns);
      const Gradients got = gradients(*model, [&] { return model->loss(batch, summed); });
      EXPECT_EQ(got.loss, expected.loss) << family.name;
      const auto all = parameters(*model);
      for (std::size_t i = 0; i < all.size(); ++i) {
        const std::string what =
            fmt::format("{} with {} frozen: {}", family.name, part, all[i].name);
        if (all[i].parameter.trainable())
          EXPECT_EQ(got.values[i], expected.values[i]) << what;
        else
          EXPECT_TRUE(got.values[i].empty()) << what;
      }
    }
    EXPECT_GT(frozen_somewhere, 10) << family.name;
  }
}

TEST(Models, FrozenPartsWithNothingToLearnBeforeThemAreNotRecorded) {
  const Family& family = families().front();
  const Batch batch = batch_of(family, source_lengths, target_lengths);
  const auto recorded = [&](const ParameterPatterns& frozen) {
    const auto model = family.make(0);
    freeze(*model, frozen);
    Tape tape;
    (void)model->loss(batch, summed);
    return tape.size();
  };
  const std::size_t whole = recorded(ParameterPatterns({"decoder.1.cross.memory.bias"}));

  const std::size_t half = recorded(ParameterPatterns({"encoder*", "embedding*"}));
  EXPECT_LT(half, whole * 2 / 3) << "the encoder reads frozen embeddings: its ops are no nodes";
  EXPECT_LE(recorded(ParameterPatterns({"encoder*"})), whole)
      << "the embeddings before it still learn";
}

TEST(Models, ListTheParametersThatBelongToTheirVocabulary) {
  for (const Family& family : families()) {
    const auto model = family.make(0);
    const VocabularyParameters listed = model->vocabulary_parameters();
    EXPECT_TRUE(listed.source.empty()) << family.name << " has one vocabulary";
    for (const auto& [name, parameter] :
         parameters(*model))  // nothing else in these models is 30 high
      EXPECT_EQ(std::count(listed.target.begin(), listed.target.end(), parameter) > 0,
                parameter.shape()[0] == tiny_vocabulary)
          << family.name << ": " << name;
  }
  Random random(1);
  const Transformer transformer(
      {.vocabulary = 30, .source_vocabulary = 31, .d = 16, .layers = 1, .heads = 2}, random);
  const ConvS2S conv({.vocabulary = 30, .source_vocabulary = 31, .d = 16, .layers = 1}, random);
  const RecurrentSeq2Seq rnn({.vocabulary = 30, .source_vocabulary = 31, .d = 16}, random);
  for (const Seq2Seq* model :
       {static_cast<const Seq2Seq*>(&transformer), static_cast<const Seq2Seq*>(&conv),
        static_cast<const Seq2Seq*>(&rnn)}) {
    ASSERT_EQ(model->vocabulary_parameters().source.size(), 1u);
    EXPECT_EQ(model->vocabulary_parameters().source[0].shape()[0], 31);
  }
}

/// What Muon reads: which matrices are of hidden layers, and which are several in one.
TEST(Models, SayWhatTheRowsOfTheirMatricesAre) {
  Index stacked = 0;
  for (const Family& family : families()) {
    const auto model = family.make(0);
    for (const auto& [name, parameter] : parameters(*model)) {
      const Shape& shape = parameter.shape();
      if (shape.rank() != 2) continue;
      const bool table = shape[0] == tiny_vocabulary || name.starts_with("positions.") ||
                         name.ends_with("_distances") ||
                         name.ends_with("light.weight");  // the taps of a head
      EXPECT_EQ(parameter.layout().table, table) << family.name << ": " << name;
      const std::vector<Index>& blocks = parameter.layout().blocks;
      if (blocks.empty()) continue;
      EXPECT_EQ(std::accumulate(blocks.begin(), blocks.end(), Index{0}), shape[0])
          << family.name << ": " << name;
      ++stacked;
    }
  }
  EXPECT_GT(stacked, 10);
  Random random(1);
  const LabelHead head("mean", 4, 3, 0, random);
  EXPECT_TRUE(head.output.weight.layout().table);
  const Linear copy = clone(head.output);
  EXPECT_TRUE(copy.weight.layout().table) << "a copy has it too";
}

TEST(Models, LeaveNoBytesBehind) {
  for (const Family& family : families()) {
    const std::size_t empty = memory::statistics().live;
    {
      const auto model = family.make(Real(0.1));
      const Batch batch = batch_of(family, source_lengths, target_lengths);
      const std::size_t before = memory::statistics().live;
      for (int i = 0; i < 3; ++i) {
        Tape tape;
        tape.backward(model->loss(batch, summed));
        EXPECT_GT(memory::statistics().live, before) << "the gradients";
        clear_gradients(*model);
      }
      EXPECT_EQ(memory::statistics().live, before) << family.name << ": steps";
      {
        const Tape never_run_backwards;
        static_cast<void>(model->loss(batch, summed));
      }
      EXPECT_EQ(memory::statistics().live, before) << family.name << ": a tape given up";
      static_cast<void>(model->logits(batch));
      EXPECT_EQ(memory::statistics().live, before) << family.name << ": inference";
    }
    EXPECT_EQ(memory::statistics().live, empty) << family.name << ": the model";
  }
}

TEST(Models, AskTheSystemForNothingOnceWarm) {
  for (const Family& family : families()) {
    const auto model = family.make(Real(0.1));
    std::vector<Batch> batches;
    for (Index n : {3, 9, 1, 6})
      batches.push_back(batch_of(family, {n, 2 * n, n + 1}, {n + 2, 1, 2 * n}));
    const auto epoch = [&] {
      for (const Batch& batch : batches) {
        Tape tape;
        tape.backward(model->loss(batch, summed));
        clear_gradients(*model);
      }
    };
    epoch();
    epoch();
    const std::size_t requests = memory::statistics().system_requests;
    for (int i = 0; i < 5; ++i)
      epoch();
    EXPECT_EQ(memory::statistics().system_requests, requests) << family.name;
  }
}

}  // namespace
}  // namespace heed
