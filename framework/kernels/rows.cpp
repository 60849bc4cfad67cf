#include "framework/kernels/rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/fold.h"

namespace heed::kernels {

namespace {

constexpr Index norm_grain = 32;  // rows whose gain and bias gradients are summed together

template <class F>
void for_rows(Index m, Index cost, F f) {
  parallel_for(m, grain_of(cost), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      f(i);
  });
}

}  // namespace

void sum_rows(Index m, Index n, const Real* x, Real* y, Mode mode) {
  // Cut by columns, so that each sum has one owner and one order.
  parallel_for(n, 64, [&](Index begin, Index end) {
    for (Index j = begin; j < end; j += Vec::width) {
      const Index count = std::min(Vec::width, end - j);
      Vec total = 0;
      Vec part = 0;
      for (Index i = 0; i < m; ++i) {
        part = part + at(x, i * n + j, count);
        if (i % 64 == 63) {
          total = total + part;
          part = 0;
        }
      }
      (total + part).store(y + j, count, mode);
    }
  });
}

namespace {

/// e^(x - top) / sum e^(x - top)
void softmax_below(Index n, Vec top, const Real* x, Real* y) {
  transform_serial(
      n, y, Mode::assign, [top](Vec a) { return exp(a - top); }, x);
  const Vec factor = 1 / sum_of(n, [y](Index j, Index c) { return at(y, j, c); });
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
  const Vec dot = sum_of(n, [=](Index j, Index c) { return at(y, j, c) * at(dy, j, c); });
  transform_serial(
      n, dx, mode, [dot](Vec p, Vec d) { return p * (d - dot); }, y, dy);
}

void softmax(Index m, Index n, const Real* x, Real* y) {
  for_rows(m, 8 * n, [=](Index i) { softmax_row(n, x + i * n, y + i * n); });
}

void softmax_backward(Index m, Index n, const Real* y, const Real* dy, Real* dx, Mode mode) {
  for_rows(m, 4 * n,
           [=](Index i) { softmax_row_backward(n, y + i * n, dy + i * n, dx + i * n, mode); });
}

void log_softmax(Index m, Index n, const Real* x, Real* y) {
  for_rows(m, 8 * n, [=](Index i) {
    const Real* row = x + i * n;
    const Vec top = largest(n, row);
    Real* out = y + i * n;
    transform_serial(
        n, out, Mode::assign, [top](Vec a) { return exp(a - top); }, row);
    const Vec log_sum = std::log(sum_of(n, [out](Index j, Index c) { return at(out, j, c); }));
    transform_serial(
        n, out, Mode::assign, [top, log_sum](Vec a) { return (a - top) - log_sum; }, row);
  });
}

void log_softmax_backward(Index m, Index n, const Real* y, const Real* dy, Real* dx, Mode mode) {
  for_rows(m, 8 * n, [=](Index i) {
    const Real* a = y + i * n;
    const Real* b = dy + i * n;
    const Vec total = sum_of(n, [=](Index j, Index c) { return at(b, j, c); });
    transform_serial(
        n, dx + i * n, mode, [total](Vec p, Vec d) { return d - exp(p) * total; }, a, b);
  });
}

Index norm_pieces(Index m) { return (m + norm_grain - 1) / norm_grain; }

void layer_norm(Index m, Index n, const Real* x, const Real* gain, const Real* bias, Real epsilon,
                Real* y, RowMoments* moments) {
  const double share = 1 / static_cast<double>(n);
  for_rows(m, 4 * n, [=](Index i) {
    const Real* row = x + i * n;
    const Real mean =
        sum_of(n, [row](Index j, Index c) { return at(row, j, c); }) * static_cast<Real>(share);
    const Deviations d = deviations_of(n, row, mean);
    const double left = d.sum * share;  // of the mean, after rounding
    const double variance = std::max(0.0, d.squares * share - left * left);
    const auto rest = static_cast<Real>(left);
    const Real scale = 1 / std::sqrt(static_cast<Real>(variance) + epsilon);
    if (moments) moments[i] = {mean, rest, scale};
    const auto norm = [=](Vec a, Vec g, Vec b) {
      return (a - Vec(mean) - Vec(rest)) * Vec(scale) * g + b;
    };
    transform_serial(n, y + i * n, Mode::assign, norm, row, gain, bias);
  });
}

namespace {

/// The shared loop of both norms' backward; dx of one that is centred takes the mean of h away.
void norm_backward(Index m, Index n, bool centred, const Real* x, const Real* gain,
                   const RowMoments* moments, const Real* dy, Real* dx, Mode dx_mode, Real* dgain,
                   Mode dgain_mode, Real* dbias, Mode dbias_mode, Real* partial) {
  const Index pieces = norm_pieces(m);
  parallel_for(m, norm_grain, [=](Index begin, Index end) {
    Real* gains = partial + begin / norm_grain * 2 * n;
    Real* biases = gains + n;
    std::fill_n(gains, 2 * n, Real{0});
    for (Index i = begin; i < end; ++i) {
      const Real* row = x + i * n;
      const Real* d = dy + i * n;
      const Vec mu = moments[i].mean;
      const Vec rest = moments[i].rest;
      const Vec r = moments[i].scale;
      const auto normal = [=](Vec a) { return (a - mu - rest) * r; };
      // dx = r (h - mean h - xhat mean(h xhat)), h = dy gain, xhat = (x - mean) r
      Vec total_h = 0;
      Vec total_hx = 0;
      const auto step = [&](Vec a, Vec b, Vec g, Vec sum_of_gains, Vec sum_of_biases, auto store) {
        const Vec h = b * g;
        const Vec xhat = normal(a);
        total_h = total_h + h;
        total_hx = multiply_add(h, xhat, total_hx);
        store(multiply_add(xhat, b, sum_of_gains), gains);
        store(sum_of_biases + b, biases);
      };
      Index j = 0;
      for (; j + Vec::width <= n; j += Vec::width)
        step(Vec::load(row + j), Vec::load(d + j), Vec::load(gain + j), Vec::load(gains + j),
             Vec::load(biases + j), [j](Vec v, Real* to) { v.store(to + j); });
      if (const Index tail = n - j; tail > 0)
        step(Vec::load(row + j, tail), Vec::load(d + j, tail), Vec::load(gain + j, tail),
             Vec::load(gains + j, tail), Vec::load(biases + j, tail),
             [j, tail](Vec v, Real* to) { v.store(to + j, tail); });
      if (!dx) continue;
      const Real count = static_cast<Real>(n);
      const Vec mean_h = centred ? sum(total_h) / count : 0;
      const Vec mean_hx = sum(total_hx) / count;
      transform_serial(
          n, dx + i * n, dx_mode,
          [=](Vec a, Vec b, Vec g) { return r * (b * g - mean_h - normal(a) * mean_hx); }, row, d,
          gain);
    }
  });
  const auto total = [=](Real* out, Mode mode, Index offset) {
    if (!out) return;
    parallel_for(n, 256, [=](Index begin, Index end) {
      for (Index p = 0; p < pieces; ++p)
        transform_serial(
            end - begin, out + begin, p == 0 ? mode : Mode::accumulate, [](Vec a) { return a; },
            partial + p * 2 * n + offset + begin);
      if (pieces == 0 && mode == Mode::assign) std::fill(out + begin, out + end, Real{0});
    });
  };
  total(dgain, dgain_mode, 0);
  total(dbias, dbias_mode, n);
}

}  // namespace

void layer_norm_backward(Index m, Index n, const Real* x, const Real* gain,
                         const RowMoments* moments, const Real* dy, Real* dx, Mode dx_mode,
                         Real* dgain, Mode dgain_mode, Real* dbias, Mode dbias_mode,
                         Real* partial) {
  norm_backward(m, n, true, x, gain, moments, dy, dx, dx_mode, dgain, dgain_mode, dbias, dbias_mode,
                partial);
}

void rms_norm(Index m, Index n, const Real* x, const Real* gain, Real epsilon, Real* y,
              RowMoments* moments) {
  for_rows(m, 3 * n, [=](Index i) {
    const Real* row = x + i * n;
    const Real squares =
        sum_of(n, [row](Index j, Index c) { return at(row, j, c) * at(row, j, c); });
    const Real scale = 1 / std::sqrt(squares / static_cast<Real>(n) + epsilon);
    if (moments) moments[i] = {0, 0, scale};
    const Vec factor = scale;
    transform_serial(
        n, y + i * n, Mode::assign, [=](Vec a, Vec g) { return a * factor * g; }, row, gain);
  });
}

void rms_norm_backward(Index m, Index n, const Real* x, const Real* gain, const RowMoments* moments,
                       const Real* dy, Real* dx, Mode dx_mode, Real* dgain, Mode dgain_mode,
                       Real* partial) {
  norm_backward(m, n, false, x, gain, moments, dy, dx, dx_mode, dgain, dgain_mode, nullptr,
                Mode::assign, partial);
}

void cross_entropy(Index m, Index n, Real* x, const Id* gold, Real smoothing, bool has_ignore,
                   Id ignore, double* loss, double* nats, bool gradient, Real factor) {
  for_rows(m, 10 * n, [=](Index i) {
    Real* row = x + i * n;
    loss[i] = 0;
    if (nats) nats[i] = 0;
    if (has_ignore && gold[i] == ignore) {
      if (gradient) std::fill_n(row, n, Real{0});
      return;
    }
    const Real top = largest(n, row);
    const Real answer = row[gold[i]];
    const Real all = smoothing > 0 ? sum_of(n, [row](Index j, Index c) { return at(row, j, c); }) /
                                         static_cast<Real>(n)
                                   : 0;
    const Vec shift = top;
    Real total;
    if (gradient) {
      transform_serial(
          n, row, Mode::assign, [shift](Vec a) { return exp(a - shift); }, row);
      total = sum_of(n, [row](Index j, Index c) { return at(row, j, c); });
      const Vec p = factor / total;
      const Vec q = factor * smoothing / static_cast<Real>(n);
      transform_serial(
          n, row, Mode::assign, [p, q](Vec a) { return a * p - q; }, row);
      row[gold[i]] -= factor * (1 - smoothing);
    } else {
      total = sum_of(n, [row, shift](Index j, Index c) { return exp(at(row, j, c) - shift); });
    }
    const double log_total = std::log(static_cast<double>(total)) + top;
    loss[i] = log_total - (1.0 - smoothing) * answer - static_cast<double>(smoothing) * all;
    if (nats) nats[i] = log_total - answer;
  });
}

void copy_cross_entropy(Index m, Index n, Real* x, Real* gate, Real* copied, const Id* gold,
                        Real smoothing, double* loss, double* nats, bool gradient, Real factor) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  // log p of a word that neither way gives at all: keeps its loss and its gradients finite
  constexpr double least = -69;
  const auto softplus = [](double t) {
    return std::max(t, 0.0) + std::log1p(std::exp(-std::abs(t)));
  };
  for_rows(m, 10 * n, [=](Index i) {
    Real* row = x + i * n;
    const bool known = gold[i] < n;
    const Real top = largest(n, row);
    const Real answer = known ? row[gold[i]] : 0;
    const Real all = smoothing > 0 ? sum_of(n, [row](Index j, Index c) { return at(row, j, c); }) /
                                         static_cast<Real>(n)
                                   : 0;
    const Vec shift = top;
    transform_serial(
        n, row, Mode::assign, [shift](Vec a) { return exp(a - shift); }, row);
    const Real total = sum_of(n, [row](Index j, Index c) { return at(row, j, c); });
    const double log_total = std::log(static_cast<double>(total)) + top;
    const double s = smoothing;
    // log(g P[gold]) and log((1 - g) c): what one of them says surely must not underflow in their
    // sum.
    const double open = gate[i];
    const double log_g = -softplus(-open);
    const double log_rest = -softplus(open);
    const double said = known ? log_g + static_cast<double>(answer) - log_total : -infinity;
    const double pointed =
        copied[i] > 0 ? log_rest + std::log(static_cast<double>(copied[i])) : -infinity;
    const double larger = std::max(said, pointed);
    const double log_p =
        larger == -infinity ? least : larger + std::log1p(std::exp(-std::abs(said - pointed)));
    loss[i] = -(1 - s) * log_p + s * (log_total - all);
    if (nats) nats[i] = -log_p;
    if (!gradient) return;
    // r = g P[gold] / p: dx = (1 - s) r (P - [gold]) + s (P - 1/n), dgate = (1 - s) (g - r), dc =
    // -(1 - s) (1 - g) / p
    const double r = std::exp(said - log_p);
    const Vec scale_of = static_cast<Real>(factor * ((1 - s) * r + s)) / total;

    const Vec even = factor * smoothing / static_cast<Real>(n);
    transform_serial(
        n, row, Mode::assign, [scale_of, even](Vec a) { return a * scale_of - even; }, row);
    if (known) row[gold[i]] -= static_cast<Real>(factor * (1 - s) * r);
    gate[i] = static_cast<Real>(factor * (1 - s) * (std::exp(log_g) - r));
    copied[i] = static_cast<Real>(-factor * (1 - s) * std::exp(std::min(log_rest - log_p, -least)));
  });
}

void scale(Index n, Real a, Real* y) {
  const Vec factor = a;
  transform(
      n, y, Mode::assign, 1, [factor](Vec v) { return factor * v; }, y);
}

}  // namespace heed::kernels
