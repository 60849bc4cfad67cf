#include "framework/kernels/gemm.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"

namespace heed {

Variable linear(const Operand& x, const Operand& weight, const OptionalOperand& bias) {
  check(weight.rank() == 2 && x.rank() >= 1 && x.columns() == weight.columns(), "linear",
        "expected x (..., in) and weight (out, in); got {} and {}", x.shape(), weight.shape());
  const Index m = x.rows();
  const Index n = weight.shape()[0];
  const Index k = weight.columns();
  check(!bias.defined() || bias.shape() == Shape{n}, "linear",
        "expected a bias of shape {}; got {}", Shape{n}, bias.shape());
  Tensor y(x.shape().with(x.rank() - 1, n));
  kernels::linear(m, n, k, x.data(), weight.data(), bias.data(), y.data());
  return record(
      "linear", y, {x, weight, bias},
      [m, n, k, x = x.value(), w = weight.value()](const Tensor& dy, Gradient dx, Gradient dw,
                                                   Gradient db) {
        // dx = dy W
        if (dx)
          kernels::gemm(false, false, m, k, n, dy.data(), n, w.data(), k, dx.data(), k, dx.mode());
        // dW = dy^T x
        if (dw)
          kernels::gemm(true, false, n, k, m, dy.data(), n, x.data(), k, dw.data(), k, dw.mode());
        // db = sum of dy's rows
        if (db) kernels::sum_rows(m, n, dy.data(), db.data(), db.mode());
      });
}

Variable linear(const Operand& x, const Operand& weight) {
  return linear(x, weight, OptionalOperand(Variable(), x.where()));
}

}  // namespace heed
