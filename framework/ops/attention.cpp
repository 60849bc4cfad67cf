#include "framework/kernels/attention.h"

#include <cmath>

#include "framework/kernels/parallel.h"
#include "framework/ops.h"

namespace heed {

namespace {

using kernels::MutableRows;
using kernels::Rows;

/// The checked options, and the spans they borrow from.
struct Plan {
  Spans queries, keys;
  kernels::AttentionShape shape;

  Plan(const Attention& o, Index rows, Index memory_rows, Index d) : queries(o.queries), keys(o.keys) {
    const char* op = "attention";
    check(o.heads >= 1 && d % o.heads == 0, op, "expected a width that {} heads share evenly; got {}", o.heads, d);
    check(queries.rows() == rows, op, "expected spans over the {} rows of q; got {}", rows, queries.rows());
    check(keys.rows() == memory_rows, op, "expected spans over the {} rows of k and v; got {}", memory_rows, keys.rows());
    check(queries.count() == keys.count(), op, "expected as many sequences of keys as of queries; got {} and {}", keys.count(), queries.count());
    check(o.dropout >= 0 && o.dropout < 1, op, "expected a dropout probability within [0, 1); got {}", o.dropout);
    shape = {queries.count(), o.heads, d / o.heads, nullptr, nullptr, nullptr, nullptr, queries.longest(), keys.longest(), o.causal,
             o.scale > 0 ? o.scale : 1 / std::sqrt(static_cast<Real>(d / o.heads)), {o.dropout, o.key}};
    if (shape.sequences == 0) return;
    shape.query_begins = queries.begins().data(), shape.query_lengths = queries.lengths().data();
    shape.key_begins = keys.begins().data(), shape.key_lengths = keys.lengths().data();
  }
};

Tensor workspace(Index numbers) { return Tensor({threads(), (numbers + 15) / 16 * 16}); }

/// Padding rows belong to no sequence: nobody writes them.
void zero_padding(Tensor& tensor, const Spans& spans) {
  if (spans.tokens() != spans.rows()) std::fill_n(tensor.data(), tensor.size(), Real{0});
}

struct Forward {
  Tensor y, log_sums;
};

Forward forward(const Plan& plan, Rows q, Rows k, Rows v, Index rows, std::vector<Tensor>* weights) {
  const auto& s = plan.shape;
  Forward result{Tensor({rows, s.heads * s.width}), Tensor({rows, s.heads})};
  zero_padding(result.y, plan.queries);
  std::vector<Real*> wanted;
  if (weights) {
    weights->clear();
    for (Index i = 0; i < s.sequences; ++i) {
      weights->emplace_back(Shape{s.heads, plan.queries.length(i), plan.keys.length(i)});
      wanted.push_back(weights->back().data());
    }
  }
  Tensor scratch = workspace(kernels::attention_workspace(s));
  kernels::attention(s, q, k, v, {result.y.data(), s.heads * s.width}, result.log_sums.data(), weights ? wanted.data() : nullptr, scratch.data());
  return result;
}

/// Room for a gradient whose rows may be padding that no task writes.
MutableRows gradient_rows(const Gradient& gradient, Index offset, Index stride, const Spans& spans) {
  if (!gradient) return {nullptr, 0};
  if (gradient.mode() == Mode::assign) zero_padding(gradient.tensor(), spans);
  return {gradient.data() + offset, stride, gradient.mode()};
}

void backward(const Plan& plan, Rows q, Rows k, Rows v, const Forward& f, const Tensor& dy, MutableRows dq, MutableRows dk, MutableRows dv) {
  const Index d = dy.columns();
  Tensor scratch = workspace(kernels::attention_backward_workspace(plan.shape));
  kernels::attention_backward(plan.shape, q, k, v, {f.y.data(), d}, f.log_sums.data(), {dy.data(), d}, dq, dk, dv, scratch.data());
}

}  // namespace

Variable attention(const Operand& q, const Operand& k, const Operand& v, const Attention& options) {
  check(q.rank() == 2 && k.rank() == 2 && v.shape() == k.shape() && q.columns() == k.columns(), "attention",
        "expected q (n, d), k (m, d) and v (m, d); got {}, {} and {}", q.shape(), k.shape(), v.shape());
  const Index d = q.columns();
  const Plan plan(options, q.rows(), k.rows(), d);
  const Forward f = forward(plan, {q.data(), d}, {k.data(), d}, {v.data(), d}, q.rows(), options.weights);
  return record("attention", f.y, {q, k, v},
                [plan, f, d, q = q.value(), k = k.value(), v = v.value()](const Tensor& dy, Gradient dq, Gradient dk, Gradient dv) {
                  backward(plan, {q.data(), d}, {k.data(), d}, {v.data(), d}, f, dy, gradient_rows(dq, 0, d, plan.queries),
                           gradient_rows(dk, 0, d, plan.keys), gradient_rows(dv, 0, d, plan.keys));
                });
}

Variable attention(const Operand& q, const Operand& kv, const Attention& options) {
  check(q.rank() == 2 && kv.rank() == 2 && kv.columns() == 2 * q.columns(), "attention", "expected q (n, d) and kv (m, 2d); got {} and {}",
        q.shape(), kv.shape());
  const Index d = q.columns();
  const Plan plan(options, q.rows(), kv.rows(), d);
  const Forward f = forward(plan, {q.data(), d}, {kv.data(), 2 * d}, {kv.data() + d, 2 * d}, q.rows(), options.weights);
  return record("attention", f.y, {q, kv}, [plan, f, d, q = q.value(), kv = kv.value()](const Tensor& dy, Gradient dq, Gradient dkv) {
    backward(plan, {q.data(), d}, {kv.data(), 2 * d}, {kv.data() + d, 2 * d}, f, dy, gradient_rows(dq, 0, d, plan.queries),
             gradient_rows(dkv, 0, 2 * d, plan.keys), gradient_rows(dkv, d, 2 * d, plan.keys));
  });
}

Variable attention(const Operand& qkv, const Attention& options) {
  check(qkv.rank() == 2 && qkv.columns() % 3 == 0, "attention", "expected qkv (n, 3d); got {}", qkv.shape());
  const Index d = qkv.columns() / 3;
  const Plan plan(options, qkv.rows(), qkv.rows(), d);
  const auto part = [d](const Tensor& x, Index i) { return Rows{x.data() + i * d, 3 * d}; };
  const Forward f = forward(plan, part(qkv.value(), 0), part(qkv.value(), 1), part(qkv.value(), 2), qkv.rows(), options.weights);
  return record("attention", f.y, {qkv}, [plan, f, d, part, qkv = qkv.value()](const Tensor& dy, Gradient dqkv) {
    const auto gradient = [&](Index i) { return gradient_rows(dqkv, i * d, 3 * d, plan.queries); };
    backward(plan, part(qkv, 0), part(qkv, 1), part(qkv, 2), f, dy, gradient(0), gradient(1), gradient(2));
  });
}

}  // namespace heed
