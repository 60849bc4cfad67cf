#pragma once

#include <array>
#include <concepts>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "framework/random.h"
#include "framework/sequences.h"
#include "framework/tape.h"

// The declaration of every op. docs/kernels.md derives the gradients and names the papers in full.
//
// How to read a declaration:
// - Shapes stand as `inputs -> result`. `(..., n)` has any number of leading axes, and `()` is a
//   scalar.
// - An `Operand` may carry a gradient. An `OptionalOperand` may be undefined, such as a bias.
// - Negative axes count from the last: -1 is the last axis.
// - `Spans` say which rows of a (rows, ...) tensor belong to which sequence. All other rows are
//   padding.
//
// Every op throws Error, `[op] expected ...; got ...`, when
// - an Operand is undefined;
// - shapes, axes or spans do not fit the op or each other;
// - an id is outside the table, the classes or the axis that it indexes;
// - a probability, scale or other option is outside the range that its comment gives.
// A declaration lists errors only where there are others.

namespace heed {

using Axes = std::vector<int>;

// Elementwise ------------------------------------------------------------------------------------
// Two operands broadcast as in NumPy: shapes are aligned at the last axis, and an extent of 1
// repeats.

Variable operator+(const Operand& a, const Operand& b);
Variable operator-(const Operand& a, const Operand& b);
Variable operator*(const Operand& a, const Operand& b);
Variable operator/(const Operand& a, const Operand& b);
Variable operator-(const Operand& x);

/// a = a + b: `a` becomes a new value. Other copies of the old value do not change.
Variable& operator+=(Variable& a, const Operand& b);
Variable& operator-=(Variable& a, const Operand& b);
Variable& operator*=(Variable& a, const Operand& b);
Variable& operator/=(Variable& a, const Operand& b);

/// Where a and b are equal, the gradient goes to a.
Variable maximum(const Operand& a, const Operand& b);
Variable minimum(const Operand& a, const Operand& b);

/// condition ? a : b for each element. An element of `condition` is true if it is not 0; it gets no
/// gradient. All three broadcast.
Variable where(const Tensor& condition, const Operand& a, const Operand& b);
/// x, but `value` wherever `mask` is not 0. The mask broadcasts to the shape of x.
Variable masked_fill(const Operand& x, const Tensor& mask, Real value);

Variable exp(const Operand& x);
Variable log(const Operand& x);
Variable sqrt(const Operand& x);
/// x^2
Variable square(const Operand& x);
Variable abs(const Operand& x);
/// x^exponent
Variable power(const Operand& x, Real exponent);
/// min(max(x, low), high), with low <= high
Variable clamp(const Operand& x, Real low, Real high);
Variable sin(const Operand& x);
Variable cos(const Operand& x);
Variable tanh(const Operand& x);
/// 1 / (1 + exp(-x))
Variable sigmoid(const Operand& x);
/// max(x, 0)
Variable relu(const Operand& x);
/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Source: Hendrycks and Gimpel 2016, tanh form.
Variable gelu(const Operand& x);
/// x sigmoid(x). Source: Elfwing et al. 2018.
Variable silu(const Operand& x);
/// log(1 + exp(x))
Variable softplus(const Operand& x);

// Reductions -------------------------------------------------------------------------------------
// Over the given axes, or over all axes where none is given. `keep` keeps a reduced axis, with
// extent 1. Sums and means are compensated: they are rounded once, except for the last digit
// (docs/kernels.md gives the cost). The mean and the variance of no elements are NaN.

Variable sum(const Operand& x, const Axes& axes = {}, bool keep = false);
Variable mean(const Operand& x, const Axes& axes = {}, bool keep = false);
/// The largest element. Where several are equal, the gradient goes to the first. Throws Error where
/// there is no element.
Variable max(const Operand& x, const Axes& axes = {}, bool keep = false);
/// mean((x - mean(x))^2): the sum is divided by n, not by n - 1.
Variable variance(const Operand& x, const Axes& axes = {}, bool keep = false);
/// The place of the largest element along the last axis: the first of equals, or the first NaN
/// where there is one. It has no gradient. Throws Error where there is no element. Shapes: x (...,
/// n) -> (...).
Ids argmax(const Operand& x);
/// y_i = x_0 + ... + x_i along `axis`, of the shape of x
Variable cumsum(const Operand& x, int axis);

// The same over one axis: sum(x, -1).
template <class Axis>
concept OneAxis = std::integral<Axis> && !std::same_as<Axis, bool>;
template <OneAxis Axis>
Variable sum(const Operand& x, Axis axis, bool keep = false) {
  return sum(x, Axes{static_cast<int>(axis)}, keep);
}
template <OneAxis Axis>
Variable mean(const Operand& x, Axis axis, bool keep = false) {
  return mean(x, Axes{static_cast<int>(axis)}, keep);
}
template <OneAxis Axis>
Variable max(const Operand& x, Axis axis, bool keep = false) {
  return max(x, Axes{static_cast<int>(axis)}, keep);
}
template <OneAxis Axis>
Variable variance(const Operand& x, Axis axis, bool keep = false) {
  return variance(x, Axes{static_cast<int>(axis)}, keep);
}

// Products ---------------------------------------------------------------------------------------

/// Which operands of matmul() are transposed: their last two axes are swapped.
struct Transpose {
  bool a = false;
  bool b = false;
};
/// a b, after `transpose`. The leading axes are a batch and broadcast.
/// Shapes: a (..., m, k), b (..., k, n) -> (..., m, n).
Variable matmul(const Operand& a, const Operand& b, Transpose transpose = {});
/// x W^T + b.
/// Shapes: x (..., in), weight W (out, in), bias b (out) or undefined -> (..., out).
Variable linear(const Operand& x, const Operand& weight, const OptionalOperand& bias);
Variable linear(const Operand& x, const Operand& weight);

// Shape ------------------------------------------------------------------------------------------

/// The same elements, in the same order, in another shape. The result shares them with x.
Variable reshape(const Operand& x, const Shape& shape);
/// One extent may be -1: it is computed from the number of elements.
Variable reshape(const Operand& x, std::initializer_list<Index> extents);
/// Elements [begin, end) along `axis`.
Variable slice(const Operand& x, int axis, Index begin, Index end);
/// Joins tensors along an axis that they have. All other extents must be equal.
Variable concat(std::span<const Operand> xs, int axis);
Variable concat(std::initializer_list<Operand> xs, int axis);
Variable concat(const std::vector<Variable>& xs, int axis,
                Operand::Where where = Operand::Where::current());
/// Joins tensors of one shape along a new axis.
Variable stack(std::span<const Operand> xs, int axis);
Variable stack(std::initializer_list<Operand> xs, int axis);
Variable stack(const std::vector<Variable>& xs, int axis,
               Operand::Where where = Operand::Where::current());
/// Axis i of the result is axis order[i] of x.
Variable permute(const Operand& x, const Axes& order);
/// Swaps two axes.
Variable transpose(const Operand& x, int a = -1, int b = -2);
/// Repeats x to `shape`, as elementwise ops do.
Variable broadcast_to(const Operand& x, const Shape& shape);

// Rows by number ---------------------------------------------------------------------------------

/// y[..., j, ...] = x[..., ids[j], ...] along `axis`. `ids` has one axis; its length becomes the
/// extent of `axis`.
Variable gather(const Operand& x, const Ids& ids, int axis = 0);
/// Starts from zeros and adds x[j] to row ids[j]: the transpose of gather() along the first axis.
/// Shapes: x (n, ...), ids (n) -> (rows, ...).
Variable scatter_add(const Operand& x, const Ids& ids, Index rows);
/// scale table[ids].
/// Shapes: ids (...), table (n, d) -> (..., d).
Variable embedding(const Ids& ids, const Operand& table, Real scale = 1);
/// y_i = x[i, ids[i]].
/// Shapes: x (n, m), ids (n) -> (n).
Variable pick(const Operand& x, const Ids& ids);

// Rows of sequences ------------------------------------------------------------------------------
// One row for each sequence. A sequence without rows gives zeros.
// Shapes: x (spans.rows(), d) -> (spans.count(), d).

/// The mean of the rows, summed in double.
Variable mean_rows(const Operand& x, const Spans& spans);
/// The largest number of each column. Where several are equal, the gradient goes to the first row.
Variable max_rows(const Operand& x, const Spans& spans);
Variable first_rows(const Operand& x, const Spans& spans);
Variable last_rows(const Operand& x, const Spans& spans);

// Normalisation and regularisation ---------------------------------------------------------------

/// exp(x_i) / sum_j exp(x_j) over the last axis
Variable softmax(const Operand& x);
/// x_i - log sum_j exp(x_j) over the last axis
Variable log_softmax(const Operand& x);
/// (x - mean) / sqrt(variance + epsilon) gain + bias, over the last axis.
/// Shapes: x (..., n), gain (n), bias (n) -> (..., n). `epsilon` is at least 0.
/// Source: Ba et al. 2016.
Variable layer_norm(const Operand& x, const Operand& gain, const Operand& bias,
                    Real epsilon = Real(1e-5));
/// x / sqrt(mean(x^2) + epsilon) gain, over the last axis.
/// Shapes: x (..., n), gain (n) -> (..., n). `epsilon` is at least 0.
/// Source: Zhang and Sennrich 2019.
Variable rms_norm(const Operand& x, const Operand& gain, Real epsilon = Real(1e-5));

// Dropout: probabilities are within [0, 1]. Element i is kept or dropped by (key, i) alone, so the
// same key gives the same mask. The layer Dropout draws its keys from step_random().

/// Each element of x becomes 0 with probability p, and is divided by 1 - p otherwise.
/// Source: Srivastava et al. 2014.
Variable dropout(const Operand& x, Real p, RandomKey key);
/// x + dropout(branch), the residual connection, in one pass
Variable add_dropout(const Operand& x, const Operand& branch, Real p, RandomKey key);
/// dropout(relu(x)) in one pass
Variable relu_dropout(const Operand& x, Real p, RandomKey key);

enum class Activation { relu, gelu };
/// dropout(f(x W1^T + b1)) W2^T + b2, where f is the activation: the feed-forward block of a
/// Transformer. It is computed in blocks of rows, so that the hidden values of a block stay in the
/// cache. Backward keeps one number for each hidden value. Hidden element i is dropped by (key, i).
/// Shapes: x (..., d), w1 (hidden, d), w2 (out, hidden), b1 (hidden) and b2 (out) or undefined ->
/// (..., out). Source: Vaswani et al. 2017, section 3.3.
Variable feed_forward(const Operand& x, const Operand& w1, const OptionalOperand& b1,
                      const Operand& w2, const OptionalOperand& b2, Activation activation,
                      Real p = 0, RandomKey key = {});

// Losses -----------------------------------------------------------------------------------------

/// Options of the cross entropies.
struct CrossEntropy {
  /// The part of the target that is spread evenly over all classes, within [0, 1).
  /// Source: Szegedy et al. 2016.
  Real label_smoothing = 0;
  /// Rows with this gold id do not count. Not given: all rows count.
  std::optional<Id> ignore = std::nullopt;
  /// What divides the sum of the losses; above 0. Not given: the number of rows that count.
  /// Several batches whose gradients are accumulated share one divisor.
  std::optional<Real> divisor = std::nullopt;
  /// Where given, it is set to the sum of -log P(gold) over the rows that count, without smoothing
  /// and not divided. The perplexity is exp(nats / rows). It comes from the same pass.
  double* nats = nullptr;
};
/// The sum over the rows that count of -sum_c t_c log softmax(logits)_c, divided by the divisor. t
/// is the smoothed target. Shapes: logits (n, classes), gold (n) -> ().
Variable cross_entropy(const Operand& logits, const Ids& gold, const CrossEntropy& options = {});
/// cross_entropy(linear(x, weight, bias), gold) in blocks of rows: the logits of a whole batch
/// never exist at once, and ignored rows cost nothing. The gradients are computed in the forward
/// pass, while the probabilities are in the cache.
/// Shapes: x (n, d), weight (classes, d), bias (classes) or undefined, gold (n) -> ().
Variable linear_cross_entropy(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                              const Ids& gold, const CrossEntropy& options = {});
Variable linear_cross_entropy(const Operand& x, const Operand& weight, const Ids& gold,
                              const CrossEntropy& options = {});
/// The loss of a pointer-generator, summed and divided as in cross_entropy(). The loss of a row is
///
///     -log(g P(gold) + (1 - g) c)   with P = softmax(linear(x, weight, bias)), g = sigmoid(gate)
///
/// `copied` is c, the probability that copying gives the gold id (copy_probability()). A gold id of
/// `classes` or more can only be copied: its P is 0. Label smoothing s concerns P alone: the loss
/// is then (1 - s) times the one above, minus s / classes times the sum of log P.
/// Shapes: x (n, d), weight (classes, d), bias (classes) or undefined, gate (n), copied (n),
/// gold (n) -> (). Source: See et al. 2017, equations 6 and 9.
Variable copy_cross_entropy(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                            const Operand& gate, const Operand& copied, const Ids& gold,
                            const CrossEntropy& options = {});
/// The symmetric Kullback-Leibler divergence of two distributions, p = softmax(a) and q =
/// softmax(b): the sum over the rows that count of
///
///     1/2 (KL(p || q) + KL(q || p)) = 1/2 sum_c (p_c - q_c) (log p_c - log q_c)
///
/// divided by the divisor. The gold decides with `ignore` which rows count; label smoothing and
/// `nats` have no part in it.
/// Shapes: a (n, classes), b (n, classes), gold (n) -> ().
/// Source: Jeffreys 1946; as a loss, Liang et al. 2021, equation 2.
Variable symmetric_kl(const Operand& a, const Operand& b, const Ids& gold,
                      const CrossEntropy& options = {});

/// How many rows a classifier gets right. Those of several batches add up.
struct Accuracy {
  Index correct = 0;
  Index counted = 0;

