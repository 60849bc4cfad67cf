#include "framework/kernels/convolution.h"

#include <algorithm>

#include "framework/kernels/elementwise.h"
#include "framework/kernels/gemm.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"

namespace heed {

namespace {

/// The checked window, and the bounds of each row's sequence that the kernels' taps borrow.
struct Plan {
  Spans spans;
  Ids begins;
  Ids ends;
  kernels::Taps taps;

  Plan(const char* op, const Window& window, Index rows, Index kernel)
      : spans(window.spans), begins(Ids::zeros({rows})), ends(Ids::zeros({rows})) {
    check(spans.rows() == rows, op, "expected spans over the {} rows of x; got {}", rows,
          spans.rows());
    check(kernel >= 1 && window.dilation >= 1, op,
          "expected a kernel and a dilation of at least 1; got {} and {}", kernel, window.dilation);
    for (Index i = 0; i < spans.count(); ++i) {
      const Index begin = spans.begin(i);
      const Index end = begin + spans.length(i);
      std::fill(begins.data() + begin, begins.data() + end, static_cast<Id>(begin));
      std::fill(ends.data() + begin, ends.data() + end, static_cast<Id>(end));
    }
    // further taps lie outside all the same
    const Index dilation = std::min(window.dilation, rows + 1);
    taps = {kernel, dilation, window.causal ? kernel - 1 : (kernel - 1) / 2, begins.data(),
            ends.data()};
  }
  bool padded() const { return spans.tokens() != spans.rows(); }
  /// The rows are their own windows.
  bool plain() const { return taps.kernel == 1 && !padded(); }

  void zero_padding(Tensor& x) const {
    const Index n = x.columns();
    for (Index r = 0; r < x.rows(); ++r)
      if (begins[r] == ends[r]) std::fill_n(x.data() + r * n, n, Real{0});
  }
  /// dy without what somebody may have put into padding.
  Tensor of_sequences(const Tensor& dy) const {
    if (!padded()) return dy;
    Tensor result = dy.clone();
    zero_padding(result);
    return result;
  }
  Tensor windows(const Tensor& x) const {
    if (plain()) return x;
    Tensor result({x.rows(), taps.kernel * x.columns()});
    kernels::windows(taps, x.rows(), x.columns(), x.data(), result.data());
    return result;
  }
};

}  // namespace

Variable conv1d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                const Window& window) {
  const char* op = "conv1d";
  check(x.rank() == 2 && weight.rank() == 3 && weight.columns() == x.columns(), op,
        "expected x (rows, in) and weight (out, kernel, in); got {} and {}", x.shape(),
        weight.shape());
  const Index rows = x.shape()[0];
  const Index in = x.columns();
  const Index out = weight.shape()[0];

  const Index k = weight.shape()[1] * in;
  check(!bias.defined() || bias.shape() == Shape{out}, op, "expected a bias of shape {}; got {}",
        Shape{out}, bias.shape());
  const Plan plan(op, window, rows, weight.shape()[1]);
  Tensor y({rows, out});
  const Tensor windows = plan.windows(x.value());
  kernels::linear(rows, out, k, windows.data(), weight.data(), bias.data(), y.data());
  if (plan.padded()) plan.zero_padding(y);
  return record(op, y, {x, weight, bias},
                [=, x = x.value(), w = weight.value()](const Tensor& dy_rows, Gradient dx,
                                                       Gradient dw, Gradient db) {
                  const Tensor dy = plan.of_sequences(dy_rows);
                  if (db) kernels::sum_rows(rows, out, dy.data(), db.data(), db.mode());
                  if (dw) {  // dW = dy^T windows
                    const Tensor again = plan.windows(x);
                    kernels::gemm(true, false, out, k, rows, dy.data(), out, again.data(), k,
                                  dw.data(), k, dw.mode());
                  }
                  if (!dx) return;
                  if (plan.plain())
                    return kernels::gemm(false, false, rows, k, out, dy.data(), out, w.data(), k,
                                         dx.data(), k, dx.mode());
                  Tensor dwindows(
                      {rows, k});  // dx = the windows' gradients dy W, added up where they overlap
                  kernels::gemm(false, false, rows, k, out, dy.data(), out, w.data(), k,
                                dwindows.data(), k, Mode::assign);
                  kernels::fold_windows(plan.taps, rows, in, dwindows.data(), dx.data(), dx.mode());
                });
}

