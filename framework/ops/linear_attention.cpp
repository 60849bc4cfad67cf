#include "framework/kernels/linear_attention.h"

#include "framework/ops.h"
#include "framework/ops/sequence_rows.h"

namespace heed {

Variable linear_attention(const Operand& q, const Operand& k, const Operand& v, const Pairing& p,
                          std::vector<Tensor>* weights) {
  const char* op = "linear_attention";
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
  const auto shape_of = [d](const Pairing& pairing) {
    const auto& queries = pairing.queries;
    const auto& keys = pairing.keys;
    kernels::AttentionShape s{queries.count(),
                              pairing.heads,
                              pairing.heads,
                              d / pairing.heads,
                              nullptr,
                              nullptr,
                              nullptr,
                              nullptr,
                              queries.longest(),
                              keys.longest(),
                              pairing.causal,
                              0,
                              nullptr,
                              1,
                              {}};
    if (s.sequences == 0) return s;
    s.query_begins = queries.begins().data();
    s.query_lengths = queries.lengths().data();
    s.key_begins = keys.begins().data();
    s.key_lengths = keys.lengths().data();
    return s;
  };
  Tensor y(q.shape());
  Tensor shares({q.rows(), p.heads});
  detail::zero_rest(y, p.queries);
  std::vector<Real*> room;
  if (weights) room = detail::room_for(*weights, p.heads, p.queries, p.keys);
  const kernels::AttentionShape shape = shape_of(p);
  Tensor scratch = detail::workspace(kernels::linear_attention_workspace(shape));
  kernels::linear_attention(shape, detail::rows_of(q.value()), detail::rows_of(k.value()),
                            detail::rows_of(v.value()), {y.data(), d}, shares.data(),
                            weights ? room.data() : nullptr, scratch.data());
  return record(op, y, {q, k, v},
                [shape_of, p, y, shares, q = q.value(), k = k.value(), v = v.value()](
                    const Tensor& dy, Gradient dq, Gradient dk, Gradient dv) {
                  const kernels::AttentionShape s = shape_of(p);
                  Tensor space = detail::workspace(kernels::linear_attention_workspace(s));
                  kernels::linear_attention_backward(
                      s, detail::rows_of(q), detail::rows_of(k), detail::rows_of(v),
                      detail::rows_of(y), shares.data(), detail::rows_of(dy),
                      detail::rows_of(dq, p.queries), detail::rows_of(dk, p.keys),
                      detail::rows_of(dv, p.keys), space.data());
                });
}

}  // namespace heed
