#include "framework/kernels/linear_attention.h"

#include "framework/ops.h"
#include "framework/ops/sequence_rows.h"

namespace heed {

namespace {

using detail::rows_of;

constexpr const char* op = "linear_attention";

void check_inputs(const Operand& q, const Operand& k, const Operand& v, const Pairing& p) {
  const Index d = q.columns();
  check(q.rank() == 2 && k.rank() == 2 && v.shape() == k.shape() && k.columns() == d, op,
        "expected q (n, d), k (m, d) and v (m, d); got {}, {} and {}", q.shape(), k.shape(),
        v.shape());
  check(p.heads >= 1 && d % p.heads == 0, op, "expected a width that {} heads share evenly; got {}",
        p.heads, d);
  check((p.kv_heads == 0 || p.kv_heads == p.heads) && p.window == 0, op,
        "expected as many heads of keys as of queries, and no window; got {} and {}", p.kv_heads,
        p.window);
  check(p.queries.rows() == q.rows() && p.keys.rows() == k.rows() &&
            p.queries.count() == p.keys.count(),
        op, "expected spans over {} and {} rows, of as many sequences; got {} and {}, of {} and {}",
        q.rows(), k.rows(), p.queries.rows(), p.keys.rows(), p.queries.count(), p.keys.count());
}

/// Of queries with d columns. Borrows from p.
kernels::AttentionShape shape_of(const Pairing& p, Index d) {
  return {
      .sequences = p.queries.count(),
      .heads = p.heads,
      .kv_heads = p.heads,
      .width = d / p.heads,
      .value_width = d / p.heads,
      .query_begins = p.queries.begins().data(),
      .query_lengths = p.queries.lengths().data(),
      .key_begins = p.keys.begins().data(),
      .key_lengths = p.keys.lengths().data(),
      .longest_query = p.queries.longest(),
      .longest_key = p.keys.longest(),
      .causal = p.causal,
      .window = 0,
      .slopes = nullptr,
      .scale = 1,
      .dropout = {},
  };
}

}  // namespace

Variable linear_attention(const Operand& q, const Operand& k, const Operand& v, const Pairing& p,
                          std::vector<Tensor>* weights) {
  check_inputs(q, k, v, p);
  const Index d = q.columns();
  Tensor y(q.shape());
  Tensor shares({q.rows(), p.heads});
  detail::zero_rest(y, p.queries);
  std::vector<Real*> room;
  if (weights) room = detail::room_for(*weights, p.heads, p.queries, p.keys);
  const kernels::AttentionShape shape = shape_of(p, d);
  Tensor scratch = detail::workspace(kernels::linear_attention_workspace(shape));
  kernels::linear_attention(shape, {rows_of(q.value()), rows_of(k.value()), rows_of(v.value())},
                            {y.data(), d}, shares.data(), weights ? room.data() : nullptr,
                            scratch.data());
  return record(
      op, y, {q, k, v},
      [p, d, y, shares, q = q.value(), k = k.value(), v = v.value()](const Tensor& dy, Gradient dq,
                                                                     Gradient dk, Gradient dv) {
        const kernels::AttentionShape s = shape_of(p, d);
        Tensor space = detail::workspace(kernels::linear_attention_workspace(s));
        kernels::linear_attention_backward(
            s, {rows_of(q), rows_of(k), rows_of(v)}, {rows_of(y), shares.data()}, rows_of(dy),
            {.q = rows_of(dq, p.queries), .k = rows_of(dk, p.keys), .v = rows_of(dv, p.keys)},
            space.data());
      });
}

}  // namespace heed
