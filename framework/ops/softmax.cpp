#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/views.h"

namespace heed {

using detail::output_of;
using detail::rows_of;

Variable softmax(const Operand& x) {
  check(x.rank() >= 1, "softmax", "expected at least one axis; got a scalar");
  Tensor y(x.shape());
  kernels::softmax(rows_of(x.value()), y.data());
  return record("softmax", y, {x}, [y](const Tensor& dy, Gradient dx) {
    kernels::softmax_backward(rows_of(y), dy.data(), output_of(dx));
  });
}

Variable log_softmax(const Operand& x) {
  check(x.rank() >= 1, "log_softmax", "expected at least one axis; got a scalar");
  Tensor y(x.shape());
  kernels::log_softmax(rows_of(x.value()), y.data());
  return record("log_softmax", y, {x}, [y](const Tensor& dy, Gradient dx) {
    kernels::log_softmax_backward(rows_of(y), dy.data(), output_of(dx));
  });
}

}  // namespace heed
