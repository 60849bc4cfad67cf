#pragma once

#include <string>
#include <utility>
#include <vector>

#include "framework/ops.h"
#include "framework/random.h"
#include "tests/framework/compute.h"

namespace heed::test {

/// A fused op and its composition from plain ops, on inputs of certain shapes. Tests compare the
/// two and benchmarks/ops_bench times them.
struct Composition {
  // The name of the op in framework/ops.h, then what is special about these shapes.
  std::string op;
  std::string what;
  std::vector<Shape> inputs;  // each drawn uniformly from [low, high)
  Compute fused;
  Compute composed;
  double low = -1;
  double high = 1;
  double tolerance_factor = 1;
};

/// A row whose results may differ by `factor` times the usual tolerance.
inline Composition within(double factor, Composition c) {
  c.tolerance_factor = factor;
  return c;
}
/// A row whose inputs are drawn from [low, high).
inline Composition drawn(double low, double high, Composition c) {
  c.low = low;
  c.high = high;
  return c;
}

/// Every fused op on small shapes that are difficult: one row, no rows, widths that are no multiple
/// of a vector, empty sequences.
const std::vector<Composition>& small_compositions();
/// The same ops on the shapes of benchmarks/README.md's cases.
const std::vector<Composition>& case_compositions();

std::vector<Tensor> draw(const Composition& c, std::uint64_t seed);

// Each has a file of its own and adds small shapes, or those of the benchmarks' cases.
// - rows: norms, softmax, losses, dropout, elementwise functions
// - sequences: recurrences and convolutions
// - pooling: rows of sequences pooled to one
void add_row_compositions(std::vector<Composition>& table, bool small);
void add_attention_compositions(std::vector<Composition>& table, bool small);
void add_sequence_compositions(std::vector<Composition>& table, bool small);
void add_pooling_compositions(std::vector<Composition>& table, bool small);

}  // namespace heed::test
