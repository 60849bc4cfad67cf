#include "framework/kernels/image.h"

#include <algorithm>

#include "framework/kernels/gemm.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"

namespace heed {

namespace {

using kernels::Sliding;

Sliding sliding(const char* op, const Operand& x, Extent2d kernel, Extent2d stride,
                Extent2d padding) {
  const Shape& shape = x.shape();
  const auto [ky, kx] = kernel;
  const auto [sy, sx] = stride;
  const auto [py, px] = padding;
  check(ky >= 1 && kx >= 1 && sy >= 1 && sx >= 1 && py >= 0 && px >= 0, op,
        "expected windows and strides of at least 1 and padding of at least 0; got {} x {}, {} x "
        "{} and {} x {}",
        ky, kx, sy, sx, py, px);
  check(shape[1] + 2 * py >= ky && shape[2] + 2 * px >= kx, op,
        "expected images that hold a window of {} x {}; got {}{}", ky, kx, shape,
        py + px > 0 ? fmt::format(" with padding {} x {}", py, px) : "");
  return {shape[0],
          shape[1],
          shape[2],
          shape[3],
          ky,
          kx,
          sy,
          sx,
          py,
          px,
          (shape[1] + 2 * py - ky) / sy + 1,
          (shape[2] + 2 * px - kx) / sx + 1};
}

/// f(images from `first` on, how many), in groups whose windows take some 8 MB.
template <class F>
void for_groups(const Sliding& s, F f) {
  const Index image =
      std::max<Index>(1, s.out_height * s.out_width * s.kernel_y * s.kernel_x * s.channels);
  const Index group = std::max<Index>(1, (Index{1} << 21) / image);
  for (Index first = 0; first < s.n; first += group)
    f(first, std::min(group, s.n - first));
}

Sliding pooling(const char* op, const Operand& x, Extent2d size, Extent2d stride) {
  check(x.rank() == 4, op, "expected x (n, height, width, d); got {}", x.shape());
  for (int i = 0; i < 2; ++i)
    stride[i] = stride[i] == 0 ? size[i] : stride[i];
  return sliding(op, x, size, stride, {0, 0});
}

}  // namespace

Variable conv2d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                const Window2d& window) {
  const char* op = "conv2d";
  check(x.rank() == 4 && weight.rank() == 4 && weight.columns() == x.columns(), op,
        "expected x (n, height, width, in) and weight (out, kernel, kernel, in); got {} and {}",
        x.shape(), weight.shape());
  const Index out = weight.shape()[0];
  const Index k = weight.shape()[1] * weight.shape()[2] * weight.shape()[3];
  check(!bias.defined() || bias.shape() == Shape{out}, op, "expected a bias of shape {}; got {}",
        Shape{out}, bias.shape());
  const Sliding all =
      sliding(op, x, {weight.shape()[1], weight.shape()[2]}, window.stride, window.padding);
  const Index pixels = all.out_height * all.out_width;

  const Index image = all.height * all.width * all.channels;
  const auto part = [all](Index count) {
    Sliding s = all;
    s.n = count;
    return s;
  };
  Tensor y({all.n, all.out_height, all.out_width, out});
  for_groups(all, [&](Index first, Index count) {
    Tensor windows({count * pixels, k});
    kernels::image_windows(part(count), x.data() + first * image, windows.data());
    kernels::linear(count * pixels, out, k, windows.data(), weight.data(), bias.data(),
                    y.data() + first * pixels * out);
  });
  return record(op, y, {x, weight, bias},
                [=, x = x.value(), w = weight.value()](const Tensor& dy, Gradient dx, Gradient dw,
                                                       Gradient db) {
                  if (db) kernels::sum_rows(all.n * pixels, out, dy.data(), db.data(), db.mode());
                  if (all.n == 0) {  // no group of images writes them
                    if (dw && dw.mode() == Mode::assign) std::fill_n(dw.data(), w.size(), Real{0});
                    if (dx) dx.tensor();
                    return;
                  }
                  for_groups(all, [&](Index first, Index count) {
                    const Real* d = dy.data() + first * pixels * out;
                    Tensor windows({count * pixels, k});
                    if (dw) {  // dW = dy^T windows
                      kernels::image_windows(part(count), x.data() + first * image, windows.data());
                      kernels::gemm(true, false, out, k, count * pixels, d, out, windows.data(), k,
                                    dw.data(), k, first == 0 ? dw.mode() : Mode::accumulate);
                    }
                    if (dx) {  // dx = the windows' gradients dy W, added up where they overlap
                      kernels::gemm(false, false, count * pixels, k, out, d, out, w.data(), k,
                                    windows.data(), k, Mode::assign);
                      kernels::fold_image_windows(part(count), windows.data(),
                                                  dx.data() + first * image, dx.mode());
                    }
                  });
                });
}

Variable max_pool2d(const Operand& x, Extent2d size, Extent2d stride) {
  const Sliding s = pooling("max_pool2d", x, size, stride);
  Tensor y({s.n, s.out_height, s.out_width, s.channels});
  Ids which(y.shape());
  kernels::max_pool(s, x.data(), y.data(), which.data());
  return record("max_pool2d", y, {x}, [s, which](const Tensor& dy, Gradient dx) {
    kernels::max_pool_backward(s, which.data(), dy.data(), dx.data(), dx.mode());
  });
}

Variable mean_pool2d(const Operand& x, Extent2d size, Extent2d stride) {
  const Sliding s = pooling("mean_pool2d", x, size, stride);
  Tensor y({s.n, s.out_height, s.out_width, s.channels});
  kernels::mean_pool(s, x.data(), y.data());
  return record("mean_pool2d", y, {x}, [s](const Tensor& dy, Gradient dx) {
    kernels::mean_pool_backward(s, dy.data(), dx.data(), dx.mode());
  });
}

}  // namespace heed
