#include <algorithm>
#include <cmath>
#include <utility>

#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/rotation.h"
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

const Attention& checked_options(const Attention& o, Index rows, Index memory_rows) {
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
  check(o.sinks >= 0, op, "expected sinks of at least 0; got {}", o.sinks);
  check(o.softcap >= 0 && std::isfinite(o.softcap), op,
        "expected a softcap above 0, or 0 for none; got {}", o.softcap);
  check(!o.scale || std::isfinite(*o.scale), op, "expected a finite scale; got {}",
        o.scale.value_or(0));
  return o;
}

/// The biases of an attention.
struct Biases {
  // undefined: none
  Tensor pairs;
  Tensor shared;
  Tensor keys;
  std::vector<Index> pair_begins;  // of the sequences' blocks

  explicit Biases(const Attention& o)
      : pairs(o.bias.pairs.value()), shared(o.bias.shared.value()), keys(o.bias.keys.value()) {
    if (pairs.defined()) check_pairs(o);
    const Index longest_query = o.queries.longest();
    const Index longest_key = o.keys.longest();
    const auto shared_by = [&](Index heads) {
      return shared.shape() == Shape{heads, longest_query, longest_key};
    };
    check(!shared.defined() || shared_by(1) || shared_by(o.heads), op,
          "expected a shared bias (1 or {}, {}, {}); got {}", o.heads, longest_query, longest_key,
          shared.shape());
    check(!keys.defined() || keys.shape() == Shape{o.keys.rows()}, op,
          "expected a bias of keys {}; got {}", Shape{o.keys.rows()}, keys.shape());
  }
  /// Borrows from this object.
  kernels::ScoreBias bias() const {
    return {.pairs = pairs.defined() ? pairs.data() : nullptr,
            .pair_begins = pair_begins.data(),
            .shared = shared.defined() ? shared.data() : nullptr,
            .shared_heads = shared.defined() ? shared.shape()[0] : 0,
            .keys = keys.defined() ? keys.data() : nullptr};
  }

 private:
  void check_pairs(const Attention& o) {
    Index size = 0;
    for (Index i = 0; i < o.queries.count(); ++i) {
      pair_begins.push_back(size);
      size += o.heads * o.queries.length(i) * o.keys.length(i);
    }
    check(pairs.shape() == Shape{size}, op, "expected a bias of pairs {}; got {}", Shape{size},
          pairs.shape());
  }
};

/// An attention whose options have been checked.
struct CheckedAttention {
  Attention options;  // without what belongs to the call alone: biases and weights
  Biases biases;
  Index width;        // of one head's queries and keys
  Index value_width;  // of one head's values
  kernels::HeadRotation rotated;
  Index first_position = 0;  // of the table
  detail::RotationTable table;

  CheckedAttention(const Attention& o, Index rows, Index memory_rows, Index w, Index u)
      : options(checked_options(o, rows, memory_rows)), biases(o), width(w), value_width(u) {
    options.bias = {};
    options.weights = nullptr;
    if (!o.rotation) return;
    rotated = detail::rotated_columns(op, *o.rotation, w);
    for (Index i = 0; i < o.queries.count(); ++i)
      first_position = std::min(first_position, o.keys.length(i) - o.queries.length(i));
    table =
        detail::RotationTable(first_position, o.keys.longest(), rotated.width, o.rotation->base);
  }
  /// Borrows from this object.
  kernels::AttentionShape shape() const {
    const Spans& queries = options.queries;
    const Spans& keys = options.keys;
    return {
        .sequences = queries.count(),
        .heads = options.heads,
        .kv_heads = kv_heads_of(options),
        .width = width,
        .value_width = value_width,
        .query_begins = queries.begins().data(),
        .query_lengths = queries.lengths().data(),
        .key_begins = keys.begins().data(),
        .key_lengths = keys.lengths().data(),
        .longest_query = queries.longest(),
        .longest_key = keys.longest(),
        .causal = options.causal,
        .window = options.window,
        .slopes = options.slopes.defined() ? std::as_const(options.slopes).data() : nullptr,
        .scale = options.scale.value_or(1 / std::sqrt(static_cast<Real>(width))),
        .dropout = {options.dropout, options.key},
        .sinks = options.sinks,
        .softcap = options.softcap,
        .bias = biases.bias(),
        .rotation = rotation(),
    };
  }

 private:
  kernels::Rotation rotation() const {
    if (!options.rotation) return {};
    const Index before = -first_position * (rotated.width / 2);
    return {.head = rotated,
            .cosines = table.cosines.data() + before,
            .sines = table.sines.data() + before};
  }
};

struct Forward {
  Tensor y;         // (rows of q, heads * width of a value)
  Tensor log_sums;  // (rows of q, heads)
};

Forward forward(const CheckedAttention& checked, const AttentionInputs& in,
                std::vector<Tensor>* weights) {
  const kernels::AttentionShape s = checked.shape();
  const Spans& queries = checked.options.queries;
  Forward result{Tensor({in.q.rows, s.heads * s.value_width}), Tensor({in.q.rows, s.heads})};
  detail::zero_rest(result.y, queries);
  std::vector<Real*> wanted;
  if (weights)
    wanted = detail::room_for(*weights, static_cast<int>(s.heads), queries, checked.options.keys);
  Tensor scratch = detail::workspace(kernels::attention_workspace(s));
  kernels::attention(s, in, {result.y.data(), s.heads * s.value_width}, result.log_sums.data(),
                     weights ? wanted.data() : nullptr, scratch.data());
  return result;
}

