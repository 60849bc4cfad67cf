#include <cmath>
#include <utility>

#include "framework/ops.h"
#include "framework/ops/sequence_rows.h"

namespace heed {

namespace {

using kernels::MutableRows;
using kernels::Rows;

/// The checked options, and what they borrow from.
struct Plan {
  Spans queries;
  Spans keys;
  Tensor slopes;
  kernels::AttentionShape shape;

  Plan(const Attention& o, Index rows, Index memory_rows, Index d)
      : queries(o.queries), keys(o.keys), slopes(o.slopes) {
    const char* op = "attention";
    check(queries.rows() == rows, op, "expected spans over the {} rows of q; got {}", rows,
          queries.rows());
    check(keys.rows() == memory_rows, op, "expected spans over the {} rows of k and v; got {}",
          memory_rows, keys.rows());
    check(queries.count() == keys.count(), op,
          "expected as many sequences of keys as of queries; got {} and {}", keys.count(),
          queries.count());
    check(o.dropout >= 0 && o.dropout < 1, op,
          "expected a dropout probability within [0, 1); got {}", o.dropout);
    check(!slopes.defined() || slopes.size() == o.heads, op,
          "expected a slope for each of {} heads; got {}", o.heads, slopes.shape());
    check(o.window >= 0, op, "expected a window of at least 1, or 0 for none; got {}", o.window);
    check(!o.scale || std::isfinite(*o.scale), op, "expected a finite scale; got {}",
          o.scale.value_or(0));
    shape = {queries.count(),
             o.heads,
             kv_heads_of(o),
             d / o.heads,
             nullptr,
             nullptr,
             nullptr,
             nullptr,
             queries.longest(),
             keys.longest(),
             o.causal,
             o.window,
             slopes.defined() ? std::as_const(slopes).data() : nullptr,
             o.scale.value_or(1 / std::sqrt(static_cast<Real>(d / o.heads))),
             {o.dropout, o.key}};
    if (shape.sequences == 0) return;
    shape.query_begins = queries.begins().data();
    shape.query_lengths = queries.lengths().data();
    shape.key_begins = keys.begins().data();
    shape.key_lengths = keys.lengths().data();
  }

