#include "framework/kernels/rows.h"
#include "framework/ops.h"

namespace heed {

namespace {

using kernels::RowMoments;

/// The moments of m rows, kept as numbers so that a tape's tensors hold them.
Tensor room_for_moments(Index m) { return Tensor({m, Index{sizeof(RowMoments) / sizeof(Real)}}); }
RowMoments* moments_in(Tensor& tensor) { return reinterpret_cast<RowMoments*>(tensor.data()); }
const RowMoments* moments_in(const Tensor& tensor) {
  return reinterpret_cast<const RowMoments*>(tensor.data());
}

Real* data_or_null(const Gradient& gradient) { return gradient ? gradient.data() : nullptr; }

void check_row(const char* op, const Operand& x, const char* name, const Operand& row) {
  check(x.rank() >= 1 && row.shape() == Shape{x.columns()}, op,
        "expected a {} of shape {} for x {}; got {}", name, Shape{x.columns()}, x.shape(),
        row.shape());
}

}  // namespace

Variable layer_norm(const Operand& x, const Operand& gain, const Operand& bias, Real epsilon) {
  check(epsilon >= 0, "layer_norm", "expected an epsilon of at least 0; got {}", epsilon);
  check_row("layer_norm", x, "gain", gain);
  check_row("layer_norm", x, "bias", bias);
  const Index m = x.rows();
  const Index n = x.columns();
  Tensor y(x.shape());
  Tensor moments = room_for_moments(m);
  kernels::layer_norm(m, n, x.data(), gain.data(), bias.data(), epsilon, y.data(),
                      moments_in(moments));
  return record("layer_norm", y, {x, gain, bias},
                [m, n, x = x.value(), gain = gain.value(), moments](
                    const Tensor& dy, Gradient dx, Gradient dgain, Gradient dbias) {
                  Tensor partial({kernels::norm_pieces(m), 2 * n});
                  kernels::layer_norm_backward(m, n, x.data(), gain.data(), moments_in(moments),
                                               dy.data(), data_or_null(dx), dx.mode(),
                                               data_or_null(dgain), dgain.mode(),
                                               data_or_null(dbias), dbias.mode(), partial.data());
                });
}

Variable rms_norm(const Operand& x, const Operand& gain, Real epsilon) {
  check(epsilon >= 0, "rms_norm", "expected an epsilon of at least 0; got {}", epsilon);
  check_row("rms_norm", x, "gain", gain);
  const Index m = x.rows();
  const Index n = x.columns();
  Tensor y(x.shape());
  Tensor moments = room_for_moments(m);
  kernels::rms_norm(m, n, x.data(), gain.data(), epsilon, y.data(), moments_in(moments));
  return record("rms_norm", y, {x, gain},
                [m, n, x = x.value(), gain = gain.value(), moments](const Tensor& dy, Gradient dx,
                                                                    Gradient dgain) {
                  Tensor partial({kernels::norm_pieces(m), 2 * n});
                  kernels::rms_norm_backward(m, n, x.data(), gain.data(), moments_in(moments),
                                             dy.data(), data_or_null(dx), dx.mode(),
                                             data_or_null(dgain), dgain.mode(), partial.data());
                });
}

}  // namespace heed
