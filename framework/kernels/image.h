#pragma once

#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// A window that slides over images (n, height, width, channels). Output pixel (y, x) reads the
/// input pixels (y stride_y - pad_y + i, x stride_x - pad_x + j), i < kernel_y, j < kernel_x, that
/// lie inside the image.
struct Sliding {
  Index n;
  Index height;
  Index width;
  Index channels;
  Index kernel_y;
  Index kernel_x;
  Index stride_y;
  Index stride_x;
  Index pad_y;
  Index pad_x;
  Index out_height;
  Index out_width;

  Index taps() const { return kernel_y * kernel_x; }
  /// Where pixel (y, x) of an image begins, of the input and of the output.
  Index pixel(Index image, Index y, Index x) const {
    return ((image * height + y) * width + x) * channels;
  }
  Index out_pixel(Index image, Index y, Index x) const {
    return ((image * out_height + y) * out_width + x) * channels;
  }
};

/// out (n, out_height, out_width, kernel_y, kernel_x, channels): what each output pixel reads,
/// zeros outside the image
void image_windows(const Sliding& s, const Real* x, Real* out);
/// The transpose: dx (n, height, width, channels) = or += what the windows hold of each pixel
void fold_image_windows(const Sliding& s, const Real* windows, Output dx);

/// y (n, out_height, out_width, channels): the largest of each window. `which`, of the same shape:
/// its tap i kernel_x + j, the first of equals. There is no padding.
void max_pool(const Sliding& s, const Real* x, Real* y, Id* which);
void max_pool_backward(const Sliding& s, const Id* which, const Real* dy, Output dx);
/// y: the mean of each window. There is no padding.
void mean_pool(const Sliding& s, const Real* x, Real* y);
void mean_pool_backward(const Sliding& s, const Real* dy, Output dx);

}  // namespace heed::kernels
