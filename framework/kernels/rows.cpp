#include "framework/kernels/rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

void sum_rows(const ConstMatrix& x, Output y) {
  // Cut by columns, so that each sum has one owner and one order.
  parallel_for(x.columns, 64, [&](Index begin, Index end) {
    for_each_vector(end - begin, [&](auto lanes) {
      Vec total = 0;
      Vec part = 0;
      for (Index i = 0; i < x.rows; ++i) {
        part = part + lanes.load(x.row(i) + begin);
        if (i % 64 == 63) {
          total = total + part;
          part = 0;
        }
      }
      lanes.store(total + part, y.data + begin, y.mode);
    });
  });
}

namespace {

/// y = e^(x - top) / sum e^(x - top)
void softmax_below(Index n, Vec top, const Real* x, Real* y) {
  transform_serial(
      n, y, Mode::assign, [top](Vec a) { return exp(a - top); }, x);
  const Vec factor = 1 / total_of(n, y);
  transform_serial(
      n, y, Mode::assign, [factor](Vec a) { return factor * a; }, y);
}

}  // namespace

void softmax_row(Index n, const Real* x, Real* y) { softmax_below(n, largest(n, x), x, y); }

void scores_softmax_row(Index n, const Real* x, Real* y) {
  const Real top = largest(n, x);
  if (top == -std::numeric_limits<Real>::infinity())
    std::fill_n(y, n, Real{0});
  else
    softmax_below(n, top, x, y);
}

void softmax_row_backward(Index n, const Real* y, const Real* dy, Real* dx, Mode mode) {
  const Vec dot = sum_of(n, [=](auto lanes) { return lanes.load(y) * lanes.load(dy); });
  transform_serial(
      n, dx, mode, [dot](Vec p, Vec d) { return p * (d - dot); }, y, dy);
}

void softmax(const ConstMatrix& x, Real* y) {
  const Index n = x.columns;
  parallel_for_each(x.rows, 8 * n, [=](Index i) { softmax_row(n, x.row(i), y + i * n); });
}

void softmax_backward(const ConstMatrix& y, const Real* dy, Output dx) {
  const Index n = y.columns;
  parallel_for_each(y.rows, 4 * n, [=](Index i) {
    softmax_row_backward(n, y.row(i), dy + i * n, dx.data + i * n, dx.mode);
  });
}

void log_softmax(const ConstMatrix& x, Real* y) {
  const Index n = x.columns;
  parallel_for_each(x.rows, 8 * n, [=](Index i) {
    const Real* row = x.row(i);
    const Vec top = largest(n, row);
    Real* out = y + i * n;
    transform_serial(
        n, out, Mode::assign, [top](Vec a) { return exp(a - top); }, row);
    const Vec log_sum = std::log(total_of(n, out));
    transform_serial(
        n, out, Mode::assign, [top, log_sum](Vec a) { return (a - top) - log_sum; }, row);
  });
}

void log_softmax_backward(const ConstMatrix& y, const Real* dy, Output dx) {
  const Index n = y.columns;
  parallel_for_each(y.rows, 8 * n, [=](Index i) {
    const Real* d = dy + i * n;
    const Vec total = total_of(n, d);
    transform_serial(
        n, dx.data + i * n, dx.mode, [total](Vec p, Vec g) { return g - exp(p) * total; }, y.row(i),
        d);
  });
}

namespace {

constexpr Index norm_grain = 32;  // rows whose gain and bias gradients are summed together

}  // namespace

Index norm_pieces(Index m) { return (m + norm_grain - 1) / norm_grain; }

void layer_norm(const NormInputs& in, Real* y, RowMoments* moments) {
  const Index n = in.x.columns;
  const double share = 1 / static_cast<double>(n);
  parallel_for_each(in.x.rows, 4 * n, [=](Index i) {
    const Real* row = in.x.row(i);
    const Real mean = total_of(n, row) * static_cast<Real>(share);
    const Deviations d = deviations_of(n, row, mean);
    const double left = d.sum * share;  // of the mean, after rounding
    const double variance = std::max(0.0, d.squares * share - left * left);
    const auto rest = static_cast<Real>(left);
    const Real scale = 1 / std::sqrt(static_cast<Real>(variance) + in.epsilon);
    if (moments) moments[i] = {mean, rest, scale};
    const auto norm = [=](Vec a, Vec g, Vec b) {
      return (a - Vec(mean) - Vec(rest)) * Vec(scale) * g + b;
    };
    transform_serial(n, y + i * n, Mode::assign, norm, row, in.gain, in.bias);
  });
}

