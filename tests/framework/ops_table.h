#pragma once

#include <string>
#include <vector>

#include "framework/ops.h"
#include "framework/random.h"
#include "tests/framework/compute.h"

namespace heed::test {

/// How an input of a row is drawn: inside the op's domain, and further from its kinks than a
/// difference step.
/// - uniform: from [low, high)
/// - away_from_zero: the magnitude from [low, high), the sign at random
/// - distinct: no two elements within a difference step of each other
struct Input {
  enum Kind { uniform, away_from_zero, distinct } kind = uniform;
  Shape shape;
  double low = -1.5;
  double high = 1.5;

  Input(std::initializer_list<Index> extents) : shape(extents) {}
  Input(Shape s, double l, double h) : shape(s), low(l), high(h) {}
  Input(Kind k, Shape s, double l = 0.3, double h = 1.5) : kind(k), shape(s), low(l), high(h) {}
};

/// The elements that a row must give, in order, by plain loops in double.
using Reference = std::function<std::vector<double>(std::span<const Tensor> inputs)>;

/// A row of the table of ops: an op on inputs of certain shapes.
struct OpRow {
  // The name of the op in framework/ops.h, then what is special about this row.
  std::string op;
  std::string what;
  std::vector<Input> inputs;
  Compute compute;
  double tolerance_factor = 1;
  Reference reference = nullptr;
};

const std::vector<OpRow>& op_table();
std::vector<Tensor> draw(const OpRow& row, std::uint64_t seed);

// Rows with a file of their own. The table is filled by functions, since it is read before main:
// tables at namespace scope in those files might not exist yet.
void add_attention_family(std::vector<OpRow>& table);  // attention_rows.cpp
void add_recurrence(std::vector<OpRow>& table);        // recurrent_rows.cpp
void add_convolution(std::vector<OpRow>& table);       // ops_table_convolution.cpp
void add_pooling(std::vector<OpRow>& table);           // pooling_rows.cpp

// Helpers for rows -------------------------------------------------------------------------------
inline Input positive(Shape shape) { return {shape, 0.5, 2}; }
inline Input away(Shape shape) { return {Input::away_from_zero, shape}; }
inline Input distinct(Shape shape) { return {Input::distinct, shape}; }

inline std::vector<Operand> operands(Xs x) { return {x.begin(), x.end()}; }
/// A mask whose every third element is 1.
inline Tensor stripes(Shape shape) {
  Tensor mask(shape);
  for (Index i = 0; i < mask.size(); ++i)
    mask[i] = static_cast<Real>(i % 3 == 1);
  return mask;
}
inline Ids ids(std::initializer_list<Id> values) {
  return {{static_cast<Index>(values.size())}, values};
}

inline Spans packed(std::initializer_list<Index> lengths) {
  return Spans::packed(std::span(lengths.begin(), lengths.size()));
}
inline Spans padded(std::initializer_list<Index> lengths, Index width) {
  return Spans::padded(std::span(lengths.begin(), lengths.size()), width);
}

}  // namespace heed::test
