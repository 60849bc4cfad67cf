#pragma once

#include <cstdint>

#include "framework/kernels/attend_rows.h"
#include "framework/residual.h"

namespace heed::kernels {

// One position of a Transformer's decoder for every row of a batch, all of its sublayers in one
// call: docs/kernels.md, "A step of decoding".

/// y = x W^T + b, with W (out, in).
struct StepLinear {
  const Real* packed = nullptr;  // the panels of W^T, as pack_panels() leaves them
  const Real* bias = nullptr;    // (out); null: none
  Index in = 0;
  Index out = 0;
};

struct StepNorm {
  const Real* gain = nullptr;
  const Real* bias = nullptr;
};

enum class StepKind : std::uint8_t { self_attention, cross_attention, feed_forward };

/// A sublayer of the decoder with the residual connection around it (framework/residual.h).
///   attention:    f(z) = W_out concat(heads) + b_out
///   feed-forward: f(z) = W_out activation(W_in z + b_in) + b_out
/// W_in z + b_in are queries, keys and values (3 d) of self-attention, queries (d) of
/// cross-attention, the hidden numbers of feed-forward.
struct StepSublayer {
  StepKind kind = StepKind::feed_forward;
  StepLinear in = {};
  StepLinear out = {};
  Index heads = 1;    // of attention
  bool gelu = false;  // feed-forward: the activation, else relu
  NormPlace place = NormPlace::pre;
  StepNorm norm = {};
  // (.., 2 d) keys and values: those so far of self-attention, to which those of this step are
  // written, and those of the source for cross-attention.
  Real* cache = nullptr;
  const Real* memory = nullptr;
};

struct DecoderStep {
  const StepSublayer* sublayers = nullptr;
  Index sublayer_count = 0;
  Index d = 0;        // width of the model
  StepNorm norm;      // after the last sublayer
  StepLinear scores;  // d -> classes
};

/// The rows of a step. The keys and values of row r go to row first + r of every cache, and are
/// among past[r].
struct StepRows {
  Index count = 0;
  Index first = 0;
  const KeyList* past = nullptr;    // (count)
  const KeyList* source = nullptr;  // (count)
};

/// How many numbers of scratch a step takes.
Index decoder_step_scratch(const DecoderStep& model, Index rows);

/// x (rows, d) holds embeddings and becomes what the last norm gives. logits (rows, classes). A
/// row's results depend on its own keys alone, to the bit.
void decoder_step(const DecoderStep& model, const StepRows& rows, Real* x, Real* scratch,
                  Real* logits);

struct StepLinearOptions {
  bool relu = false;  // y becomes max(0, y)
  Mode mode = Mode::assign;
  Index grain = 0;  // panels of columns a piece of work; 0: as many as a piece is worth
};
/// y (m, out) = or += x W^T + b for x (m, in). Panels of columns are shared out among the threads.
void step_linear(const StepLinear& w, const ConstMatrix& x, const Matrix& y,
                 const StepLinearOptions& options = {});

}  // namespace heed::kernels
