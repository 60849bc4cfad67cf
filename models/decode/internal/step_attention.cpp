#include "models/decode/internal/step_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "framework/kernels/parallel.h"

namespace heed {

namespace {

/// With sums side by side, so that the compiler makes vectors of them.
Real dot(Index n, const Real* a, const Real* b) {
  constexpr Index lanes = 8;
  Real sums[lanes] = {};
  Index c = 0;
  for (; c + lanes <= n; c += lanes)
    for (Index i = 0; i < lanes; ++i)
      sums[i] += a[c + i] * b[c + i];
  for (; c < n; ++c)
    sums[0] += a[c] * b[c];
  return std::accumulate(sums, sums + lanes, Real{0});
}

/// y += factor x
void add_scaled_row(Index n, Real factor, const Real* x, Real* y) {
  for (Index c = 0; c < n; ++c)
    y[c] += factor * x[c];
}

/// One head of one query.
struct HeadStep {
  const MultiHeadAttention& attention;
  Index head;
  const Real* q;
  const Real* cache;
  const kernels::KeyList& keys;

  Index width() const { return attention.head_width(); }
  const Real* key(Index j) const {
    const Index row = keys.rows ? keys.rows[j] : keys.begin + j;
    const Index shared = head / (attention.heads / attention.kv_heads);
    return cache + row * 2 * attention.kv_width() + shared * width();
  }
  const Real* value(Index j) const { return key(j) + attention.kv_width(); }
  Index distance(Index j) const { return keys.count - 1 - j; }
  /// The entry of the trained vectors of relative positions.
  Index entry(Index j) const { return attention.reach - std::min(distance(j), attention.reach); }

  Real score(Index j) const {
    Real sum = dot(width(), q, key(j));
    if (attention.distances == Distances::relative)
      sum += dot(width(), q, attention.key_distances.value().data() + entry(j) * width());
    sum *= 1 / std::sqrt(static_cast<Real>(width()));
    if (attention.distances == Distances::alibi)
      sum -= attention.slopes[head] * static_cast<Real>(distance(j));
    return sum;
  }
  /// What multiplies exp(score).
  Real mask(Index j) const {
    if (attention.weighing != Weighing::span) return 1;
    const Real z = std::clamp(attention.span.value()[head], Real{0}, Real{1}) *
                   static_cast<Real>(attention.longest);
    const Real share = (attention.ramp + z - static_cast<Real>(distance(j))) / attention.ramp;
    return std::clamp(share, Real{0}, Real{1});
  }

