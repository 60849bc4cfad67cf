#include "framework/kernels/feed_forward.h"

#include <algorithm>

#include "framework/kernels/gemm.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"

namespace heed {

namespace {

/// Rows whose hidden numbers exist at once: enough for products to be efficient, few enough for the
/// cache. Blocks of several begin at whole blocks of the dropout mask.
Index block_rows(Index rows) {
  constexpr Index about = 1024;
  if (rows < 3 * about / 2) return std::max<Index>(rows, 1);
  const Index blocks = (rows + about / 2) / about;
  const Index even = (rows + blocks - 1) / blocks;
  return (even + kernels::dropout_block - 1) / kernels::dropout_block * kernels::dropout_block;
}

void check_shapes(const Operand& x, const Operand& w1, const OptionalOperand& b1, const Operand& w2,
                  const OptionalOperand& b2) {
  const char* op = "feed_forward";
  check(x.rank() >= 1 && w1.rank() == 2 && x.columns() == w1.columns(), op,
        "expected x (..., d) and W1 (hidden, d); got {} and {}", x.shape(), w1.shape());
  check(w2.rank() == 2 && w2.columns() == w1.shape()[0], op, "expected W2 (out, {}); got {}",
        w1.shape()[0], w2.shape());
  check(!b1.defined() || b1.shape() == Shape{w1.shape()[0]}, op, "expected b1 of shape {}; got {}",
        Shape{w1.shape()[0]}, b1.shape());
  check(!b2.defined() || b2.shape() == Shape{w2.shape()[0]}, op, "expected b2 of shape {}; got {}",
        Shape{w2.shape()[0]}, b2.shape());
}

}  // namespace

Variable feed_forward(const Operand& x, const Operand& w1, const OptionalOperand& b1,
                      const Operand& w2, const OptionalOperand& b2, Activation activation, Real p,
                      RandomKey key) {
  check_shapes(x, w1, b1, w2, b2);
  check(p >= 0 && p <= 1, "feed_forward", "expected a probability within [0, 1]; got {}", p);
  const bool relu_like = activation == Activation::relu;
  const Operand::Where at = x.where();
  // step by step, so that the message names the product or activation that it is
  if (Tape::checks_finite()) {
    const Variable z = linear(Operand(x, at), Operand(w1, at), OptionalOperand(b1, at));
    const Variable h = relu_like ? relu_dropout(Operand(z, at), p, key)
                                 : dropout(Operand(gelu(Operand(z, at)), at), p, key);
    return linear(Operand(h, at), Operand(w2, at), OptionalOperand(b2, at));
  }
  const kernels::Dropout mask(p, key);
  const Index m = x.rows();
  const Index d = x.columns();
  const Index n = w2.shape()[0];
  const Index hidden = w1.shape()[0];

  const Index block = block_rows(m);
  bool keeps = false;
  for (const Variable* input : std::initializer_list<const Variable*>{&x, &w1, &b1, &w2, &b2})
    keeps = keeps || Tape::needs_gradient(*input);
  // relu's mask * f(z), gelu's z
  Tensor y(x.shape().with(x.rank() - 1, n));
  Tensor kept({keeps ? m : block, hidden});
  Tensor values = relu_like || !keeps ? kept : Tensor({block, hidden});
  const kernels::RightOperand up(m, true, d, hidden, w1.data(), d);

  const kernels::RightOperand down(m, true, hidden, n, w2.data(), hidden);
  for (Index i = 0; i < m; i += block) {
    const Index rows = std::min(block, m - i);
    Real* z = kept.data() + (keeps ? i * hidden : 0);
    Real* h = relu_like ? z : values.data();
    up.multiply(rows, x.data() + i * d, d, b1.data(), z, hidden, Mode::assign);
    (relu_like ? kernels::relu_hidden : kernels::gelu_hidden)(rows * hidden, mask, i * hidden, z,
                                                              h);
    down.multiply(rows, h, hidden, b2.data(), y.data() + i * n, n, Mode::assign);
  }
  return record(
      "feed_forward", y, {x, w1, b1, w2, b2},
      [=, x = x.value(), w1 = w1.value(), w2 = w2.value()](const Tensor& dy, Gradient dx,
                                                           Gradient dw1, Gradient db1, Gradient dw2,
                                                           Gradient db2) mutable {
        // the closure may change `kept` alone
        const auto read = [](const Tensor& t) { return t.data(); };
        Tensor dhidden({block, hidden});
        const kernels::RightOperand to_hidden(m, false, n, hidden, read(w2), hidden);
        const kernels::RightOperand to_input(dx ? m : 0, false, hidden, d, read(w1), d);
        for (Index i = 0; i < std::max<Index>(m, 1); i += block) {
          const Index rows = std::min(block, m - i);
          const auto mode = [i](const Gradient& g) { return i == 0 ? g.mode() : Mode::accumulate; };
          const Real* dout = dy.data() + i * n;
          const Real* in = read(x) + i * d;
          Real* h = kept.data() + i * hidden;
          Real* dz = dhidden.data();
          // dh = dy W2
          to_hidden.multiply(rows, dout, n, nullptr, dz, hidden, Mode::assign);
          if (relu_like)
            // dz = dh mask f'(z)
            kernels::relu_hidden_backward(rows * hidden, mask, h, dz);
          else
            // and h from z, which nobody reads again
            kernels::gelu_hidden_backward(rows * hidden, mask, i * hidden, h, dz);
          // dW2 = dy^T h
          if (dw2)
            kernels::gemm(true, false, n, hidden, rows, dout, n, h, hidden, dw2.data(), hidden,
                          mode(dw2));
          // dW1 = dz^T x
          if (dw1)
            kernels::gemm(true, false, hidden, d, rows, dz, hidden, in, d, dw1.data(), d,
                          mode(dw1));
          if (db1) kernels::sum_rows(rows, hidden, dz, db1.data(), mode(db1));
          // dx = dz W1
          if (dx) to_input.multiply(rows, dz, hidden, nullptr, dx.data() + i * d, d, dx.mode());
        }
        if (db2) kernels::sum_rows(m, n, dy.data(), db2.data(), db2.mode());
      });
}

}  // namespace heed
