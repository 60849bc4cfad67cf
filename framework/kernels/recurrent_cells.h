#pragma once

// For kernels' .cpp files only: the cells of recurrent.h, one row of one step at a time.

#include <algorithm>

#include "framework/kernels/recurrence.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

struct Whole {
  Index at;
  Vec load(const Real* p) const { return Vec::load(p + at); }
  void store(Vec v, Real* p) const { v.store(p + at); }
};
struct Rest {
  Index at;
  Index count;
  Vec load(const Real* p) const { return Vec::load(p + at, count); }
  void store(Vec v, Real* p) const { v.store(p + at, count); }
};
/// f(lane) over [0, n), a vector at a time.
template <class F>
void lanes(Index n, F f) {
  Index i = 0;
  for (; i + Vec::width <= n; i += Vec::width)
    f(Whole{i});
  if (i < n) f(Rest{i, n - i});
}

// What each cell keeps of a row, in units of h numbers.
enum Kept : Index {
  kept_i = 0,
  kept_f = 1,
  kept_g = 2,
  kept_o = 3,
  kept_r = 0,
  kept_z = 1,
  kept_n = 2,
  kept_q = 3,
  kept_u = 4,
  kept_c = 8,
  kept_scales = 9
};

/// z(gate, lane) are the four sums: i, f, o = sigmoid, g = tanh; c = f c' + i g.
template <class Z>
void lstm_gates(Index h, Z z, const Real* before, Real* kept, Real* c) {
  lanes(h, [=](auto lane) {
    const Vec i = sigmoid(z(0, lane));
    const Vec f = sigmoid(z(1, lane));
    const Vec g = tanh(z(2, lane));

    const Vec o = sigmoid(z(3, lane));
    lane.store(i, kept + kept_i * h);
    lane.store(f, kept + kept_f * h);
    lane.store(g, kept + kept_g * h);
    lane.store(o, kept + kept_o * h);
    lane.store(multiply_add(f, lane.load(before), i * g), c);
  });
}

/// y = o tanh(squashed(lane)), squashed being c, or its norm.
template <class C>
void lstm_output(Index h, C squashed, const Real* kept, Real* y) {
  lanes(h, [=](auto lane) { lane.store(lane.load(kept + kept_o * h) * tanh(squashed(lane)), y); });
}

/// From the gradient of y: that of what the tanh squashed, and dgates[o].
template <class C, class D>
void lstm_output_backward(Index h, C squashed, D dy, const Real* kept, Real* dsquashed,
                          Real* dgates) {
  lanes(h, [=](auto lane) {
    const Vec t = tanh(squashed(lane));
    const Vec o = lane.load(kept + kept_o * h);
    const Vec d = dy(lane);
    lane.store(d * t * o * (Vec(1) - o), dgates + 3 * h);
    lane.store(d * o * (Vec(1) - t * t), dsquashed);
  });
}

/// From dc, the whole gradient of c: those of the other gates and of the cell before, which may be
/// dc itself.
inline void lstm_gates_backward(Index h, const Real* before, const Real* kept, const Real* dc,
                                Real* dgates, Real* dbefore) {
  lanes(h, [=](auto lane) {
    const Vec i = lane.load(kept + kept_i * h);
    const Vec f = lane.load(kept + kept_f * h);

    const Vec g = lane.load(kept + kept_g * h);
    const Vec d = lane.load(dc);
    lane.store(d * g * i * (Vec(1) - i), dgates);
    lane.store(d * lane.load(before) * f * (Vec(1) - f), dgates + h);
    lane.store(d * i * (Vec(1) - g * g), dgates + 2 * h);
    lane.store(d * f, dbefore);
  });
}

/// r, z = sigmoid(x + u), n = tanh(x + r u); y = (1 - z) n + z h'. u(gate, lane) has its bias.
template <class U>
void gru_row(Index h, const Real* x, U u, const Real* before, Real* kept, Real* y) {
  lanes(h, [=](auto lane) {
    const Vec r = sigmoid(lane.load(x) + u(0, lane));
    const Vec z = sigmoid(lane.load(x + h) + u(1, lane));

    const Vec q = u(2, lane);
    const Vec n = tanh(multiply_add(r, q, lane.load(x + 2 * h)));
    lane.store(r, kept + kept_r * h);
    lane.store(z, kept + kept_z * h);
    lane.store(n, kept + kept_n * h);
    lane.store(q, kept + kept_q * h);
    lane.store(multiply_add(z, lane.load(before) - n, n), y);
  });
}

template <class D>
void gru_row_backward(Index h, D dy, const Real* kept, const Real* before, Real* dx, Real* du,
                      Real* dbefore) {
  lanes(h, [=](auto lane) {
    const Vec r = lane.load(kept + kept_r * h);
    const Vec z = lane.load(kept + kept_z * h);

    const Vec n = lane.load(kept + kept_n * h);
    const Vec d = dy(lane);
    const Vec dn = d * (Vec(1) - z) * (Vec(1) - n * n);
    const Vec dr = dn * lane.load(kept + kept_q * h) * r * (Vec(1) - r);

    const Vec dz = d * (lane.load(before) - n) * z * (Vec(1) - z);
    lane.store(dr, dx);
    lane.store(dz, dx + h);
    lane.store(dn, dx + 2 * h);
    lane.store(dr, du);
    lane.store(dz, du + h);
    lane.store(dn * r, du + 2 * h);
    lane.store(d * z, dbefore);
  });
}

template <class T>
Real sum_lanes(Index n, T term) {
  Vec total = Real{0};
  lanes(n, [&](auto lane) { total = total + term(lane); });
  return sum(total);
}

/// to = (x - mean) scale; returns the scale, 1 / sqrt(variance + epsilon).
inline Real normalise(Index n, const Real* x, Real* to) {
  const Real count = static_cast<Real>(n);
  const Vec mean = sum_lanes(n, [=](auto lane) { return lane.load(x); }) / count;
  lanes(n, [=](auto lane) { lane.store(lane.load(x) - mean, to); });
  // The mean is rounded: what is left of it counts where it is large beside the spread.
  const Vec rest = sum_lanes(n, [=](auto lane) { return lane.load(to); }) / count;
  lanes(n, [=](auto lane) { lane.store(lane.load(to) - rest, to); });
  const Real variance =
      sum_lanes(n, [=](auto lane) { return lane.load(to) * lane.load(to); }) / count;
  const Real scale = 1 / std::sqrt(variance + Real(1e-5));
  const Vec factor = scale;
  lanes(n, [=](auto lane) { lane.store(lane.load(to) * factor, to); });
  return scale;
}

/// dx = or += scale (d - mean d - xhat mean(d xhat)), where d = dy gain
inline void normalise_backward(Index n, const Real* normal, Real scale, const Real* gain,
                               const Real* dy, Real* dx, Mode mode) {
  const Real count = static_cast<Real>(n);
  const Vec factor = scale;

  const Vec mean = sum_lanes(n, [=](auto lane) { return lane.load(dy) * lane.load(gain); }) / count;
  const Vec along =
      sum_lanes(n, [=](auto lane) { return lane.load(dy) * lane.load(gain) * lane.load(normal); }) /
      count;
  transform_serial(
      n, dx, mode, [=](Vec d, Vec g, Vec x) { return factor * (d * g - mean - x * along); }, dy,
      gain, normal);
}

}  // namespace heed::kernels
