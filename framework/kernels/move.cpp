#include "framework/kernels/move.h"

#include <algorithm>
#include <atomic>

#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

void copy_run(Index n, const Real* x, Real* y, Mode mode) {
  if (mode == Mode::assign)
    std::copy_n(x, n, y);
  else
    transform_serial(
        n, y, mode, [](Vec v) { return v; }, x);
}

void add_run(Index n, Real scale, const Real* x, Real* y, Mode mode) {
  if (scale == 1) return copy_run(n, x, y, mode);
  transform_serial(
      n, y, mode, [scale](Vec v) { return v * scale; }, x);
}

/// y[i * columns + j] = x[i + j * stride]: rows of y run down the columns of x. In tiles, so that
/// both stay in cache.
void transpose(Index rows, Index columns, Index stride, const Real* x, Real* y, Index y_stride,
               Mode mode) {
  constexpr Index tile = 16;
  for (Index j0 = 0; j0 < columns; j0 += tile)
    for (Index i0 = 0; i0 < rows; i0 += tile)
      for (Index i = i0; i < std::min(rows, i0 + tile); ++i)
        for (Index j = j0; j < std::min(columns, j0 + tile); ++j) {
          Real& out = y[i * y_stride + j];
          out = mode == Mode::assign ? x[i + j * stride] : out + x[i + j * stride];
        }
}

}  // namespace

void permute(const Permutation& p, const Real* x, Real* y, Mode mode) {
  const int last = p.rank - 1;
  std::array<Index, 6> y_strides{};
  Index size = 1;
  for (int axis = last; axis >= 0; --axis) {
    y_strides[axis] = size;
    size *= p.extents[axis];
  }
  if (size == 0) return;
  // What runs contiguously in x: the last axis (whole runs are copied), or another, which is then
  // transposed with the last.
  int run = last;
  if (p.strides[last] != 1)
    for (int axis = 0; axis < last; ++axis)
      if (p.strides[axis] == 1 && p.extents[axis] > 1) run = axis;
  const Index columns = p.extents[last];
  const Index rows = run == last ? 1 : p.extents[run];
  Index steps = 1;
  for (int axis = 0; axis < last; ++axis)
    if (axis != run) steps *= p.extents[axis];
  // A large matrix is cut into bands of rows as well.
  const Index band = std::clamp<Index>(32768 / columns / 16 * 16, 16, std::max<Index>(rows, 16));

  const Index bands = (rows + band - 1) / band;
  parallel_for(
      steps * bands, grain_of(columns * std::min(rows, band)), [&](Index begin, Index end) {
        for (Index i = begin; i < end; ++i) {
          const Index first = i % bands * band;
          Index rest = i / bands;
          Index from = 0;
          Index to = 0;
          for (int axis = last - 1; axis >= 0; --axis) {
            if (axis == run) continue;
            const Index at = rest % p.extents[axis];
            rest /= p.extents[axis];
            from += at * p.strides[axis];
            to += at * y_strides[axis];
          }
          if (run != last) {
            transpose(std::min(band, rows - first), columns, p.strides[last], x + from + first,
                      y + to + first * y_strides[run], y_strides[run], mode);
          } else if (p.strides[last] == 1) {
            copy_run(columns, x + from, y + to, mode);
          } else {
            for (Index j = 0; j < columns; ++j)
              y[to + j] =
                  x[from + j * p.strides[last]] + (mode == Mode::assign ? Real{0} : y[to + j]);
          }
        }
      });
}

void copy_blocks(Index blocks, Index length, const Real* x, Index x_stride, Real* y, Index y_stride,
                 Mode mode) {
  const Index piece = std::clamp<Index>(length, 1, 32768);
  const Index pieces = (length + piece - 1) / piece;
  parallel_for(blocks * pieces, grain_of(piece), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index block = i / pieces;
      const Index first = i % pieces * piece;
      copy_run(std::min(piece, length - first), x + block * x_stride + first,
               y + block * y_stride + first, mode);
    }
  });
}

void fill(Index n, Real value, Real* y) {
  parallel_for(n, grain_of(1),
               [&](Index begin, Index end) { std::fill(y + begin, y + end, value); });
}

Index first_outside(Index n, const Id* ids, Index extent) {
  return std::find_if(ids, ids + n, [extent](Id id) { return id < 0 || id >= extent; }) - ids;
}

void gather(Index outer, Index n, Index inner, Index count, const Id* ids, Real scale,
            const Real* x, Real* y, Mode mode) {
  parallel_for(outer * count, grain_of(inner), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      add_run(inner, scale, x + (i / count * n + ids[i % count]) * inner, y + i * inner, mode);
  });
}

void scatter_add(Index outer, Index n, Index inner, Index count, const Id* ids, Real scale,
                 const Real* x, Real* y, Mode mode) {
  // Each task owns a range of rows of y and reads all ids: a row's terms are added in the order of
  // j, whoever does it.
  const Index parts =
      std::clamp<Index>(count * inner / 32768, 1, std::min<Index>(32, std::max<Index>(n, 1)));
  const Index rows = (n + parts - 1) / parts;
  parallel_for(outer * parts, 1, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index o = task / parts;
      const Index first = std::min(n, task % parts * rows);

      const Index last = std::min(n, first + rows);
      Real* to = y + o * n * inner;
      if (mode == Mode::assign) std::fill(to + first * inner, to + last * inner, Real{0});
      for (Index j = 0; j < count; ++j)
        if (ids[j] >= first && ids[j] < last)
          add_run(inner, scale, x + (o * count + j) * inner, to + ids[j] * inner, Mode::accumulate);
    }
  });
}

void pick(Index n, Index m, const Id* ids, const Real* x, Real* y) {
  for (Index i = 0; i < n; ++i)
    y[i] = x[i * m + ids[i]];
}

void pick_backward(Index n, Index m, const Id* ids, const Real* dy, Real* dx, Mode mode) {
  if (mode == Mode::assign) fill(n * m, 0, dx);
  for (Index i = 0; i < n; ++i)
    dx[i * m + ids[i]] += dy[i];
}

}  // namespace heed::kernels