  static int kv_heads_of(const Attention& o) { return o.kv_heads > 0 ? o.kv_heads : o.heads; }
  /// Columns of k and of v, where q has d.
  static Index kv_width(const Attention& o, Index d) {
    const int kv_heads = kv_heads_of(o);
    check(o.kv_heads >= 0, "attention",
          "expected heads of keys of at least 1, or 0 for as many as of queries; got {}",
          o.kv_heads);
    check(o.heads >= 1 && d % o.heads == 0, "attention",
          "expected a width that {} heads share evenly; got {}", o.heads, d);
    check(o.heads % kv_heads == 0, "attention",
          "expected heads of queries that those of keys divide; got {} and {}", o.heads, kv_heads);
    return d / o.heads * kv_heads;
  }
};

struct Forward {
  Tensor y;
  Tensor log_sums;
};

Forward forward(const Plan& plan, Rows q, Rows k, Rows v, Index rows,
                std::vector<Tensor>* weights) {
  const auto& s = plan.shape;
  Forward result{Tensor({rows, s.heads * s.width}), Tensor({rows, s.heads})};
  detail::zero_rest(result.y, plan.queries);
  std::vector<Real*> wanted;
  if (weights)
    wanted = detail::room_for(*weights, static_cast<int>(s.heads), plan.queries, plan.keys);
  Tensor scratch = detail::workspace(kernels::attention_workspace(s));
  kernels::attention(s, q, k, v, {result.y.data(), s.heads * s.width}, result.log_sums.data(),
                     weights ? wanted.data() : nullptr, scratch.data());
  return result;
}

void backward(const Plan& plan, Rows q, Rows k, Rows v, const Forward& f, const Tensor& dy,
              MutableRows dq, MutableRows dk, MutableRows dv) {
  const Index d = dy.columns();
  Tensor scratch = detail::workspace(kernels::attention_backward_workspace(plan.shape));
  kernels::attention_backward(plan.shape, q, k, v, {f.y.data(), d}, f.log_sums.data(),
                              {dy.data(), d}, dq, dk, dv, scratch.data());
}

}  // namespace

Variable attention(const Operand& q, const Operand& k, const Operand& v, const Attention& options) {
  const Index d = q.columns();
  const Index e = Plan::kv_width(options, d);
  check(q.rank() == 2 && k.rank() == 2 && v.shape() == k.shape() && k.columns() == e, "attention",
        "expected q (n, d), k (m, {}) and v (m, {}); got {}, {} and {}", e, e, q.shape(), k.shape(),
        v.shape());
  const Plan plan(options, q.rows(), k.rows(), d);
  const Forward f =
      forward(plan, {q.data(), d}, {k.data(), e}, {v.data(), e}, q.rows(), options.weights);
  return record("attention", f.y, {q, k, v},
                [plan, f, d, e, q = q.value(), k = k.value(), v = v.value()](
                    const Tensor& dy, Gradient dq, Gradient dk, Gradient dv) {
                  backward(plan, {q.data(), d}, {k.data(), e}, {v.data(), e}, f, dy,
                           detail::rows_of(dq, 0, d, plan.queries),
                           detail::rows_of(dk, 0, e, plan.keys),
                           detail::rows_of(dv, 0, e, plan.keys));
                });
}

Variable attention(const Operand& q, const Operand& kv, const Attention& options) {
  const Index d = q.columns();
  const Index e = Plan::kv_width(options, d);
  check(q.rank() == 2 && kv.rank() == 2 && kv.columns() == 2 * e, "attention",
        "expected q (n, d) and kv (m, 2 * {}); got {} and {}", e, q.shape(), kv.shape());
  const Plan plan(options, q.rows(), kv.rows(), d);
  const Forward f = forward(plan, {q.data(), d}, {kv.data(), 2 * e}, {kv.data() + e, 2 * e},
                            q.rows(), options.weights);
  return record(
      "attention", f.y, {q, kv},
      [plan, f, d, e, q = q.value(), kv = kv.value()](const Tensor& dy, Gradient dq, Gradient dkv) {
        backward(plan, {q.data(), d}, {kv.data(), 2 * e}, {kv.data() + e, 2 * e}, f, dy,
                 detail::rows_of(dq, 0, d, plan.queries), detail::rows_of(dkv, 0, 2 * e, plan.keys),
                 detail::rows_of(dkv, e, 2 * e, plan.keys));
      });
}

Variable attention(const Operand& qkv, const Attention& options) {
  const Index heads = options.heads;
  const Index kv_heads = Plan::kv_heads_of(options);
  check(options.heads >= 1 && options.kv_heads >= 0, "attention",
        "expected heads of at least 1; got {} and {} of keys", options.heads, options.kv_heads);
  check(qkv.rank() == 2 && qkv.columns() * heads % (heads + 2 * kv_heads) == 0, "attention",
        "expected qkv (n, d + 2 d * {} / {}); got {}", kv_heads, heads, qkv.shape());
  const Index stride = qkv.columns();
  const Index d = stride * heads / (heads + 2 * kv_heads);

  const Index e = Plan::kv_width(options, d);
  const Plan plan(options, qkv.rows(), qkv.rows(), d);
  const auto part = [=](const Tensor& x, Index begin) { return Rows{x.data() + begin, stride}; };
  const Forward f = forward(plan, part(qkv.value(), 0), part(qkv.value(), d),
                            part(qkv.value(), d + e), qkv.rows(), options.weights);
  return record("attention", f.y, {qkv}, [=, qkv = qkv.value()](const Tensor& dy, Gradient dqkv) {
    const auto gradient = [&](Index begin, const Spans& spans) {
      return detail::rows_of(dqkv, begin, stride, spans);
    };
    backward(plan, part(qkv, 0), part(qkv, d), part(qkv, d + e), f, dy, gradient(0, plan.queries),
             gradient(d, plan.keys), gradient(d + e, plan.keys));
  });
}

}  // namespace heed