Variable depthwise_conv1d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                          const Window& window) {
  const char* op = "depthwise_conv1d";
  check(x.rank() == 2 && weight.rank() == 2 && weight.columns() == x.columns(), op,
        "expected x (rows, d) and weight (kernel, d); got {} and {}", x.shape(), weight.shape());
  const Index rows = x.shape()[0];
  const Index d = x.columns();
  check(!bias.defined() || bias.shape() == Shape{d}, op, "expected a bias of shape {}; got {}",
        Shape{d}, bias.shape());
  const Plan plan(op, window, rows, weight.shape()[0]);
  Tensor y({rows, d});
  kernels::depthwise(plan.taps, rows, d, x.data(), weight.data(), bias.data(), y.data());
  return record(op, y, {x, weight, bias},
                [plan, rows, d, x = x.value(), w = weight.value()](const Tensor& dy, Gradient dx,
                                                                   Gradient dw, Gradient db) {
                  if (dx)
                    kernels::depthwise_backward_x(plan.taps, rows, d, w.data(), dy.data(),
                                                  dx.data(), dx.mode());
                  if (dw)
                    kernels::depthwise_backward_w(plan.taps, rows, d, x.data(), dy.data(),
                                                  dw.data(), dw.mode());
                  if (db)
                    kernels::sum_rows(rows, d, plan.of_sequences(dy).data(), db.data(), db.mode());
                });
}

Variable glu(const Operand& x) {
  check(x.rank() >= 1 && x.columns() % 2 == 0, "glu", "expected an even last axis; got {}",
        x.shape());
  const Index m = x.rows();
  const Index n = x.columns() / 2;
  Tensor y(x.shape().with(x.rank() - 1, n));
  kernels::glu(m, n, x.data(), y.data());
  // da = dy s, db = dy a s (1 - s), s = sigmoid(b)
  return record("glu", y, {x}, [m, n, x = x.value()](const Tensor& dy, Gradient dx) {
    kernels::glu_backward(m, n, x.data(), dy.data(), dx.data(), dx.mode());
  });
}

Variable add_scaled(const Operand& a, const Operand& b, Real scale) {
  check(a.shape() == b.shape(), "add_scaled", "expected equal shapes; got {} and {}", a.shape(),
        b.shape());
  Tensor y(a.shape());
  kernels::add_scaled(a.size(), scale, a.data(), b.data(), y.data());
  // da = db = scale dy
  return record("add_scaled", y, {a, b}, [scale](const Tensor& dy, Gradient da, Gradient db) {
    Tensor g(dy.shape());
    kernels::scale_to(dy.size(), scale, dy.data(), g.data(), Mode::assign);
    da.pass(g);
    db.pass(g);
  });
}

Variable weight_norm(const Operand& v, const Operand& g) {
  check(v.rank() >= 1 && g.shape() == Shape{v.shape()[0]}, "weight_norm",
        "expected a g for each of the first axis of v; got {} and {}", v.shape(), g.shape());
  const Index m = g.size();
  const Index n = m > 0 ? v.size() / m : 0;
  Tensor w(v.shape());
  Tensor inverse({m});
  kernels::weight_norm(m, n, v.data(), g.data(), w.data(), inverse.data());
  // dg = dW . v / ||v||, dv = g / ||v|| (dW - (dW . v) v / ||v||^2)
  return record(
      "weight_norm", w, {v, g},
      [m, n, v = v.value(), g = g.value(), inverse](const Tensor& dw, Gradient dv, Gradient dg) {
        kernels::weight_norm_backward(m, n, v.data(), g.data(), inverse.data(), dw.data(),
                                      dv ? dv.data() : nullptr, dv.mode(), dg ? dg.data() : nullptr,
                                      dg.mode());
      });
}

}  // namespace heed
