#include "framework/kernels/feed_forward.h"

#include <algorithm>

#include "framework/kernels/gemm.h"
#include "framework/kernels/move.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/views.h"

namespace heed {

namespace {

using detail::kept_for;
using detail::output_of;
using detail::rows_of;

/// Rows whose hidden numbers exist at once: enough for products to be efficient, few enough for the
/// cache. Where there are several blocks, each begins at a whole block of the dropout mask.
Index block_rows(Index rows) {
  constexpr Index about = 1024;
  if (rows < 3 * about / 2) return std::max<Index>(rows, 1);
  const Index blocks = (rows + about / 2) / about;
  const Index even = (rows + blocks - 1) / blocks;
  return (even + kernels::dropout_block - 1) / kernels::dropout_block * kernels::dropout_block;
}

void check_arguments(const Operand& x, const Operand& w1, const OptionalOperand& b1,
                     const Operand& w2, const OptionalOperand& b2, Real p) {
  const char* op = "feed_forward";
  check(x.rank() >= 1 && w1.rank() == 2 && x.columns() == w1.columns(), op,
        "expected x (..., d) and W1 (hidden, d); got {} and {}", x.shape(), w1.shape());
  check(w2.rank() == 2 && w2.columns() == w1.shape()[0], op, "expected W2 (out, {}); got {}",
        w1.shape()[0], w2.shape());
  check(!b1.defined() || b1.shape() == Shape{w1.shape()[0]}, op, "expected b1 of shape {}; got {}",
        Shape{w1.shape()[0]}, b1.shape());
  check(!b2.defined() || b2.shape() == Shape{w2.shape()[0]}, op, "expected b2 of shape {}; got {}",
        Shape{w2.shape()[0]}, b2.shape());
  check(p >= 0 && p <= 1, op, "expected a probability within [0, 1]; got {}", p);
}

/// The same, one op after the other.
Variable composed(const Operand& x, const Operand& w1, const OptionalOperand& b1, const Operand& w2,
                  const OptionalOperand& b2, bool is_relu, Real p, RandomKey key) {
  const Operand::Where at = x.where();
  const Variable z = linear(Operand(x, at), Operand(w1, at), OptionalOperand(b1, at));
  const Variable h = is_relu ? relu_dropout(Operand(z, at), p, key)
                             : dropout(Operand(gelu(Operand(z, at)), at), p, key);
  return linear(Operand(h, at), Operand(w2, at), OptionalOperand(b2, at));
}

/// Rows [begin, begin + count) of x.
kernels::ConstMatrix block_of(const Tensor& x, Index begin, Index count) {
  return rows_of(x).block(begin, 0, count, x.columns());
}

/// What both passes know. z (rows, hidden) = x W1^T + b1, h = mask * f(z), y = h W2^T + b2.
struct FeedForward {
  Tensor x;
  Tensor w1;
  Tensor w2;
  bool is_relu;
  kernels::Dropout mask;
  Index block;  // rows whose hidden numbers exist at once

  Index rows() const { return x.rows(); }
  Index hidden() const { return w2.columns(); }

  /// Fills y. kept (rows, hidden): what backward needs, relu's h or gelu's z. Where there is no
  /// backward it has room for a block alone.
  void forward(const Real* b1, const Real* b2, bool keeps, Tensor& kept, Tensor& y) const {
    Tensor values = is_relu || !keeps ? kept : Tensor({block, hidden()});
    const kernels::RightOperand up(rows(), transposed(rows_of(w1)));
    const kernels::RightOperand down(rows(), transposed(rows_of(w2)));
    const auto activate = is_relu ? kernels::relu_hidden : kernels::gelu_hidden;
    for (Index i = 0; i < rows(); i += block) {
      const Index count = std::min(block, rows() - i);
      const Index first = i * hidden();
      const kernels::Matrix z = kernels::dense(kept.data() + (keeps ? first : 0), count, hidden());
      const kernels::Matrix h = is_relu ? z : kernels::dense(values.data(), count, hidden());
      up.multiply(block_of(x, i, count), b1, z, Mode::assign);
      activate(count * hidden(), mask, first, z.data, h.data);
      down.multiply(h, b2, rows_of(y).block(i, 0, count, y.columns()), Mode::assign);
    }
  }

