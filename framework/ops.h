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

// Every op. Shapes stand after the arrow; `(..., n)` is any number of leading axes. Each throws
// Error on shapes that do not fit, with the op's name, what it expected and what it got. Negative
// axes count from the last.

namespace heed {

using Axes = std::vector<int>;

// Elementwise, broadcasting as NumPy does --------------------------------------------------------
Variable operator+(const Operand& a, const Operand& b);
Variable operator-(const Operand& a, const Operand& b);
Variable operator*(const Operand& a, const Operand& b);
Variable operator/(const Operand& a, const Operand& b);
Variable operator-(const Operand& x);
// a = a + b: a new value, none is changed
Variable& operator+=(Variable& a, const Operand& b);
Variable& operator-=(Variable& a, const Operand& b);
Variable& operator*=(Variable& a, const Operand& b);
Variable& operator/=(Variable& a, const Operand& b);
// a tie sends its gradient to a
Variable maximum(const Operand& a, const Operand& b);
Variable minimum(const Operand& a, const Operand& b);
/// condition ? a : b, where condition is a constant whose elements are zero or not; all three
/// broadcast
Variable where(const Tensor& condition, const Operand& a, const Operand& b);
/// x with `value` wherever mask is not zero; mask broadcasts to x
Variable masked_fill(const Operand& x, const Tensor& mask, Real value);

Variable exp(const Operand& x);
Variable log(const Operand& x);
Variable sqrt(const Operand& x);
Variable square(const Operand& x);
Variable abs(const Operand& x);
Variable power(const Operand& x, Real exponent);
Variable clamp(const Operand& x, Real low, Real high);
Variable sin(const Operand& x);
Variable cos(const Operand& x);
Variable tanh(const Operand& x);
Variable sigmoid(const Operand& x);  // 1 / (1 + exp -x)
Variable relu(const Operand& x);     // max(x, 0)
// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) (Hendrycks and Gimpel 2016, the tanh form)
Variable gelu(const Operand& x);
// x sigmoid(x) (Elfwing et al. 2018)
Variable silu(const Operand& x);
Variable softplus(const Operand& x);  // log(1 + exp x)

// Reductions over any axes; no axes given means all ----------------------------------------------
/// Sums and means are compensated: rounded once, but for the last digit (docs/kernels.md has the
/// cost). The mean and the variance of nothing are NaN; the largest of nothing is an Error.
Variable sum(const Operand& x, const Axes& axes = {}, bool keep = false);
Variable mean(const Operand& x, const Axes& axes = {}, bool keep = false);
// a tie sends its gradient to the first
Variable max(const Operand& x, const Axes& axes = {}, bool keep = false);
Variable variance(const Operand& x, const Axes& axes = {}, bool keep = false);  // over n, not n - 1
Variable cumsum(const Operand& x, int axis);
/// Over one axis: sum(x, -1).
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
struct Transpose {
  bool a = false;
  bool b = false;
};
/// op(a) op(b), batched over the leading axes, which broadcast: (..., m, k) x (..., k, n) -> (...,
/// m, n)
Variable matmul(const Operand& a, const Operand& b, Transpose transpose = {});
/// x W^T + b, W (out, in), b (out) or undefined: (..., in) -> (..., out)
Variable linear(const Operand& x, const Operand& weight, const OptionalOperand& bias);
Variable linear(const Operand& x, const Operand& weight);

// Shape ------------------------------------------------------------------------------------------
Variable reshape(const Operand& x, const Shape& shape);  // shares the elements
// one may be -1: what is left
Variable reshape(const Operand& x, std::initializer_list<Index> extents);
Variable slice(const Operand& x, int axis, Index begin, Index end);
Variable concat(std::span<const Operand> xs, int axis);
Variable concat(std::initializer_list<Operand> xs, int axis);
Variable concat(const std::vector<Variable>& xs, int axis,
                Operand::Where where = Operand::Where::current());
Variable stack(std::span<const Operand> xs, int axis);  // along a new axis
Variable stack(std::initializer_list<Operand> xs, int axis);
Variable stack(const std::vector<Variable>& xs, int axis,
               Operand::Where where = Operand::Where::current());
// axis i of the result is axis order[i] of x
Variable permute(const Operand& x, const Axes& order);
Variable transpose(const Operand& x, int a = -1, int b = -2);  // swaps two axes
Variable broadcast_to(const Operand& x, const Shape& shape);

// Rows by number ---------------------------------------------------------------------------------
/// x[..., ids[j], ...] along `axis`, ids of one axis: the extent of the axis becomes ids.size()
Variable gather(const Operand& x, const Ids& ids, int axis = 0);
/// zeros (rows, ...) with x[j] added to row ids[j]: the transpose of gather along the first axis
Variable scatter_add(const Operand& x, const Ids& ids, Index rows);
/// table[ids] * scale: ids (...), table (n, d) -> (..., d)
Variable embedding(const Ids& ids, const Operand& table, Real scale = 1);
/// x[i, ids[i]]: (n, m), ids (n) -> (n)
Variable pick(const Operand& x, const Ids& ids);

// Normalisation and regularisation ---------------------------------------------------------------
Variable softmax(const Operand& x);  // over the last axis
Variable log_softmax(const Operand& x);
/// (x - mean) / sqrt(variance + epsilon) * gain + bias over the last axis (Ba et al. 2016); gain,
/// bias (n)
Variable layer_norm(const Operand& x, const Operand& gain, const Operand& bias,
                    Real epsilon = Real(1e-5));
/// x / sqrt(mean x^2 + epsilon) * gain over the last axis (Zhang and Sennrich 2019)
Variable rms_norm(const Operand& x, const Operand& gain, Real epsilon = Real(1e-5));
/// x with each element zeroed with probability p, the others divided by 1 - p (Srivastava et al.
/// 2014). Element i is decided by (key, i) alone. The layer Dropout draws its keys from
/// step_random().
Variable dropout(const Operand& x, Real p, RandomKey key);
/// x + dropout(branch): the residual connection, in one pass
Variable add_dropout(const Operand& x, const Operand& branch, Real p, RandomKey key);
/// dropout(relu(x)) in one pass
Variable relu_dropout(const Operand& x, Real p, RandomKey key);

enum class Activation { relu, gelu };
/// dropout(f(x W1^T + b1)) W2^T + b2, a Transformer's feed-forward block (Vaswani et al. 2017,
/// section 3.3), f the activation: x (..., d), W1 (hidden, d), W2 (out, hidden), b1 and b2 or
/// undefined -> (..., out). Computed in blocks of rows, whose hidden numbers stay in cache;
/// backward keeps one number for each of them. Element i of the hidden (..., hidden) is dropped by
/// (key, i).
Variable feed_forward(const Operand& x, const Operand& w1, const OptionalOperand& b1,
                      const Operand& w2, const OptionalOperand& b2, Activation activation,
                      Real p = 0, RandomKey key = {});

// Losses -----------------------------------------------------------------------------------------
struct CrossEntropy {
  /// Share of the target spread evenly over all classes, in [0, 1) (Szegedy et al. 2016).
  Real label_smoothing = 0;
  std::optional<Id> ignore = std::nullopt;  // gold id of rows that add nothing; not given: none
  /// What the summed loss is divided by, more than 0; not given: the number of rows that are not
  /// ignored. Accumulated batches share one.
  std::optional<Real> divisor = std::nullopt;
  /// Where given, it becomes the sum of -log P(gold) over the rows that are not ignored: without
  /// smoothing, not divided. Perplexity is exp of it a row. It comes out of the same pass.
  double* nats = nullptr;
};
/// mean over rows of -sum_c q_c log softmax(logits)_c: (n, classes), gold (n) -> ()
Variable cross_entropy(const Operand& logits, const Ids& gold, const CrossEntropy& options = {});
/// cross_entropy(linear(x, weight, bias), gold), computed in blocks of rows: the logits of a batch
/// never exist at once, and ignored rows cost nothing. The gradients are computed in the forward
/// pass, while the probabilities are in cache.
Variable linear_cross_entropy(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                              const Ids& gold, const CrossEntropy& options = {});
Variable linear_cross_entropy(const Operand& x, const Operand& weight, const Ids& gold,
                              const CrossEntropy& options = {});
/// The loss of a pointer-generator (See et al. 2017, equations 6 and 9): mean over rows of -log(g
/// P_gold + (1 - g) c), P = softmax(linear(x, weight, bias)), g = sigmoid(gate). gate, copied c
/// (n): how probably copying gives the gold. Gold ids from classes on can only be copied: P is 0
/// there. A share s of label smoothing is P's alone: (1 - s) of that - s/classes sum log P.
Variable copy_cross_entropy(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                            const Operand& gate, const Operand& copied, const Ids& gold,
                            const CrossEntropy& options = {});

// Attention --------------------------------------------------------------------------------------
struct Attention {
  int heads = 1;
  // of keys and values, a divisor of heads; 0: as many. Neighbouring heads share one (Ainslie et
  // al. 2023)
  int kv_heads = 0;
  // the rows of each sequence; other rows are padding: they attend to nothing and yield zeros
  Spans queries;
  Spans keys;
  // query i sees the keys up to its own place, i + (length of keys - length of queries)
  bool causal = false;
  // where positive, the keys less than this far from it: the cost is the window's
  Index window = 0;
  Tensor slopes = {};  // (heads) where given: scores lose slope * distance (Press et al. 2022)
  std::optional<Real> scale = std::nullopt;  // not given: 1 / sqrt(d / heads)
  Real dropout = 0;                          // on the weights
  RandomKey key = {};                        // for dropout
  // where asked for: each sequence's (heads, queries, keys), before dropout
  std::vector<Tensor>* weights = nullptr;
};
/// softmax(q k^T scale + mask) v for each sequence and head (Vaswani et al. 2017, section 3.2): q
/// (n, d), k and v (m, e), e = d kv_heads / heads, head h in columns [h d/heads, (h + 1) d/heads)
/// -> (n, d). Tiled with a running softmax (Dao et al. 2022): no T x T matrix is kept.
Variable attention(const Operand& q, const Operand& k, const Operand& v, const Attention& options);
/// The same on the output of one product for keys and values, kv (m, 2e), or for all three, qkv (n,
/// d + 2e).
Variable attention(const Operand& q, const Operand& kv, const Attention& options);
Variable attention(const Operand& qkv, const Attention& options);

// Attention in pieces ----------------------------------------------------------------------------
/// Which query meets which key, for ops on all scores at once: for each sequence i a block (heads,
/// queries.length(i), keys.length(i)) of numbers, one block after the other. Only scores_softmax()
/// must know what is hidden: weights are 0 there.
struct Pairing {
  int heads = 1;
  // of keys and values, a divisor of heads; 0: as many. Neighbouring heads share one
  int kv_heads = 0;
  Spans queries;
  Spans keys;
  // query i sees the keys up to its own place, i + (length of keys - length of queries)
  bool causal = false;
  Index window = 0;  // where positive, the keys less than this far from it

