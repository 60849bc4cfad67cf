#include "framework/kernels/move.h"

#include <algorithm>

#include "framework/kernels/vector_loops.h"

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

/// y[i * y_stride + j] = or += x[i + j * stride]: rows of y are columns of x. In tiles, so that
/// both stay in cache.
void copy_transposed(Index rows, Index columns, Index stride, const Real* x, const OutputRows& y) {
  constexpr Index tile = 16;
  for (Index j0 = 0; j0 < columns; j0 += tile)
    for (Index i0 = 0; i0 < rows; i0 += tile)
      for (Index i = i0; i < std::min(rows, i0 + tile); ++i)
        for (Index j = j0; j < std::min(columns, j0 + tile); ++j) {
          Real& out = y.data[i * y.row_stride + j];
          out = y.mode == Mode::assign ? x[i + j * stride] : out + x[i + j * stride];
        }
}

/// How a permutation is cut: a task copies a matrix (rows, columns) of the output, or a band of its
/// rows.
struct PermutedMatrices {
  const Permutation& p;
  std::array<Index, 6> y_strides{};
  Index size = 1;
  int last;  // the last axis: the columns
  int run;   // the axis along which x is contiguous: the rows, or the last axis itself
  Index columns;
  Index rows;
  Index band;   // rows of a task
  Index bands;  // of a matrix
  Index matrices = 1;

  explicit PermutedMatrices(const Permutation& permutation)
      : p(permutation), last(p.rank - 1), run(last), columns(p.extents[last]) {
    for (int axis = last; axis >= 0; --axis) {
      y_strides[axis] = size;
      size *= p.extents[axis];
    }
    if (p.strides[last] != 1)
      for (int axis = 0; axis < last; ++axis)
        if (p.strides[axis] == 1 && p.extents[axis] > 1) run = axis;
    rows = run == last ? 1 : p.extents[run];
    for (int axis = 0; axis < last; ++axis)
      if (axis != run) matrices *= p.extents[axis];
    const Index enough = 32768 / std::max<Index>(columns, 1) / 16 * 16;
    band = std::clamp<Index>(enough, 16, std::max<Index>(rows, 16));
    bands = (rows + band - 1) / band;
  }
  Index tasks() const { return matrices * bands; }

  void copy(Index task, const Real* x, Real* y, Mode mode) const {
    Index rest = task / bands;
    Index from = 0;
    Index to = 0;
    for (int axis = last - 1; axis >= 0; --axis) {
      if (axis == run) continue;
      const Index at = rest % p.extents[axis];
      rest /= p.extents[axis];
      from += at * p.strides[axis];
      to += at * y_strides[axis];
    }
    const Index stride = p.strides[last];
    if (run != last) {
      const Index first = task % bands * band;
      copy_transposed(std::min(band, rows - first), columns, stride, x + from + first,
                      {y + to + first * y_strides[run], y_strides[run], mode});
    } else if (stride == 1) {
      copy_run(columns, x + from, y + to, mode);
    } else {
      for (Index j = 0; j < columns; ++j)
        y[to + j] = x[from + j * stride] + (mode == Mode::assign ? Real{0} : y[to + j]);
    }
  }
};

}  // namespace

void permute(const Permutation& p, const Real* x, Real* y, Mode mode) {
  const PermutedMatrices cut(p);
  if (cut.size == 0) return;
  parallel_for_each(cut.tasks(), cut.columns * std::min(cut.rows, cut.band),
                    [&](Index task) { cut.copy(task, x, y, mode); });
}

void copy_rows(const ConstMatrix& x, const OutputRows& y) {
  const Index length = x.columns;
  const Index piece = std::clamp<Index>(length, 1, 32768);
  const Index pieces = (length + piece - 1) / piece;
  parallel_for_each(x.rows * pieces, piece, [=](Index task) {
    const Index row = task / pieces;
    const Index first = task % pieces * piece;
    copy_run(std::min(piece, length - first), x.row(row) + first, y.row(row) + first, y.mode);
  });
}

void fill(Index n, Real value, Real* y) {
  parallel_for(n, grain_of(1),
               [&](Index begin, Index end) { std::fill(y + begin, y + end, value); });
}

Index first_outside(Index n, const Id* ids, Index extent) {
  return std::find_if(ids, ids + n, [extent](Id id) { return id < 0 || id >= extent; }) - ids;
}

void gather(const Selection& s, Real scale, const Real* x, Output y) {
  parallel_for_each(s.outer * s.count, s.inner, [=](Index i) {
    const Index row = i / s.count * s.n + s.ids[i % s.count];
    add_run(s.inner, scale, x + row * s.inner, y.data + i * s.inner, y.mode);
  });
}

void scatter_add(const Selection& s, Real scale, const Real* x, Output y) {
  // Each task owns a range of rows of y and reads all ids, so that a row's terms are added in the
  // order of j on any number of threads.
  const Index inner = s.inner;
  const Index parts =
      std::clamp<Index>(s.count * inner / 32768, 1, std::min<Index>(32, std::max<Index>(s.n, 1)));
  const Index rows = (s.n + parts - 1) / parts;
  parallel_for(s.outer * parts, 1, [=](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index o = task / parts;
      const Index first = std::min(s.n, task % parts * rows);
      const Index last = std::min(s.n, first + rows);
      const Real* from = x + o * s.count * inner;
      Real* to = y.data + o * s.n * inner;
      if (y.mode == Mode::assign) std::fill(to + first * inner, to + last * inner, Real{0});
      for (Index j = 0; j < s.count; ++j)
        if (s.ids[j] >= first && s.ids[j] < last)
          add_run(inner, scale, from + j * inner, to + s.ids[j] * inner, Mode::accumulate);
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
