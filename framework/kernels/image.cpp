#include "framework/kernels/image.h"

#include <algorithm>

#include "framework/kernels/simd.h"

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

/// f(out, tap) for the outputs along one axis whose window holds `at`, tap being its place there.
template <class F>
void for_readers(Index at, Index pad, Index stride, Index kernel, Index outs, F f) {
  const Index first = std::max<Index>(0, (at + pad - kernel + stride) / stride);
  for (Index out = first; out < outs && out * stride <= at + pad; ++out)
    f(out, at + pad - out * stride);
}

template <class F, class... In>
void add_into(Index n, Real* y, F f, const In*... in) {
  transform_serial(n, y, Mode::accumulate, f, in...);
}

}  // namespace

void image_windows(const Sliding& s, const Real* x, Real* out) {
  const Index c = s.channels;
  const Index window = s.kernel_y * s.kernel_x * c;
  for_rows(s.n, s.out_height, s.out_width * window, [&](Index image, Index y) {
    Real* to = out + (image * s.out_height + y) * s.out_width * window;
    for (Index column = 0; column < s.out_width; ++column)
      for (Index i = 0; i < s.kernel_y; ++i, to += s.kernel_x * c) {
        const Index row = y * s.stride_y - s.pad_y + i;
        const Index left = column * s.stride_x - s.pad_x;
        const Index first = std::clamp<Index>(-left, 0, s.kernel_x);

        const Index last = std::clamp<Index>(s.width - left, first, s.kernel_x);
        if (row < 0 || row >= s.height) {
          std::fill_n(to, s.kernel_x * c, Real{0});
          continue;
        }
        std::fill_n(to, first * c, Real{0});
        std::copy_n(x + ((image * s.height + row) * s.width + left + first) * c, (last - first) * c,
                    to + first * c);
        std::fill_n(to + last * c, (s.kernel_x - last) * c, Real{0});
      }
  });
}

void fold_image_windows(const Sliding& s, const Real* windows, Real* dx, Mode mode) {
  const Index c = s.channels;
  for_rows(s.n, s.height, s.width * s.kernel_y * s.kernel_x * c, [&](Index image, Index row) {
    Real* to = dx + (image * s.height + row) * s.width * c;
    if (mode == Mode::assign) std::fill_n(to, s.width * c, Real{0});
    for_readers(row, s.pad_y, s.stride_y, s.kernel_y, s.out_height, [&](Index y, Index i) {
      for (Index column = 0; column < s.width; ++column)
        for_readers(column, s.pad_x, s.stride_x, s.kernel_x, s.out_width, [&](Index x, Index j) {
          const Real* from =
              windows +
              ((((image * s.out_height + y) * s.out_width + x) * s.kernel_y + i) * s.kernel_x + j) *
                  c;
          add_into(
              c, to + column * c, [](Vec v) { return v; }, from);
        });
    });
  });
}

void max_pool(const Sliding& s, const Real* x, Real* y, Id* which) {
  const Index c = s.channels;
  for_rows(
      s.n, s.out_height, s.out_width * s.kernel_y * s.kernel_x * c, [&](Index image, Index row) {
        for (Index column = 0; column < s.out_width; ++column) {
          const Index at = ((image * s.out_height + row) * s.out_width + column) * c;
          Real* __restrict best =
              y + at;  // without branches, which the compiler can make vectors of
          Id* __restrict place = which + at;
          const auto window = [&](Index i, Index j) {
            return x +
                   ((image * s.height + row * s.stride_y + i) * s.width + column * s.stride_x + j) *
                       c;
          };
          std::copy_n(window(0, 0), c, best);
          std::fill_n(place, c, Id{0});
          for (Id tap = 1; tap < s.kernel_y * s.kernel_x; ++tap) {
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

void max_pool_backward(const Sliding& s, const Id* which, const Real* dy, Real* dx, Mode mode) {
  const Index c = s.channels;
  for_rows(s.n, s.height, s.width * s.kernel_y * s.kernel_x * c, [&](Index image, Index row) {
    Real* to = dx + (image * s.height + row) * s.width * c;
    if (mode == Mode::assign) std::fill_n(to, s.width * c, Real{0});
    for_readers(row, 0, s.stride_y, s.kernel_y, s.out_height, [&](Index y, Index i) {
      for (Index column = 0; column < s.width; ++column)
        for_readers(column, 0, s.stride_x, s.kernel_x, s.out_width, [&](Index x, Index j) {
          const Index at = ((image * s.out_height + y) * s.out_width + x) * c;
          const Id* __restrict place = which + at;
          const Real* __restrict from = dy + at;
          Real* __restrict sums = to + column * c;
          const Id tap = static_cast<Id>(i * s.kernel_x + j);
          for (Index k = 0; k < c; ++k)
            sums[k] += place[k] == tap ? from[k] : 0;
        });
    });
  });
}

void mean_pool(const Sliding& s, const Real* x, Real* y) {
  const Index c = s.channels;
  const Vec share = 1 / static_cast<Real>(s.kernel_y * s.kernel_x);
  for_rows(s.n, s.out_height, s.out_width * s.kernel_y * s.kernel_x * c,
           [&](Index image, Index row) {
             for (Index column = 0; column < s.out_width; ++column) {
               Real* to = y + ((image * s.out_height + row) * s.out_width + column) * c;
               std::fill_n(to, c, Real{0});
               for (Index i = 0; i < s.kernel_y; ++i)
                 for (Index j = 0; j < s.kernel_x; ++j)
                   add_into(
                       c, to, [share](Vec v) { return share * v; },
                       x + ((image * s.height + row * s.stride_y + i) * s.width +
                            column * s.stride_x + j) *
                               c);
             }
           });
}

void mean_pool_backward(const Sliding& s, const Real* dy, Real* dx, Mode mode) {
  const Index c = s.channels;
  const Vec share = 1 / static_cast<Real>(s.kernel_y * s.kernel_x);
  for_rows(s.n, s.height, s.width * s.kernel_y * s.kernel_x * c, [&](Index image, Index row) {
    Real* to = dx + (image * s.height + row) * s.width * c;
    if (mode == Mode::assign) std::fill_n(to, s.width * c, Real{0});
    for_readers(row, 0, s.stride_y, s.kernel_y, s.out_height, [&](Index y, Index) {
      for (Index column = 0; column < s.width; ++column)
        for_readers(column, 0, s.stride_x, s.kernel_x, s.out_width, [&](Index x, Index) {
          add_into(
              c, to + column * c, [share](Vec v) { return share * v; },
              dy + ((image * s.out_height + y) * s.out_width + x) * c);
        });
    });
  });
}

}  // namespace heed::kernels
