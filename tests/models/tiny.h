#pragma once

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "datasets/text/batch.h"
#include "framework/module.h"
#include "framework/ops.h"
#include "models/classifier.h"
#include "models/convolutional.h"
#include "models/language_model.h"
#include "models/recurrent_seq2seq.h"
#include "models/transformer.h"
#include "tests/models/batch_model.h"

// Small models, which tests can also compute in a second way, and batches for them.

namespace heed {

inline constexpr Index tiny_vocabulary = 30;
inline constexpr double close = sizeof(Real) == 8 ? 1e-12 : 1e-5;

/// Makes every parameter random. The initial values of biases and gains would hide an error.
inline void randomize(AnyModule module, std::uint64_t seed = 7) {
  Random random(seed, 99);
  for (const auto& [name, p] : parameters(module)) {
    const bool gain = name.ends_with("gain");
    for (Real& x : p.value().span())
      x = static_cast<Real>(gain ? random.uniform(0.5, 1.5) : random.uniform(-0.3, 0.3));
  }
}

/// A classifier of texts.
inline Classifier text_classifier(Index vocabulary, const ClassifierOptions& options,
                                  std::unique_ptr<Encoder> encoder, Random& random) {
  auto front_end = std::make_unique<TextFrontEnd>(vocabulary, encoder->width_in(),
                                                  encoder->input_deviation(), random);
  return {options, std::move(front_end), std::move(encoder), random};
}

inline Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  Random random(seed);
  Tensor x(shape);
  for (Real& v : x.span())
    v = static_cast<Real>(random.uniform(-1, 1));
  return x;
}

inline Transformer tiny_transformer(NormPlace norm = NormPlace::pre, Real dropout = 0,
                                    Index vocabulary = tiny_vocabulary, bool copy = false) {
  Random random(3);
  Transformer model({.vocabulary = vocabulary,
                     .d = 16,
                     .layers = 2,
                     .heads = 4,
                     .ff = 24,
                     .dropout = dropout,
                     .norm = norm,
                     .copy = copy},
                    random);
  randomize(model);
  return model;
}

inline LanguageModel tiny_language_model(Real dropout = 0, Index context = 24) {
  Random random(4);
  LanguageModel model({.vocabulary = tiny_vocabulary,
                       .d = 16,
                       .layers = 2,
                       .heads = 2,
                       .ff = 24,
                       .context = context,
                       .dropout = dropout},
                      random);
  randomize(model);
  return model;
}

inline ConvS2S tiny_convolutional(bool plain = true, Real dropout = 0, Index kernel = 3,
                                  Index positions = 48, ConvKind kind = ConvKind::full) {
  Random random(5);
  ConvS2S model({.vocabulary = tiny_vocabulary,
                 .d = 16,
                 .layers = 2,
                 .kernel = kernel,
                 .convolution = kind,
                 .conv_heads = 4,
                 .positions = positions,
                 .dropout = dropout,
                 .weight_norm = !plain,
                 .tied = !plain},
                random);
  randomize(model);
  return model;
}

/// Recurrent models with every kind of attention and every cell.
struct TinyRecurrent {
  const char* name;
  RecurrentSeq2SeqOptions options;
};
inline const std::vector<TinyRecurrent>& tiny_recurrents() {
  static const std::vector<TinyRecurrent> all = {
      {"lstm", {.layers = 2, .bridge = false}},
      {"gru, one direction", {.cell = CellKind::gru, .bidirectional = false}},
      {"elman, untied", {.cell = CellKind::elman, .tied = false}},
      {"normed lstm", {.layers = 2, .cell = CellKind::norm_lstm}},
      {"lstm, additive", {.attention = "additive"}},
      {"lstm, additive, two layers",
       {.hidden = 12, .layers = 2, .attention = "additive", .encoder_hidden = 7}},
      {"gru, additive", {.cell = CellKind::gru, .attention = "additive"}},
      {"normed lstm, additive", {.cell = CellKind::norm_lstm, .attention = "additive"}},
      {"gru, one layer that reads three",
       {.layers = 3, .decoder_layers = 1, .cell = CellKind::gru}},
      {"lstm, additive, three layers that read two",
       {.hidden = 12,
        .encoder_layers = 2,
        .decoder_layers = 3,
        .attention = "additive",
        .encoder_hidden = 7}},
      {"lstm, dot", {.attention = "dot"}},
      {"gru, dot, two layers",
       {.layers = 2, .cell = CellKind::gru, .attention = "dot", .bridge = false}},
      {"lstm, general", {.hidden = 12, .attention = "general", .encoder_hidden = 7}},
      {"elman, general", {.cell = CellKind::elman, .attention = "general"}},
      {"lstm, concat", {.attention = "concat"}},
      {"lstm, multi-head", {.attention = "multi_head"}},
      {"gru, additive, copying with coverage",
       {.cell = CellKind::gru, .attention = "additive", .copy = true, .coverage = Real(0.7)}},
      {"lstm, additive, coverage alone", {.attention = "additive", .coverage = 1}},
      {"lstm, general, copying",
       {.hidden = 12, .attention = "general", .encoder_hidden = 7, .copy = true}},
  };
  return all;
}
inline RecurrentSeq2Seq tiny_recurrent(const TinyRecurrent& row, Real dropout = 0,
                                       Index vocabulary = 30) {
  Random random(5);
  RecurrentSeq2SeqOptions o = row.options;
  o.vocabulary = vocabulary;
  o.d = 16;
  o.dropout = dropout;
  o.recurrent_dropout = dropout;
  RecurrentSeq2Seq model(o, random);
  randomize(model);
  return model;
}

