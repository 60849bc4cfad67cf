#include <cmath>
#include <utility>

#include "framework/ops.h"
#include "framework/ops/sequence_rows.h"

namespace heed {

namespace {

using detail::columns_of;
using detail::rows_of;
using kernels::AttentionGradients;
using kernels::AttentionInputs;

constexpr const char* op = "attention";

int kv_heads_of(const Attention& o) { return o.kv_heads > 0 ? o.kv_heads : o.heads; }

/// Columns of k and of v, where q has d.
Index kv_width(const Attention& o, Index d) {
  const int kv_heads = kv_heads_of(o);
  check(o.kv_heads >= 0, op,
        "expected heads of keys of at least 1, or 0 for as many as of queries; got {}", o.kv_heads);
  check(o.heads >= 1 && d % o.heads == 0, op, "expected a width that {} heads share evenly; got {}",
        o.heads, d);
  check(o.heads % kv_heads == 0, op,
        "expected heads of queries that those of keys divide; got {} and {}", o.heads, kv_heads);
  return d / o.heads * kv_heads;
}

void check_options(const Attention& o, Index rows, Index memory_rows) {
  check(o.queries.rows() == rows, op, "expected spans over the {} rows of q; got {}", rows,
        o.queries.rows());
  check(o.keys.rows() == memory_rows, op, "expected spans over the {} rows of k and v; got {}",
        memory_rows, o.keys.rows());
  check(o.queries.count() == o.keys.count(), op,
        "expected as many sequences of keys as of queries; got {} and {}", o.keys.count(),
        o.queries.count());
  check(o.dropout >= 0 && o.dropout < 1, op, "expected a dropout probability within [0, 1); got {}",
        o.dropout);
  check(!o.slopes.defined() || o.slopes.size() == o.heads, op,
        "expected a slope for each of {} heads; got {}", o.heads, o.slopes.shape());
  check(o.window >= 0, op, "expected a window of at least 1, or 0 for none; got {}", o.window);
  check(!o.scale || std::isfinite(*o.scale), op, "expected a finite scale; got {}",
        o.scale.value_or(0));
}

/// The shape of an attention whose queries have d columns, and what it borrows from.
struct CheckedAttention {
  Spans queries;
  Spans keys;
  Tensor slopes;
  kernels::AttentionShape shape;

