#include "framework/kernels/convolution.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/multiply_adds.h"
#include "framework/kernels/vector_loops.h"

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

/// y = or += f(lanes) for the vectors of a row.
template <class F>
void write_row(Index n, Real* y, Mode mode, F f) {
  for_each_vector(n, [&](auto lanes) { lanes.store(f(lanes), y, mode); });
}

}  // namespace

void windows(const Taps& t, Index n, const Real* x, Real* out) {
  parallel_for_each(t.rows, t.kernel * n, [&](Index r) {
    const auto [first, last] = taps_of(t, r);
    Real* to = out + r * t.kernel * n;
    std::fill_n(to, first * n, Real{0});
    for (Index j = first; j < last; ++j)
      std::copy_n(x + (r + (j - t.left) * t.dilation) * n, n, to + j * n);
    std::fill_n(to + last * n, (t.kernel - last) * n, Real{0});
  });
}

void fold_windows(const Taps& t, Index n, const Real* windows, Output dx) {
  parallel_for_each(t.rows, t.kernel * n, [&](Index r) {
    const auto [first, last] = readers_of(t, r);
    write_row(n, dx.data + r * n, dx.mode, [&, first = first, last = last](auto lanes) {
      Vec total = Real{0};
      for (Index j = first; j < last; ++j)
        total = total + lanes.load(windows + ((r - (j - t.left) * t.dilation) * t.kernel + j) * n);
      return total;
    });
  });
}

void depthwise(const Taps& t, Index n, const Real* x, const Real* w, const Real* bias, Real* y) {
  multiply_adds() += t.rows * t.kernel * n;
  parallel_for_each(t.rows, 2 * t.kernel * n, [&](Index r) {
    const auto [first, last] = taps_of(t, r);
    const bool biased = bias && t.begins[r] < t.ends[r];
    write_row(n, y + r * n, Mode::assign, [&, first = first, last = last](auto lanes) {
      Vec total = biased ? lanes.load(bias) : Vec(Real{0});
      for (Index j = first; j < last; ++j)
        total = multiply_add(lanes.load(w + j * n),
                             lanes.load(x + (r + (j - t.left) * t.dilation) * n), total);
      return total;
    });
  });
}

void depthwise_backward_x(const Taps& t, Index n, const Real* w, const Real* dy, Output dx) {
  multiply_adds() += t.rows * t.kernel * n;
  parallel_for_each(t.rows, 2 * t.kernel * n, [&](Index r) {
    const auto [first, last] = readers_of(t, r);
    write_row(n, dx.data + r * n, dx.mode, [&, first = first, last = last](auto lanes) {
      Vec total = Real{0};
      for (Index j = first; j < last; ++j)
        total = multiply_add(lanes.load(w + j * n),
                             lanes.load(dy + (r - (j - t.left) * t.dilation) * n), total);
      return total;
    });
  });
}

void depthwise_backward_w(const Taps& t, Index n, const Real* x, const Real* dy, Output dw) {
  multiply_adds() += t.rows * t.kernel * n;
  // Cut by taps and columns, so that each sum has one owner and one order.
  constexpr Index piece = 64;
  const Index pieces = (n + piece - 1) / piece;
  parallel_for_each(t.kernel * pieces, 2 * t.rows * piece, [&](Index task) {
    const Index j = task / pieces;
    const Index offset = (j - t.left) * t.dilation;
    const Index column = task % pieces * piece;
    write_row(std::min(piece, n - column), dw.data + j * n + column, dw.mode, [&](auto lanes) {
      Vec total = Real{0};
      Vec part = Real{0};
      for (Index r = 0; r < t.rows; ++r) {
        const Index s = r + offset;
        if (s >= t.begins[r] && s < t.ends[r])
          part =
              multiply_add(lanes.load(dy + r * n + column), lanes.load(x + s * n + column), part);
        if (r % 64 == 63) {
          total = total + part;
          part = Real{0};
        }
      }
      return total + part;
    });
  });
}

void glu(Index m, Index n, const Real* x, Real* y) {
  parallel_for_each(m, 20 * n, [=](Index r) {
    const Real* row = x + r * 2 * n;
    transform_serial(
        n, y + r * n, Mode::assign, [](Vec a, Vec b) { return a * sigmoid(b); }, row, row + n);
  });
}

void glu_backward(Index m, Index n, const Real* x, const Real* dy, Output dx) {
  parallel_for_each(m, 24 * n, [=](Index r) {
    const Real* a = x + r * 2 * n;
    const Real* b = a + n;
    const Real* d = dy + r * n;
    Real* da = dx.data + r * 2 * n;
    Real* db = da + n;
    for_each_vector(n, [=](auto lanes) {  // one sigmoid for both halves
      const Vec s = sigmoid(lanes.load(b));
      const Vec g = lanes.load(d) * s;
      const Vec h = g * (Vec(Real{1}) - s) * lanes.load(a);
      lanes.store(g, da, dx.mode);
      lanes.store(h, db, dx.mode);
    });
  });
}

void add_scaled(Index n, Real scale, const Real* a, const Real* b, Real* y) {
  const Vec factor = scale;
  transform(
      n, y, Mode::assign, 2, [factor](Vec u, Vec v) { return factor * (u + v); }, a, b);
}

void weight_norm(const WeightNormInputs& in, Real* w, Real* inverse) {
  const Index n = in.v.columns;
  parallel_for_each(in.v.rows, 4 * n, [=](Index r) {
    const Real* row = in.v.row(r);
    const Real squares = dot(n, row, row);
    inverse[r] = squares > 0 ? 1 / std::sqrt(squares) : 0;
    const Vec factor = in.g[r] * inverse[r];
    transform_serial(
        n, w + r * n, Mode::assign, [factor](Vec a) { return factor * a; }, row);
  });
}

void weight_norm_backward(const WeightNormInputs& in, const Real* inverse, const Real* dw,
                          Output dv, Output dg) {
  const Index n = in.v.columns;
  parallel_for_each(in.v.rows, 6 * n, [=](Index r) {
    const Real* row = in.v.row(r);
    const Real* d = dw + r * n;
    const Real along = dot(n, d, row) * inverse[r];
    if (dg.data) dg.data[r] = along + (dg.mode == Mode::assign ? Real{0} : dg.data[r]);
    const Vec factor = in.g[r] * inverse[r];
    const Vec share = along * inverse[r];
    if (dv.data)
      transform_serial(
          n, dv.data + r * n, dv.mode, [=](Vec a, Vec b) { return factor * (b - share * a); }, row,
          d);
  });
}

}  // namespace heed::kernels
