#include "framework/kernels/convolution.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

struct Range {
  Index first;
  Index last;
};

/// The taps j that row r reads within its sequence.
Range taps_of(const Taps& t, Index r) {
  if (t.begins[r] == t.ends[r]) return {0, 0};
  return {std::max<Index>(0, t.left - (r - t.begins[r]) / t.dilation),
          std::min(t.kernel, t.left + (t.ends[r] - 1 - r) / t.dilation + 1)};
}
/// The taps j as which row r is read: by rows r - (j - left) dilation.
Range readers_of(const Taps& t, Index r) {
  if (t.begins[r] == t.ends[r]) return {0, 0};
  return {std::max<Index>(0, t.left - (t.ends[r] - 1 - r) / t.dilation),
          std::min(t.kernel, t.left + (r - t.begins[r]) / t.dilation + 1)};
}

Vec at(const Real* x, Index i, Index count) {
  return count == Vec::width ? Vec::load(x + i) : Vec::load(x + i, count);
}

/// y[i] (+)= f(i, count) for vectors of `count` elements at i.
template <class F>
void write_row(Index n, Real* y, Mode mode, F f) {
  Index i = 0;
  for (; i + Vec::width <= n; i += Vec::width)
    f(i, Vec::width).store(y + i, mode);
  if (i < n) f(i, n - i).store(y + i, n - i, mode);
}

template <class F>
void for_rows(Index rows, Index cost, F f) {
  parallel_for(rows, grain_of(cost), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r)
      f(r);
  });
}

}  // namespace

void windows(const Taps& t, Index rows, Index n, const Real* x, Real* out) {
  for_rows(rows, t.kernel * n, [&](Index r) {
    const auto [first, last] = taps_of(t, r);
    Real* to = out + r * t.kernel * n;
    std::fill_n(to, first * n, Real{0});
    for (Index j = first; j < last; ++j)
      std::copy_n(x + (r + (j - t.left) * t.dilation) * n, n, to + j * n);
    std::fill_n(to + last * n, (t.kernel - last) * n, Real{0});
  });
}

void fold_windows(const Taps& t, Index rows, Index n, const Real* windows, Real* dx, Mode mode) {
  for_rows(rows, t.kernel * n, [&](Index r) {
    const auto [first, last] = readers_of(t, r);
    write_row(n, dx + r * n, mode, [&, first = first, last = last](Index i, Index count) {
      Vec total = Real{0};
      for (Index j = first; j < last; ++j)
        total =
            total + at(windows + ((r - (j - t.left) * t.dilation) * t.kernel + j) * n, i, count);
      return total;
    });
  });
}

void depthwise(const Taps& t, Index rows, Index n, const Real* x, const Real* w, const Real* bias,
               Real* y) {
  for_rows(rows, 2 * t.kernel * n, [&](Index r) {
    const auto [first, last] = taps_of(t, r);
    const bool biased = bias && t.begins[r] < t.ends[r];
    write_row(n, y + r * n, Mode::assign, [&, first = first, last = last](Index i, Index count) {
      Vec total = biased ? at(bias, i, count) : Vec(Real{0});
      for (Index j = first; j < last; ++j)
        total = multiply_add(at(w + j * n, i, count),
                             at(x + (r + (j - t.left) * t.dilation) * n, i, count), total);
      return total;
    });
  });
}

void depthwise_backward_x(const Taps& t, Index rows, Index n, const Real* w, const Real* dy,
                          Real* dx, Mode mode) {
  for_rows(rows, 2 * t.kernel * n, [&](Index r) {
    const auto [first, last] = readers_of(t, r);
    write_row(n, dx + r * n, mode, [&, first = first, last = last](Index i, Index count) {
      Vec total = Real{0};
      for (Index j = first; j < last; ++j)
        total = multiply_add(at(w + j * n, i, count),
                             at(dy + (r - (j - t.left) * t.dilation) * n, i, count), total);
      return total;
    });
  });
}

