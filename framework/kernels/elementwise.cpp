#include "framework/kernels/elementwise.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

void add_to(Index n, const Real* x, Real* y) {
  transform(
      n, y, Mode::accumulate, 2, [](Vec a) { return a; }, x);
}

void scale_to(Index n, Real scale, const Real* x, Real* y, Mode mode) {
  transform(
      n, y, mode, 2, [scale](Vec a) { return a * scale; }, x);
}

Index first_nonfinite(Index n, const Real* x) {
  std::atomic<Index> first{n};
  parallel_for(n, grain_of(1), [&](Index begin, Index end) {
    Real sum = 0;  // stays zero unless something is not finite
    for (Index i = begin; i < end; ++i)
      sum += x[i] * 0;
    if (sum == 0) return;
    const Index bad =
        std::find_if(x + begin, x + end, [](Real value) { return !std::isfinite(value); }) - x;
    for (Index known = first; bad < known && !first.compare_exchange_weak(known, bad);) {}
  });
  return first;
}

namespace {

/// Row-major steps through all axes but the last.
template <std::size_t N>
class Odometer {
 public:
  Odometer(const Layout<N>& layout, Index row) : layout_(layout) {
    for (int axis = layout.rank - 2; axis >= 0; --axis) {
      at_[axis] = row % layout.extents[axis];
      row /= layout.extents[axis];
      for (std::size_t k = 0; k < N; ++k)
        offsets_[k] += at_[axis] * layout.strides[k][axis];
    }
  }
  Index offset(std::size_t k) const { return offsets_[k]; }
  void next() {
    for (int axis = layout_.rank - 2; axis >= 0; --axis) {
      for (std::size_t k = 0; k < N; ++k)
        offsets_[k] += layout_.strides[k][axis];
      if (++at_[axis] < layout_.extents[axis]) return;
      at_[axis] = 0;
      for (std::size_t k = 0; k < N; ++k)
        offsets_[k] -= layout_.extents[axis] * layout_.strides[k][axis];
    }
  }

 private:
  const Layout<N>& layout_;
  std::array<Index, 6> at_{};
  std::array<Index, N> offsets_{};
};

/// One stretch of the last axis. Where bit k of Moves is set input k moves along it, else it
/// repeats.
template <unsigned Moves, std::size_t N, class F>
void stretch(Index n, const std::array<const Real*, N>& in, Real* out, Mode mode, F f) {
  [&]<std::size_t... K>(std::index_sequence<K...>) {
    const Vec still[] = {Vec(*in[K])...};
    for_each_vector(n, [&](auto lanes) {
      lanes.store(f((Moves >> K & 1 ? lanes.load(in[K]) : still[K])...), out, mode);
    });
  }(std::make_index_sequence<N>());
}

template <unsigned Moves, std::size_t N, class F>
void map_moving(const Layout<N>& layout, const std::array<const Real*, N>& in, Real* out, Mode mode,
                F f) {
  const Index columns = layout.extents[layout.rank - 1];
  Index rows = 1;
  for (int axis = 0; axis + 1 < layout.rank; ++axis)
    rows *= layout.extents[axis];
  if (rows == 0 || columns == 0) return;
  const Index piece = std::min<Index>(columns, 16384);
  const Index pieces = (columns + piece - 1) / piece;
  parallel_for(rows * pieces, grain_of(2 * piece), [&](Index begin, Index end) {
    Odometer<N> odometer(layout, begin / pieces);
    for (Index i = begin; i < end; ++i) {
      const Index column = i % pieces * piece;
      std::array<const Real*, N> from;
      for (std::size_t k = 0; k < N; ++k)
        from[k] = in[k] + odometer.offset(k) + (Moves >> k & 1 ? column : 0);
      stretch<Moves, N>(std::min(piece, columns - column), from,
                        out + i / pieces * columns + column, mode, f);
      if ((i + 1) % pieces == 0) odometer.next();
    }
  });
}

/// out = or += f(in...), where each input lies as the layout says.
template <std::size_t N, class F>
void map(const Layout<N>& layout, const std::array<const Real*, N>& in, Real* out, Mode mode, F f) {
  unsigned moves = 0;
  for (std::size_t k = 0; k < N; ++k)
    moves |= unsigned{layout.strides[k][layout.rank - 1] != 0} << k;
  [&]<unsigned... Moves>(std::integer_sequence<unsigned, Moves...>) {
    ((moves == Moves ? map_moving<Moves, N>(layout, in, out, mode, f) : void()), ...);
  }(std::make_integer_sequence<unsigned, 1u << N>());
}

}  // namespace

void add(const Layout<2>& layout, const Real* a, const Real* b, Real* y) {
  map<2>(layout, {a, b}, y, Mode::assign, [](Vec p, Vec q) { return p + q; });
}

void subtract(const Layout<2>& layout, const Real* a, const Real* b, Real* y) {
  map<2>(layout, {a, b}, y, Mode::assign, [](Vec p, Vec q) { return p - q; });
}

void multiply(const Layout<2>& layout, const Real* a, const Real* b, Real* y, Mode mode) {
  map<2>(layout, {a, b}, y, mode, [](Vec p, Vec q) { return p * q; });
}

void divide(const Layout<2>& layout, const Real* a, const Real* b, Real* y, Mode mode) {
  map<2>(layout, {a, b}, y, mode, [](Vec p, Vec q) { return p / q; });
}

void divide_backward(const Layout<3>& layout, const Real* dy, const Real* y, const Real* b,
                     Real* db, Mode mode) {
  map<3>(layout, {dy, y, b}, db, mode, [](Vec g, Vec q, Vec d) { return -(g * q) / d; });
}

void maximum(const Layout<2>& layout, const Real* a, const Real* b, Real* y) {
  map<2>(layout, {a, b}, y, Mode::assign,
         [](Vec p, Vec q) { return Vec(packet::pmax<Eigen::PropagateNaN>(p.p, q.p)); });
}

void minimum(const Layout<2>& layout, const Real* a, const Real* b, Real* y) {
  map<2>(layout, {a, b}, y, Mode::assign,
         [](Vec p, Vec q) { return Vec(packet::pmin<Eigen::PropagateNaN>(p.p, q.p)); });
}

void where_less(const Layout<3>& layout, bool wanted, const Real* x, const Real* a, const Real* b,
                Real* y, Mode mode) {
  if (wanted)
    map<3>(layout, {x, a, b}, y, mode,
           [](Vec v, Vec p, Vec q) { return select(less(p, q), v, Vec(0)); });
  else
    map<3>(layout, {x, a, b}, y, mode,
           [](Vec v, Vec p, Vec q) { return select(less(p, q), Vec(0), v); });
}

void where(const Layout<3>& layout, const Real* condition, const Real* a, const Real* b, Real* y,
           Mode mode) {
  map<3>(layout, {condition, a, b}, y, mode,
         [](Vec c, Vec p, Vec q) { return select(equal(c, Vec(0)), q, p); });
}

void broadcast(const Layout<1>& layout, Real scale, const Real* x, Real* y, Mode mode) {
  map<1>(layout, {x}, y, mode, [scale](Vec v) { return v * scale; });
}

void variance_backward(const Layout<4>& layout, Real scale, const Real* x, const Real* mean,
                       const Real* rest, const Real* dy, Output dx) {
  map<4>(layout, {x, mean, rest, dy}, dx.data, dx.mode,
         [scale](Vec v, Vec m, Vec r, Vec g) { return (v - m - r) * g * scale; });
}

}  // namespace heed::kernels
