#include <limits>

#include "layers/attention/multi_head.h"
#include "layers/positions.h"
#include "tests/message_of.h"
#include "tests/models/tiny.h"

namespace heed {
namespace {

// Attention from its definition, with plain ops: sequence by sequence, head by head ---------------

struct Composed {
  Variable y;                   // (rows of the queries, d); padding rows are zeros
  std::vector<Tensor> weights;  // of each sequence: (heads, queries, keys)
};

/// The concatenated heads of one sequence, (queries, d). Fills its weights, (heads, queries, keys).
Variable compose_heads(const Variable& q, const Variable& k, const Variable& v, bool causal,
                       Tensor& weights) {
  const Index heads = weights.shape()[0];
  const Index n = weights.shape()[1];
  const Index m = weights.shape()[2];
  const Index width = q.columns() / heads;
  Tensor hidden = Tensor::zeros({n, m});
  for (Index t = 0; t < n && causal; ++t)
    for (Index s = t + m - n + 1; s < m; ++s)
      hidden[t * m + s] = 1;
  std::vector<Operand> outputs;
  for (Index h = 0; h < heads; ++h) {
    const auto head = [&](const Variable& x) { return slice(x, 1, h * width, (h + 1) * width); };
    const Variable scores =
        matmul(head(q), head(k), {.b = true}) * (1 / std::sqrt(static_cast<double>(width)));
    const Variable w = softmax(masked_fill(scores, hidden, -std::numeric_limits<Real>::infinity()));
    std::copy_n(w.data(), n * m, weights.data() + h * n * m);
    outputs.emplace_back(matmul(w, head(v)));
  }
  return concat(outputs, 1);
}

Composed compose(const Variable& q, const Variable& k, const Variable& v, int heads,
                 const Spans& queries, const Spans& keys, bool causal) {
  Composed result;
  std::vector<Operand> pieces;
  Index row = 0;
  const auto pad_to = [&](Index end) {
    if (end > row) pieces.emplace_back(Tensor::zeros({end - row, q.columns()}));
    row = end;
  };
  const auto rows = [](const Variable& x, const Spans& spans, Index i) {
    return slice(x, 0, spans.begin(i), spans.begin(i) + spans.length(i));
  };
  for (Index i = 0; i < queries.count(); ++i) {
    const Index n = queries.length(i);
    const Index m = keys.length(i);
    pad_to(queries.begin(i));
    Tensor& weights = result.weights.emplace_back(Tensor::zeros({heads, n, m}));
    if (n == 0) continue;
    if (m == 0) {
      pad_to(queries.begin(i) + n);
      continue;
    }
    pieces.emplace_back(
        compose_heads(rows(q, queries, i), rows(k, keys, i), rows(v, keys, i), causal, weights));
    row += n;
  }
  pad_to(queries.rows());
  result.y = concat(pieces, 0);
  return result;
}

Variable plain_linear(const Variable& x, const Linear& f) {
  return matmul(x, f.weight, {.b = true}) + f.bias;
}

struct Layout {
  const char* name;
  std::vector<Index> queries;
  std::vector<Index> keys;
  // 0: packed
  Index query_width;
  Index key_width;
};

const std::vector<Layout>& layouts() {
  static const std::vector<Layout> all = {
      {"one token", {1}, {1}, 0, 0},
      {"packed", {3, 5, 1}, {4, 2, 7}, 0, 0},
      {"longer than a tile", {70}, {130}, 0, 0},
      {"padded", {3, 5, 1}, {4, 2, 7}, 6, 9},
      {"no padding at all", {4, 4}, {3, 3}, 4, 3},
      {"packed queries, padded keys", {2, 3}, {1, 4}, 0, 5},
      {"an empty sequence", {3, 0, 2}, {2, 0, 4}, 0, 0},
      {"an empty sequence, padded", {3, 0, 2}, {2, 0, 4}, 4, 5},
      {"nothing to look at", {3, 2}, {0, 4}, 0, 0},
      {"nothing to look at, padded", {3, 2}, {0, 4}, 3, 4},
  };
  return all;
}

Spans spans_of(const std::vector<Index>& lengths, Index width) {
  return width == 0 ? Spans::packed(lengths) : Spans::padded(lengths, width);
}

/// Rows of sequences are small. Padding is huge, so that reading it shows.
Parameter rows_of(const Spans& spans, Index d, std::uint64_t seed) {
  Tensor x = Tensor::full({spans.rows(), d}, 1000);
  const Tensor values = random_tensor({spans.rows(), d}, seed);
  for (Index i = 0; i < spans.count(); ++i)
    std::copy_n(values.data() + spans.begin(i) * d, spans.length(i) * d,
                x.data() + spans.begin(i) * d);
  return Parameter(x);
}

/// A loss: the sum of all rows of sequences in which each element has a weight of its own. Padding
/// is not read.
Variable projected(const Variable& y, const Spans& spans) {
  Tensor r = random_tensor(y.shape(), 5);
  Tensor kept = Tensor::zeros(y.shape());
  const Index d = y.columns();
  for (Index i = 0; i < spans.count(); ++i)
    std::copy_n(r.data() + spans.begin(i) * d, spans.length(i) * d,
                kept.data() + spans.begin(i) * d);
  return sum(where(kept, y, 0) * kept);
}

void expect_same_weights(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                         const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    expect_close(got[i], expected[i], fmt::format("{}: weights of sequence {}", what, i));
    if (got[i].size() == 0) continue;
    for (Index row = 0; row < got[i].rows(); ++row) {
      double total = 0;
      for (Index s = 0; s < got[i].columns(); ++s)
        total += static_cast<double>(got[i][row * got[i].columns() + s]);
      EXPECT_NEAR(total, 1, 1e-5) << what << ": sequence " << i << ", row " << row;
    }
  }
}

struct SelfParts {
  SelfAttention& layer;
  Parameter& x;
  void visit(Visitor& v) {
    v("layer", layer);
    v("x", x);
  }
};

TEST(SelfAttention, EqualsItsDefinition) {
  for (const Layout& layout : layouts())
    for (int heads : {1, 4})
      for (bool causal : {false, true}) {
        const std::string what =
            fmt::format("{}, {} heads{}", layout.name, heads, causal ? ", causal" : "");
        const Spans spans = spans_of(layout.queries, layout.query_width);
        Random random(1);
        SelfAttention layer(8, heads, 0, random);
        randomize(layer);
        Parameter x = rows_of(spans, 8, 2);
        SelfParts parts{layer, x};
        std::vector<Tensor> weights;
        Composed expected;
        const Gradients got = gradients(parts, [&] {
          return projected(layer(x, spans, {.causal = causal, .weights = &weights}), spans);
        });
        const Gradients wanted = gradients(parts, [&] {
          const Variable qkv = plain_linear(x, *layer.input);
          expected = compose(slice(qkv, 1, 0, 8), slice(qkv, 1, 8, 16), slice(qkv, 1, 16, 24),
                             heads, spans, spans, causal);
          return projected(plain_linear(expected.y, layer.output), spans);
        });
        expect_close(got, wanted, what, 10 * close);
        expect_same_weights(weights, expected.weights, what);
      }
}

struct CrossParts {
  CrossAttention& layer;
  Parameter& x;
  Parameter& memory;
  void visit(Visitor& v) {
    v("layer", layer);
    v("x", x);
    v("memory", memory);
  }
};

TEST(CrossAttention, EqualsItsDefinition) {
  for (const Layout& layout : layouts())
    for (int heads : {1, 2, 8}) {
      const std::string what = fmt::format("{}, {} heads", layout.name, heads);
      const Spans spans = spans_of(layout.queries, layout.query_width);

      const Spans memory_spans = spans_of(layout.keys, layout.key_width);
      Random random(1);
      CrossAttention layer(8, heads, 0, random);
      randomize(layer);
      Parameter x = rows_of(spans, 8, 2);
      Parameter memory = rows_of(memory_spans, 8, 3);
      CrossParts parts{layer, x, memory};
      std::vector<Tensor> weights;
      Composed expected;
      const Gradients got = gradients(parts, [&] {
        const Memory remembered = layer.remember(memory, memory_spans);
        return projected(layer.attend(x, spans, remembered, memory_spans, {.weights = &weights}),
                         spans);
      });
      const Gradients wanted = gradients(parts, [&] {
        const Variable kv = plain_linear(memory, *layer.memory);
        expected = compose(plain_linear(x, *layer.query), slice(kv, 1, 0, 8), slice(kv, 1, 8, 16),
                           heads, spans, memory_spans, false);
        return projected(plain_linear(expected.y, layer.output), spans);
      });
      expect_close(got, wanted, what, 10 * close);
      if (std::find(layout.keys.begin(), layout.keys.end(), 0) == layout.keys.end())
        expect_same_weights(weights, expected.weights, what);
    }
}

// Checkpoints hold these names, and a seed gives these weights.
TEST(FusedAttention, HasOneMatrixForProductsOfTheSameRows) {
  struct Row {
    Fused fused;
    std::vector<std::pair<std::string, Shape>> weights;  // in the order in which they are drawn
  };
  const std::vector<Row> rows = {
      {Fused::none, {{"query", {8, 8}}, {"key", {4, 8}}, {"value", {4, 8}}, {"output", {8, 8}}}},
      {Fused::memory, {{"query", {8, 8}}, {"memory", {8, 8}}, {"output", {8, 8}}}},
      {Fused::all, {{"input", {16, 8}}, {"output", {8, 8}}}}};
  for (const Row& row : rows) {
    Random random(1);
    Random again(1);
    MultiHeadAttention layer(
        {.query = 8, .memory = 8, .heads = 4, .kv_heads = 2, .fused = row.fused}, random);
    const std::vector<NamedParameter> all = parameters(layer);
    ASSERT_EQ(all.size(), 2 * row.weights.size());
    for (std::size_t i = 0; i < row.weights.size(); ++i) {
      const auto& [name, shape] = row.weights[i];
      EXPECT_EQ(all[2 * i].name, name + ".weight");
      EXPECT_EQ(all[2 * i + 1].name, name + ".bias");
      EXPECT_EQ(all[2 * i].parameter.value().to_vector(), xavier_uniform(shape, again).to_vector())
          << name;
    }
  }
}

TEST(FusedAttention, NeedsAMemoryAsWideAsTheQueries) {
  Random random(1);
  EXPECT_EQ(message_of([&] {
              MultiHeadAttention({.query = 8, .memory = 12, .heads = 2, .fused = Fused::all},
                                 random);
            }),
            "[attention] expected a memory as wide as the queries for one product of both; got 12 "
            "and 8");
}

TEST(Attention, LooksAtNothingWhereThereIsNothing) {
  // A query without keys gives zeros, and a sequence without rows gives no gradient.
  const Parameter q(random_tensor({3, 4}, 1));
  const Parameter k(random_tensor({2, 4}, 2));

  const Parameter v(random_tensor({2, 4}, 3));
  const std::vector<Index> queries = {2, 1};
  const std::vector<Index> keys = {0, 2};
  Tape tape;
  const Variable y = attention(
      q, k, v, {.heads = 2, .queries = Spans::packed(queries), .keys = Spans::packed(keys)});
  tape.backward(sum(y * random_tensor({3, 4}, 4)));
  for (Index i = 0; i < 8; ++i) {
    EXPECT_EQ(y.value()[i], 0) << i;
    EXPECT_EQ(q.gradient()[i], 0) << i;
  }
  double moved = 0;
  for (const Parameter* p : {&q, &k, &v})
    for (Real g : p->gradient().span()) {
      EXPECT_TRUE(std::isfinite(g));
      moved += std::abs(static_cast<double>(g));
    }
  EXPECT_GT(moved, 0) << "the other sequence's gradients";
}

TEST(Attention, PaddingRowsYieldZerosAndGetNoGradient) {
  const std::vector<Index> lengths = {2, 0, 1};
  const Spans spans = Spans::padded(lengths, 3);
  const Parameter qkv = rows_of(spans, 12, 1);
  Tape tape;
  const Variable y = attention(qkv, {.heads = 2, .queries = spans, .keys = spans, .causal = true});
  tape.backward(sum(y * random_tensor({9, 4}, 2)));  // also where padding is read
  for (Index row : {2, 3, 4, 5, 7, 8}) {
    for (Index c = 0; c < 4; ++c)
      EXPECT_EQ(y.value()[row * 4 + c], 0) << row;
    for (Index c = 0; c < 12; ++c)
      EXPECT_EQ(qkv.gradient()[row * 12 + c], 0) << row;
  }
}

TEST(Attention, NeedsHeadsThatShareTheWidth) {
  Random random(1);
  for (int heads : {0, -1, 3, 16}) {
    EXPECT_EQ(message_of([&] { SelfAttention(8, heads, 0, random); }),
              fmt::format(
                  "[attention] expected heads of a number that shares a width of 8 evenly; got {}",
                  heads));
    EXPECT_EQ(message_of([&] { CrossAttention(8, heads, 0, random); }),
              fmt::format(
                  "[attention] expected heads of a number that shares a width of 8 evenly; got {}",
                  heads));
  }
}

// Positions --------------------------------------------------------------------------------------

TEST(SinusoidalPositions, FollowTheFormula) {
  for (Index d : {2, 6, 16})
    for (Index offset : {0, 3, 300}) {  // past the table's first length
      const SinusoidalPositions positions(d);
      const std::vector<Index> lengths = {4, 0, 260, 1};
      for (const Spans& spans : {Spans::packed(lengths), Spans::padded(lengths, 262)}) {
        const Tensor p = positions(spans, offset);
        ASSERT_EQ(p.rows(), spans.rows());
        Tensor expected = Tensor::zeros({spans.rows(), d});
        for (Index i = 0; i < spans.count(); ++i)
          for (Index t = 0; t < spans.length(i); ++t)
            for (Index c = 0; c < d; ++c) {
              const double angle =
                  static_cast<double>(t + offset) /
                  std::pow(10000.0, static_cast<double>(c / 2 * 2) / static_cast<double>(d));
              expected[(spans.begin(i) + t) * d + c] =
                  static_cast<Real>(c % 2 == 0 ? std::sin(angle) : std::cos(angle));
            }
        expect_close(p, expected, fmt::format("d {}, offset {}", d, offset),
                     sizeof(Real) == 8 ? 1e-11 : 1e-6);
      }
    }
}

TEST(SinusoidalPositions, NeedAnEvenWidth) {
  for (Index d : {0, 1, 7})
    EXPECT_EQ(message_of([&] { SinusoidalPositions p(d); }),
              fmt::format("[positions] expected an even width; got {}", d));
}

TEST(LearnedPositions, AreRowsOfTheirTable) {
  Random random(1);
  LearnedPositions positions(5, 4, random);
  const std::vector<Index> lengths = {2, 0, 3};
  const Spans spans = Spans::packed(lengths);
  const Gradients got = gradients(positions, [&] {
    return sum(positions(spans, 2) * random_tensor({5, 4}, 3));
  });
  const Tensor y = positions(spans, 2).value();
  const Tensor r = random_tensor({5, 4}, 3);
  const Index expected[] = {2, 3, 2, 3, 4};
  std::vector<Real> gradient(20, 0);
  for (Index row = 0; row < 5; ++row)
    for (Index c = 0; c < 4; ++c) {
      EXPECT_EQ(y[row * 4 + c], positions.weight.value()[expected[row] * 4 + c]);
      gradient[static_cast<std::size_t>(expected[row] * 4 + c)] += r[row * 4 + c];
    }
  EXPECT_LE(difference(got.values[0], gradient), close);
}

TEST(LearnedPositions, EndWhereTheTableEnds) {
  Random random(1);
  const LearnedPositions positions(5, 4, random);
  const auto of = [](Index n) { return Spans::packed(std::vector<Index>{1, n}); };
  struct Row {
    Index length;
    Index offset;
    const char* message;
  };
  for (const Row& row : {Row{5, 0, ""}, Row{2, 3, ""},
                         Row{6, 0, "[positions] expected positions of at most 5; got 6"},
                         Row{1, 5, "[positions] expected positions of at most 5; got 6"}})
    EXPECT_EQ(message_of([&] { positions(of(row.length), row.offset); }), row.message)
        << row.length << " at " << row.offset;
}

}  // namespace
}  // namespace heed