namespace {

/// Backward of one row: dx = or += r (h - mean h - xhat mean(h xhat)) with h = dy gain and
/// xhat = (x - mean) r. `gains` and `biases` (n) += xhat dy and dy. An RMS norm is not `centred`:
/// its mean and mean h are 0.
void norm_row_backward(const NormInputs& in, bool centred, const RowMoments& moments, Index i,
                       const Real* d, Output dx, Real* gains, Real* biases) {
  const Index n = in.x.columns;
  const Real* const row = in.x.row(i);
  const Real* const gain = in.gain;
  const Vec mu = moments.mean;
  const Vec rest = moments.rest;
  const Vec r = moments.scale;
  const auto normal = [=](Vec a) { return (a - mu - rest) * r; };
  Vec total_h = 0;
  Vec total_hx = 0;
  for_each_vector(n, [&](auto lanes) {
    const Vec b = lanes.load(d);
    const Vec h = b * lanes.load(gain);
    const Vec xhat = normal(lanes.load(row));
    total_h = total_h + h;
    total_hx = multiply_add(h, xhat, total_hx);
    const Vec sum_of_biases = lanes.load(biases);
    lanes.store(multiply_add(xhat, b, lanes.load(gains)), gains);
    lanes.store(sum_of_biases + b, biases);
  });
  if (!dx.data) return;
  const Real count = static_cast<Real>(n);
  const Vec mean_h = centred ? sum(total_h) / count : 0;
  const Vec mean_hx = sum(total_hx) / count;
  transform_serial(
      n, dx.data + i * n, dx.mode,
      [=](Vec a, Vec b, Vec g) { return r * (b * g - mean_h - normal(a) * mean_hx); }, row, d,
      gain);
}

/// out (n) = or += the sum of the pieces, which lie 2 n numbers apart.
void sum_norm_pieces(Index pieces, Index n, const Real* partial, Output out) {
  if (!out.data) return;
  parallel_for(n, 256, [=](Index begin, Index end) {
    for (Index p = 0; p < pieces; ++p)
      transform_serial(
          end - begin, out.data + begin, p == 0 ? out.mode : Mode::accumulate,
          [](Vec a) { return a; }, partial + p * 2 * n + begin);
    if (pieces == 0 && out.mode == Mode::assign)
      std::fill(out.data + begin, out.data + end, Real{0});
  });
}

void norm_backward(const NormInputs& in, bool centred, const RowMoments* moments, const Real* dy,
                   const NormGradients& to, Real* partial) {
  const Index m = in.x.rows;
  const Index n = in.x.columns;
  parallel_for(m, norm_grain, [=](Index begin, Index end) {
    Real* gains = partial + begin / norm_grain * 2 * n;
    Real* biases = gains + n;
    std::fill_n(gains, 2 * n, Real{0});
    for (Index i = begin; i < end; ++i)
      norm_row_backward(in, centred, moments[i], i, dy + i * n, to.x, gains, biases);
  });
  sum_norm_pieces(norm_pieces(m), n, partial, to.gain);
  sum_norm_pieces(norm_pieces(m), n, partial + n, to.bias);
}

}  // namespace

void layer_norm_backward(const NormInputs& in, const RowMoments* moments, const Real* dy,
                         const NormGradients& to, Real* partial) {
  norm_backward(in, true, moments, dy, to, partial);
}

void rms_norm(const NormInputs& in, Real* y, RowMoments* moments) {
  const Index n = in.x.columns;
  parallel_for_each(in.x.rows, 3 * n, [=](Index i) {
    const Real* row = in.x.row(i);
    const Real squares = sum_of(n, [row](auto lanes) { return lanes.load(row) * lanes.load(row); });
    const Real scale = 1 / std::sqrt(squares / static_cast<Real>(n) + in.epsilon);
    if (moments) moments[i] = {0, 0, scale};
    const Vec factor = scale;
    transform_serial(
        n, y + i * n, Mode::assign, [=](Vec a, Vec g) { return a * factor * g; }, row, in.gain);
  });
}

