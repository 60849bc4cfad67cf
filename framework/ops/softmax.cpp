#include "framework/kernels/rows.h"
#include "framework/ops.h"

namespace heed {

Variable softmax(const Operand& x) {
  check(x.rank() >= 1, "softmax", "expected at least one axis; got a scalar");
  Tensor y(x.shape());
  kernels::softmax(x.rows(), x.columns(), x.data(), y.data());
  return record("softmax", y, {x}, [y](const Tensor& dy, Gradient dx) {
    kernels::softmax_backward(y.rows(), y.columns(), y.data(), dy.data(), dx.data(), dx.mode());
  });
}

Variable log_softmax(const Operand& x) {
  check(x.rank() >= 1, "log_softmax", "expected at least one axis; got a scalar");
  Tensor y(x.shape());
  kernels::log_softmax(x.rows(), x.columns(), x.data(), y.data());
  return record("log_softmax", y, {x}, [y](const Tensor& dy, Gradient dx) {
    kernels::log_softmax_backward(y.rows(), y.columns(), y.data(), dy.data(), dx.data(), dx.mode());
  });
}

}  // namespace heed
