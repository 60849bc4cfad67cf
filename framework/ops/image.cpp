#include "framework/kernels/image.h"

#include <algorithm>

#include "framework/kernels/gemm.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/views.h"

namespace heed {

namespace {

using detail::kept_for;
using detail::matrix_of;
using detail::output_of;
using detail::rows_of;
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
  return {.n = shape[0],
          .height = shape[1],
          .width = shape[2],
          .channels = shape[3],
          .kernel_y = ky,
          .kernel_x = kx,
          .stride_y = sy,
          .stride_x = sx,
          .pad_y = py,
          .pad_x = px,
          .out_height = (shape[1] + 2 * py - ky) / sy + 1,
          .out_width = (shape[2] + 2 * px - kx) / sx + 1};
}

/// Some images of a batch, whose windows exist at once: (rows, window).
struct ImageGroup {
  Sliding part;  // of these images alone
  Index first;

  Index rows() const { return part.n * part.out_height * part.out_width; }
  Index window() const { return part.taps() * part.channels; }
  /// Where their pixels begin in x, and their rows in y (.., out).
  Index x_offset() const { return first * part.height * part.width * part.channels; }
  Index y_offset(Index out) const { return first * part.out_height * part.out_width * out; }
};

/// f(group) for groups of images whose windows take some 8 MB.
template <class F>
void for_groups(const Sliding& all, F f) {
  const Index image =
      std::max<Index>(1, all.out_height * all.out_width * all.taps() * all.channels);
  const Index most = std::max<Index>(1, (Index{1} << 21) / image);
  for (Index first = 0; first < all.n; first += most) {
    ImageGroup group{all, first};
    group.part.n = std::min(most, all.n - first);
    f(group);
  }
}

Sliding pooling(const char* op, const Operand& x, Extent2d size, Extent2d stride) {
  check(x.rank() == 4, op, "expected x (n, height, width, d); got {}", x.shape());
  for (int i = 0; i < 2; ++i)
    stride[i] = stride[i] == 0 ? size[i] : stride[i];
  return sliding(op, x, size, stride, {0, 0});
}

void conv2d_backward(const Sliding& all, const Tensor& x, const Tensor& w, const Tensor& dy,
                     Gradient dx, Gradient dw, Gradient db) {
  const Index out = dy.columns();
  if (db) kernels::sum_rows(rows_of(dy), output_of(db));
  if (all.n == 0) {  // no group of images writes them
    if (dw && dw.mode() == Mode::assign) std::fill_n(dw.data(), w.size(), Real{0});
    if (dx) dx.tensor();
    return;
  }
  for_groups(all, [&](const ImageGroup& group) {
    const kernels::ConstMatrix d =
        kernels::dense(dy.data() + group.y_offset(out), group.rows(), out);
    Tensor windows({group.rows(), group.window()});
    if (dw) {  // dW = dy^T windows
      kernels::image_windows(group.part, x.data() + group.x_offset(), windows.data());
      kernels::gemm(transposed(d), rows_of(windows), matrix_of(dw),
                    group.first == 0 ? dw.mode() : Mode::accumulate);
    }
    if (dx) {  // dx = the windows' gradients dy W, added up where they overlap
      kernels::gemm(d, matrix_of(w), rows_of(windows), Mode::assign);
      kernels::fold_image_windows(group.part, windows.data(),
                                  {dx.data() + group.x_offset(), dx.mode()});
    }
  });
}

}  // namespace

Variable conv2d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                const Window2d& window) {
  const char* op = "conv2d";
  check(x.rank() == 4 && weight.rank() == 4 && weight.columns() == x.columns(), op,
        "expected x (n, height, width, in) and weight (out, kernel, kernel, in); got {} and {}",
        x.shape(), weight.shape());
  const Index out = weight.shape()[0];
  check(!bias.defined() || bias.shape() == Shape{out}, op, "expected a bias of shape {}; got {}",
        Shape{out}, bias.shape());
  const Sliding all =
      sliding(op, x, {weight.shape()[1], weight.shape()[2]}, window.stride, window.padding);
  Tensor y({all.n, all.out_height, all.out_width, out});
  for_groups(all, [&](const ImageGroup& group) {
    Tensor windows({group.rows(), group.window()});
    kernels::image_windows(group.part, x.data() + group.x_offset(), windows.data());
    kernels::linear(rows_of(windows), matrix_of(weight.value()), bias.data(),
                    kernels::dense(y.data() + group.y_offset(out), group.rows(), out));
  });
  return record(op, y, {x, weight, bias},
                [all, x = kept_for(weight, x), w = weight.value()](const Tensor& dy, Gradient dx,
                                                                   Gradient dw, Gradient db) {
                  conv2d_backward(all, x, w, dy, dx, dw, db);
                });
}

Variable max_pool2d(const Operand& x, Extent2d size, Extent2d stride) {
  const Sliding s = pooling("max_pool2d", x, size, stride);
  Tensor y({s.n, s.out_height, s.out_width, s.channels});
  Ids which(y.shape());
  kernels::max_pool(s, x.data(), y.data(), which.data());
  return record("max_pool2d", y, {x}, [s, which](const Tensor& dy, Gradient dx) {
    kernels::max_pool_backward(s, which.data(), dy.data(), output_of(dx));
  });
}

Variable mean_pool2d(const Operand& x, Extent2d size, Extent2d stride) {
  const Sliding s = pooling("mean_pool2d", x, size, stride);
  Tensor y({s.n, s.out_height, s.out_width, s.channels});
  kernels::mean_pool(s, x.data(), y.data());
  return record("mean_pool2d", y, {x}, [s](const Tensor& dy, Gradient dx) {
    kernels::mean_pool_backward(s, dy.data(), output_of(dx));
  });
}

Variable patches(const Operand& x, Index size) {
  check(x.rank() == 4, "patches", "expected x (n, height, width, d); got {}", x.shape());
  check(size >= 1, "patches", "expected patches of at least 1 pixel; got {}", size);
  const Index n = x.shape()[0];
  const Index height = x.shape()[1];
  const Index width = x.shape()[2];
  const Index d = x.shape()[3];
  const bool divides = height % size == 0 && width % size == 0;
  check(divides && height > 0 && width > 0, "patches",
        "expected images that patches of {} x {} pixels divide; got {}", size, size, x.shape());
  const Index down = height / size;
  const Index across = width / size;
  const auto at = x.where();
  const Variable cut = reshape({x, at}, {n, down, size, across, size, d});
  const Variable squares = permute({cut, at}, {0, 1, 3, 2, 4, 5});
  return reshape({squares, at}, Shape{n * down * across, size * size * d});
}

}  // namespace heed