void rms_norm_backward(const NormInputs& in, const RowMoments* moments, const Real* dy,
                       const NormGradients& to, Real* partial) {
  norm_backward(in, false, moments, dy, to, partial);
}

namespace {

/// x becomes e^(x - top); returns the sum.
Real exponentials_below(Index n, Vec top, Real* x) {
  transform_serial(
      n, x, Mode::assign, [top](Vec a) { return exp(a - top); }, x);
  return total_of(n, x);
}

/// The mean of a row, where smoothing asks for it.
Real mean_where(bool wanted, Index n, const Real* x) {
  return wanted ? total_of(n, x) / static_cast<Real>(n) : 0;
}

void cross_entropy_row(const CrossEntropyInputs& in, Index i, const LossRows& to) {
  const Index n = in.x.columns;
  Real* row = in.x.row(i);
  const Id gold = in.gold[i];
  to.loss[i] = 0;
  if (to.nats) to.nats[i] = 0;
  if (in.ignore == gold) {
    if (to.gradient) std::fill_n(row, n, Real{0});
    return;
  }
  const Real smoothing = in.smoothing;
  const Real factor = to.factor;
  const Real top = largest(n, row);
  const Real answer = row[gold];
  const Real mean = mean_where(smoothing > 0, n, row);
  const Vec shift = top;
  Real total;
  if (to.gradient) {
    total = exponentials_below(n, shift, row);
    const Vec p = factor / total;
    const Vec q = factor * smoothing / static_cast<Real>(n);
    transform_serial(
        n, row, Mode::assign, [p, q](Vec a) { return a * p - q; }, row);
    row[gold] -= factor * (1 - smoothing);
  } else {
    total = sum_of(n, [row, shift](auto lanes) { return exp(lanes.load(row) - shift); });
  }
  const double log_total = std::log(static_cast<double>(total)) + top;
  to.loss[i] = log_total - (1.0 - smoothing) * answer - static_cast<double>(smoothing) * mean;
  if (to.nats) to.nats[i] = log_total - answer;
}

}  // namespace

void cross_entropy(const CrossEntropyInputs& in, const LossRows& to) {
  parallel_for_each(in.x.rows, 10 * in.x.columns, [=](Index i) { cross_entropy_row(in, i, to); });
}

namespace {

/// log sum e^x
Vec log_sum_exp(Index n, const Real* x) {
  const Vec top = largest(n, x);
  const Real total = sum_of(n, [x, top](auto lanes) { return exp(lanes.load(x) - top); });
  return top + Vec(std::log(total));
}

void symmetric_kl_row(const DivergenceInputs& in, Index i, const DivergenceRows& to) {
  const Index n = in.a.columns;
  Real* const da = to.da ? to.da + i * n : nullptr;
  Real* const db = to.db ? to.db + i * n : nullptr;
  to.loss[i] = 0;
  if (in.ignore == in.gold[i]) {
    if (da) std::fill_n(da, n, Real{0});
    if (db) std::fill_n(db, n, Real{0});
    return;
  }
  const Real* const a = in.a.row(i);
  const Real* const b = in.b.row(i);
  const Vec log_a = log_sum_exp(n, a);
  const Vec log_b = log_sum_exp(n, b);
  const auto log_p = [=](Vec x) { return x - log_a; };
  const auto log_q = [=](Vec x) { return x - log_b; };
  const Vec mean_p = sum_of(n, [=](auto lanes) {
    const Vec p = log_p(lanes.load(a));
    return exp(p) * (p - log_q(lanes.load(b)));
  });
  const Vec mean_q = sum_of(n, [=](auto lanes) {
    const Vec q = log_q(lanes.load(b));
    return exp(q) * (log_p(lanes.load(a)) - q);
  });
  const Real both = sum_of(n, [=](auto lanes) {
    const Vec p = log_p(lanes.load(a));
    const Vec q = log_q(lanes.load(b));
    return (exp(p) - exp(q)) * (p - q);
  });
  to.loss[i] = static_cast<double>(both) / 2;
  const Vec half = to.factor / 2;
  const auto gradient = [half](Vec log_own, Vec log_other, Vec mean) {
    const Vec own = exp(log_own);
    return half * (own * (log_own - log_other - mean) + own - exp(log_other));
  };
  if (da)
    transform_serial(
        n, da, Mode::assign, [=](Vec x, Vec y) { return gradient(log_p(x), log_q(y), mean_p); }, a,
        b);
  if (db)
    transform_serial(
        n, db, Mode::assign,
        [=](Vec x, Vec y) { return gradient(log_q(y), log_p(x), Vec(0) - mean_q); }, a, b);
}

}  // namespace

