#include "framework/kernels/rows.h"
#include "framework/kernels/scores.h"
#include "framework/ops.h"
#include "framework/ops/sequence_rows.h"

namespace heed {

namespace {

using detail::kept_for;
using detail::output_of;
using detail::rows_of;
using detail::zero_rest;

std::vector<Index> block_begins(const Pairing& p) {
  std::vector<Index> begins{0};
  begins.reserve(static_cast<std::size_t>(p.queries.count()) + 1);
  for (Index i = 0; i < p.queries.count(); ++i)
    begins.push_back(begins.back() + p.heads * p.queries.length(i) * p.keys.length(i));
  return begins;
}

/// How the scores of a checked pairing are laid out: a block for each sequence.
struct ScoreLayout {
  Pairing pairing;
  Index kv_heads;
  std::vector<Index> begins;  // of the blocks, and the end

  ScoreLayout(const char* op, const Pairing& p)
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
  /// Borrows from this layout.
  kernels::ScoresShape shape() const {
    const Spans& queries = pairing.queries;
    const Spans& keys = pairing.keys;
    return {
        .sequences = queries.count(),
        .heads = pairing.heads,
        .kv_heads = kv_heads,
        .query_begins = queries.begins().data(),
        .query_lengths = queries.lengths().data(),
        .key_begins = keys.begins().data(),
        .key_lengths = keys.lengths().data(),
        .begins = begins.data(),
        .longest_query = queries.longest(),
        .longest_key = keys.longest(),
        .causal = pairing.causal,
        .window = pairing.window,
    };
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
  void check_scores(const char* op, const Variable& x) const {
    check(x.rank() == 1 && x.size() == size(), op, "expected a number for each of {} pairs; got {}",
          size(), x.shape());
  }
};

void check_reach(const char* op, Index reach) {
  constexpr Index most = Index{1} << 31;
  check(0 <= reach && reach <= most, op, "expected a reach within [0, {}]; got {}", most, reach);
}

}  // namespace

Index Pairing::size() const { return ScoreLayout("pairing", *this).size(); }

std::vector<Tensor> split(const Tensor& scores, const Pairing& pairing) {
  const ScoreLayout layout("split", pairing);
  layout.check_scores("split", scores);
  std::vector<Tensor> result;
  for (Index i = 0; i < pairing.queries.count(); ++i)
    result.push_back(
        scores.slice(layout.begins[i], layout.begins[i + 1])
            .reshape({pairing.heads, pairing.queries.length(i), pairing.keys.length(i)}));
  return result;
}

Variable dot_scores(const Operand& q, const Operand& k, const Pairing& pairing) {
  ScoreLayout layout("dot_scores", pairing);
  layout.check_queries("dot_scores", q);
  layout.check_keys("dot_scores", k);
  const Index width = q.columns() / pairing.heads;
  check(k.columns() == layout.kv_heads * width, "dot_scores", "expected keys {} wide; got {}",
        layout.kv_heads * width, k.shape());
  Tensor s({layout.size()});
  kernels::dot_scores(layout.shape(), rows_of(q.value()), rows_of(k.value()), {s.data()});
  // dq_i = sum_j ds_ij k_j, dk_j = sum_i ds_ij q_i
  return record(
      "dot_scores", s, {q, k},
      [layout = std::move(layout), q = kept_for(k, q), k = kept_for(q, k)](
          const Tensor& ds, Gradient dq, Gradient dk) {
        const kernels::ScoresShape shape = layout.shape();
        if (dq)
          kernels::sum_keys(shape, ds.data(), rows_of(k), rows_of(dq, layout.pairing.queries));
        if (dk)
          kernels::sum_queries(shape, ds.data(), rows_of(q), rows_of(dk, layout.pairing.keys));
      });
}

Variable weighted_values(const Operand& weights, const Operand& values, const Pairing& pairing) {
  ScoreLayout layout("weighted_values", pairing);
  layout.check_scores("weighted_values", weights);
  layout.check_keys("weighted_values", values);
  const Index width = values.columns() / layout.kv_heads;
  Tensor y({pairing.queries.rows(), pairing.heads * width});
  zero_rest(y, pairing.queries);
  kernels::sum_keys(layout.shape(), weights.data(), rows_of(values.value()),
                    {y.data(), y.columns()});
  // dw_ij = dy_i . v_j, dv_j = sum_i w_ij dy_i
  return record("weighted_values", y, {weights, values},
                [layout = std::move(layout), w = kept_for(values, weights),
                 v = kept_for(weights, values)](const Tensor& dy, Gradient dw, Gradient dv) {
                  const kernels::ScoresShape shape = layout.shape();
                  if (dw) kernels::dot_scores(shape, rows_of(dy), rows_of(v), output_of(dw));
                  if (dv)
                    kernels::sum_queries(shape, w.data(), rows_of(dy),
                                         rows_of(dv, layout.pairing.keys));
                });
}

namespace {

struct AdditiveTensors {
  Tensor q;
  Tensor k;
  Tensor v;
  // undefined without coverage
  Tensor covered;
  Tensor weight;

