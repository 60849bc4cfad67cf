#include "framework/kernels/linear_attention.h"

#include "framework/kernels/rotary.h"
#include "framework/ops.h"
#include "framework/ops/sequence_rows.h"

namespace heed {

Variable linear_attention(const Operand& q, const Operand& k, const Operand& v, const Pairing& p, std::vector<Tensor>* weights) {
  const char* op = "linear_attention";
  const Index d = q.columns();
  check(q.rank() == 2 && k.rank() == 2 && v.shape() == k.shape() && k.columns() == d, op,
        "expected q (n, d), k (m, d) and v (m, d); got {}, {} and {}", q.shape(), k.shape(), v.shape());
  check(p.heads >= 1 && d % p.heads == 0, op, "expected a width that {} heads share evenly; got {}", p.heads, d);
  check((p.kv_heads == 0 || p.kv_heads == p.heads) && p.window == 0, op, "expected as many heads of keys as of queries, and no window; got {} and {}",
        p.kv_heads, p.window);
  check(p.queries.rows() == q.rows() && p.keys.rows() == k.rows() && p.queries.count() == p.keys.count(), op,
        "expected spans over {} and {} rows, of as many sequences; got {} and {}, of {} and {}", q.rows(), k.rows(), p.queries.rows(), p.keys.rows(),
        p.queries.count(), p.keys.count());
  const auto shape_of = [d](const Pairing& pairing) {
    const auto &queries = pairing.queries, &keys = pairing.keys;
    kernels::AttentionShape s{queries.count(), pairing.heads, pairing.heads, d / pairing.heads, nullptr, nullptr, nullptr, nullptr,
                              queries.longest(), keys.longest(), pairing.causal, 0, nullptr, 1, {}};
    if (s.sequences == 0) return s;
    s.query_begins = queries.begins().data(), s.query_lengths = queries.lengths().data();
    s.key_begins = keys.begins().data(), s.key_lengths = keys.lengths().data();
    return s;
  };
  Tensor y(q.shape()), shares({q.rows(), p.heads});
  detail::zero_rest(y, p.queries);
  std::vector<Real*> room;
  if (weights) room = detail::room_for(*weights, p.heads, p.queries, p.keys);
  const kernels::AttentionShape shape = shape_of(p);
  Tensor scratch = detail::workspace(kernels::linear_attention_workspace(shape));
  kernels::linear_attention(shape, detail::rows_of(q.value()), detail::rows_of(k.value()), detail::rows_of(v.value()), {y.data(), d}, shares.data(),
                            weights ? room.data() : nullptr, scratch.data());
  return record(op, y, {q, k, v},
                [shape_of, p, y, shares, q = q.value(), k = k.value(), v = v.value()](const Tensor& dy, Gradient dq, Gradient dk, Gradient dv) {
                  const kernels::AttentionShape s = shape_of(p);
                  Tensor space = detail::workspace(kernels::linear_attention_workspace(s));
                  kernels::linear_attention_backward(s, detail::rows_of(q), detail::rows_of(k), detail::rows_of(v), detail::rows_of(y), shares.data(),
                                                     detail::rows_of(dy), detail::rows_of(dq, p.queries), detail::rows_of(dk, p.keys),
                                                     detail::rows_of(dv, p.keys), space.data());
                });
}

Variable rotary(const Operand& x, const Spans& spans, const Rotary& o) {
  const char* op = "rotary";
  check(x.rank() == 2 && o.heads >= 1 && x.columns() % (2 * o.heads) == 0, op, "expected a width that {} heads share in pairs; got {}", o.heads,
        x.shape());
  check(spans.rows() == x.rows(), op, "expected spans over the {} rows of x; got {}", x.rows(), spans.rows());
  check(o.end_of.count() == 0 || o.end_of.count() == spans.count(), op, "expected as many sequences to be at the end of as there are; got {} and {}",
        o.end_of.count(), spans.count());
  const auto first_of = [&](Index i) { return o.offset + (o.end_of.count() > 0 ? o.end_of.length(i) - spans.length(i) : 0); };
  Index low = 0, high = 0;  // positions
  for (Index i = 0; i < spans.count(); ++i) {
    if (spans.length(i) == 0) continue;
    if (low == high) low = first_of(i), high = low + 1;
    low = std::min(low, first_of(i)), high = std::max(high, first_of(i) + spans.length(i));
  }
  Ids positions = Ids::full({x.rows()}, -1);  // rows of the table
  for (Index i = 0; i < spans.count(); ++i)
    for (Index t = 0; t < spans.length(i); ++t) positions[spans.begin(i) + t] = static_cast<Id>(first_of(i) + t - low);
  const Index width = x.columns() / o.heads;
  Tensor cosines({high - low, width / 2}), sines({high - low, width / 2}), y(x.shape());
  kernels::rotary_table(low, high - low, width, static_cast<double>(o.base), cosines.data(), sines.data());
  kernels::rotary(x.rows(), o.heads, width, false, positions.data(), cosines.data(), sines.data(), x.data(), y.data(), Mode::assign);
  return record(op, y, {x}, [heads = o.heads, width, positions, cosines, sines](const Tensor& dy, Gradient dx) {  // turned back
    kernels::rotary(dy.rows(), heads, width, true, positions.data(), cosines.data(), sines.data(), dy.data(), dx.data(), dx.mode());
  });
}

}  // namespace heed
