// A frozen parameter costs no product in backward, no gradient, and no memory for what its gradient
// alone would need.

#include "framework/freezing.h"

#include <gtest/gtest.h>

#include "framework/kernels/packed.h"
#include "framework/kernels/parallel.h"
#include "framework/memory.h"
#include "framework/module.h"
#include "tests/framework/ops_table/table.h"

namespace heed::test {
namespace {

/// An op whose inputs are an x, computed from a parameter, and weights. `weight`: one of them, the
/// gradient of which is a product of its own.
struct FrozenRow {
  const char* op;
  std::vector<Shape> inputs;
  std::size_t weight;
  Compute compute;
  bool releases_x = true;  // only the gradient of the weight reads x
};

std::vector<FrozenRow> frozen_rows() {
  const Spans spans = packed({200, 0, 200});
  const Shape rows{400, 90};
  const auto conv = [=](Xs v) { return conv1d(v[0], v[1], Variable(), {spans}); };
  const auto depthwise = [=](Xs v) { return depthwise_conv1d(v[0], v[1], Variable(), {spans}); };
  const auto recurrent = [=](Xs v) {
    return elman(v[0], v[1], Variable(), Variable(), {.spans = spans});
  };
  const auto scores = [=](Xs v) {
    return dot_scores(v[0], v[1], {.queries = spans, .keys = spans});
  };
  const auto gelu = OP(feed_forward(x[0], x[1], Variable(), x[2], Variable(), Activation::gelu));
  return {
      {"linear", {rows, {80, 90}}, 1, OP(linear(x[0], x[1]))},
      {"matmul", {rows, {90, 80}}, 1, OP(matmul(x[0], x[1]))},
      {"operator*", {rows, rows}, 1, OP(x[0] * x[1])},
      {"conv1d", {rows, {80, 3, 90}}, 1, conv},
      {"depthwise_conv1d", {rows, {3, 90}}, 1, depthwise},
      {"conv2d", {{4, 30, 30, 9}, {80, 3, 3, 9}}, 1, OP(conv2d(x[0], x[1], Variable()))},
      {"elman", {rows, {90, 90}}, 1, recurrent, false},
      {"dot_scores", {rows, rows}, 1, scores},
      {"feed_forward, W1", {rows, {200, 90}, {90, 200}}, 1, gelu},
      {"feed_forward, W2", {rows, {200, 90}, {90, 200}}, 2, gelu, false},
  };
}

struct Costs {
  std::uint64_t pieces = 0;  // of the work of backward
  std::size_t kept = 0;      // bytes, between the passes
};

Costs costs_of(const FrozenRow& row, bool frozen) {
  std::vector<Parameter> parameters;
  for (const Shape& shape : row.inputs)
    parameters.emplace_back(Tensor::full(shape, Real(0.01)));
  parameters[row.weight].trainable() = !frozen;
  Costs costs;
  Tape tape;
  const std::size_t before = memory::statistics().live;
  Variable y;
  {
    // x itself is released where the op does not keep it.
    std::vector<Variable> xs(parameters.begin(), parameters.end());
    xs[0] = xs[0] + Tensor::full({}, 1);
    y = row.compute(xs);
  }
  costs.kept = memory::statistics().live - before;
  const std::uint64_t start = kernels::pieces_cut();
  tape.backward(y, Tensor::full(y.shape(), 1));
  costs.pieces = kernels::pieces_cut() - start;
  EXPECT_EQ(parameters[row.weight].gradient().defined(), !frozen) << row.op;
  return costs;
}

TEST(Frozen, ParametersCostNoProductAndNoInput) {
  for (const FrozenRow& row : frozen_rows()) {
    const Costs trained = costs_of(row, false);
    const Costs frozen = costs_of(row, true);
    EXPECT_LE(frozen.pieces, trained.pieces) << row.op << ": the gradient is computed";
    // A product of this size is one piece for OpenBLAS, which is not counted; Heed's own kernel
    // cuts it.
    if (kernels::packed_beats_blas) {
      EXPECT_LT(frozen.pieces, trained.pieces) << row.op << ": the gradient is computed";
    }
    const std::size_t x = static_cast<std::size_t>(row.inputs[0].size()) * sizeof(Real);
    if (row.releases_x)
      EXPECT_LE(frozen.kept + x, trained.kept) << row.op << ": x is kept";
    else
      EXPECT_LE(frozen.kept, trained.kept) << row.op;
  }
}

/// Nothing below a frozen part that reads constants is on the tape.
TEST(Frozen, PartsOfAModelAreNotRecorded) {
  const Parameter below(Tensor::full({90, 90}, Real(0.01)));
  const Parameter above(Tensor::full({90, 90}, Real(0.01)));
  const Tensor x = Tensor::full({400, 90}, 1);
  for (const bool frozen : {false, true}) {
    below.trainable() = !frozen;
    Tape tape;
    const Variable y = linear(relu(linear(x, below)), above);
    EXPECT_EQ(tape.size(), frozen ? 1u : 3u);
  }
}

}  // namespace
}  // namespace heed::test