void symmetric_kl(const DivergenceInputs& in, const DivergenceRows& to) {
  parallel_for_each(in.a.rows, 40 * in.a.columns, [=](Index i) { symmetric_kl_row(in, i, to); });
}

namespace {

double softplus(double t) { return std::max(t, 0.0) + std::log1p(std::exp(-std::abs(t))); }

/// log p of a class that neither way gives at all: keeps its loss and its gradients finite.
constexpr double least_log = -69;

/// p = g P[gold] + (1 - g) c of one row. What one of the terms makes certain must not underflow in
/// their sum: all are logarithms.
struct CopyMixture {
  double log_g;     // log g
  double log_rest;  // log (1 - g)
  double said;      // log(g P[gold])
  double log_p;

  /// log P[gold] = answer - log_total, where P knows the gold.
  CopyMixture(double gate, bool known, double answer, double log_total, Real copied) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    log_g = -softplus(-gate);
    log_rest = -softplus(gate);
    said = known ? log_g + answer - log_total : -infinity;
    const double pointed =
        copied > 0 ? log_rest + std::log(static_cast<double>(copied)) : -infinity;
    const double larger = std::max(said, pointed);
    log_p =
        larger == -infinity ? least_log : larger + std::log1p(std::exp(-std::abs(said - pointed)));
  }
};

void copy_cross_entropy_row(const CrossEntropyInputs& in, Index i, Real& gate, Real& copied,
                            const LossRows& to) {
  const Index n = in.x.columns;
  Real* row = in.x.row(i);
  const Id gold = in.gold[i];
  const Real smoothing = in.smoothing;
  const Real factor = to.factor;
  const bool known = gold < n;
  const Real top = largest(n, row);
  const Real answer = known ? row[gold] : 0;
  const Real mean = mean_where(smoothing > 0, n, row);
  const Real total = exponentials_below(n, top, row);
  const double log_total = std::log(static_cast<double>(total)) + top;
  const double s = smoothing;
  const CopyMixture mixture(gate, known, answer, log_total, copied);
  to.loss[i] = -(1 - s) * mixture.log_p + s * (log_total - mean);
  if (to.nats) to.nats[i] = -mixture.log_p;
  if (!to.gradient) return;
  // r = g P[gold] / p: dx = (1 - s) r (P - [gold]) + s (P - 1/n), dgate = (1 - s) (g - r),
  // dc = -(1 - s) (1 - g) / p
  const double r = std::exp(mixture.said - mixture.log_p);
  const Vec share = static_cast<Real>(factor * ((1 - s) * r + s)) / total;
  const Vec even = factor * smoothing / static_cast<Real>(n);
  transform_serial(
      n, row, Mode::assign, [share, even](Vec a) { return a * share - even; }, row);
  if (known) row[gold] -= static_cast<Real>(factor * (1 - s) * r);
  gate = static_cast<Real>(factor * (1 - s) * (std::exp(mixture.log_g) - r));
  copied = static_cast<Real>(-factor * (1 - s) *
                             std::exp(std::min(mixture.log_rest - mixture.log_p, -least_log)));
}

}  // namespace

void copy_cross_entropy(const CrossEntropyInputs& in, Real* gate, Real* copied,
                        const LossRows& to) {
  parallel_for_each(in.x.rows, 10 * in.x.columns,
                    [=](Index i) { copy_cross_entropy_row(in, i, gate[i], copied[i], to); });
}

void scale(Index n, Real a, Real* y) {
  const Vec factor = a;
  transform(
      n, y, Mode::assign, 1, [factor](Vec v) { return factor * v; }, y);
}

}  // namespace heed::kernels
