#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "framework/ops.h"
#include "framework/random.h"

namespace heed::test {

/// How an input of a row is drawn: inside the op's domain, and further from its kinks than a difference step.
struct Input {
  enum Kind { uniform, away_from_zero, distinct } kind = uniform;
  Shape shape;
  double low = -1.5, high = 1.5;  // away_from_zero: of the magnitude

  Input(std::initializer_list<Index> extents) : shape(extents) {}
  Input(Shape s, double l, double h) : shape(s), low(l), high(h) {}
  Input(Kind k, Shape s, double l = 0.3, double h = 1.5) : kind(k), shape(s), low(l), high(h) {}
};

/// A row of the gradient table: an op, in the words of framework/ops.h, on inputs of certain shapes.
struct OpRow {
  std::string op, what;
  std::vector<Input> inputs;
  std::function<Variable(std::span<const Variable>)> compute;
  double tolerance_factor = 1;
};

const std::vector<OpRow>& op_table();
std::vector<Tensor> draw(const OpRow& row, std::uint64_t seed);

}  // namespace heed::test
