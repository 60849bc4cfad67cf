#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/framework/ops_table/table.h"

namespace heed::test {

/// How the files of compositions write a row: a fused op and its composition from plain ops, on
/// inputs of certain shapes.
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

/// Every fused op, as rows of the table:
/// - large: on shapes that are difficult: one row, no rows, widths that are no multiple of a
/// vector,
///   empty sequences;
/// - timed: on the shapes of benchmarks/README.md's cases.
std::vector<OpRow> composed_rows(Size size);

// Each has a file of its own and adds small shapes that are difficult, or those of the benchmarks'
// cases.
// - attention options: attention() with each of its options
// - rows: norms, softmax, losses, dropout, elementwise functions
// - sequences: recurrences and convolutions
// - pooling: rows of sequences pooled to one
void add_row_compositions(std::vector<Composition>& table, bool small);
void add_attention_compositions(std::vector<Composition>& table, bool small);
void add_attention_option_compositions(std::vector<Composition>& table, bool small);
void add_sequence_compositions(std::vector<Composition>& table, bool small);
void add_pooling_compositions(std::vector<Composition>& table, bool small);

}  // namespace heed::test
