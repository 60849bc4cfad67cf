#include "framework/kernels/dropout.h"

#include "framework/ops.h"

namespace heed {

namespace {

kernels::Dropout checked(const char* op, Real p, RandomKey key) {
  check(p >= 0 && p <= 1, op, "expected a probability within [0, 1]; got {}", p);
  return {p, key};
}

}  // namespace

Variable dropout(const Operand& x, Real p, RandomKey key) {
  const kernels::Dropout mask = checked("dropout", p, key);
  Tensor y(x.shape());
  kernels::dropout(x.size(), mask, x.data(), y.data(), Mode::assign);
  return record("dropout", y, {x}, [mask](const Tensor& dy, Gradient dx) {
    kernels::dropout(dy.size(), mask, dy.data(), dx.data(), dx.mode());
  });
}

Variable add_dropout(const Operand& x, const Operand& branch, Real p, RandomKey key) {
  check(x.shape() == branch.shape(), "add_dropout", "expected equal shapes; got {} and {}",
        x.shape(), branch.shape());
  const kernels::Dropout mask = checked("add_dropout", p, key);
  Tensor y(x.shape());
  kernels::add_dropout(x.size(), mask, x.data(), branch.data(), y.data());
  return record("add_dropout", y, {x, branch},
                [mask](const Tensor& dy, Gradient dx, Gradient dbranch) {
                  if (dbranch && mask.active())
                    kernels::dropout(dy.size(), mask, dy.data(), dbranch.data(), dbranch.mode());
                  else
                    dbranch.pass(dy);
                  dx.pass(dy);
                });
}

Variable relu_dropout(const Operand& x, Real p, RandomKey key) {
  const kernels::Dropout mask = checked("relu_dropout", p, key);
  Tensor y(x.shape());
  kernels::relu_dropout(x.size(), mask, x.data(), y.data());
  return record("relu_dropout", y, {x}, [mask, y](const Tensor& dy, Gradient dx) {
    kernels::relu_dropout_backward(dy.size(), mask, y.data(), dy.data(), dx.data(), dx.mode());
  });
}

}  // namespace heed
