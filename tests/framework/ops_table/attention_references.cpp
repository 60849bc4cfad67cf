#include <algorithm>
#include <cmath>

#include "tests/framework/ops_table/references.h"

// Attention and its pieces, one pair of a query and a key after the other.

namespace heed::test {

namespace {

/// A query and a key of one head.
struct Pair {
  Index sequence;
  Index head;
  Index key_head;
  Index query;     // row
  Index key;       // row
  Index distance;  // j - p_i
  bool seen;
  std::size_t at;  // among the scores
};

/// All pairs, in the order of the scores. The first `sinks` keys are seen from outside a window.
std::vector<Pair> pairs_of(const Pairing& p, Index sinks = 0) {
  std::vector<Pair> all;
  const int kv_heads = p.kv_heads > 0 ? p.kv_heads : p.heads;
  for (Index s = 0; s < p.queries.count(); ++s) {
    const Index n = p.queries.length(s);
    const Index m = p.keys.length(s);
    for (Index h = 0; h < p.heads; ++h)
      for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < m; ++j) {
          const Index distance = j - (i + m - n);
          const bool late = p.causal && distance > 0;
          const bool far = p.window > 0 && std::abs(distance) >= p.window && j >= sinks;
          all.push_back({s, h, h / (p.heads / kv_heads), p.queries.begin(s) + i,
                         p.keys.begin(s) + j, distance, !late && !far, all.size()});
        }
  }
  return all;
}

double at(const Tensor& x, Index row, Index column) {
  return static_cast<double>(x[row * x.shape().columns() + column]);
}

Index heads_of_keys(const Pairing& p) { return p.kv_heads > 0 ? p.kv_heads : p.heads; }

Numbers dot_products(const Tensor& q, const Tensor& k, const Pairing& p) {
  const Index w = q.shape().columns() / p.heads;
  Numbers scores;
  for (const Pair& pair : pairs_of(p)) {
    double total = 0;
    for (Index c = 0; c < w; ++c)
      total += at(q, pair.query, pair.head * w + c) * at(k, pair.key, pair.key_head * w + c);
    scores.push_back(total);
  }
  return scores;
}

/// terms[i] divided by the sum of the terms of its query and head, with `rest` added where given.
Numbers shares(const Numbers& terms, const Pairing& p, const Numbers& rest = {}) {
  Numbers totals = rest;
  totals.resize(static_cast<std::size_t>(p.queries.rows() * p.heads));
  const std::vector<Pair> all = pairs_of(p);
  const auto of = [&](const Pair& pair) {
    return static_cast<std::size_t>(pair.query * p.heads + pair.head);
  };
  for (const Pair& pair : all)
    totals[of(pair)] += terms[pair.at];
  Numbers y;
  for (const Pair& pair : all)
    y.push_back(terms[pair.at] == 0 ? 0 : terms[pair.at] / totals[of(pair)]);
  return y;
}

Numbers softmax_over_keys(const Numbers& scores, const Pairing& p, const Numbers& rest = {},
                          Index sinks = 0) {
  Numbers terms = scores;
  for (const Pair& pair : pairs_of(p, sinks))
    terms[pair.at] = pair.seen ? std::exp(scores[pair.at]) : 0;
  return shares(terms, p, rest);
}

Numbers weighted(const Numbers& weights, const Tensor& values, const Pairing& p) {
  const Index w = values.shape().columns() / heads_of_keys(p);
  Numbers y(static_cast<std::size_t>(p.queries.rows() * p.heads * w));
  for (const Pair& pair : pairs_of(p))
    for (Index c = 0; c < w; ++c)
      y[static_cast<std::size_t>((pair.query * p.heads + pair.head) * w + c)] +=
          weights[pair.at] * at(values, pair.key, pair.key_head * w + c);
  return y;
}

Tensor columns_of(const Tensor& x, Index begin, Index end) {
  const Index rows = x.shape()[0];
  Tensor y({rows, end - begin});
  for (Index r = 0; r < rows; ++r)
    for (Index c = begin; c < end; ++c)
      y[r * (end - begin) + c - begin] = x[r * x.shape()[1] + c];
  return y;
}

/// q, k and v, where one, two or all three of them are joined in one input.
std::vector<Tensor> separate(Inputs x, const Pairing& p) {
  if (x.size() == 3) return {x[0], x[1], x[2]};
  const Index kv_heads = heads_of_keys(p);
  const bool all = x.size() == 1;
  const Tensor& joined = x[x.size() - 1];
  const Index e = joined.shape()[1] / (all ? p.heads + 2 * kv_heads : 2 * kv_heads) * kv_heads;
  const Index d = joined.shape()[1] - 2 * e;  // 0 where q is alone
  return {all ? columns_of(joined, 0, d) : x[0], columns_of(joined, d, d + e),
          columns_of(joined, d + e, d + 2 * e)};
}

Pairing pairing_of(const Attention& o) {
  return {.heads = o.heads,
          .kv_heads = o.kv_heads,
          .queries = o.queries,
          .keys = o.keys,
          .causal = o.causal,
          .window = o.window};
}

}  // namespace

