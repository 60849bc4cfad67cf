#pragma once

// For kernels' .cpp files only: the cells of recurrence.h, one row of one step at a time. h numbers
// wide; functions of `lanes` give a vector of the row (vector_loops.h).

#include <algorithm>

#include "framework/kernels/recurrence.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

// What each cell keeps of a row, and where, in units of h numbers.
enum Kept : Index {
  // LSTM: gates
  kept_i = 0,
  kept_f = 1,
  kept_g = 2,
  kept_o = 3,
  // GRU: gates, and q = U_n h' + b_n
  kept_r = 0,
  kept_z = 1,
  kept_n = 2,
  kept_q = 3,
  // normed LSTM: the normalised product (4 h) and cell (h), and their scales (2 numbers)
  kept_u = 4,
  kept_c = 8,
  kept_scales = 9
};

/// i, f, o = sigmoid and g = tanh of the four sums z(gate, lanes); c = f c' + i g. `before` is c'.
template <class Z>
void lstm_gates(Index h, Z z, const Real* before, Real* kept, Real* c) {
  for_each_vector(h, [=](auto lanes) {
    const Vec i = sigmoid(z(0, lanes));
    const Vec f = sigmoid(z(1, lanes));
    const Vec g = tanh(z(2, lanes));
    const Vec o = sigmoid(z(3, lanes));
    lanes.store(i, kept + kept_i * h);
    lanes.store(f, kept + kept_f * h);
    lanes.store(g, kept + kept_g * h);
    lanes.store(o, kept + kept_o * h);
    lanes.store(multiply_add(f, lanes.load(before), i * g), c);
  });
}

/// y = o tanh(squashed(lanes)), where `squashed` gives c or its norm.
template <class C>
void lstm_output(Index h, C squashed, const Real* kept, Real* y) {
  for_each_vector(h, [=](auto lanes) {
    lanes.store(lanes.load(kept + kept_o * h) * tanh(squashed(lanes)), y);
  });
}

/// From dy: the gradients of what the tanh squashed and of the gate o.
template <class C, class D>
void lstm_output_backward(Index h, C squashed, D dy, const Real* kept, Real* dsquashed,
                          Real* dgates) {
  for_each_vector(h, [=](auto lanes) {
    const Vec t = tanh(squashed(lanes));
    const Vec o = lanes.load(kept + kept_o * h);
    const Vec d = dy(lanes);
    lanes.store(d * t * o * (Vec(1) - o), dgates + 3 * h);
    lanes.store(d * o * (Vec(1) - t * t), dsquashed);
  });
}

/// From dc, the whole gradient of c: the gradients of the other gates and of the cell before.
/// dbefore may be dc itself.
inline void lstm_gates_backward(Index h, const Real* before, const Real* kept, const Real* dc,
                                Real* dgates, Real* dbefore) {
  for_each_vector(h, [=](auto lanes) {
    const Vec i = lanes.load(kept + kept_i * h);
    const Vec f = lanes.load(kept + kept_f * h);
    const Vec g = lanes.load(kept + kept_g * h);
    const Vec d = lanes.load(dc);
    lanes.store(d * g * i * (Vec(1) - i), dgates);
    lanes.store(d * lanes.load(before) * f * (Vec(1) - f), dgates + h);
    lanes.store(d * i * (Vec(1) - g * g), dgates + 2 * h);
    lanes.store(d * f, dbefore);
  });
}

/// r, z = sigmoid(x + u), n = tanh(x + r u); y = (1 - z) n + z h'. u(gate, lanes) includes the
/// bias; `before` is h'.
template <class U>
void gru_row(Index h, const Real* x, U u, const Real* before, Real* kept, Real* y) {
  for_each_vector(h, [=](auto lanes) {
    const Vec r = sigmoid(lanes.load(x) + u(0, lanes));
    const Vec z = sigmoid(lanes.load(x + h) + u(1, lanes));
    const Vec q = u(2, lanes);
    const Vec n = tanh(multiply_add(r, q, lanes.load(x + 2 * h)));
    lanes.store(r, kept + kept_r * h);
    lanes.store(z, kept + kept_z * h);
    lanes.store(n, kept + kept_n * h);
    lanes.store(q, kept + kept_q * h);
    lanes.store(multiply_add(z, lanes.load(before) - n, n), y);
  });
}

template <class D>
void gru_row_backward(Index h, D dy, const Real* kept, const Real* before, Real* dx, Real* du,
                      Real* dbefore) {
  for_each_vector(h, [=](auto lanes) {
    const Vec r = lanes.load(kept + kept_r * h);
    const Vec z = lanes.load(kept + kept_z * h);
    const Vec n = lanes.load(kept + kept_n * h);
    const Vec d = dy(lanes);
    const Vec dn = d * (Vec(1) - z) * (Vec(1) - n * n);
    const Vec dr = dn * lanes.load(kept + kept_q * h) * r * (Vec(1) - r);
    const Vec dz = d * (lanes.load(before) - n) * z * (Vec(1) - z);
    lanes.store(dr, dx);
    lanes.store(dz, dx + h);
    lanes.store(dn, dx + 2 * h);
    lanes.store(dr, du);
    lanes.store(dz, du + h);
    lanes.store(dn * r, du + 2 * h);
    lanes.store(d * z, dbefore);
  });
}

/// sum_i term(i), for rows of at most some thousands of numbers.
template <class T>
Real sum_lanes(Index n, T term) {
  Vec total = Real{0};
  for_each_vector(n, [&](auto lanes) { total = total + term(lanes); });
  return sum(total);
}

/// to = (x - mean) scale; returns the scale, 1 / sqrt(variance + epsilon).
inline Real normalise(Index n, const Real* x, Real* to) {
  const Real count = static_cast<Real>(n);
  const Vec mean = sum_lanes(n, [=](auto lanes) { return lanes.load(x); }) / count;
  for_each_vector(n, [=](auto lanes) { lanes.store(lanes.load(x) - mean, to); });
  // The mean is rounded. What is left of it counts where the mean is large beside the spread.
  const Vec rest = sum_lanes(n, [=](auto lanes) { return lanes.load(to); }) / count;
  for_each_vector(n, [=](auto lanes) { lanes.store(lanes.load(to) - rest, to); });
  const Real variance =
      sum_lanes(n, [=](auto lanes) { return lanes.load(to) * lanes.load(to); }) / count;
  const Real scale = 1 / std::sqrt(variance + Real(1e-5));
  const Vec factor = scale;
  for_each_vector(n, [=](auto lanes) { lanes.store(lanes.load(to) * factor, to); });
  return scale;
}

/// dx = or += scale (d - mean d - xhat mean(d xhat)), where d = dy gain
inline void normalise_backward(Index n, const Real* normal, Real scale, const Real* gain,
                               const Real* dy, Real* dx, Mode mode) {
  const Real count = static_cast<Real>(n);
  const Vec factor = scale;
  const Vec mean =
      sum_lanes(n, [=](auto lanes) { return lanes.load(dy) * lanes.load(gain); }) / count;
  const Vec along =
      sum_lanes(
          n, [=](auto lanes) { return lanes.load(dy) * lanes.load(gain) * lanes.load(normal); }) /
      count;
  transform_serial(
      n, dx, mode, [=](Vec d, Vec g, Vec x) { return factor * (d * g - mean - x * along); }, dy,
      gain, normal);
}

}  // namespace heed::kernels
