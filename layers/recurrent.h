#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

enum class CellKind { elman, lstm, norm_lstm, gru };
CellKind cell_kind(std::string_view name);  // throws Error, naming those there are
const std::vector<std::string>& cell_names();

/// What a recurrent layer remembers of n sequences. Before a whole sequence undefined means zeros;
/// a step needs it defined.
struct CellState {
  // (n, hidden); c is undefined where the cell has none
  Variable h;
  Variable c;

  CellState select(std::span<const Index> rows) const;
};

/// One layer in one direction: elman, lstm, norm_lstm or gru of framework/ops.h with the weights W,
/// U and their biases, as many as PyTorch's. The forget gate's bias begins at 1 (Gers et al. 2000;
/// Jozefowicz et al. 2015).  x (rows, in), y (rows, hidden)
struct RecurrentLayer {
  CellKind kind;
  Linear input;  // W x + b
                 // U h + b
  Parameter weight;
  Parameter bias;
  // of norm_lstm's three norms, in place of the biases
  Parameter input_gain;
  Parameter input_bias;
  Parameter gain;
  Parameter cell_gain;
  Parameter cell_bias;
  // on h_{t-1}, one mask a sequence (Gal and Ghahramani 2016)
  Dropout dropout;

  RecurrentLayer(CellKind cell, Index in, Index hidden, Real recurrent_dropout, Random& random);
  Index hidden() const { return weight.shape()[1]; }
  bool has_cells() const { return kind == CellKind::lstm || kind == CellKind::norm_lstm; }

  struct Output {
    Variable y;       // (rows, hidden)
    CellState final;  // after each sequence's last row, or its first
  };
  Output operator()(const Operand& x, const Spans& spans, const CellState& initial = {},
                    bool reverse = false) const;

  /// The input's share of the gates, for any number of positions: what both of the following start
  /// from. (rows, gates hidden)
  Variable gates(const Operand& x) const { return normed(input(x)); }
  Variable normed(const Variable& sums) const;  // norm_lstm's first norm; of others the identity
  Output run(const Variable& gates, const Spans& spans, const CellState& initial = {},
             bool reverse = false) const;
  /// One position of n sequences. `mask` (n, hidden), where defined, multiplies h_{t-1} on its way
  /// into the product.
  CellState step(const Variable& gates, const CellState& state, const Variable& mask = {}) const;

  void visit(Visitor& v) {
    v("input", input);
    v("weight", weight);
    v("bias", bias);
    v("input_gain", input_gain);
    v("input_bias", input_bias);
    v("gain", gain);
    v("cell_gain", cell_gain);
    v("cell_bias", cell_bias);
    v("dropout", dropout);
  }
};

struct RecurrentOptions {
  CellKind cell = CellKind::lstm;
  // hidden: of each direction
  Index in = 0;
  Index hidden = 256;
  int layers = 1;
  // a second layer beside each reads backwards; their outputs stand side by side (Schuster and
  // Paliwal 1997)
  bool bidirectional = false;
  Real dropout = 0;  // between layers
  Real recurrent_dropout = 0;
};

/// Layers on top of one another.  x (rows, in), y (rows, width())
class Recurrent {
 public:
  Recurrent(const RecurrentOptions& options, Random& random);

  struct Output {
    Variable y;
    // final states, a layer each
    std::vector<CellState> forward;
    std::vector<CellState> backward;
  };
  /// `initial`, where given, has a state for each layer; for one direction alone.
  Output operator()(const Operand& x, const Spans& spans,
                    std::span<const CellState> initial = {}) const;
  /// One position of n sequences, in one direction: y (n, hidden), and each layer's state moves on.
  Variable step(const Variable& x, std::vector<CellState>& states) const;

  Index width() const { return forward_.back().hidden() * (backward_.empty() ? 1 : 2); }
  std::size_t layers() const { return forward_.size(); }
  std::vector<CellState> start(Index n) const;  // zeros
  void visit(Visitor& v) {
    v("forward", forward_);
    v("backward", backward_);
    v("dropout", dropout_);
  }

 private:
  std::vector<RecurrentLayer> forward_;
  std::vector<RecurrentLayer> backward_;
  Dropout dropout_;
};

}  // namespace heed