void depthwise_backward_w(const Taps& t, Index rows, Index n, const Real* x, const Real* dy,
                          Real* dw, Mode mode) {
  // Cut by taps and columns, so that each sum has one owner and one order.
  constexpr Index piece = 64;
  const Index pieces = (n + piece - 1) / piece;
  parallel_for(t.kernel * pieces, grain_of(2 * rows * piece), [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index j = task / pieces;
      const Index offset = (j - t.left) * t.dilation;

      const Index column = task % pieces * piece;
      write_row(std::min(piece, n - column), dw + j * n + column, mode, [&](Index i, Index count) {
        Vec total = Real{0};
        Vec part = Real{0};
        for (Index r = 0; r < rows; ++r) {
          const Index s = r + offset;
          if (s >= t.begins[r] && s < t.ends[r])
            part = multiply_add(at(dy + r * n + column, i, count), at(x + s * n + column, i, count),
                                part);
          if (r % 64 == 63) {
            total = total + part;
            part = Real{0};
          }
        }
        return total + part;
      });
    }
  });
}

void glu(Index m, Index n, const Real* x, Real* y) {
  for_rows(m, 20 * n, [=](Index r) {
    const Real* row = x + r * 2 * n;
    transform_serial(
        n, y + r * n, Mode::assign, [](Vec a, Vec b) { return a * sigmoid(b); }, row, row + n);
  });
}

void glu_backward(Index m, Index n, const Real* x, const Real* dy, Real* dx, Mode mode) {
  for_rows(m, 24 * n, [=](Index r) {
    const Real* a = x + r * 2 * n;
    const Real* b = a + n;
    const Real* d = dy + r * n;
    Real* da = dx + r * 2 * n;
    Real* db = da + n;
    const auto piece = [&](Index i, Index count) {  // one sigmoid for both halves
      const Vec s = sigmoid(at(b, i, count));
      const Vec g = at(d, i, count) * s;

      const Vec h = g * (Vec(Real{1}) - s) * at(a, i, count);
      if (count == Vec::width) {
        g.store(da + i, mode);
        h.store(db + i, mode);
      } else {
        g.store(da + i, count, mode);
        h.store(db + i, count, mode);
      }
    };
    Index i = 0;
    for (; i + Vec::width <= n; i += Vec::width)
      piece(i, Vec::width);
    if (i < n) piece(i, n - i);
  });
}

void add_scaled(Index n, Real scale, const Real* a, const Real* b, Real* y) {
  const Vec factor = scale;
  transform(
      n, y, Mode::assign, 2, [factor](Vec u, Vec v) { return factor * (u + v); }, a, b);
}

namespace {

Real dot(Index n, const Real* a, const Real* b) {
  Vec total = Real{0};
  Index i = 0;
  for (; i + Vec::width <= n; i += Vec::width)
    total = multiply_add(Vec::load(a + i), Vec::load(b + i), total);
  if (i < n) total = multiply_add(Vec::load(a + i, n - i), Vec::load(b + i, n - i), total);
  return sum(total);
}

}  // namespace

void weight_norm(Index m, Index n, const Real* v, const Real* g, Real* w, Real* inverse) {
  for_rows(m, 4 * n, [=](Index r) {
    const Real* row = v + r * n;
    const Real squares = dot(n, row, row);
    inverse[r] = squares > 0 ? 1 / std::sqrt(squares) : 0;
    const Vec factor = g[r] * inverse[r];
    transform_serial(
        n, w + r * n, Mode::assign, [factor](Vec a) { return factor * a; }, row);
  });
}

void weight_norm_backward(Index m, Index n, const Real* v, const Real* g, const Real* inverse,
                          const Real* dw, Real* dv, Mode dv_mode, Real* dg, Mode dg_mode) {
  for_rows(m, 6 * n, [=](Index r) {
    const Real* row = v + r * n;
    const Real* d = dw + r * n;
    const Real along = dot(n, d, row) * inverse[r];
    if (dg) dg[r] = along + (dg_mode == Mode::assign ? Real{0} : dg[r]);
    const Vec factor = g[r] * inverse[r];
    const Vec share = along * inverse[r];
    if (dv)
      transform_serial(
          n, dv + r * n, dv_mode, [=](Vec a, Vec b) { return factor * (b - share * a); }, row, d);
  });
}

}  // namespace heed::kernels
