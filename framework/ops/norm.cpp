#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/views.h"

namespace heed {

namespace {

using detail::output_of;
using detail::rows_of;
using kernels::RowMoments;

/// Room for the moments of m rows, in a tensor, which a tape can keep.
Tensor room_for_moments(Index m) { return Tensor({m, Index{sizeof(RowMoments) / sizeof(Real)}}); }
RowMoments* moments_in(Tensor& tensor) { return reinterpret_cast<RowMoments*>(tensor.data()); }
const RowMoments* moments_in(const Tensor& tensor) {
  return reinterpret_cast<const RowMoments*>(tensor.data());
}

/// Room for the partial sums of backward.
Tensor room_for_pieces(const Tensor& x) {
  return Tensor({kernels::norm_pieces(x.rows()), 2 * x.columns()});
}

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
  Tensor y(x.shape());
  Tensor moments = room_for_moments(x.rows());
  kernels::layer_norm({rows_of(x.value()), gain.data(), bias.data(), epsilon}, y.data(),
                      moments_in(moments));
  return record("layer_norm", y, {x, gain, bias},
                [x = x.value(), gain = gain.value(), moments](const Tensor& dy, Gradient dx,
                                                              Gradient dgain, Gradient dbias) {
                  Tensor partial = room_for_pieces(x);
                  kernels::layer_norm_backward(
                      {.x = rows_of(x), .gain = gain.data()}, moments_in(moments), dy.data(),
                      {.x = output_of(dx), .gain = output_of(dgain), .bias = output_of(dbias)},
                      partial.data());
                });
}

Variable rms_norm(const Operand& x, const Operand& gain, Real epsilon) {
  check(epsilon >= 0, "rms_norm", "expected an epsilon of at least 0; got {}", epsilon);
  check_row("rms_norm", x, "gain", gain);
  Tensor y(x.shape());
  Tensor moments = room_for_moments(x.rows());
  kernels::rms_norm({.x = rows_of(x.value()), .gain = gain.data(), .epsilon = epsilon}, y.data(),
                    moments_in(moments));
  return record(
      "rms_norm", y, {x, gain},
      [x = x.value(), gain = gain.value(), moments](const Tensor& dy, Gradient dx, Gradient dgain) {
        Tensor partial = room_for_pieces(x);
        kernels::rms_norm_backward({.x = rows_of(x), .gain = gain.data()}, moments_in(moments),
                                   dy.data(), {.x = output_of(dx), .gain = output_of(dgain)},
                                   partial.data());
      });
}

}  // namespace heed
