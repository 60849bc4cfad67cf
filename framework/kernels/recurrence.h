#pragma once

#include "framework/kernels/dropout.h"
#include "framework/types.h"

namespace heed::kernels {

enum class Cell : std::uint8_t { elman, lstm, norm_lstm, gru };

constexpr Index gates_of(Cell cell) { return cell == Cell::elman ? 1 : cell == Cell::gru ? 3 : 4; }
/// Numbers a row that backward needs besides the states: activated gates; of a GRU also U_n h +
/// b_n; of a normed LSTM also both normalised vectors and their scales.
constexpr Index kept_of(Cell cell, Index hidden) {
  return cell == Cell::elman ? 0 : cell == Cell::norm_lstm ? 9 * hidden + 2 : 4 * hidden;
}

/// Sequences of rows, longest first. Groups of sequences run side by side from their first step to
/// their last, without meeting.
struct RecurrenceShape {
  Cell cell;
  Index hidden = 0;
  Index sequences = 0;
  // numbers: which row of h0, c0 and the mask each has
  const Index* numbers = nullptr;
  const Index* begins = nullptr;
  const Index* lengths = nullptr;
  bool reverse = false;
  Dropout dropout;  // on h_{t-1} where it enters the product, one mask a sequence
};

/// G = gates_of(cell), h = hidden. Whatever a cell lacks is null; h0 and c0 may be (zeros).
struct RecurrenceValues {
  const Real* x = nullptr;       // (rows, G h): the input's share of the gates
  const Real* weight = nullptr;  // packed: for forward (h, G h), for backward (G h, h)
  const Real* bias = nullptr;    // (G h)
                                 // of the norms: (4 h), (h), (h)
  const Real* gain = nullptr;
  const Real* cell_gain = nullptr;
  const Real* cell_bias = nullptr;
  // (sequences, h)
  const Real* h0 = nullptr;
  const Real* c0 = nullptr;
  // (rows, h)
  Real* y = nullptr;
  Real* cells = nullptr;
  Real* kept = nullptr;  // (rows, kept_of(cell, h)), or null
};

struct RecurrenceGradients {
  // (rows, h)
  const Real* dy = nullptr;
  const Real* dcells = nullptr;
  Real* dx = nullptr;  // (rows, G h)
  // (rows, G h): of the product U h; the same memory as dx where the two are equal (not GRU, not
  // normed)
  Real* du = nullptr;
  // (rows, h): of the normalised cell after gain and bias
  Real* dcell_norm = nullptr;
  // (sequences, h), or null
  Real* dh0 = nullptr;
  Real* dc0 = nullptr;
};

/// Numbers of scratch memory that each of threads() workers needs, for either pass.
Index recurrence_workspace(const RecurrenceShape& shape);
void recurrence(const RecurrenceShape& shape, const RecurrenceValues& values, Real* workspace);
void recurrence_backward(const RecurrenceShape& shape, const RecurrenceValues& values,
                         const RecurrenceGradients& gradients, Real* workspace);
/// The h_{t-1} that entered the product of each row, dropped out as there: (rows, h). `workspace`
/// as above.
void recurrence_inputs(const RecurrenceShape& shape, const Real* h0, const Real* y, Real* inputs,
                       Real* workspace);

/// One step of n rows. gates (n, 4 h), c (n, h) -> y, cells (n, h) and kept (n, 4 h)
void lstm_cell(Index n, Index hidden, const Real* gates, const Real* c, Real* y, Real* cells,
               Real* kept);
void lstm_cell_backward(Index n, Index hidden, const Real* kept, const Real* c, const Real* cells,
                        const Real* dy, const Real* dcells, Real* dgates, Real* dc);
/// x, u (n, 3 h), state (n, h) -> y (n, h), kept (n, 4 h)
void gru_cell(Index n, Index hidden, const Real* x, const Real* u, const Real* state, Real* y,
              Real* kept);
void gru_cell_backward(Index n, Index hidden, const Real* kept, const Real* state, const Real* dy,
                       Real* dx, Real* du, Real* dstate);

/// The mask of sequence s in columns [0, d) of mask row s, d rounded up to blocks of dropout: what
/// recurrence() drops.
void sequence_mask(const Dropout& dropout, Index sequence, Index d, Real* mask);
/// y[r] = or += mask[s] x[r] for the rows r of each sequence s. `workspace`: d + 127 numbers for
/// each worker.
void sequence_dropout(const RecurrenceShape& shape, const Real* x, Real* y, Mode mode,
                      Real* workspace);

/// y[j] = or += sum_i a[i, j] b[i, j]
void sum_products(Index m, Index n, const Real* a, Index lda, const Real* b, Index ldb, Real* y,
                  Mode mode);

}  // namespace heed::kernels