  /// `weights` is room for keys.count numbers.
  void run(std::vector<Real>& weights, Real* y) const {
    std::fill_n(y, width(), Real{0});
    Real top = -std::numeric_limits<Real>::infinity();
    weights.resize(static_cast<std::size_t>(keys.count));
    for (Index j = 0; j < keys.count; ++j) {
      weights[j] = score(j);
      if (mask(j) > 0) top = std::max(top, weights[j]);
    }
    Real total = 0;
    for (Index j = 0; j < keys.count; ++j) {
      const Real share = mask(j);
      weights[j] = share > 0 ? share * std::exp(weights[j] - top) : 0;
      total += weights[j];
    }
    if (total == 0) return;
    for (Index j = 0; j < keys.count; ++j) {
      add_scaled_row(width(), weights[j] / total, value(j), y);
      if (attention.distances == Distances::relative)
        add_scaled_row(width(), weights[j] / total,
                       attention.value_distances.value().data() + entry(j) * width(), y);
    }
  }
};

/// Whether a query's scores are products of its own head and key alone.
bool is_products_alone(const MultiHeadAttention& a) {
  return a.kv_heads == a.heads && a.weighing == Weighing::softmax &&
         (a.distances == Distances::none || a.distances == Distances::rotary);
}

Real feature(Real x) { return x > 0 ? x + 1 : std::exp(x); }

}  // namespace

Tensor attend_step(const MultiHeadAttention& a, const Tensor& q, const Real* cache,
                   std::span<const kernels::KeyList> keys) {
  const Index d = a.width();
  const Index rows = q.rows();
  Tensor y({rows, d});
  if (is_products_alone(a)) {
    kernels::attend_rows({.heads = a.heads,
                          .scale = 1 / std::sqrt(static_cast<Real>(a.head_width())),
                          .queries = kernels::dense(q.data(), rows, d),
                          .cache = cache,
                          .keys = keys.data()},
                         y.data());
    return y;
  }
  Index seen = 0;
  for (const kernels::KeyList& list : keys)
    seen = std::max(seen, list.count);
  kernels::parallel_for(rows, kernels::grain_of(4 * d * (seen + 1)), [&](Index begin, Index end) {
    std::vector<Real> weights;
    for (Index r = begin; r < end; ++r)
      for (Index h = 0; h < a.heads; ++h) {
        const Index column = r * d + h * a.head_width();
        const HeadStep step{a, h, q.data() + column, cache, keys[static_cast<std::size_t>(r)]};
        step.run(weights, y.data() + column);
      }
  });
  return y;
}

LinearSums::LinearSums(const MultiHeadAttention& a, Index rows)
    : heads_(a.heads),
      width_(a.head_width()),
      sums_(Tensor::zeros({rows, a.heads * a.head_width() * (a.head_width() + 1)})) {}

void LinearSums::add(const Tensor& keys, const Tensor& values, const Spans& spans) {
  const Index w = width_;
  const Index d = heads_ * w;
  Real* const sums = sums_.data();
  const Index cost = 2 * w * w * (spans.longest() + 1);
  kernels::parallel_for(
      spans.count() * heads_, kernels::grain_of(cost), [&](Index begin, Index end) {
        for (Index task = begin; task < end; ++task) {
          const Index r = task / heads_;
          const Index h = task % heads_;
          Real* const of_head = sums + task * w * (w + 1);
          for (Index t = spans.begin(r); t < spans.begin(r) + spans.length(r); ++t)
            for (Index a = 0; a < w; ++a) {
              const Real f = feature(keys.data()[t * d + h * w + a]);
              add_scaled_row(w, f, values.data() + t * d + h * w, of_head + a * (w + 1));
              of_head[a * (w + 1) + w] += f;
            }
        }
      });
}

Tensor LinearSums::operator()(const Tensor& q, std::span<const Index> rows) const {
  const Index w = width_;
  const Index d = heads_ * w;
  Tensor y({q.rows(), d});
  const Real* const sums = sums_.data();
  Real* const to = y.data();
  kernels::parallel_for(
      q.rows() * heads_, kernels::grain_of(2 * w * w), [&](Index begin, Index end) {
        std::vector<Real> total(static_cast<std::size_t>(w + 1));
        for (Index task = begin; task < end; ++task) {
          const Index r = task / heads_;
          const Index h = task % heads_;
          const Real* const of_head =
              sums + (rows[static_cast<std::size_t>(r)] * heads_ + h) * w * (w + 1);
          std::ranges::fill(total, Real{0});
          for (Index a = 0; a < w; ++a)
            add_scaled_row(w + 1, feature(q.data()[r * d + h * w + a]), of_head + a * (w + 1),
                           total.data());
          for (Index c = 0; c < w; ++c)
            to[r * d + h * w + c] = total[w] > 0 ? total[c] / total[w] : 0;
        }
      });
  return y;
}

void LinearSums::select(std::span<const Index> rows) {
  if (!sums_.defined()) return;
  const Index columns = sums_.columns();
  Tensor chosen({std::ssize(rows), columns});
  for (std::size_t i = 0; i < rows.size(); ++i)
    std::copy_n(sums_.data() + rows[i] * columns, columns,
                chosen.data() + static_cast<Index>(i) * columns);
  sums_ = chosen;
}

}  // namespace heed