  /// Within [0, 1]; NaN where nothing was counted.
  double share() const { return static_cast<double>(correct) / static_cast<double>(counted); }
  Accuracy& operator+=(const Accuracy& other) {
    correct += other.correct;
    counted += other.counted;
    return *this;
  }
};
/// Counts the rows whose argmax() is the gold id. A row that holds a NaN is wrong. Rows whose gold
/// id is `ignore` do not count.
/// Shapes: logits (n, classes), gold (n).
Accuracy accuracy(const Operand& logits, const Ids& gold, std::optional<Id> ignore = std::nullopt);

// Attention --------------------------------------------------------------------------------------
// The position of query i among the keys of its sequence is p_i = i + (number of keys - number of
// queries): the last query stands at the last key.

/// Numbers that attention() adds to its scores: the sum of those that are given. All may carry a
/// gradient. -infinity hides the key from the query, whatever the score and the row of the key. So
/// a mask is a bias of 0 and -infinity: masked_fill(Tensor::zeros(shape), hidden, -INFINITY).
struct ScoreBias {
  /// For each sequence a block (heads, queries, keys), one block after the other, as the scores of
  /// dot_scores(). Shape: (Pairing::size()).
  Variable pairs = {};
  /// Query i and key j of every sequence get [h, i, j].
  /// Shape: (heads or 1, queries.longest(), keys.longest()).
  Variable shared = {};
  /// A number for each key. Shape: (m).
  Variable keys = {};
};

/// The columns of a head that are rotated, and how fast.
struct Rotation {
  Real base = 10000;  // above 0
  /// The first columns of each head, an even number; 0: all. The others stay as they are.
  Index width = 0;
  /// Columns 2c and 2c + 1 are a pair, not c and c + width / 2.
  bool interleaved = false;
};

/// Options of attention().
struct Attention {
  int heads = 1;
  /// Heads of keys and values, a divisor of `heads`; 0: as many as `heads`. Neighbouring heads of
  /// queries share one. Source: Ainslie et al. 2023.
  int kv_heads = 0;
  /// The rows of each sequence. Padding attends to nothing and yields zeros.
  Spans queries;
  Spans keys;
  /// Query i sees only keys j <= p_i.
  bool causal = false;
  /// Where positive, query i sees only the keys with |j - p_i| < window. The cost grows with the
  /// window, not with the length of the sequence.
  Index window = 0;
  /// Query i sees the first `sinks` keys of its sequence from outside of the window too, where
  /// `causal` lets it. Source: Xiao et al. 2024.
  Index sinks = 0;
  /// Where given, (heads): a score loses slope |j - p_i|. Source: Press et al. 2022.
  Tensor slopes = {};
  /// A bias or a mask of one's own.
  ScoreBias bias = {};
  /// Where above 0, the cap c of the products: they become c tanh(x / c), within (-c, c).
  /// Source: Gemma Team 2024, section 2.
  Real softcap = 0;
  /// Where given, queries and keys are first rotated as by rotary(): query i at p_i, key j at j.
  std::optional<Rotation> rotation = std::nullopt;
  /// Multiplies the products. Not given: 1 / sqrt(w).
  std::optional<Real> scale = std::nullopt;
  /// The probability, within [0, 1), that a weight is dropped; `key` decides which.
  Real dropout = 0;
  RandomKey key = {};
  /// Where given, it gets the weights before dropout, (heads, queries, keys) for each sequence.
  std::vector<Tensor>* weights = nullptr;
};
/// For each sequence and head h, over the keys j that query i sees:
///
///     s_ij = cap(scale q_i . k_j) - slope_h |j - p_i| + bias_hij
///     y_i = sum_j exp(s_ij) v_j / sum_j exp(s_ij)
///
/// y_i is 0 where query i sees no key, or all s_ij are -infinity. Head h has columns [h w, (h + 1)
/// w) of q. Values may have another width u than queries and keys. The kernel works in tiles with a
/// running softmax (Dao et al. 2022) and keeps no queries x keys matrix.
/// Shapes: q (n, heads w), k (m, kv_heads w), v (m, kv_heads u) -> (n, heads u).
/// Source: Vaswani et al. 2017, section 3.2.
Variable attention(const Operand& q, const Operand& k, const Operand& v, const Attention& options);
/// The same where one product gave keys and values: kv (m, 2e) is [k, v], both e = kv_heads w wide.
Variable attention(const Operand& q, const Operand& kv, const Attention& options);
/// The same where one product gave all three: qkv (n, d + 2e) is [q, k, v].
Variable attention(const Operand& qkv, const Attention& options);

// Attention in pieces ----------------------------------------------------------------------------
// These ops hold the scores or weights of all queries and keys in one tensor (pairing.size()): for
// each sequence a block (heads, queries, keys), one block after the other. s_ij and w_ij are the
// score and the weight of query i and key j; n and m are the rows of queries and keys, w is the
// width of a head.

/// Which query meets which key. Only the softmaxes need to know what is hidden: the weights are 0
/// there. The fields mean the same as in Attention.
struct Pairing {
  int heads = 1;
  int kv_heads = 0;
  Spans queries;
  Spans keys;
  bool causal = false;
  Index window = 0;

