#pragma once

#include <span>
#include <vector>

#include "framework/fields.h"
#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

enum class CellKind { elman, lstm, norm_lstm, gru };
/// Their names.
const std::vector<Choice<CellKind>>& cells();

/// The state of a recurrent layer for n sequences. Undefined means zeros where a whole sequence
/// follows; step() needs it defined.
struct CellState {
  Variable h;  // (n, hidden)
  Variable c;  // (n, hidden); undefined for a cell without one

  CellState select(std::span<const Index> rows) const;
};

/// One layer in one direction: elman, lstm, norm_lstm or gru of framework/ops.h, which has their
/// equations.  x (rows, in), y (rows, hidden)
///
/// The parameters are as many as PyTorch's: W x + b and U h + b. The forget gate's bias begins at 1
/// (Gers et al. 2000; Jozefowicz et al. 2015).
struct RecurrentLayer {
  CellKind kind;
  Linear input;      // W (gates hidden, in), b (gates hidden)
  Parameter weight;  // U (gates hidden, hidden)
  Parameter bias;    // of U h
  // of norm_lstm's three norms, instead of the biases
  Parameter input_gain;
  Parameter input_bias;
  Parameter gain;
  Parameter cell_gain;
  Parameter cell_bias;
  Dropout dropout;  // on h_{t-1}, one mask a sequence (Gal and Ghahramani 2016)

  RecurrentLayer(CellKind cell, Index in, Index hidden, Real recurrent_dropout, Random& random);
  Index hidden() const { return weight.shape()[1]; }
  bool has_cells() const { return kind == CellKind::lstm || kind == CellKind::norm_lstm; }

  struct Output {
    Variable y;       // (rows, hidden)
    CellState final;  // after the last row of each sequence; in reverse after the first
  };
  Output operator()(const Operand& x, const Spans& spans, const CellState& initial = {},
                    bool reverse = false) const;

  /// What x adds to the sums of the gates, for any number of positions: (rows, gates hidden). run()
  /// and step() start from it.
  Variable gates(const Operand& x) const { return normed(input(x)); }
  /// The first norm of norm_lstm; the identity for the other cells.
  Variable normed(const Variable& sums) const;
  /// Whole sequences, given gates().
  Output run(const Variable& gates, const Spans& spans, const CellState& initial = {},
             bool reverse = false) const;
  /// One position of n sequences, given gates(). `mask` (n, hidden), where defined, multiplies
  /// h_{t-1} in the product U h.
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
  Index in = 0;
  Index hidden = 256;  // of each direction
  int layers = 1;
  // A second layer beside each reads backwards. Their outputs are concatenated (Schuster and
  // Paliwal 1997).
  bool bidirectional = false;
  Real dropout = 0;  // between layers
  Real recurrent_dropout = 0;
};

/// A stack of recurrent layers.  x (rows, in), y (rows, width())
class Recurrent {
 public:
  Recurrent(const RecurrentOptions& options, Random& random);

  struct Output {
    Variable y;
    std::vector<CellState> forward;   // the final state of each layer
    std::vector<CellState> backward;  // the same, of the layers that read backwards
  };
  /// `initial`: a state for each layer, or none. Throws Error when it has another number of states,
  /// or when the layers read in two directions.
  Output operator()(const Operand& x, const Spans& spans,
                    std::span<const CellState> initial = {}) const;
  /// One position of n sequences: y (n, hidden). Replaces the state of each layer. Throws Error
  /// when there is not a state for each layer, or when the layers read in two directions.
  Variable step(const Variable& x, std::vector<CellState>& states) const;

  Index width_in() const { return forward_.front().input.weight.shape()[1]; }
  Index width() const { return forward_.back().hidden() * (backward_.empty() ? 1 : 2); }
  std::size_t layers() const { return forward_.size(); }
  /// States of zeros for n sequences.
  std::vector<CellState> start(Index n) const;
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
