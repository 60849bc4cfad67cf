#include "framework/kernels/muon.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "framework/kernels/gemm.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

constexpr int iterations = 5;
// X <- a X + (b A + c A^2) X with A = X X^T (Jordan 2024): the slope at 0 is as large as it can be
// while singular values of up to 1 stay near 1.
constexpr Real a = Real(3.4445);
constexpr Real b = Real(-4.7750);
constexpr Real c = Real(2.0315);
constexpr Real least_norm = Real(1e-7);

/// m = beta m + g, u = beta m + g. Returns the norm of u.
double take_momentum(const MuonMatrix& x, Real factor, Real beta, Real* u) {
  const Scratch sums(x.rows);
  parallel_for_each(x.rows, 4 * x.columns, [&](Index row) {
    const Index begin = row * x.columns;
    const Real* gradient = x.gradient + begin;
    Real* momentum = x.momentum + begin;
    Real* direction = u + begin;
    sums.data()[row] = sum_of(x.columns, [&](auto lanes) {
      const Vec g = Vec(factor) * lanes.load(gradient);
      const Vec m = multiply_add(Vec(beta), lanes.load(momentum), g);
      const Vec d = multiply_add(Vec(beta), m, g);
      lanes.store(m, momentum);
      lanes.store(d, direction);
      return d * d;
    });
  });
  double total = 0;
  for (Index row = 0; row < x.rows; ++row)
    total += static_cast<double>(sums.data()[row]);
  return std::sqrt(total);
}

/// to = a X + (b A + c A^2) X. For a tall X, whose transpose has the smaller A, it is a X + X (b A
/// + c A^2) with A = X^T X. `gram` and `factor` are of the smaller side.
void iterate(const Matrix& x, const Matrix& to, const Matrix& gram, const Matrix& factor) {
  const bool is_tall = x.rows > x.columns;
  if (is_tall) {
    gemm(transposed(x), x, gram, Mode::assign);
  } else {
    gemm(x, transposed(x), gram, Mode::assign);
  }
  gemm(gram, gram, factor, Mode::assign);
  transform(
      gram.rows * gram.rows, factor.data, Mode::assign, 2,
      [](Vec square, Vec first) { return multiply_add(Vec(c), square, Vec(b) * first); },
      factor.data, gram.data);
  transform(
      x.rows * x.columns, to.data, Mode::assign, 1, [](Vec v) { return Vec(a) * v; }, x.data);
  if (is_tall) {
    gemm(x, factor, to, Mode::accumulate);
  } else {
    gemm(factor, x, to, Mode::accumulate);
  }
}

}  // namespace

void muon(const MuonMatrix& x, Real factor, Real beta) {
  const Index n = x.rows * x.columns;
  if (n == 0) return;
  const Index side = std::min(x.rows, x.columns);
  const Scratch first(n);
  const Scratch second(n);
  const Scratch gram(side * side);
  const Scratch power(side * side);
  Matrix from = dense(first.data(), x.rows, x.columns);
  Matrix to = dense(second.data(), x.rows, x.columns);
  const double norm = take_momentum(x, factor, beta, from.data);
  const Real scale = 1 / (static_cast<Real>(norm) + least_norm);
  transform(
      n, from.data, Mode::assign, 1, [scale](Vec v) { return Vec(scale) * v; }, from.data);
  for (int i = 0; i < iterations; ++i) {
    iterate(from, to, dense(gram.data(), side, side), dense(power.data(), side, side));
    std::swap(from, to);
  }
  transform(
      n, x.value, Mode::assign, 2,
      [&x](Vec value, Vec v) { return Vec(x.keep) * value - Vec(x.rate) * v; }, x.value, from.data);
}

}  // namespace heed::kernels
