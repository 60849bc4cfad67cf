#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// A window that slides over images (n, height, width, channels): output pixel (y, x) reads input
/// pixels (y stride_y - pad_y + i, x stride_x - pad_x + j), i < kernel_y, j < kernel_x, those
/// inside.
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
};

/// out (n, out_height, out_width, kernel_y, kernel_x, channels): what each output pixel reads,
/// zeros outside the image
void image_windows(const Sliding& s, const Real* x, Real* out);
/// The transpose: dx (n, height, width, channels) = or += what the windows hold of each pixel
void fold_image_windows(const Sliding& s, const Real* windows, Real* dx, Mode mode);

/// y (n, out_height, out_width, channels): the largest of each window, and which it was (i kernel_x
/// + j; the first of equals).
void max_pool(const Sliding& s, const Real* x, Real* y, Id* which);
void max_pool_backward(const Sliding& s, const Id* which, const Real* dy, Real* dx, Mode mode);
/// y: the mean of each window; all of it lies inside.
void mean_pool(const Sliding& s, const Real* x, Real* y);
void mean_pool_backward(const Sliding& s, const Real* dy, Real* dx, Mode mode);

}  // namespace heed::kernels
