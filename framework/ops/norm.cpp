#include "framework/kernels/rows.h"
#include "framework/ops.h"

namespace heed {

namespace {

Real* data_or_null(const Gradient& gradient) { return gradient ? gradient.data() : nullptr; }

void check_row(const char* op, const Operand& x, const char* name, const Operand& row) {
  check(x.rank() >= 1 && row.shape() == Shape{x.columns()}, op, "expected a {} of shape {} for x {}; got {}", name, Shape{x.columns()}, x.shape(),
        row.shape());
}

}  // namespace

Variable layer_norm(const Operand& x, const Operand& gain, const Operand& bias, Real epsilon) {
  check_row("layer_norm", x, "gain", gain), check_row("layer_norm", x, "bias", bias);
  const Index m = x.rows(), n = x.columns();
  Tensor y(x.shape()), mean({m}), scale({m});
  kernels::layer_norm(m, n, x.data(), gain.data(), bias.data(), epsilon, y.data(), mean.data(), scale.data());
  return record("layer_norm", y, {x, gain, bias},
                [m, n, x = x.value(), gain = gain.value(), mean, scale](const Tensor& dy, Gradient dx, Gradient dgain, Gradient dbias) {
                  Tensor partial({kernels::norm_pieces(m), 2 * n});
                  kernels::layer_norm_backward(m, n, x.data(), gain.data(), mean.data(), scale.data(), dy.data(), data_or_null(dx), dx.mode(),
                                               data_or_null(dgain), dgain.mode(), data_or_null(dbias), dbias.mode(), partial.data());
                });
}

Variable rms_norm(const Operand& x, const Operand& gain, Real epsilon) {
  check_row("rms_norm", x, "gain", gain);
  const Index m = x.rows(), n = x.columns();
  Tensor y(x.shape()), scale({m});
  kernels::rms_norm(m, n, x.data(), gain.data(), epsilon, y.data(), scale.data());
  return record("rms_norm", y, {x, gain}, [m, n, x = x.value(), gain = gain.value(), scale](const Tensor& dy, Gradient dx, Gradient dgain) {
    Tensor partial({kernels::norm_pieces(m), 2 * n});
    kernels::rms_norm_backward(m, n, x.data(), gain.data(), scale.data(), dy.data(), data_or_null(dx), dx.mode(), data_or_null(dgain),
                               dgain.mode(), partial.data());
  });
}

}  // namespace heed
