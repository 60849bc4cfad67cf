#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "framework/ops.h"
#include "framework/random.h"

namespace heed::test {

/// How an input of a row is drawn: inside the op's domain, and further from its kinks than a
/// difference step.
struct Input {
  enum Kind { uniform, away_from_zero, distinct } kind = uniform;
  Shape shape;
  // away_from_zero: of the magnitude
  double low = -1.5;
  double high = 1.5;

  Input(std::initializer_list<Index> extents) : shape(extents) {}
  Input(Shape s, double l, double h) : shape(s), low(l), high(h) {}
  Input(Kind k, Shape s, double l = 0.3, double h = 1.5) : kind(k), shape(s), low(l), high(h) {}
};

/// A row of the gradient table: an op, in the words of framework/ops.h, on inputs of certain
/// shapes.
struct OpRow {
  std::string op;
  std::string what;
  std::vector<Input> inputs;
  std::function<Variable(std::span<const Variable>)> compute;
  double tolerance_factor = 1;
};

const std::vector<OpRow>& op_table();
void add_recurrence(std::vector<OpRow>& table);  // recurrent_rows.cpp
std::vector<Tensor> draw(const OpRow& row, std::uint64_t seed);

/// Rows with a file of their own.
void add_attention_family(std::vector<OpRow>& table);
void add_convolution(std::vector<OpRow>& table);

// What the rows are written with -----------------------------------------------------------------
using Xs = std::span<const Variable>;
#define OP(...) [](Xs x) -> Variable { return __VA_ARGS__; }

inline Input positive(Shape shape) { return {shape, 0.5, 2}; }
inline Input away(Shape shape) { return {Input::away_from_zero, shape}; }
inline Input distinct(Shape shape) { return {Input::distinct, shape}; }

inline std::vector<Operand> operands(Xs x) { return {x.begin(), x.end()}; }
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
