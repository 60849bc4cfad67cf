#include "framework/kernels/gemm.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/views.h"

namespace heed {

using detail::kept_for;
using detail::output_of;
using detail::rows_of;

Variable linear(const Operand& x, const Operand& weight, const OptionalOperand& bias) {
  check(weight.rank() == 2 && x.rank() >= 1 && x.columns() == weight.columns(), "linear",
        "expected x (..., in) and weight (out, in); got {} and {}", x.shape(), weight.shape());
  const Index n = weight.shape()[0];
  check(!bias.defined() || bias.shape() == Shape{n}, "linear",
        "expected a bias of shape {}; got {}", Shape{n}, bias.shape());
  Tensor y(x.shape().with(x.rank() - 1, n));
  kernels::linear(rows_of(x.value()), rows_of(weight.value()), bias.data(), rows_of(y));
  // dx = dy W, dW = dy^T x, db = sum of dy's rows
  return record("linear", y, {x, weight, bias},
                [x = kept_for(weight, x), w = weight.value()](const Tensor& dy, Gradient dx,
                                                              Gradient dw, Gradient db) {
                  const kernels::ConstMatrix d = rows_of(dy);
                  if (dx) kernels::gemm(d, rows_of(w), rows_of(dx), dx.mode());
                  if (dw) kernels::gemm(transposed(d), rows_of(x), rows_of(dw), dw.mode());
                  if (db) kernels::sum_rows(d, output_of(db));
                });
}

Variable linear(const Operand& x, const Operand& weight) {
  return linear(x, weight, OptionalOperand(Variable(), x.where()));
}

}  // namespace heed