  Index size() const;  // of all blocks together
};
/// A view of each sequence's block, (heads, queries, keys).
std::vector<Tensor> split(const Tensor& scores, const Pairing& pairing);

/// s_ij = q_i . k_j for each head.
/// Shapes: q (n, heads w), k (m, kv_heads w) -> (pairing.size()).
Variable dot_scores(const Operand& q, const Operand& k, const Pairing& pairing);
/// s_ij = sum_c v_c tanh(q_ic + k_jc), for one head. No n x m x d tensor is kept. The scores of
/// hidden keys are 0: they cost nothing.
/// Shapes: q (n, d), k (m, d), v (d) -> (pairing.size()). Source: Bahdanau et al. 2015.
Variable additive_scores(const Operand& q, const Operand& k, const Operand& v,
                         const Pairing& pairing);
/// s_ij = sum_c v_c tanh(q_ic + k_jc + u_ij z_c), where u is the coverage, the weights that earlier
/// queries gave each key, and z is its weight vector.
/// Shapes: covered u (pairing.size()) or undefined, weight z (d), the others as above.
/// Source: See et al. 2017, equation 11.
Variable additive_scores(const Operand& q, const Operand& k, const Operand& v,
                         const OptionalOperand& covered, const OptionalOperand& weight,
                         const Pairing& pairing);
/// w_ij = exp(s_ij) / sum_j exp(s_ij) over the keys that query i sees.
/// Shapes: scores (pairing.size()) -> (pairing.size()).
Variable scores_softmax(const Operand& scores, const Pairing& pairing);
/// The same with one more place for each query and head, a sentinel, whose score is `rest`. The
/// weights of a query then sum to less than 1; the difference is the weight of the sentinel.
/// Shapes: scores (pairing.size()), rest (n, heads) -> (pairing.size()). Source: Lu et al. 2017.
Variable scores_softmax(const Operand& scores, const Operand& rest, const Pairing& pairing);
/// A softmax with a soft mask of learned width:
///
///     w_ij = m_ij exp(s_ij) / sum_j m_ij exp(s_ij)
///     m_ij = clamp((ramp + spans_h - |j - p_i|) / ramp, 0, 1)   for head h
///
/// Shapes: scores (pairing.size()), spans (heads) -> (pairing.size()). `ramp` is above 0.
/// Source: Sukhbaatar et al. 2019.
Variable span_softmax(const Operand& scores, const Operand& spans, Real ramp,
                      const Pairing& pairing);
/// y_i = sum_j w_ij v_j for each head.
/// Shapes: weights (pairing.size()), values v (m, kv_heads w) -> (n, heads w).
Variable weighted_values(const Operand& weights, const Operand& values, const Pairing& pairing);
/// y_j = sum_i w_ij q_i, over the heads that share key j.
/// Shapes: weights (pairing.size()), queries q (n, heads w) -> (m, kv_heads w).
Variable weighted_queries(const Operand& weights, const Operand& queries, const Pairing& pairing);
/// The probability that a pointer gives the gold id: y_i = sum_j w_ij [ids_j = gold_i], for
/// one head.
/// Shapes: weights (pairing.size()), ids (m), gold (n) -> (n).
/// Source: See et al. 2017, equation 9.
Variable copy_probability(const Operand& weights, const Ids& ids, const Ids& gold,
                          const Pairing& pairing);
/// s_ij = table[i, h, r] with r = clamp(j - p_i, -reach, reach) + reach, for head h. Used for
/// relative positions (Shaw et al. 2018).
/// Shapes: table (n, heads (2 reach + 1)) -> (pairing.size()). `reach` is within [0, 2^31].
Variable by_distance(const Operand& table, Index reach, const Pairing& pairing);
/// The transpose of by_distance(): entry [i, h, r] is the sum of all s_ij that have this r.
/// Shapes: scores (pairing.size()) -> (n, heads (2 reach + 1)).
Variable sum_by_distance(const Operand& scores, Index reach, const Pairing& pairing);

/// y_i = sum_j (f(q_i) . f(k_j)) v_j / sum_j f(q_i) . f(k_j) with f(x) = elu(x) + 1, for each head,
/// by running sums: the cost is linear in the length. `weights`, where given, gets the weights as
/// in attention(), at quadratic cost. `pairing` has no window, and as many heads of keys as of
/// queries.
/// Shapes: q (n, d), k (m, d), v (m, d) -> (n, d). Source: Katharopoulos et al. 2020.
Variable linear_attention(const Operand& q, const Operand& k, const Operand& v,
                          const Pairing& pairing, std::vector<Tensor>* weights = nullptr);

/// Options of rotary().
struct Rotary {
  int heads = 1;
  Real base = 10000;  // above 0
  /// The position of the first row of each sequence, within +-2^31.
  Index offset = 0;
  /// Where given, the rows of sequence i are the last ones of a sequence of end_of.length(i) rows,
  /// and their positions are counted from its beginning.
  Spans end_of = {};
  // As in Rotation.
  Index width = 0;
  bool interleaved = false;
};
/// Rotates columns c and c + w/2 of each head, which is w columns wide, by the angle
/// position base^(-2c/w). The product of a rotated query and a rotated key then depends on the
/// distance of their positions alone. Where `width` is given, it takes the place of w.
/// Shapes: x (n, heads w) -> (n, heads w), w even. Source: Su et al. 2021.
Variable rotary(const Operand& x, const Spans& spans, const Rotary& options);

// Recurrence -------------------------------------------------------------------------------------
// A recurrence over whole sequences is one op. Its operands:
// - x holds the contribution of the input, W x_t, of every step. The caller computes it with one
//   linear() for all steps;
// - weight is U, which multiplies the previous state h_{t-1};
// - bias b, (gates h) or undefined, is added to U h_{t-1};
// - h0 and c0, (sequences, h) or undefined (zeros), are the states before the first step.
// Padding yields zeros. `*` is the product of elements; h is also the number of columns of a state.

/// Options of the recurrences.
struct Recurrence {
  Spans spans;           // the rows of each sequence
  bool reverse = false;  // from each sequence's last row to its first
  /// The probability, within [0, 1), that a column of h_{t-1} is dropped where U multiplies it. A
  /// sequence has one mask for all its steps; `key` decides it. Source: Gal and Ghahramani 2016.
  Real dropout = 0;
  RandomKey key = {};
};
/// h_t = tanh(x_t + U h_{t-1} + b).
/// Shapes: x (rows, h), weight (h, h), bias (h) -> (rows, h). Source: Elman 1990.
Variable elman(const Operand& x, const Operand& weight, const OptionalOperand& bias,
               const OptionalOperand& h0, const Recurrence& options);
/// The columns of [i, f, g, o] = x_t + U h_{t-1} + b are four parts of h columns:
///
///     c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
///     h_t = sigmoid(o) * tanh(c_t)
///
/// Shapes: x (rows, 4h), weight (4h, h), bias (4h) -> (2, rows, h): every h_t, then every c_t.
/// Source: Hochreiter and Schmidhuber 1997; Gers et al. 2000.
Variable lstm(const Operand& x, const Operand& weight, const OptionalOperand& bias,
              const OptionalOperand& h0, const OptionalOperand& c0, const Recurrence& options);
/// lstm() with layer norm, where norm(v) = (v - mean) / sqrt(variance + 1e-5):
///
///     [i, f, g, o] = x_t + gain * norm(U h_{t-1})
///     c_t = sigmoid(f) * c_{t-1} + sigmoid(i) * tanh(g)
///     h_t = sigmoid(o) * tanh(cell_gain * norm(c_t) + cell_bias)
///
/// The caller normalises x.
/// Shapes: x (rows, 4h), weight (4h, h), gain (4h), cell_gain (h), cell_bias (h) -> (2, rows, h).
/// Source: Ba et al. 2016, supplement.
Variable norm_lstm(const Operand& x, const Operand& weight, const Operand& gain,
                   const Operand& cell_gain, const Operand& cell_bias, const OptionalOperand& h0,
                   const OptionalOperand& c0, const Recurrence& options);
/// The columns of x_t and of u = U h_{t-1} + b are three parts of h columns, for r, z and n:
///
///     r = sigmoid(x_r + u_r)
///     z = sigmoid(x_z + u_z)
///     n = tanh(x_n + r * u_n)
///     h_t = (1 - z) * n + z * h_{t-1}
///
/// Shapes: x (rows, 3h), weight (3h, h), bias (3h) -> (rows, h).
/// Source: Cho et al. 2014, with r applied after the product.
Variable gru(const Operand& x, const Operand& weight, const OptionalOperand& bias,
             const OptionalOperand& h0, const Recurrence& options);
/// One step of lstm(), where `gates` is x_t + U h_{t-1} + b.
/// Shapes: gates (n, 4h), c (n, h) -> (2, n, h): h, then c.
Variable lstm_cell(const Operand& gates, const Operand& c);
/// One step of gru(), where u is U h_{t-1} + b and state is h_{t-1}.
/// Shapes: x (n, 3h), u (n, 3h), state (n, h) -> (n, h).
Variable gru_cell(const Operand& x, const Operand& u, const Operand& state);
/// dropout(x) with one mask for all rows of a sequence: a column is kept or dropped as a whole.
/// Shapes: x (rows, d) -> (rows, d). p is within [0, 1).
Variable sequence_dropout(const Operand& x, const Spans& spans, Real p, RandomKey key);
/// The state after the last step of each sequence: that of its last row, with `reverse` that of its
/// first. A sequence without rows gets its initial state.
/// Shapes: states (rows, h), initial (sequences, h) or undefined (zeros) -> (sequences, h).
Variable final_states(const Operand& states, const Spans& spans, bool reverse,
                      const OptionalOperand& initial);

// Convolution ------------------------------------------------------------------------------------

/// How a convolution moves along sequences. Tap j of row t is row t + (j - left) dilation of its
/// sequence, or zeros outside the sequence. `left` is kernel - 1 in a causal convolution, so that
/// no row sees a later one, and (kernel - 1) / 2 rounded down otherwise.
struct Window {
  /// The rows of each sequence. Padding yields zeros, and no tap reaches it.
  Spans spans;
  bool causal = false;
  Index dilation = 1;  // at least 1
};
/// y_t = sum_j W_j x_{tap j of t} + b.
/// Shapes: x (rows, in), weight (out, kernel, in), bias (out) or undefined -> (rows, out).
Variable conv1d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                const Window& window);
/// y_tc = sum_j w_jc x_{tap j of t, c} + b_c: each column c has a filter of its own.
/// Shapes: x (rows, d), weight (kernel, d), bias (d) or undefined -> (rows, d).
Variable depthwise_conv1d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                          const Window& window);
/// The gated linear unit, a * sigmoid(b) for x = [a, b].
/// Shapes: x (..., 2d) -> (..., d). Source: Dauphin et al. 2017.
Variable glu(const Operand& x);
/// scale (a + b) for a and b of one shape. With a scale of sqrt(1/2) it is a residual connection
/// that keeps the variance.
Variable add_scaled(const Operand& a, const Operand& b, Real scale);
/// W = g v / ||v||, where the norm is over all axes except the first. A row of zeros stays zeros.
/// Shapes: v (out, ...), g (out) -> (out, ...). Source: Salimans and Kingma 2016.
Variable weight_norm(const Operand& v, const Operand& g);