/// The gradients of the biases that are given. What tasks add up apart is joined at the end.
struct BiasOutputs {
  Gradient pairs;
  Gradient shared;
  Gradient keys;
  Tensor shared_shares;
  Tensor key_shares;

  /// `gradients`: of the biases, in the order of ScoreBias.
  BiasOutputs(const CheckedAttention& checked, std::span<const Gradient> gradients) {
    const Biases& b = checked.biases;
    std::size_t next = 0;
    for (const auto& [bias, to] :
         {std::pair(&b.pairs, &pairs), {&b.shared, &shared}, {&b.keys, &keys}})
      if (bias->defined()) *to = gradients[next++];
    const kernels::AttentionShape shape = checked.shape();
    if (shared) shared_shares = Tensor::zeros({kernels::bias_shares(shape), b.shared.size()});
    if (keys) key_shares = Tensor::zeros({shape.kv_heads, b.keys.size()});
  }
  kernels::BiasGradients gradients() {
    return {.pairs = detail::output_of(pairs),
            .shared = shared ? shared_shares.data() : nullptr,
            .keys = keys ? key_shares.data() : nullptr};
  }
  void join() const {
    if (shared) kernels::sum_rows(rows_of(shared_shares), detail::output_of(shared));
    if (keys) kernels::sum_rows(rows_of(key_shares), detail::output_of(keys));
  }
};

void backward(const CheckedAttention& checked, const AttentionInputs& in, const Forward& f,
              const Tensor& dy, AttentionGradients to, std::span<const Gradient> biases) {
  const kernels::AttentionShape s = checked.shape();
  BiasOutputs bias(checked, biases);
  to.bias = bias.gradients();
  Tensor scratch = detail::workspace(kernels::attention_backward_workspace(s));
  kernels::attention_backward(s, in, {rows_of(f.y), f.log_sums.data()}, rows_of(dy), to,
                              scratch.data());
  bias.join();
}

/// The inputs of the recorded op: tensors, then the biases that are given.
std::vector<Operand> operands_of(std::initializer_list<Operand> tensors, const ScoreBias& bias) {
  std::vector<Operand> result(tensors);
  for (const Variable* x : {&bias.pairs, &bias.shared, &bias.keys})
    if (x->defined()) result.emplace_back(*x, tensors.begin()->where());
  return result;
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
  const int kv_heads = kv_heads_of(options);
  check(q.rank() == 2 && k.rank() == 2 && v.rank() == 2 && v.rows() == k.rows() &&
            k.columns() == e && v.columns() % kv_heads == 0,
        op, "expected q (n, d), k (m, {}) and v (m, {} heads * width); got {}, {} and {}", e,
        kv_heads, q.shape(), k.shape(), v.shape());
  const CheckedAttention checked(options, q.rows(), k.rows(), d / options.heads,
                                 v.columns() / kv_heads);
  const Forward f = forward(checked, {rows_of(q.value()), rows_of(k.value()), rows_of(v.value())},
                            options.weights);
  return record(op, f.y, operands_of({q, k, v}, options.bias),
                [checked, f, q = q.value(), k = k.value(), v = v.value()](const Tensor& dy,
                                                                          std::span<Gradient> to) {
                  const Spans& keys = checked.options.keys;
                  backward(checked, {rows_of(q), rows_of(k), rows_of(v)}, f, dy,
                           {.q = rows_of(to[0], checked.options.queries),
                            .k = rows_of(to[1], keys),
                            .v = rows_of(to[2], keys)},
                           to.subspan(3));
                });
}

Variable attention(const Operand& q, const Operand& kv, const Attention& options) {
  const Index d = q.columns();
  const Index e = kv_width(options, d);
  check(q.rank() == 2 && kv.rank() == 2 && kv.columns() == 2 * e, op,
        "expected q (n, d) and kv (m, 2 * {}); got {} and {}", e, q.shape(), kv.shape());
  const Index w = d / options.heads;
  const CheckedAttention checked(options, q.rows(), kv.rows(), w, w);
  const Forward f = forward(checked, inputs_of(q.value(), kv.value(), e), options.weights);
  return record(
      op, f.y, operands_of({q, kv}, options.bias),
      [checked, f, e, q = q.value(), kv = kv.value()](const Tensor& dy, std::span<Gradient> to) {
        const Spans& keys = checked.options.keys;
        backward(checked, inputs_of(q, kv, e), f, dy,
                 {.q = rows_of(to[0], checked.options.queries),
                  .k = rows_of(to[1], keys),
                  .v = rows_of(to[1], keys, e)},
                 to.subspan(2));
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
  const CheckedAttention checked(options, qkv.rows(), qkv.rows(), d / heads, d / heads);
  const Forward f = forward(checked, inputs_of(qkv.value(), d, e), options.weights);
  return record(op, f.y, operands_of({qkv}, options.bias),
                [checked, f, d, e, qkv = qkv.value()](const Tensor& dy, std::span<Gradient> to) {
                  const Spans& keys = checked.options.keys;
                  backward(checked, inputs_of(qkv, d, e), f, dy,
                           {.q = rows_of(to[0], checked.options.queries),
                            .k = rows_of(to[0], keys, d),
                            .v = rows_of(to[0], keys, d + e)},
                           to.subspan(1));
                });
}

}  // namespace heed
