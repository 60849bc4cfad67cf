#include "framework/kernels/pairs.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/sequence_rows.h"

namespace heed {

namespace {

using detail::rows_of, detail::zero_rest;

std::vector<Index> block_begins(const Pairing& p) {
  std::vector<Index> begins{0};
  begins.reserve(static_cast<std::size_t>(p.queries.count()) + 1);
  for (Index i = 0; i < p.queries.count(); ++i)
    begins.push_back(begins.back() + p.heads * p.queries.length(i) * p.keys.length(i));
  return begins;
}

/// A checked pairing and where its blocks begin.
struct Plan {
  Pairing pairing;
  Index kv_heads;
  std::vector<Index> begins;

  Plan(const char* op, const Pairing& p)
      : pairing(p), kv_heads(p.kv_heads > 0 ? p.kv_heads : p.heads) {
    check(p.kv_heads >= 0, op,
          "expected heads of keys of at least 1, or 0 for as many as of queries; got {}",
          p.kv_heads);
    check(p.heads >= 1 && p.heads % kv_heads == 0, op,
          "expected heads of queries that those of keys divide; got {} and {}", p.heads, kv_heads);
    check(p.queries.count() == p.keys.count(), op,
          "expected as many sequences of keys as of queries; got {} and {}", p.keys.count(),
          p.queries.count());
    check(p.window >= 0, op, "expected a window of at least 1, or 0 for none; got {}", p.window);
    begins = block_begins(p);
  }
  Index size() const { return begins.back(); }
  kernels::PairShape shape() const {
    const auto& q = pairing.queries;
    const auto& k = pairing.keys;
    kernels::PairShape s{q.count(),   pairing.heads, kv_heads,       nullptr,
                         nullptr,     nullptr,       nullptr,        begins.data(),
                         q.longest(), k.longest(),   pairing.causal, pairing.window};
    if (s.sequences == 0) return s;
    s.query_begins = q.begins().data();
    s.query_lengths = q.lengths().data();
    s.key_begins = k.begins().data();
    s.key_lengths = k.lengths().data();
    return s;
  }
  void check_queries(const char* op, const Variable& q) const {
    check(q.rank() == 2 && q.columns() % pairing.heads == 0, op,
          "expected queries (n, {} heads * width); got {}", pairing.heads, q.shape());
    check(pairing.queries.rows() == q.rows(), op,
          "expected spans over the {} rows of the queries; got {}", q.rows(),
          pairing.queries.rows());
  }
  void check_keys(const char* op, const Variable& k) const {
    check(k.rank() == 2 && k.columns() % kv_heads == 0, op,
          "expected keys (m, {} heads * width); got {}", kv_heads, k.shape());
    check(pairing.keys.rows() == k.rows(), op,
          "expected spans over the {} rows of the keys; got {}", k.rows(), pairing.keys.rows());
  }
  void check_pairs(const char* op, const Variable& x) const {
    check(x.rank() == 1 && x.size() == size(), op, "expected a number for each of {} pairs; got {}",
          size(), x.shape());
  }
};

void check_reach(const char* op, Index reach) {
  constexpr Index most = Index{1} << 31;
  check(0 <= reach && reach <= most, op, "expected a reach within [0, {}]; got {}", most, reach);
}

}  // namespace

Index Pairing::size() const { return Plan("pairing", *this).size(); }

std::vector<Tensor> split(const Tensor& pairs, const Pairing& pairing) {
  const Plan plan("split", pairing);
  plan.check_pairs("split", pairs);
  std::vector<Tensor> result;
  for (Index i = 0; i < pairing.queries.count(); ++i)
    result.push_back(
        pairs.slice(plan.begins[i], plan.begins[i + 1])
            .reshape({pairing.heads, pairing.queries.length(i), pairing.keys.length(i)}));
  return result;
}

Variable dot_scores(const Operand& q, const Operand& k, const Pairing& pairing) {
  Plan plan("dot_scores", pairing);
  plan.check_queries("dot_scores", q);
  plan.check_keys("dot_scores", k);
  const Index width = q.columns() / pairing.heads;
  check(k.columns() == plan.kv_heads * width, "dot_scores", "expected keys {} wide; got {}",
        plan.kv_heads * width, k.shape());
  Tensor s({plan.size()});
  kernels::pair_dots(plan.shape(), width, rows_of(q.value()), rows_of(k.value()), s.data(),
                     Mode::assign);
  return record("dot_scores", s, {q, k},  // dq_i = sum_j ds_ij k_j, dk_j = sum_i ds_ij q_i
                [plan = std::move(plan), width, q = q.value(), k = k.value()](
                    const Tensor& ds, Gradient dq, Gradient dk) {
                  if (dq)
                    kernels::pair_sums(plan.shape(), width, ds.data(), rows_of(k),
                                       rows_of(dq, plan.pairing.queries));
                  if (dk)
                    kernels::pair_sums_transposed(plan.shape(), width, ds.data(), rows_of(q),
                                                  rows_of(dk, plan.pairing.keys));
                });
}

Variable weighted_values(const Operand& weights, const Operand& values, const Pairing& pairing) {
  Plan plan("weighted_values", pairing);
  plan.check_pairs("weighted_values", weights);
  plan.check_keys("weighted_values", values);
  const Index width = values.columns() / plan.kv_heads;
  Tensor y({pairing.queries.rows(), pairing.heads * width});
  zero_rest(y, pairing.queries);
  kernels::pair_sums(plan.shape(), width, weights.data(), rows_of(values.value()),
                     {y.data(), y.columns()});
  return record(
      "weighted_values", y, {weights, values},  // dw_ij = dy_i . v_j, dv_j = sum_i w_ij dy_i
      [plan = std::move(plan), width, w = weights.value(), v = values.value()](
          const Tensor& dy, Gradient dw, Gradient dv) {
        if (dw)
          kernels::pair_dots(plan.shape(), width, rows_of(dy), rows_of(v), dw.data(), dw.mode());
        if (dv)
          kernels::pair_sums_transposed(plan.shape(), width, w.data(), rows_of(dy),
                                        rows_of(dv, plan.pairing.keys));
      });
}

Variable additive_scores(const Operand& q, const Operand& k, const Operand& v,
                         const OptionalOperand& covered, const OptionalOperand& weight,
                         const Pairing& pairing) {
  Plan plan("additive_scores", pairing);
  check(pairing.heads == 1, "additive_scores", "expected one head; got {}", pairing.heads);
  plan.check_queries("additive_scores", q);
  plan.check_keys("additive_scores", k);
  const Index d = q.columns();
  check(k.columns() == d && v.rank() == 1 && v.size() == d, "additive_scores",
        "expected q (n, d), k (m, d) and v (d); got {}, {} and {}", q.shape(), k.shape(),
        v.shape());
  if (covered.defined()) {
    plan.check_pairs("additive_scores", covered);
    check(weight.defined() && weight.shape() == Shape{d}, "additive_scores",
          "expected a weight of coverage of shape {}", Shape{d});
  }
  const auto cover = [](const Tensor& u, const Tensor& w) {
    return u.defined() ? kernels::Coverage{u.data(), w.data()} : kernels::Coverage{};
  };
  const Tensor none;
  const Tensor u = covered.defined() ? covered.value() : none;

  const Tensor w = covered.defined() ? weight.value() : none;
  Tensor s({plan.size()});
  kernels::additive_scores(plan.shape(), d, q.data(), k.data(), v.data(), cover(u, w), s.data());
  // t = tanh(q_i + k_j + u_ij w): dq_i = sum_j ds_ij v (1 - t^2), dk_j alike, dv = sum ds_ij t,
  // du_ij = ds_ij sum v (1 - t^2) w, dw alike
  return record(
      "additive_scores", s, {q, k, v, covered, weight},
      [plan = std::move(plan), d, cover, q = q.value(), k = k.value(), v = v.value(), u, w](
          const Tensor& ds, Gradient dq, Gradient dk, Gradient dv, Gradient du, Gradient dw) {
        const Index sequences = plan.pairing.queries.count();
        const Index blocks = kernels::additive_blocks(d);
        zero_rest(dq, plan.pairing.queries);
        zero_rest(dk, plan.pairing.keys);
        Tensor v_shares({dv ? sequences : 0, d});
        Tensor w_shares({dw ? sequences : 0, d});

        Tensor u_shares = Tensor::zeros({blocks, du ? plan.size() : 0});
        kernels::additive_scores_backward(
            plan.shape(), d, q.data(), k.data(), v.data(), cover(u, w), ds.data(),
            {dq ? dq.data() : nullptr, dq.mode(), dk ? dk.data() : nullptr, dk.mode(),
             dv ? v_shares.data() : nullptr, du ? u_shares.data() : nullptr,
             dw ? w_shares.data() : nullptr});
        if (dv) kernels::sum_rows(sequences, d, v_shares.data(), dv.data(), dv.mode());
        if (dw) kernels::sum_rows(sequences, d, w_shares.data(), dw.data(), dw.mode());
        if (du) kernels::sum_rows(blocks, plan.size(), u_shares.data(), du.data(), du.mode());
      });
}

Variable additive_scores(const Operand& q, const Operand& k, const Operand& v,
                         const Pairing& pairing) {
  const OptionalOperand none(Variable(), q.where());
  return additive_scores(q, k, v, none, none, pairing);
}

Variable copy_probability(const Operand& weights, const Ids& tokens, const Ids& wanted,
                          const Pairing& pairing) {
  const char* op = "copy_probability";
  Plan plan(op, pairing);
  check(pairing.heads == 1, op, "expected one head; got {}", pairing.heads);
  plan.check_pairs(op, weights);
  check(tokens.shape() == Shape{pairing.keys.rows()} &&
            wanted.shape() == Shape{pairing.queries.rows()},
        op, "expected a token for each of {} keys and {} queries; got {} and {}",
        pairing.keys.rows(), pairing.queries.rows(), tokens.shape(), wanted.shape());
  Tensor y = Tensor::zeros({pairing.queries.rows()});
  kernels::pair_matches(plan.shape(), tokens.data(), wanted.data(), weights.data(), y.data());
  // dw_ij = dy_i [token_j = wanted_i]
  return record(op, y, {weights},
                [plan = std::move(plan), tokens, wanted](const Tensor& dy, Gradient dw) {
                  kernels::pair_matches_backward(plan.shape(), tokens.data(), wanted.data(),
                                                 dy.data(), dw.data(), dw.mode());
                });
}

Variable weighted_queries(const Operand& weights, const Operand& queries, const Pairing& pairing) {
  Plan plan("weighted_queries", pairing);
  plan.check_pairs("weighted_queries", weights);
  plan.check_queries("weighted_queries", queries);
  const Index width = queries.columns() / pairing.heads;
  Tensor y({pairing.keys.rows(), plan.kv_heads * width});
  zero_rest(y, pairing.keys);
  kernels::pair_sums_transposed(plan.shape(), width, weights.data(), rows_of(queries.value()),
                                {y.data(), y.columns()});
  return record(
      "weighted_queries", y, {weights, queries},  // dw_ij = q_i . dy_j, dq_i = sum_j w_ij dy_j
      [plan = std::move(plan), width, w = weights.value(), q = queries.value()](
          const Tensor& dy, Gradient dw, Gradient dq) {
        if (dw)
          kernels::pair_dots(plan.shape(), width, rows_of(q), rows_of(dy), dw.data(), dw.mode());
        if (dq)
          kernels::pair_sums(plan.shape(), width, w.data(), rows_of(dy),
                             rows_of(dq, plan.pairing.queries));
      });
}

Variable scores_softmax(const Operand& scores, const Pairing& pairing) {
  Plan plan("scores_softmax", pairing);
  plan.check_pairs("scores_softmax", scores);
  Tensor y({plan.size()});
  kernels::pair_softmax(plan.shape(), scores.data(), y.data());
  // ds = y (dy - sum dy y)
  return record(
      "scores_softmax", y, {scores}, [plan = std::move(plan), y](const Tensor& dy, Gradient ds) {
        kernels::pair_softmax_backward(plan.shape(), y.data(), dy.data(), ds.data(), ds.mode());
      });
}

Variable scores_softmax(const Operand& scores, const Operand& rest, const Pairing& pairing) {
  Plan plan("scores_softmax", pairing);
  plan.check_pairs("scores_softmax", scores);
  const Index rows = pairing.queries.rows();
  check(rest.rank() == 2 && rest.rows() == rows && rest.columns() == pairing.heads,
        "scores_softmax", "expected a score ({}, {}) for the rest; got {}", rows, pairing.heads,
        rest.shape());
  Tensor y({plan.size()});
  kernels::pair_softmax_rest(plan.shape(), scores.data(), rest.data(), y.data());
  return record(
      "scores_softmax", y, {scores, rest},  // ds = y (dy - sum dy y), drest = -(1 - sum y) sum dy y
      [plan = std::move(plan), y](const Tensor& dy, Gradient ds, Gradient drest) {
        zero_rest(drest, plan.pairing.queries);
        if (ds)
          kernels::pair_softmax_backward(plan.shape(), y.data(), dy.data(), ds.data(), ds.mode());
        if (drest)
          kernels::pair_softmax_rest_backward(plan.shape(), y.data(), dy.data(), drest.data(),
                                              drest.mode());
      });
}

Variable span_softmax(const Operand& scores, const Operand& spans, Real ramp,
                      const Pairing& pairing) {
  Plan plan("span_softmax", pairing);
  plan.check_pairs("span_softmax", scores);
  check(spans.rank() == 1 && spans.size() == pairing.heads && ramp > 0, "span_softmax",
        "expected a span for each of {} heads and a ramp above 0; got {} and {}", pairing.heads,
        spans.shape(), ramp);
  Tensor y({plan.size()});
  kernels::pair_span_softmax(plan.shape(), scores.data(), spans.data(), ramp, y.data());
  return record(
      "span_softmax", y,
      {scores, spans},  // ds = y (dy - sum dy y), dz = sum of y / m (dy - sum dy y) / R on the ramp
      [plan = std::move(plan), ramp, y, z = spans.value()](const Tensor& dy, Gradient ds,
                                                           Gradient dz) {
        const Index sequences = plan.pairing.queries.count();
        const Index heads = plan.pairing.heads;
        if (ds)
          kernels::pair_softmax_backward(plan.shape(), y.data(), dy.data(), ds.data(), ds.mode());
        if (!dz) return;
        Tensor shares({sequences, heads});
        kernels::pair_span_softmax_backward(plan.shape(), z.data(), ramp, y.data(), dy.data(),
                                            shares.data());
        kernels::sum_rows(sequences, heads, shares.data(), dz.data(), dz.mode());
      });
}

Variable by_distance(const Operand& table, Index reach, const Pairing& pairing) {
  Plan plan("by_distance", pairing);
  check_reach("by_distance", reach);
  const Index rows = pairing.queries.rows();
  const Index columns = pairing.heads * (2 * reach + 1);
  check(table.rank() == 2 && table.rows() == rows && table.columns() == columns, "by_distance",
        "expected a table ({}, {} heads * {}); got {}", rows, pairing.heads, 2 * reach + 1,
        table.shape());
  Tensor s({plan.size()});
  kernels::pair_by_distance(plan.shape(), reach, table.data(), s.data(), Mode::assign);
  // its transpose
  return record("by_distance", s, {table},
                [plan = std::move(plan), reach](const Tensor& ds, Gradient dtable) {
                  zero_rest(dtable, plan.pairing.queries);
                  kernels::pair_sum_by_distance(plan.shape(), reach, ds.data(), dtable.data(),
                                                dtable.mode());
                });
}

Variable sum_by_distance(const Operand& pairs, Index reach, const Pairing& pairing) {
  Plan plan("sum_by_distance", pairing);
  plan.check_pairs("sum_by_distance", pairs);
  check_reach("sum_by_distance", reach);
  Tensor table({pairing.queries.rows(), pairing.heads * (2 * reach + 1)});
  zero_rest(table, pairing.queries);
  kernels::pair_sum_by_distance(plan.shape(), reach, pairs.data(), table.data(), Mode::assign);
  // its transpose
  return record("sum_by_distance", table, {pairs},
                [plan = std::move(plan), reach](const Tensor& dtable, Gradient ds) {
                  kernels::pair_by_distance(plan.shape(), reach, dtable.data(), ds.data(),
                                            ds.mode());
                });
}

}  // namespace heed