  CheckedAttention(const Attention& o, Index rows, Index memory_rows, Index d)
      : queries(o.queries), keys(o.keys), slopes(o.slopes) {
    check_options(o, rows, memory_rows);
    shape = {
        .sequences = queries.count(),
        .heads = o.heads,
        .kv_heads = kv_heads_of(o),
        .width = d / o.heads,
        .query_begins = queries.begins().data(),
        .query_lengths = queries.lengths().data(),
        .key_begins = keys.begins().data(),
        .key_lengths = keys.lengths().data(),
        .longest_query = queries.longest(),
        .longest_key = keys.longest(),
        .causal = o.causal,
        .window = o.window,
        .slopes = slopes.defined() ? std::as_const(slopes).data() : nullptr,
        .scale = o.scale.value_or(1 / std::sqrt(static_cast<Real>(d / o.heads))),
        .dropout = {o.dropout, o.key},
    };
  }
};

struct Forward {
  Tensor y;         // (rows of q, d)
  Tensor log_sums;  // (rows of q, heads)
};

Forward forward(const CheckedAttention& checked, const AttentionInputs& in,
                std::vector<Tensor>* weights) {
  const auto& s = checked.shape;
  Forward result{Tensor({in.q.rows, s.heads * s.width}), Tensor({in.q.rows, s.heads})};
  detail::zero_rest(result.y, checked.queries);
  std::vector<Real*> wanted;
  if (weights)
    wanted = detail::room_for(*weights, static_cast<int>(s.heads), checked.queries, checked.keys);
  Tensor scratch = detail::workspace(kernels::attention_workspace(s));
  kernels::attention(s, in, {result.y.data(), s.heads * s.width}, result.log_sums.data(),
                     weights ? wanted.data() : nullptr, scratch.data());
  return result;
}

void backward(const CheckedAttention& checked, const AttentionInputs& in, const Forward& f,
              const Tensor& dy, const AttentionGradients& to) {
  Tensor scratch = detail::workspace(kernels::attention_backward_workspace(checked.shape));
  kernels::attention_backward(checked.shape, in, {rows_of(f.y), f.log_sums.data()}, rows_of(dy), to,
                              scratch.data());
}

/// The parts of the outputs of one product for keys and values, or for all three. e: columns of k.
AttentionInputs inputs_of(const Tensor& q, const Tensor& kv, Index e) {
  return {rows_of(q), columns_of(kv, 0, e), columns_of(kv, e, e)};
}
AttentionInputs inputs_of(const Tensor& qkv, Index d, Index e) {
  return {columns_of(qkv, 0, d), columns_of(qkv, d, e), columns_of(qkv, d + e, e)};
}

}  // namespace

Variable attention(const Operand& q, const Operand& k, const Operand& v, const Attention& options) {
  const Index d = q.columns();
  const Index e = kv_width(options, d);
  check(q.rank() == 2 && k.rank() == 2 && v.shape() == k.shape() && k.columns() == e, op,
        "expected q (n, d), k (m, {}) and v (m, {}); got {}, {} and {}", e, e, q.shape(), k.shape(),
        v.shape());
  const CheckedAttention checked(options, q.rows(), k.rows(), d);
  const Forward f = forward(checked, {rows_of(q.value()), rows_of(k.value()), rows_of(v.value())},
                            options.weights);
  return record(op, f.y, {q, k, v},
                [checked, f, q = q.value(), k = k.value(), v = v.value()](
                    const Tensor& dy, Gradient dq, Gradient dk, Gradient dv) {
                  backward(checked, {rows_of(q), rows_of(k), rows_of(v)}, f, dy,
                           {.q = rows_of(dq, checked.queries),
                            .k = rows_of(dk, checked.keys),
                            .v = rows_of(dv, checked.keys)});
                });
}

Variable attention(const Operand& q, const Operand& kv, const Attention& options) {
  const Index d = q.columns();
  const Index e = kv_width(options, d);
  check(q.rank() == 2 && kv.rank() == 2 && kv.columns() == 2 * e, op,
        "expected q (n, d) and kv (m, 2 * {}); got {} and {}", e, q.shape(), kv.shape());
  const CheckedAttention checked(options, q.rows(), kv.rows(), d);
  const Forward f = forward(checked, inputs_of(q.value(), kv.value(), e), options.weights);
  return record(
      op, f.y, {q, kv},
      [checked, f, e, q = q.value(), kv = kv.value()](const Tensor& dy, Gradient dq, Gradient dkv) {
        backward(checked, inputs_of(q, kv, e), f, dy,
                 {.q = rows_of(dq, checked.queries),
                  .k = rows_of(dkv, checked.keys),
                  .v = rows_of(dkv, checked.keys, e)});
      });
}

Variable attention(const Operand& qkv, const Attention& options) {
  const Index heads = options.heads;
  const Index kv_heads = kv_heads_of(options);
  check(options.heads >= 1 && options.kv_heads >= 0, op,
        "expected heads of at least 1; got {} and {} of keys", options.heads, options.kv_heads);
  check(qkv.rank() == 2 && qkv.columns() * heads % (heads + 2 * kv_heads) == 0, op,
        "expected qkv (n, d + 2 d * {} / {}); got {}", kv_heads, heads, qkv.shape());
  const Index d = qkv.columns() * heads / (heads + 2 * kv_heads);
  const Index e = kv_width(options, d);
  const CheckedAttention checked(options, qkv.rows(), qkv.rows(), d);
  const Forward f = forward(checked, inputs_of(qkv.value(), d, e), options.weights);
  return record(op, f.y, {qkv},
                [checked, f, d, e, qkv = qkv.value()](const Tensor& dy, Gradient dqkv) {
                  backward(checked, inputs_of(qkv, d, e), f, dy,
                           {.q = rows_of(dqkv, checked.queries),
                            .k = rows_of(dqkv, checked.keys, d),
                            .v = rows_of(dqkv, checked.keys, d + e)});
                });
}

}  // namespace heed