using Lines = std::vector<std::vector<Id>>;

/// Random sentences of these lengths, without the first four ids.
inline Lines random_lines(const std::vector<Index>& lengths, std::uint64_t seed,
                          Index vocabulary = tiny_vocabulary) {
  Random random(seed);
  Lines lines;
  for (Index n : lengths) {
    lines.emplace_back();
    for (Index i = 0; i < n; ++i)
      lines.back().push_back(
          first_free_id +
          static_cast<Id>(random.below(static_cast<std::uint64_t>(vocabulary - first_free_id))));
  }
  return lines;
}

/// The lines padded to `width` with `filler`; packed where width is 0.
inline Sequences lay_out(const Lines& lines, Index width, Id filler) {
  if (width == 0) return pack(lines);
  std::vector<Index> lengths;
  for (const auto& line : lines)
    lengths.push_back(static_cast<Index>(line.size()));
  Sequences result{Ids::full({static_cast<Index>(lines.size()) * width}, filler),
                   Spans::padded(lengths, width)};
  for (std::size_t i = 0; i < lines.size(); ++i)
    for (std::size_t t = 0; t < lines[i].size(); ++t)
      result.ids[static_cast<Index>(i) * width + static_cast<Index>(t)] = lines[i][t];
  return result;
}

struct Widths {
  Index source = 0;  // 0: packed
  Index target = 0;  // 0: packed
};

/// Teacher forcing: the decoder reads <s> y and must answer y </s>.
inline Batch make_batch(const Lines& sources, const Lines& targets, Widths widths = {},
                        Id filler = pad_id) {
  Lines inputs = targets;
  Lines gold = targets;
  for (auto& line : inputs)
    line.insert(line.begin(), bos_id);
  for (auto& line : gold)
    line.push_back(eos_id);
  Batch batch{.source = {},
              .target = lay_out(inputs, widths.target, filler),
              .gold = lay_out(gold, widths.target, ignored_id).ids,
              .lines = {},
              .ignored = ignored_id};
  if (!sources.empty()) batch.source = lay_out(sources, widths.source, filler);
  return batch;
}

struct Gradients {
  double loss = 0;
  std::vector<std::string> names;
  std::vector<std::vector<Real>> values;  // empty where no gradient arrived
};

/// The loss that `f` gives, and the gradient of each parameter.
inline Gradients gradients(AnyModule module, const std::function<Variable()>& f) {
  clear_gradients(module);
  Gradients result;
  {
    Tape tape;
    const Variable loss = f();
    result.loss = static_cast<double>(loss.item());
    tape.backward(loss);
  }
  for (const auto& [name, p] : parameters(module)) {
    result.names.push_back(name);
    result.values.push_back(p.gradient().defined() ? p.gradient().to_vector()
                                                   : std::vector<Real>());
  }
  clear_gradients(module);
  return result;
}

/// a += b.
inline void add(Gradients& a, const Gradients& b) {
  if (a.names.empty()) {
    a = b;
    return;
  }
  a.loss += b.loss;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    for (std::size_t j = 0; j < b.values[i].size(); ++j) {
      if (a.values[i].empty()) a.values[i].resize(b.values[i].size());
      a.values[i][j] += b.values[i][j];
    }
}

/// The largest difference, relative to the largest of `expected`, or to 1 where that is smaller.
inline double difference(std::span<const Real> got, std::span<const Real> expected) {
  if (got.size() != expected.size()) return INFINITY;
  double largest = 1;
  double worst = 0;
  for (Real x : expected)
    largest = std::max(largest, std::abs(static_cast<double>(x)));
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double d = std::abs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    if (!(d <= worst)) worst = std::isnan(d) ? INFINITY : d;
  }
  return worst / largest;
}

inline void expect_close(const Tensor& got, const Tensor& expected, const std::string& what,
                         double tolerance = close) {
  ASSERT_EQ(to_string(got.shape()), to_string(expected.shape())) << what;
  EXPECT_LE(difference(got.span(), expected.span()), tolerance) << what;
}

inline void expect_close(const Gradients& got, const Gradients& expected, const std::string& what,
                         double tolerance = close) {
  EXPECT_LE(std::abs(got.loss - expected.loss), tolerance * std::max(1.0, std::abs(expected.loss)))
      << what;
  ASSERT_EQ(got.names, expected.names) << what;
  for (std::size_t i = 0; i < got.names.size(); ++i) {
    ASSERT_FALSE(expected.values[i].empty()) << what << ": no gradient reached " << got.names[i];
    EXPECT_LE(difference(got.values[i], expected.values[i]), tolerance)
        << what << ": " << got.names[i];
  }
}

}  // namespace heed
