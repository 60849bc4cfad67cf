// Whatever an op is given, it gives a value or throws Error, and reads or writes nothing outside
// its tensors. The address sanitizer checks that (preset asan-ubsan).
// - Operands: each row of the table of ops, with one operand after the other replaced.
// - Ids, spans, numbers and other options: the calls of the table.

#include <limits>

#include <gtest/gtest.h>

#include "framework/error.h"
#include "tests/framework/ops_table/table.h"
#include "tests/message_of.h"

namespace heed::test {
namespace {

constexpr Real infinity = std::numeric_limits<Real>::infinity();
constexpr Real nan = std::numeric_limits<Real>::quiet_NaN();

/// Runs forward and, where that gave a value, backward. True where neither threw.
bool survives(const std::function<Variable()>& call) {
  try {
    Tape tape;
    const Variable y = call();
    if (!y.defined()) return true;
    const Tensor dy = Tensor::full(y.shape(), 1);
    if (Tape::needs_gradient(y)) tape.backward(y, dy);
    return true;
  } catch (const Error&) {
    return false;
  }
}

Tensor filled(const Shape& shape, Real value) { return Tensor::full(shape, value); }

Shape of_rank(const Shape& shape, int rank) {
  std::vector<Index> extents(shape.begin(), shape.end());
  while (static_cast<int>(extents.size()) > rank)
    extents.erase(extents.begin());
  while (static_cast<int>(extents.size()) < rank)
    extents.insert(extents.begin(), 2);
  return Shape(extents);
}

/// The replacements for an operand.
std::vector<Variable> spoilt(const Tensor& operand) {
  const Shape& shape = operand.shape();
  std::vector<Variable> result{Variable()};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    for (const Index extent : {Index{0}, shape[axis] + 1, shape[axis] - 1, 3 * shape[axis] + 2}) {
      if (extent >= 0) result.emplace_back(Parameter(filled(shape.with(axis, extent), Real(0.5))));
    }
  }
  for (const int rank : {0, shape.rank() - 1, shape.rank() + 1, Shape::max_rank}) {
    if (rank < 0 || rank > Shape::max_rank) continue;
    result.emplace_back(Parameter(filled(of_rank(shape, rank), Real(0.5))));
  }
  const Real denormal = std::numeric_limits<Real>::denorm_min();
  const Real largest = std::numeric_limits<Real>::max();
  for (const Real value : {nan, infinity, -infinity, denormal, largest, -largest}) {
    result.emplace_back(Parameter(filled(shape, value)));
  }
  if (operand.size() > 0) {  // one bad number among good ones
    Tensor one = operand.clone();
    one[operand.size() / 2] = nan;
    result.emplace_back(Parameter(one));
  }
  return result;
}

TEST(Hostile, Operands) {
  int values = 0;
  int errors = 0;
  for (const OpRow& row : op_table().rows) {
    if (row.size != Size::small) continue;
    const std::vector<Tensor> inputs = draw(row, 1);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      for (const Variable& bad : spoilt(inputs[i])) {
        std::vector<Variable> operands;
        for (const Tensor& input : inputs)
          operands.emplace_back(Parameter(input.clone()));
        operands[i] = bad;
        const bool survived = survives([&] { return row.compute(operands); });
        ++(survived ? values : errors);
      }
    }
  }
  EXPECT_GT(values, 1000);
  EXPECT_GT(errors, 1000);
}

TEST(Hostile, Options) {
  int errors = 0;
  for (const HostileCall& call : op_table().calls)
    errors += !survives(call.run);
  EXPECT_GT(errors, 500);
}

TEST(Hostile, MessagesSayWhatWasExpected) {
  for (const HostileCall& call : op_table().calls) {
    if (call.message.empty()) continue;
    EXPECT_EQ(message_of(call.run), call.message);
  }
}

}  // namespace
}  // namespace heed::test
