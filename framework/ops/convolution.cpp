#include "framework/kernels/convolution.h"

#include <algorithm>

#include "framework/kernels/elementwise.h"
#include "framework/kernels/gemm.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/views.h"

namespace heed {

using detail::kept_for;
using detail::matrix_of;
using detail::output_of;
using detail::rows_of;

namespace {

/// The taps of a checked window over sequences, and what they borrow: the bounds of each row's
/// sequence.
struct SequenceTaps {
  Spans spans;
  Ids begins;
  Ids ends;
  kernels::Taps taps;

  SequenceTaps(const char* op, const Window& window, Index rows, Index kernel)
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
    taps = {.rows = rows,
            .kernel = kernel,
            // Taps that are further away lie outside all the same.
            .dilation = std::min(window.dilation, rows + 1),
            .left = window.causal ? kernel - 1 : (kernel - 1) / 2,
            .begins = begins.data(),
            .ends = ends.data()};
  }
  bool padded() const { return spans.tokens() != spans.rows(); }
  /// The rows are their own windows.
  bool plain() const { return taps.kernel == 1 && !padded(); }

  void zero_padding(Tensor& x) const {
    const Index n = x.columns();
    for (Index r = 0; r < x.rows(); ++r)
      if (begins[r] == ends[r]) std::fill_n(x.data() + r * n, n, Real{0});
  }
  /// dy with zeros in place of what a user may have put into padding.
  Tensor of_sequences(const Tensor& dy) const {
    if (!padded()) return dy;
    Tensor result = dy.clone();
    zero_padding(result);
    return result;
  }
  Tensor windows(const Tensor& x) const {  // (rows, n) -> (rows, kernel n)
    if (plain()) return x;
    Tensor result({x.rows(), taps.kernel * x.columns()});
    kernels::windows(taps, x.columns(), x.data(), result.data());
    return result;
  }
  /// dx = or += dy W, the windows' gradients, added up where they overlap
  void backward_x(const Tensor& dy, const Tensor& weight, Gradient dx) const {
    const kernels::ConstMatrix w = matrix_of(weight);
    if (plain()) return kernels::gemm(rows_of(dy), w, rows_of(dx), dx.mode());
    Tensor dwindows({dy.rows(), w.columns});
    kernels::gemm(rows_of(dy), w, rows_of(dwindows), Mode::assign);
    kernels::fold_windows(taps, weight.columns(), dwindows.data(), output_of(dx));
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
  const Index out = weight.shape()[0];
  check(!bias.defined() || bias.shape() == Shape{out}, op, "expected a bias of shape {}; got {}",
        Shape{out}, bias.shape());
  const SequenceTaps taps(op, window, rows, weight.shape()[1]);
  Tensor y({rows, out});
  const Tensor windows = taps.windows(x.value());
  kernels::linear(rows_of(windows), matrix_of(weight.value()), bias.data(), rows_of(y));
  if (taps.padded()) taps.zero_padding(y);
  return record(op, y, {x, weight, bias},
                [taps, x = kept_for(weight, x), w = weight.value()](
                    const Tensor& dy_rows, Gradient dx, Gradient dw, Gradient db) {
                  const Tensor dy = taps.of_sequences(dy_rows);
                  if (db) kernels::sum_rows(rows_of(dy), output_of(db));
                  if (dw) {  // dW = dy^T windows
                    const Tensor again = taps.windows(x);
                    kernels::gemm(transposed(rows_of(dy)), rows_of(again), matrix_of(dw),
                                  dw.mode());
                  }
                  if (dx) taps.backward_x(dy, w, dx);
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
  const SequenceTaps taps(op, window, rows, weight.shape()[0]);
  Tensor y({rows, d});
  kernels::depthwise(taps.taps, d, x.data(), weight.data(), bias.data(), y.data());
  return record(op, y, {x, weight, bias},
                [taps, d, x = kept_for(weight, x), w = weight.value()](
                    const Tensor& dy, Gradient dx, Gradient dw, Gradient db) {
                  if (dx)
                    kernels::depthwise_backward_x(taps.taps, d, w.data(), dy.data(), output_of(dx));
                  if (dw)
                    kernels::depthwise_backward_w(taps.taps, d, x.data(), dy.data(), output_of(dw));
                  if (db) {
                    const Tensor own = taps.of_sequences(dy);
                    kernels::sum_rows(rows_of(own), output_of(db));
                  }
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
    kernels::glu_backward(m, n, x.data(), dy.data(), output_of(dx));
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
  Tensor w(v.shape());
  Tensor inverse({g.size()});
  kernels::weight_norm({matrix_of(v.value()), g.data()}, w.data(), inverse.data());
  // dg = dW . v / ||v||, dv = g / ||v|| (dW - (dW . v) v / ||v||^2)
  return record(
      "weight_norm", w, {v, g},
      [v = v.value(), g = g.value(), inverse](const Tensor& dw, Gradient dv, Gradient dg) {
        kernels::weight_norm_backward({matrix_of(v), g.data()}, inverse.data(), dw.data(),
                                      output_of(dv), output_of(dg));
      });
}

}  // namespace heed