namespace {

/// What a bias adds to the score of a pair.
double bias_of(BiasKind kind, const Tensor& bias, const Pair& pair, const Attention& o) {
  if (kind == BiasKind::pairs) return static_cast<double>(bias[static_cast<Index>(pair.at)]);
  if (kind == BiasKind::keys) return static_cast<double>(bias[pair.key]);
  const Shape& shape = bias.shape();
  const Index head = shape[0] > 1 ? pair.head : 0;
  const Index i = pair.query - o.queries.begin(pair.sequence);
  const Index j = pair.key - o.keys.begin(pair.sequence);
  return static_cast<double>(bias[(head * shape[1] + i) * shape[2] + j]);
}

/// q and k, rotated.
std::vector<Tensor> rotated(const std::vector<Tensor>& qkv, const Attention& o) {
  const auto turned = [&](const Tensor& x, const Spans& spans, int heads) {
    const Rotary options{.heads = heads,
                         .base = o.rotation->base,
                         .end_of = o.keys,
                         .width = o.rotation->width,
                         .interleaved = o.rotation->interleaved};
    const std::vector<Tensor> one{x};
    return tensor(x.shape(), rotary_of(spans, options)(one).values);
  };
  const int kv_heads = o.kv_heads > 0 ? o.kv_heads : o.heads;
  return {turned(qkv[0], o.queries, o.heads), turned(qkv[1], o.keys, kv_heads), qkv[2]};
}

}  // namespace

Reference attention_of(const Attention& o, const std::vector<BiasKind>& biases) {
  return [o, biases](Inputs x) {
    const Pairing p = pairing_of(o);
    const std::size_t tensors = x.size() - biases.size();
    std::vector<Tensor> qkv = separate(x.first(tensors), p);
    if (o.rotation) qkv = rotated(qkv, o);
    const double w = static_cast<double>(qkv[0].shape().columns()) / o.heads;
    const double scale = o.scale ? static_cast<double>(*o.scale) : 1 / std::sqrt(w);
    const auto cap = static_cast<double>(o.softcap);
    Numbers scores = dot_products(qkv[0], qkv[1], p);
    for (const Pair& pair : pairs_of(p)) {
      double& s = scores[pair.at];
      s *= scale;
      if (cap > 0) s = cap * std::tanh(s / cap);
      if (o.slopes.defined())
        s -=
            static_cast<double>(o.slopes[pair.head]) * static_cast<double>(std::abs(pair.distance));
      for (std::size_t b = 0; b < biases.size(); ++b)
        s += bias_of(biases[b], x[tensors + b], pair, o);
    }
    return weighted(softmax_over_keys(scores, p, {}, o.sinks), qkv[2], p);
  };
}

Reference dot_scores_of(const Pairing& p) {
  return [p](Inputs x) { return dot_products(x[0], x[1], p); };
}

Reference additive_scores_of(const Pairing& p) {
  return [p](Inputs x) {
    Numbers scores;
    for (const Pair& pair : pairs_of(p)) {
      double total = 0;
      for (Index c = 0; c < x[2].size() && pair.seen; ++c) {
        double inside = at(x[0], pair.query, c) + at(x[1], pair.key, c);
        if (x.size() > 3)
          inside +=
              static_cast<double>(x[3][static_cast<Index>(pair.at)]) * static_cast<double>(x[4][c]);
        total += static_cast<double>(x[2][c]) * std::tanh(inside);
      }
      scores.push_back(total);
    }
    return scores;
  };
}

Reference scores_softmax_of(const Pairing& p) {
  return [p](Inputs x) {
    Numbers rest = x.size() > 1 ? numbers_of(x[1]) : Numbers();
    for (double& v : rest)
      v = std::exp(v);
    return softmax_over_keys(numbers_of(x[0]), p, rest);
  };
}

Reference span_softmax_of(double ramp, const Pairing& p) {
  return [=](Inputs x) {
    Numbers terms;
    for (const Pair& pair : pairs_of(p)) {
      const double reach = static_cast<double>(x[1][pair.head]);
      const auto distance = static_cast<double>(std::abs(pair.distance));
      const double mask = std::clamp((ramp + reach - distance) / ramp, 0.0, 1.0);
      const double score = static_cast<double>(x[0][static_cast<Index>(pair.at)]);
      terms.push_back(pair.seen ? mask * std::exp(score) : 0);
    }
    return shares(terms, p);
  };
}