  kernels::AdditiveInputs inputs() const {
    kernels::AdditiveInputs in{
        .d = q.columns(), .q = q.data(), .k = k.data(), .v = v.data(), .cover = {}};
    if (covered.defined()) in.cover = {covered.data(), weight.data()};
    return in;
  }
};

/// The gradients of additive_scores(), in the order of its operands.
struct AdditiveOutputs {
  Gradient q;
  Gradient k;
  Gradient v;
  Gradient covered;
  Gradient weight;
};

/// With t = tanh(q_i + k_j + u_ij w): dq_i = sum_j ds_ij v (1 - t^2), and dk_j alike; dv = sum of
/// ds_ij t; du_ij = ds_ij sum of v (1 - t^2) w, and dw alike.
void additive_backward(const ScoreLayout& layout, const AdditiveTensors& tensors, const Tensor& ds,
                       const AdditiveOutputs& to) {
  const Index d = tensors.q.columns();
  const Index sequences = layout.pairing.queries.count();
  zero_rest(to.q, layout.pairing.queries);
  zero_rest(to.k, layout.pairing.keys);
  Tensor v_shares({to.v ? sequences : 0, d});
  Tensor weight_shares({to.weight ? sequences : 0, d});
  Tensor covered_shares =
      Tensor::zeros({kernels::additive_blocks(d), to.covered ? layout.size() : 0});
  kernels::additive_scores_backward(layout.shape(), tensors.inputs(), ds.data(),
                                    {.q = output_of(to.q),
                                     .k = output_of(to.k),
                                     .v = to.v ? v_shares.data() : nullptr,
                                     .weight = to.weight ? weight_shares.data() : nullptr,
                                     .amounts = to.covered ? covered_shares.data() : nullptr});
  if (to.v) kernels::sum_rows(rows_of(v_shares), output_of(to.v));
  if (to.weight) kernels::sum_rows(rows_of(weight_shares), output_of(to.weight));
  if (to.covered) kernels::sum_rows(rows_of(covered_shares), output_of(to.covered));
}

}  // namespace

Variable additive_scores(const Operand& q, const Operand& k, const Operand& v,
                         const OptionalOperand& covered, const OptionalOperand& weight,
                         const Pairing& pairing) {
  const char* op = "additive_scores";
  ScoreLayout layout(op, pairing);
  check(pairing.heads == 1, op, "expected one head; got {}", pairing.heads);
  layout.check_queries(op, q);
  layout.check_keys(op, k);
  const Index d = q.columns();
  check(k.columns() == d && v.rank() == 1 && v.size() == d, op,
        "expected q (n, d), k (m, d) and v (d); got {}, {} and {}", q.shape(), k.shape(),
        v.shape());
  AdditiveTensors tensors{
      .q = q.value(), .k = k.value(), .v = v.value(), .covered = {}, .weight = {}};
  if (covered.defined()) {
    layout.check_scores(op, covered);
    check(weight.defined() && weight.shape() == Shape{d}, op,
          "expected a weight of coverage of shape {}", Shape{d});
    tensors.covered = covered.value();
    tensors.weight = weight.value();
  }
  Tensor s({layout.size()});
  kernels::additive_scores(layout.shape(), tensors.inputs(), s.data());
  return record(
      op, s, {q, k, v, covered, weight},
      [layout = std::move(layout), tensors](const Tensor& ds, Gradient dq, Gradient dk, Gradient dv,
                                            Gradient dcovered, Gradient dweight) {
        additive_backward(layout, tensors, ds,
                          {.q = dq, .k = dk, .v = dv, .covered = dcovered, .weight = dweight});
      });
}

Variable additive_scores(const Operand& q, const Operand& k, const Operand& v,
                         const Pairing& pairing) {
  const OptionalOperand none(Variable(), q.where());
  return additive_scores(q, k, v, none, none, pairing);
}

Variable copy_probability(const Operand& weights, const Ids& ids, const Ids& wanted,
                          const Pairing& pairing) {
  const char* op = "copy_probability";
  ScoreLayout layout(op, pairing);
  check(pairing.heads == 1, op, "expected one head; got {}", pairing.heads);
  layout.check_scores(op, weights);
  check(
      ids.shape() == Shape{pairing.keys.rows()} && wanted.shape() == Shape{pairing.queries.rows()},
      op, "expected an id for each of {} keys and {} queries; got {} and {}", pairing.keys.rows(),
      pairing.queries.rows(), ids.shape(), wanted.shape());
  Tensor y = Tensor::zeros({pairing.queries.rows()});
  kernels::sum_matches(layout.shape(), ids.data(), wanted.data(), weights.data(), y.data());
  // dw_ij = dy_i [ids_j = wanted_i]
  return record(op, y, {weights},
                [layout = std::move(layout), ids, wanted](const Tensor& dy, Gradient dw) {
                  kernels::sum_matches_backward(layout.shape(), ids.data(), wanted.data(),
                                                dy.data(), output_of(dw));
                });
}

Variable weighted_queries(const Operand& weights, const Operand& queries, const Pairing& pairing) {
  ScoreLayout layout("weighted_queries", pairing);
  layout.check_scores("weighted_queries", weights);
  layout.check_queries("weighted_queries", queries);
  const Index width = queries.columns() / pairing.heads;
  Tensor y({pairing.keys.rows(), layout.kv_heads * width});
  zero_rest(y, pairing.keys);
  kernels::sum_queries(layout.shape(), weights.data(), rows_of(queries.value()),
                       {y.data(), y.columns()});
  // dw_ij = q_i . dy_j, dq_i = sum_j w_ij dy_j
  return record("weighted_queries", y, {weights, queries},
                [layout = std::move(layout), w = kept_for(queries, weights),
                 q = kept_for(weights, queries)](const Tensor& dy, Gradient dw, Gradient dq) {
                  const kernels::ScoresShape shape = layout.shape();
                  if (dw) kernels::dot_scores(shape, rows_of(q), rows_of(dy), output_of(dw));
                  if (dq)
                    kernels::sum_keys(shape, w.data(), rows_of(dy),
                                      rows_of(dq, layout.pairing.queries));
                });
}

Variable scores_softmax(const Operand& scores, const Pairing& pairing) {
  ScoreLayout layout("scores_softmax", pairing);
  layout.check_scores("scores_softmax", scores);
  Tensor y({layout.size()});
  kernels::scores_softmax(layout.shape(), scores.data(), y.data());
  // ds = y (dy - sum dy y)
  return record("scores_softmax", y, {scores},
                [layout = std::move(layout), y](const Tensor& dy, Gradient ds) {
                  kernels::scores_softmax_backward(layout.shape(), y.data(), dy.data(),
                                                   output_of(ds));
                });
}

Variable scores_softmax(const Operand& scores, const Operand& rest, const Pairing& pairing) {
  ScoreLayout layout("scores_softmax", pairing);
  layout.check_scores("scores_softmax", scores);
  const Index rows = pairing.queries.rows();
  check(rest.rank() == 2 && rest.rows() == rows && rest.columns() == pairing.heads,
        "scores_softmax", "expected a score ({}, {}) for the rest; got {}", rows, pairing.heads,
        rest.shape());
  Tensor y({layout.size()});
  kernels::scores_softmax_with_rest(layout.shape(), scores.data(), rest.data(), y.data());
  // ds = y (dy - sum dy y), drest = -(1 - sum y) sum dy y
  return record("scores_softmax", y, {scores, rest},
                [layout = std::move(layout), y](const Tensor& dy, Gradient ds, Gradient drest) {
                  zero_rest(drest, layout.pairing.queries);
                  if (ds)
                    kernels::scores_softmax_backward(layout.shape(), y.data(), dy.data(),
                                                     output_of(ds));
                  if (drest)
                    kernels::scores_softmax_rest_backward(layout.shape(), y.data(), dy.data(),
                                                          output_of(drest));
                });
}

Variable span_softmax(const Operand& scores, const Operand& spans, Real ramp,
                      const Pairing& pairing) {
  ScoreLayout layout("span_softmax", pairing);
  layout.check_scores("span_softmax", scores);
  check(spans.rank() == 1 && spans.size() == pairing.heads && ramp > 0, "span_softmax",
        "expected a span for each of {} heads and a ramp above 0; got {} and {}", pairing.heads,
        spans.shape(), ramp);
  Tensor y({layout.size()});
  kernels::span_softmax(layout.shape(), scores.data(), spans.data(), ramp, y.data());
  // ds = y (dy - sum dy y), dz = sum of y / m (dy - sum dy y) / ramp where 0 < m < 1
  return record("span_softmax", y, {scores, spans},
                [layout = std::move(layout), ramp, y, z = spans.value()](const Tensor& dy,
                                                                         Gradient ds, Gradient dz) {
                  const Index sequences = layout.pairing.queries.count();
                  const Index heads = layout.pairing.heads;
                  if (ds)
                    kernels::scores_softmax_backward(layout.shape(), y.data(), dy.data(),
                                                     output_of(ds));
                  if (!dz) return;
                  Tensor shares({sequences, heads});
                  kernels::span_softmax_backward(layout.shape(), z.data(), ramp, y.data(),
                                                 dy.data(), shares.data());
                  kernels::sum_rows(rows_of(shares), output_of(dz));
                });
}

Variable by_distance(const Operand& table, Index reach, const Pairing& pairing) {
  ScoreLayout layout("by_distance", pairing);
  check_reach("by_distance", reach);
  const Index rows = pairing.queries.rows();
  const Index columns = pairing.heads * (2 * reach + 1);
  check(table.rank() == 2 && table.rows() == rows && table.columns() == columns, "by_distance",
        "expected a table ({}, {} heads * {}); got {}", rows, pairing.heads, 2 * reach + 1,
        table.shape());
  Tensor s({layout.size()});
  kernels::scores_by_distance(layout.shape(), reach, table.data(), {s.data()});
  // The gradient is the transpose.
  return record("by_distance", s, {table},
                [layout = std::move(layout), reach](const Tensor& ds, Gradient dtable) {
                  zero_rest(dtable, layout.pairing.queries);
                  kernels::sum_by_distance(layout.shape(), reach, ds.data(), output_of(dtable));
                });
}

Variable sum_by_distance(const Operand& scores, Index reach, const Pairing& pairing) {
  ScoreLayout layout("sum_by_distance", pairing);
  layout.check_scores("sum_by_distance", scores);
  check_reach("sum_by_distance", reach);
  Tensor table({pairing.queries.rows(), pairing.heads * (2 * reach + 1)});
  zero_rest(table, pairing.queries);
  kernels::sum_by_distance(layout.shape(), reach, scores.data(), {table.data()});
  // The gradient is the transpose.
  return record("sum_by_distance", table, {scores},
                [layout = std::move(layout), reach](const Tensor& dtable, Gradient ds) {
                  kernels::scores_by_distance(layout.shape(), reach, dtable.data(), output_of(ds));
                });
}

}  // namespace heed
