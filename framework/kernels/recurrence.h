#pragma once

#include "framework/kernels/dropout.h"
#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

enum class Cell : std::uint8_t { elman, lstm, norm_lstm, gru };

constexpr Index gates_of(Cell cell) {
  switch (cell) {
    case Cell::elman:
      return 1;
    case Cell::gru:
      return 3;
    case Cell::lstm:
    case Cell::norm_lstm:
      break;
  }
  return 4;
}
/// Numbers of a row that backward needs besides the states:
/// - LSTM: the activated gates;
/// - GRU: the activated gates and U_n h + b_n;
/// - normed LSTM: the activated gates, both normalised vectors and their scales.
constexpr Index kept_of(Cell cell, Index hidden) {
  switch (cell) {
    case Cell::elman:
      return 0;
    case Cell::norm_lstm:
      return 9 * hidden + 2;
    case Cell::lstm:
    case Cell::gru:
      break;
  }
  return 4 * hidden;
}

/// Sequences of rows, longest first. Groups of sequences run side by side from their first step to
/// their last, independently of each other.
struct RecurrenceShape {
  Cell cell;
  Index hidden = 0;
  Index sequences = 0;
  const Index* numbers = nullptr;  // (sequences): which row of h0, c0 and the mask each has
  const Index* begins = nullptr;   // (sequences): first row
  const Index* lengths = nullptr;  // (sequences)
  bool reverse = false;
  Dropout dropout;  // on h_{t-1} where it enters the product, one mask a sequence
};

/// G = gates_of(cell), h = hidden. What a cell lacks is null. h0 and c0 may be null (zeros).
struct RecurrenceValues {
  const Real* x = nullptr;       // (rows, G h): the input's share of the gates
  const Real* weight = nullptr;  // panels: for forward of (h, G h), for backward of (G h, h)
  const Real* bias = nullptr;    // (G h)
  // of the norms
  const Real* gain = nullptr;       // (4 h)
  const Real* cell_gain = nullptr;  // (h)
  const Real* cell_bias = nullptr;  // (h)
  const Real* h0 = nullptr;         // (sequences, h)
  const Real* c0 = nullptr;         // (sequences, h)
  Real* y = nullptr;                // (rows, h)
  Real* cells = nullptr;            // (rows, h)
  Real* kept = nullptr;             // (rows, kept_of(cell, h)), or null
};

struct RecurrenceGradients {
  const Real* dy = nullptr;      // (rows, h)
  const Real* dcells = nullptr;  // (rows, h)
  Real* dx = nullptr;            // (rows, G h)
  // (rows, G h): of the product U h. The same memory as dx where the two are equal (not GRU, not
  // normed LSTM)
  Real* du = nullptr;
  Real* dcell_norm = nullptr;  // (rows, h): of the normalised cell after gain and bias
  Real* dh0 = nullptr;         // (sequences, h), or null
  Real* dc0 = nullptr;         // (sequences, h), or null
};

/// Numbers of scratch memory that each of threads() workers needs, for either pass.
Index recurrence_workspace(const RecurrenceShape& shape);
void recurrence(const RecurrenceShape& shape, const RecurrenceValues& values, Real* workspace);
void recurrence_backward(const RecurrenceShape& shape, const RecurrenceValues& values,
                         const RecurrenceGradients& gradients, Real* workspace);
/// inputs (rows, h): the h_{t-1} that entered the product of each row, dropped out as there.
/// `workspace` as above.
void recurrence_inputs(const RecurrenceShape& shape, const Real* h0, const Real* y, Real* inputs,
                       Real* workspace);

// One step of n rows.
struct LstmCell {
  Index n;
  Index hidden;
  const Real* gates;  // (n, 4 h): sums
  const Real* c;      // (n, h)
  Real* y;            // (n, h)
  Real* cells;        // (n, h)
  Real* kept;         // (n, 4 h)
};
void lstm_cell(const LstmCell& step);
struct LstmCellBackward {
  Index n;
  Index hidden;
  // as in lstm_cell
  const Real* c;
  const Real* cells;
  const Real* kept;
  const Real* dy;      // (n, h)
  const Real* dcells;  // (n, h)
  Real* dgates;        // (n, 4 h)
  Real* dc;            // (n, h)
};
void lstm_cell_backward(const LstmCellBackward& step);
struct GruCell {
  Index n;
  Index hidden;
  const Real* x;      // (n, 3 h)
  const Real* u;      // (n, 3 h)
  const Real* state;  // (n, h)
  Real* y;            // (n, h)
  Real* kept;         // (n, 4 h)
};
void gru_cell(const GruCell& step);
struct GruCellBackward {
  Index n;
  Index hidden;
  // as in gru_cell
  const Real* state;
  const Real* kept;
  const Real* dy;  // (n, h)
  Real* dx;        // (n, 3 h)
  Real* du;        // (n, 3 h)
  Real* dstate;    // (n, h)
};
void gru_cell_backward(const GruCellBackward& step);

/// The mask that recurrence() drops by: columns [0, d) of row `sequence` of a mask whose rows are
/// whole blocks of dropout. `mask` has room for whole blocks.
void sequence_mask(const Dropout& dropout, Index sequence, Index d, Real* mask);
/// y[r] = or += mask[s] x[r] for the rows r of each sequence s. `workspace`: d + 127 numbers for
/// each worker.
void sequence_dropout(const RecurrenceShape& shape, const Real* x, Output y, Real* workspace);

/// y[j] = or += sum_i a[i, j] b[i, j], for a and b (m, n)
void sum_products(const ConstMatrix& a, const ConstMatrix& b, Output y);

}  // namespace heed::kernels