Reference weighted_values_of(const Pairing& p) {
  return [p](Inputs x) { return weighted(numbers_of(x[0]), x[1], p); };
}

Reference weighted_queries_of(const Pairing& p) {
  return [p](Inputs x) {
    const Index w = x[1].shape().columns() / p.heads;
    const Index kv_heads = heads_of_keys(p);
    Numbers y(static_cast<std::size_t>(p.keys.rows() * kv_heads * w));
    for (const Pair& pair : pairs_of(p))
      for (Index c = 0; c < w; ++c)
        y[static_cast<std::size_t>((pair.key * kv_heads + pair.key_head) * w + c)] +=
            static_cast<double>(x[0][static_cast<Index>(pair.at)]) *
            at(x[1], pair.query, pair.head * w + c);
    return y;
  };
}

Reference copy_probability_of(const Ids& tokens, const Ids& gold, const Pairing& p) {
  return [=](Inputs x) {
    Numbers y(static_cast<std::size_t>(p.queries.rows()));
    for (const Pair& pair : pairs_of(p))
      if (tokens[pair.key] == gold[pair.query])
        y[static_cast<std::size_t>(pair.query)] +=
            static_cast<double>(x[0][static_cast<Index>(pair.at)]);
    return y;
  };
}

namespace {

/// The entry of the table of by_distance that a pair reads.
Index entry_of(const Pair& pair, Index reach, const Pairing& p) {
  return (pair.query * p.heads + pair.head) * (2 * reach + 1) +
         std::clamp(pair.distance, -reach, reach) + reach;
}

}  // namespace

Reference by_distance_of(Index reach, const Pairing& p) {
  return [=](Inputs x) {
    Numbers y;
    for (const Pair& pair : pairs_of(p))
      y.push_back(static_cast<double>(x[0][entry_of(pair, reach, p)]));
    return y;
  };
}

Reference sum_by_distance_of(Index reach, const Pairing& p) {
  return [=](Inputs x) {
    Numbers y(static_cast<std::size_t>(p.queries.rows() * p.heads * (2 * reach + 1)));
    for (const Pair& pair : pairs_of(p))
      y[static_cast<std::size_t>(entry_of(pair, reach, p))] +=
          static_cast<double>(x[0][static_cast<Index>(pair.at)]);
    return y;
  };
}

Reference linear_attention_of(const Pairing& p) {
  return [p](Inputs x) {
    const auto feature = [](const Tensor& from) {  // elu(x) + 1
      Tensor to = from.clone();
      for (Real& v : to.span())
        v = v > 0 ? v + 1 : std::exp(v);
      return to;
    };
    Numbers terms = dot_products(feature(x[0]), feature(x[1]), p);
    for (const Pair& pair : pairs_of(p))
      if (!pair.seen) terms[pair.at] = 0;
    return weighted(shares(terms, p), x[2], p);
  };
}

Reference rotary_of(const Spans& spans, const Rotary& o) {
  return [=](Inputs x) {
    const Index w = x[0].shape().columns() / o.heads;
    const Index r = o.width > 0 ? o.width : w;
    Numbers y(static_cast<std::size_t>(x[0].size()));
    for (Index s = 0; s < spans.count(); ++s)
      for (Index t = 0; t < spans.length(s); ++t) {
        const Index before = o.end_of.count() > 0 ? o.end_of.length(s) - spans.length(s) : 0;
        const auto position = static_cast<double>(o.offset + before + t);
        const Index row = spans.begin(s) + t;
        for (Index c = 0; c < o.heads * w; ++c)
          y[static_cast<std::size_t>(row * o.heads * w + c)] = at(x[0], row, c);
        for (Index i = 0; i < o.heads * (r / 2); ++i) {
          const Index c = i % (r / 2);
          const Index first = i / (r / 2) * w + (o.interleaved ? 2 * c : c);
          const Index step = o.interleaved ? 1 : r / 2;
          const double angle =
              position * std::pow(static_cast<double>(o.base),
                                  -2 * static_cast<double>(c) / static_cast<double>(r));
          const double a = at(x[0], row, first);
          const double b = at(x[0], row, first + step);
          const Index place = row * x[0].shape().columns() + first;
          y[static_cast<std::size_t>(place)] = a * std::cos(angle) - b * std::sin(angle);
          y[static_cast<std::size_t>(place + step)] = a * std::sin(angle) + b * std::cos(angle);
        }
      }
    return y;
  };
}

}  // namespace heed::test