  Index size() const;  // of all blocks
};
/// Views of the blocks, (heads, queries, keys) each.
std::vector<Tensor> split(const Tensor& pairs, const Pairing& pairing);

/// q_i . k_j for each head: q (n, heads w), k (m, kv_heads w) -> (pairing.size())
Variable dot_scores(const Operand& q, const Operand& k, const Pairing& pairing);
/// sum_c v_c tanh(q_ic + k_jc) (Bahdanau et al. 2015): q (n, d), k (m, d), v (d), one head ->
/// (pairing.size()); no n x m x d tensor is kept
Variable additive_scores(const Operand& q, const Operand& k, const Operand& v,
                         const Pairing& pairing);
/// sum_c v_c tanh(q_ic + k_jc + u_ij w_c): what has been looked at, covered u (pairing.size()),
/// takes part by weight w (d) (See et al. 2017, equation 11)
Variable additive_scores(const Operand& q, const Operand& k, const Operand& v,
                         const OptionalOperand& covered, const OptionalOperand& weight,
                         const Pairing& pairing);
/// softmax over the keys that each query sees: (pairing.size()) -> the same
Variable scores_softmax(const Operand& scores, const Pairing& pairing);
/// The same with one more place for each query and head, whose score is rest (n, heads) and whose
/// weight is what is left of 1.
Variable scores_softmax(const Operand& scores, const Operand& rest, const Pairing& pairing);
/// m_ij e^s_ij / sum_j m_ij e^s_ij with m = clamp((ramp + z_h - distance) / ramp, 0, 1) (Sukhbaatar
/// et al. 2019): spans z (heads)
Variable span_softmax(const Operand& scores, const Operand& spans, Real ramp,
                      const Pairing& pairing);
/// sum_j w_ij v_j for each head: weights (pairing.size()), values (m, kv_heads w) -> (n, heads w)
Variable weighted_values(const Operand& weights, const Operand& values, const Pairing& pairing);
/// sum_j w_ij [tokens_j = wanted_i], one head: how probably a pointer gives the token wanted (See
/// et al. 2017, equation 9): weights (pairing.size()), tokens (m), wanted (n) -> (n)
Variable copy_probability(const Operand& weights, const Ids& tokens, const Ids& wanted,
                          const Pairing& pairing);
/// sum_i w_ij q_i, over the heads that share keys: weights (pairing.size()), queries (n, heads w)
/// -> (m, kv_heads w)
Variable weighted_queries(const Operand& weights, const Operand& queries, const Pairing& pairing);
/// table[i, h, clamp(j - place of i, -reach, reach) + reach]: table (n, heads (2 reach + 1)) ->
/// (pairing.size())
Variable by_distance(const Operand& table, Index reach, const Pairing& pairing);
/// The sum of what by_distance() gives one entry, its transpose: (pairing.size()) -> (n, heads (2
/// reach + 1))
Variable sum_by_distance(const Operand& pairs, Index reach, const Pairing& pairing);
/// sum_j (f(q_i) . f(k_j)) v_j / sum_j f(q_i) . f(k_j), f(x) = elu(x) + 1, for each head
/// (Katharopoulos et al. 2020), by running sums: the cost is linear. q (n, d), k and v (m, d) ->
/// (n, d). `weights` as attention()'s, at quadratic cost.
Variable linear_attention(const Operand& q, const Operand& k, const Operand& v,
                          const Pairing& pairing, std::vector<Tensor>* weights = nullptr);

struct Rotary {
  int heads = 1;
  Real base = 10000;
  Index offset = 0;   // of a sequence's first row
  Spans end_of = {};  // where given, the rows are the last ones of sequences as long as these
};
/// Columns c and c + w/2 of each head, w wide, turned by position * base^(-2c/w) (Su et al. 2021):
/// x (n, heads w) -> (n, heads w). Products of queries and keys so turned depend on their distance
/// alone.
Variable rotary(const Operand& x, const Spans& spans, const Rotary& options);

// Recurrence -------------------------------------------------------------------------------------
// A whole sequence is one op: x holds the input's share W x_t + b of every step, one `linear`
// outside; h_{t-1} comes from the row before, the last of nothing from h0 and c0 (sequences, h),
// which may be undefined (zeros). weight is U, bias adds to U h, or is undefined.
struct Recurrence {
  Spans spans;           // the rows of each sequence; other rows are padding and yield zeros
  bool reverse = false;  // from each sequence's last row to its first
  // on h_{t-1} where U multiplies it: one mask a sequence for all its steps (Gal and Ghahramani
  // 2016)
  Real dropout = 0;
  RandomKey key = {};  // for dropout
};
/// h_t = tanh(x_t + U h_{t-1} + b) (Elman 1990): x (rows, h), weight (h, h) -> (rows, h)
Variable elman(const Operand& x, const Operand& weight, const OptionalOperand& bias,
               const OptionalOperand& h0, const Recurrence& options);
/// z = x_t + U h_{t-1} + b in parts i, f, g, o; c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g), h_t
/// = sigmoid(o) tanh(c_t) (Hochreiter and Schmidhuber 1997; Gers et al. 2000): x (rows, 4h), weight
/// (4h, h), bias (4h) -> (2, rows, h): every h_t, then every c_t
Variable lstm(const Operand& x, const Operand& weight, const OptionalOperand& bias,
              const OptionalOperand& h0, const OptionalOperand& c0, const Recurrence& options);
/// The same with z = x_t + gain * norm(U h_{t-1}) and h_t = sigmoid(o) tanh(cell_gain * norm(c_t) +
/// cell_bias), where norm(v) is (v - mean) / sqrt(variance + 1e-5) (Ba et al. 2016, supplement): x,
/// normed by the caller, as above; gain (4h), cell_gain and cell_bias (h)
Variable norm_lstm(const Operand& x, const Operand& weight, const Operand& gain,
                   const Operand& cell_gain, const Operand& cell_bias, const OptionalOperand& h0,
                   const OptionalOperand& c0, const Recurrence& options);
/// r, z = sigmoid(x_t + U h_{t-1} + b), n = tanh(x_t + r * (U h_{t-1} + b)), each of its third; h_t
/// = (1 - z) n + z h_{t-1} (Cho et al. 2014, with r after the product): x (rows, 3h), weight (3h,
/// h), bias (3h) -> (rows, h)
Variable gru(const Operand& x, const Operand& weight, const OptionalOperand& bias,
             const OptionalOperand& h0, const Recurrence& options);
/// One step of an LSTM from the sums of its gates: gates (n, 4h), c (n, h) -> (2, n, h): h, then c
Variable lstm_cell(const Operand& gates, const Operand& c);
/// One step of a GRU: x (n, 3h), u (n, 3h) = U h + b, state (n, h) -> (n, h)
Variable gru_cell(const Operand& x, const Operand& u, const Operand& state);
/// dropout(x) with one mask a sequence and column, for all of its rows: (rows, d) -> (rows, d)
Variable sequence_dropout(const Operand& x, const Spans& spans, Real p, RandomKey key);
/// The states after each sequence's last row (with `reverse` its first): states (rows, h), initial
/// (sequences, h) for sequences of no rows, or undefined (zeros) -> (sequences, h)
Variable final_states(const Operand& states, const Spans& spans, bool reverse,
                      const OptionalOperand& initial);

// Convolution ------------------------------------------------------------------------------------
/// How a convolution slides along sequences. Tap j of row t is row t + (j - left) dilation of its
/// sequence, zeros outside it; left is the kernel's width - 1 where causal, so that no row sees a
/// later one, else half of that, rounded down.
struct Window {
  // the rows of each sequence; other rows are padding: they yield zeros, and no window reaches them
  Spans spans;
  bool causal = false;
  Index dilation = 1;
};
/// y_t = sum_j W_j x_(tap j of t) + b: x (rows, in), weight (out, kernel, in), bias (out) or
/// undefined -> (rows, out)
Variable conv1d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                const Window& window);
/// y_t,c = sum_j w_j,c x_(tap j of t),c + b_c, a filter for each column: x (rows, d), weight
/// (kernel, d), bias (d) or undefined -> (rows, d)
Variable depthwise_conv1d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                          const Window& window);
/// a sigmoid(b) for x = [a, b], the gated linear unit (Dauphin et al. 2017): (..., 2d) -> (..., d)
Variable glu(const Operand& x);
/// scale (a + b), of equal shapes: a residual connection that keeps the variance, with a scale of
/// sqrt(1/2)
Variable add_scaled(const Operand& a, const Operand& b, Real scale);
/// W = g v / ||v||, the norm over all but the first axis (Salimans and Kingma 2016): v (out, ...),
/// g (out) -> (out, ...). A row of zeros stays zeros.
Variable weight_norm(const Operand& v, const Operand& g);
using Extent2d = std::array<Index, 2>;  // down, across
struct Window2d {
  Extent2d stride = {1, 1};
  Extent2d padding = {0, 0};  // zeros on each side
};
/// y_p = sum_ij W_ij x_(p stride - padding + (i, j)) + b: x (n, height, width, in), weight (out,
/// kernel_y, kernel_x, in), bias (out) or undefined -> (n, (height + 2 padding - kernel) / stride +
/// 1, the same across, out)
Variable conv2d(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                const Window2d& window = {});
/// The largest, or the mean, of each `size` window, one every `stride` pixels (0: size); what fills
/// no window is left out: (n, height, width, d) -> (n, (height - size) / stride + 1, the same
/// across, d). Equal ones send their gradient to the first.
Variable max_pool2d(const Operand& x, Extent2d size, Extent2d stride = {0, 0});
Variable mean_pool2d(const Operand& x, Extent2d size, Extent2d stride = {0, 0});

// Control ----------------------------------------------------------------------------------------
/// fn(inputs), keeping only the inputs for backward, which computes fn again: time for memory (Chen
/// et al. 2016). Parameters used inside get their gradients as usual. fn must compute the same
/// thing twice; dropout from step_random() does.
Variable recompute(const std::function<Variable(std::span<const Variable>)>& fn,
                   std::span<const Operand> inputs);

/// Where layers draw the keys of random ops on this thread. Training seeks it to a function of
/// (seed, step) before each step.
Random& step_random();

}  // namespace heed
