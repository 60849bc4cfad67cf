#include "framework/kernels/image.h"

#include <algorithm>

#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

/// f(image, row) for every row of `height` of every image.
template <class F>
void for_rows(Index n, Index height, Index cost, F f) {
  parallel_for(n * height, grain_of(cost), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      f(i / height, i % height);
  });
}

/// f(out, tap) for the outputs along one axis whose window holds `at`. `tap` is its place there.
template <class F>
void for_readers(Index at, Index pad, Index stride, Index kernel, Index outs, F f) {
  const Index first = std::max<Index>(0, (at + pad - kernel + stride) / stride);
  for (Index out = first; out < outs && out * stride <= at + pad; ++out)
    f(out, at + pad - out * stride);
}

/// y += f(in...)
template <class F, class... In>
void add_into(Index n, Real* y, F f, const In*... in) {
  transform_serial(n, y, Mode::accumulate, f, in...);
}

}  // namespace

void image_windows(const Sliding& s, const Real* x, Real* out) {
  const Index c = s.channels;
  const Index window = s.taps() * c;
  // One row of taps of the window whose first column is `left`.
  const auto copy_row = [&](Index image, Index row, Index left, Real* to) {
    if (row < 0 || row >= s.height) {
      std::fill_n(to, s.kernel_x * c, Real{0});
      return;
    }
    const Index first = std::clamp<Index>(-left, 0, s.kernel_x);
    const Index last = std::clamp<Index>(s.width - left, first, s.kernel_x);
    std::fill_n(to, first * c, Real{0});
    std::copy_n(x + s.pixel(image, row, left + first), (last - first) * c, to + first * c);
    std::fill_n(to + last * c, (s.kernel_x - last) * c, Real{0});
  };
  for_rows(s.n, s.out_height, s.out_width * window, [&](Index image, Index y) {
    Real* to = out + (image * s.out_height + y) * s.out_width * window;
    for (Index column = 0; column < s.out_width; ++column)
      for (Index i = 0; i < s.kernel_y; ++i, to += s.kernel_x * c)
        copy_row(image, y * s.stride_y - s.pad_y + i, column * s.stride_x - s.pad_x, to);
  });
}

namespace {

/// f(window, tap, gradient) for each pixel of dx and each output whose window holds it: `window` is
/// the number of the output pixel, `gradient` its place in dx. Starts dx from zeros where it is
/// assigned.
template <class F>
void for_windows_of_pixels(const Sliding& s, Output dx, F f) {
  const Index c = s.channels;
  for_rows(s.n, s.height, s.width * s.taps() * c, [&](Index image, Index row) {
    Real* to = dx.data + s.pixel(image, row, 0);
    if (dx.mode == Mode::assign) std::fill_n(to, s.width * c, Real{0});
    for_readers(row, s.pad_y, s.stride_y, s.kernel_y, s.out_height, [&](Index y, Index i) {
      for (Index column = 0; column < s.width; ++column)
        for_readers(column, s.pad_x, s.stride_x, s.kernel_x, s.out_width, [&](Index x, Index j) {
          f((image * s.out_height + y) * s.out_width + x, i * s.kernel_x + j, to + column * c);
        });
    });
  });
}

}  // namespace

void fold_image_windows(const Sliding& s, const Real* windows, Output dx) {
  const Index c = s.channels;
  for_windows_of_pixels(s, dx, [=, taps = s.taps()](Index window, Index tap, Real* to) {
    add_into(
        c, to, [](Vec v) { return v; }, windows + (window * taps + tap) * c);
  });
}

void max_pool(const Sliding& s, const Real* x, Real* y, Id* which) {
  const Index c = s.channels;
  for_rows(s.n, s.out_height, s.out_width * s.taps() * c, [&](Index image, Index row) {
    for (Index column = 0; column < s.out_width; ++column) {
      const Index at = s.out_pixel(image, row, column);
      // The loop over channels has no branches, so that the compiler can make vectors of it.
      Real* __restrict best = y + at;
      Id* __restrict place = which + at;
      const auto window = [&](Index i, Index j) {
        return x + s.pixel(image, row * s.stride_y + i, column * s.stride_x + j);
      };
      std::copy_n(window(0, 0), c, best);
      std::fill_n(place, c, Id{0});
      for (Id tap = 1; tap < s.taps(); ++tap) {
        const Real* __restrict from = window(tap / s.kernel_x, tap % s.kernel_x);
        for (Index k = 0; k < c; ++k) {
          const bool more = replaces(from[k], best[k]);
          best[k] = more ? from[k] : best[k];
          place[k] = more ? tap : place[k];
        }
      }
    }
  });
}

void max_pool_backward(const Sliding& s, const Id* which, const Real* dy, Output dx) {
  const Index c = s.channels;
  for_windows_of_pixels(s, dx, [=](Index window, Index tap, Real* to) {
    const Id* __restrict place = which + window * c;
    const Real* __restrict from = dy + window * c;
    Real* __restrict sums = to;
    const Id own = static_cast<Id>(tap);
    for (Index k = 0; k < c; ++k)
      sums[k] += place[k] == own ? from[k] : 0;
  });
}

void mean_pool(const Sliding& s, const Real* x, Real* y) {
  const Index c = s.channels;
  const Vec share = 1 / static_cast<Real>(s.taps());
  for_rows(s.n, s.out_height, s.out_width * s.taps() * c, [&](Index image, Index row) {
    for (Index column = 0; column < s.out_width; ++column) {
      Real* to = y + s.out_pixel(image, row, column);
      std::fill_n(to, c, Real{0});
      for (Index i = 0; i < s.kernel_y; ++i)
        for (Index j = 0; j < s.kernel_x; ++j)
          add_into(
              c, to, [share](Vec v) { return share * v; },
              x + s.pixel(image, row * s.stride_y + i, column * s.stride_x + j));
    }
  });
}

void mean_pool_backward(const Sliding& s, const Real* dy, Output dx) {
  const Index c = s.channels;
  const Vec share = 1 / static_cast<Real>(s.taps());
  for_windows_of_pixels(s, dx, [=](Index window, Index, Real* to) {
    add_into(
        c, to, [share](Vec v) { return share * v; }, dy + window * c);
  });
}

}  // namespace heed::kernels
