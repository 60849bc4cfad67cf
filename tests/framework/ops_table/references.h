#pragma once

#include "tests/framework/ops_table/table.h"

// What ops must give: their definitions, by plain loops in double.

namespace heed::test {

using Numbers = std::vector<double>;
using Inputs = std::span<const Tensor>;

Numbers numbers_of(const Tensor& x);

// Elements, reductions and products ---------------------------------------------------------------
/// The row-major coordinates of element i.
std::vector<Index> coordinates(const Shape& shape, Index i);
/// The element at these coordinates. Leading axes that the shape lacks are skipped, and an axis of
/// extent 1 repeats its element.
Index element_at(const Shape& shape, const std::vector<Index>& at);

Reference each(std::function<double(double)> f);
/// f(a, b), where both broadcast.
Reference pairs(std::function<double(double, double)> f);
/// f of the elements along the reduced axes, which may be negative; all axes where none is given.
Reference reduced(const Axes& axes, bool keep, double (*f)(const Numbers&));
Reference product(Transpose transpose);
Reference permuted(const Axes& order);
/// x W^T + b; inputs x, W and, where there is one, b.
Reference affine();
/// f(row, all inputs) for each vector along the last axis of the first input.
Reference rows_with_inputs(std::function<Numbers(const Numbers&, Inputs)> f);
Numbers softmax_of(const Numbers& x);
/// What dropout multiplies element i by.
double dropout_factor(Real p, RandomKey key, Index i);
double logistic(double x);
double tanh_gelu(double x);

// Attention --------------------------------------------------------------------------------------
/// Which bias an input is.
enum class BiasKind { pairs, shared, keys };
/// Without dropout. q, k and v may be joined; then come the biases.
Reference attention_of(const Attention& options, const std::vector<BiasKind>& biases = {});
Reference dot_scores_of(const Pairing& p);
Reference additive_scores_of(const Pairing& p);  // three inputs, or five with coverage
Reference scores_softmax_of(const Pairing& p);   // one input, or two with a sentinel
Reference span_softmax_of(double ramp, const Pairing& p);
Reference weighted_values_of(const Pairing& p);
Reference weighted_queries_of(const Pairing& p);
Reference copy_probability_of(const Ids& tokens, const Ids& gold, const Pairing& p);
Reference by_distance_of(Index reach, const Pairing& p);
Reference sum_by_distance_of(Index reach, const Pairing& p);
Reference linear_attention_of(const Pairing& p);
Reference rotary_of(const Spans& spans, const Rotary& options);

// Recurrences ------------------------------------------------------------------------------------
// Without dropout. Of the inputs, those past the weight may be missing.
Reference elman_of(const Recurrence& options);      // x, weight, bias, h0
Reference lstm_of(const Recurrence& options);       // x, weight, bias, h0, c0
Reference norm_lstm_of(const Recurrence& options);  // x, weight, gain, cell gain and bias, h0, c0
Reference gru_of(const Recurrence& options);        // x, weight, bias, h0
Reference lstm_cell_of();
Reference gru_cell_of();

}  // namespace heed::test
