#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/ops.h"
#include "framework/random.h"
#include "tests/framework/compute.h"

// The table of ops. What it holds is checked by the tests of this folder's parent and timed by
// benchmarks/ops_bench; tests/framework/ops_table_test.cpp says what every op must have.

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

/// What a row must give: its elements in order and, where it is given, the shape.
struct Expected {
  std::vector<double> values;
  std::optional<Shape> shape;

  Expected(std::vector<double> v) : values(std::move(v)) {}
  Expected(std::vector<double> v, Shape s) : values(std::move(v)), shape(s) {}
};
/// Plain loops in double (references.h), or numbers worked out by hand.
using Reference = std::function<Expected(std::span<const Tensor> inputs)>;

/// Which tests read a row.
/// - small: values, gradients against differences, frozen inputs, hostile operands
/// - large: values alone: of infinities, of many elements, or of an op without gradient
/// - divided: the same bits on any number of threads; the work is cut into several pieces
/// - timed: none; benchmarks/ops_bench times it
enum class Size { small, large, divided, timed };

/// An op on inputs of certain shapes.
struct OpRow {
  // The name of the op in framework/ops.h, then what is special about this row.
  std::string op;
  std::string what;
  std::vector<Input> inputs = {};
  Compute compute;
  double tolerance_factor = 1;
  Reference reference = nullptr;
  Compute composed = nullptr;  // the same from plain ops
  Size size = Size::small;
  // Of a divided row: which passes are cut. Small passes and views are not.
  bool cuts_forward = true;
  bool cuts_backward = true;
};

/// A call with arguments that the op refuses with this message. Where the message is empty, the op
/// may refuse them or give a value.
struct HostileCall {
  std::string op;
  std::function<Variable()> run;
  std::string message = "";
};

struct OpTable {
  std::vector<OpRow> rows;
  std::vector<HostileCall> calls;
};
const OpTable& op_table();
/// The rows of ops_bench. They are made apart: their masks are large.
const std::vector<OpRow>& timed_rows();
std::vector<Tensor> draw(const OpRow& row, std::uint64_t seed);
/// The places of rows in the table, and the name of the test of a row.
std::vector<std::size_t> rows_where(bool (*chosen)(const OpRow&));
std::string row_name(std::size_t place);

// What fills the table: a file each. compositions.h declares the others.
void add_elementwise(std::vector<OpRow>& rows);
void add_plain(std::vector<OpRow>& rows);
void add_norms_and_losses(std::vector<OpRow>& rows);
void add_attention_family(std::vector<OpRow>& rows);
void add_attention_options(std::vector<OpRow>& rows);
void add_recurrence(std::vector<OpRow>& rows);
void add_convolution(std::vector<OpRow>& rows);
void add_by_hand(std::vector<OpRow>& rows);
void add_divided(std::vector<OpRow>& rows);
void add_refused(std::vector<HostileCall>& calls);
void add_hostile(std::vector<HostileCall>& calls);
void add_pooling(OpTable& table);  // rows and calls

// Helpers for rows -------------------------------------------------------------------------------
inline Input any(Shape shape) { return {Input::uniform, shape}; }
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
inline Tensor tensor(const Shape& shape, const std::vector<double>& values) {
  Tensor x(shape);
  for (Index i = 0; i < x.size(); ++i)
    x[i] = static_cast<Real>(values[static_cast<std::size_t>(i)]);
  return x;
}
inline Tensor vector(const std::vector<double>& values) {
  return tensor({static_cast<Index>(values.size())}, values);
}
inline Ids ids(std::initializer_list<Id> values) {
  return {{static_cast<Index>(values.size())}, values};
}
/// What ops without gradient give.
inline Tensor numbers(const Ids& ids) {
  Tensor x(ids.shape());
  for (Index i = 0; i < x.size(); ++i)
    x[i] = static_cast<Real>(ids[i]);
  return x;
}
inline Tensor numbers(const Accuracy& a) {  // (correct, counted)
  return vector({static_cast<double>(a.correct), static_cast<double>(a.counted)});
}

inline Spans packed(std::initializer_list<Index> lengths) {
  return Spans::packed(std::span(lengths.begin(), lengths.size()));
}
inline Spans padded(std::initializer_list<Index> lengths, Index width) {
  return Spans::padded(std::span(lengths.begin(), lengths.size()), width);
}

/// `count` sequences of 0 to `longest` rows, in mixed order.
Spans mixed(Index count, Index longest);

/// Spans that do not fit `rows` rows, or that are unusual.
std::vector<Spans> spans_for(Index rows);
inline Variable parameter(const Shape& shape) { return Parameter(Tensor::full(shape, Real(0.25))); }

/// CALL(relu(Tensor())): a call without inputs that captures nothing.
#define CALL(...) []() -> Variable { return __VA_ARGS__; }

}  // namespace heed::test