/// Down, across.
using Extent2d = std::array<Index, 2>;
struct Window2d {
  Extent2d stride = {1, 1};   // at least 1
  Extent2d padding = {0, 0};  // zeros on each side
};
/// y_p = sum_ij W_ij x_{p stride - padding + (i, j)} + b for each output pixel p.
/// Shapes: x (n, height, width, in), weight (out, kernel_y, kernel_x, in), bias (out) or undefined
/// -> (n, (height + 2 padding - kernel_y) / stride + 1, the same for the width, out).
Variable conv2d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                const Window2d& window = {});
/// The largest element of each window of `size`, one window every `stride` pixels; a stride of 0 is
/// `size`. Pixels at the end that fill no window are left out. Where several elements are equal,
/// the gradient goes to the first.
/// Shapes: x (n, height, width, d) -> (n, (height - size) / stride + 1, the same for the width, d).
Variable max_pool2d(const Operand& x, Extent2d size, Extent2d stride = {0, 0});
/// The same with the mean of each window.
Variable mean_pool2d(const Operand& x, Extent2d size, Extent2d stride = {0, 0});
/// Cuts images into squares of `size` by `size` pixels, p = size, and gives a row for each: row by
/// row of squares, and within a square row by row of pixels. Throws Error where p does not divide
/// the height and the width.
/// Shapes: x (n, height, width, d) -> (n (height / p) (width / p), p p d).
/// Source: Dosovitskiy et al. 2021, section 3.1.
Variable patches(const Operand& x, Index size);

// Control ----------------------------------------------------------------------------------------

/// fn(inputs). Only the inputs are kept for backward, which computes fn again: it takes more time
/// and less memory. Parameters that fn uses get their gradients as usual. fn must compute the same
/// both times; dropout with keys from step_random() does.
/// Source: Chen et al. 2016.
///
/// Throws Error when
/// - fn gives an undefined value;
/// - fn computes something else in backward.
Variable recompute(const std::function<Variable(std::span<const Variable>)>& fn,
                   std::span<const Operand> inputs);

/// The generator from which layers on this thread draw the keys of random ops. Before each step,
/// training seeks it to a function of (seed, step).
Random& step_random();

}  // namespace heed
