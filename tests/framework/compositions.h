#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "framework/ops.h"
#include "framework/random.h"

namespace heed::test {

using Compute = std::function<Variable(std::span<const Variable>)>;

/// A fused op and the same from plain ops, on inputs of certain shapes. Tests compare the two;
/// benchmarks/ops_bench times them.
struct Composition {
  // the op, in the words of framework/ops.h, and what is special about these shapes
  std::string op;
  std::string what;
  std::vector<Shape> inputs;  // each drawn uniformly from [low, high)
  Compute fused;
  Compute composed;
  double low = -1;
  double high = 1;
  double tolerance_factor = 1;
};

/// Every fused op on small shapes that hurt: one row, none, widths that no vector divides, empty
/// sequences.
const std::vector<Composition>& small_compositions();
/// The same ops on the shapes of benchmarks/README.md's cases.
const std::vector<Composition>& case_compositions();

std::vector<Tensor> draw(const Composition& c, std::uint64_t seed);

// One file a kind: what each adds, small or of the cases' sizes.
// norms, softmax, losses, dropout, elementwise
void add_row_compositions(std::vector<Composition>& table, bool small);
void add_attention_compositions(std::vector<Composition>& table, bool small);
// recurrence, convolution
void add_sequence_compositions(std::vector<Composition>& table, bool small);

}  // namespace heed::test