  /// `kept` may be overwritten: nobody reads it again.
  void backward(Tensor& kept, const Tensor& dy, Gradient dx, Gradient dw1, Gradient db1,
                Gradient dw2, Gradient db2) const {
    if (db2) kernels::sum_rows(rows_of(dy), output_of(db2));
    const bool wants_hidden = dx || dw1 || db1;
    if (!wants_hidden && !dw2) return;
    const Index rows = kept.shape()[0];  // x may be released
    Tensor dhidden({block, hidden()});
    const kernels::RightOperand to_hidden(wants_hidden ? rows : 0, rows_of(w2));
    const kernels::RightOperand to_input(dx ? rows : 0, rows_of(w1));
    // Once even without rows, for gradients that are assigned.
    for (Index i = 0; i < std::max<Index>(rows, 1); i += block) {
      const Index count = std::min(block, rows - i);
      const Index first = i * hidden();
      const auto mode = [i](const Gradient& g) { return i == 0 ? g.mode() : Mode::accumulate; };
      const kernels::ConstMatrix d = block_of(dy, i, count);
      const kernels::Matrix h = kernels::dense(kept.data() + first, count, hidden());
      const kernels::Matrix dz = kernels::dense(dhidden.data(), count, hidden());
      if (wants_hidden)
        to_hidden.multiply(d, nullptr, dz, Mode::assign);  // dh = dy W2
      else
        kernels::fill(count * hidden(), 0, dz.data);
      if (is_relu)
        kernels::relu_hidden_backward(count * hidden(), mask, h.data, dz.data);
      else  // h takes the place of z
        kernels::gelu_hidden_backward(count * hidden(), mask, first, h.data, dz.data);
      // dW2 = dy^T h, dW1 = dz^T x, dx = dz W1
      if (dw2) kernels::gemm(transposed(d), h, rows_of(dw2), mode(dw2));
      if (dw1) kernels::gemm(transposed(dz), block_of(x, i, count), rows_of(dw1), mode(dw1));
      if (db1) kernels::sum_rows(dz, {db1.data(), mode(db1)});
      if (dx)
        to_input.multiply(dz, nullptr, rows_of(dx).block(i, 0, count, w1.columns()), dx.mode());
    }
  }
};

}  // namespace

Variable feed_forward(const Operand& x, const Operand& w1, const OptionalOperand& b1,
                      const Operand& w2, const OptionalOperand& b2, Activation activation, Real p,
                      RandomKey key) {
  check_arguments(x, w1, b1, w2, b2, p);
  const bool is_relu = activation == Activation::relu;
  // One op after the other, so that the message names the product or activation that it is.
  if (Tape::checks_finite()) return composed(x, w1, b1, w2, b2, is_relu, p, key);
  bool keeps = false;
  for (const Variable* input : std::initializer_list<const Variable*>{&x, &w1, &b1, &w2, &b2})
    keeps = keeps || Tape::needs_gradient(*input);
  FeedForward layer{.x = x.value(),
                    .w1 = w1.value(),
                    .w2 = w2.value(),
                    .is_relu = is_relu,
                    .mask = {p, key},
                    .block = block_rows(x.rows())};
  Tensor y(x.shape().with(x.rank() - 1, w2.shape()[0]));
  Tensor kept({keeps ? layer.rows() : layer.block, layer.hidden()});
  layer.forward(b1.data(), b2.data(), keeps, kept, y);
  layer.x = kept_for(w1, x);
  return record(
      "feed_forward", y, {x, w1, b1, w2, b2},
      [layer, kept](const Tensor& dy, Gradient dx, Gradient dw1, Gradient db1, Gradient dw2,
                    Gradient db2) mutable { layer.backward(kept, dy, dx, dw1, db1, dw2, db2); });
}

}  // namespace heed
