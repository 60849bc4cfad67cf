#pragma once

#include "framework/kernels/attend_rows.h"

namespace heed::kernels {

// One position of a Transformer's decoder for every row of a batch, all of its layers in one call:
// docs/kernels.md, "A step of decoding".

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

/// d: width of the model; ff: hidden width of its feed-forward blocks.
struct StepLayer {
  // self-attention
  StepLinear input;   // d -> 3 d: queries, keys, values
  StepLinear output;  // d -> d
  StepNorm attention_norm;
  Real* cache = nullptr;  // (.., 2 d): keys and values so far; this step's rows are written
  // attention to the source; query.packed null: the layer has none
  StepLinear query;         // d -> d
  StepLinear cross_output;  // d -> d
  StepNorm cross_norm;
  const Real* memory = nullptr;  // (.., 2 d): keys and values of the source
  // feed-forward
  StepLinear up;    // d -> ff
  StepLinear down;  // ff -> d
  StepNorm feed_forward_norm;
};

struct DecoderStep {
  const StepLayer* layers = nullptr;
  Index layer_count = 0;
  Index d = 0;
  Index heads = 0;
  Index ff = 0;
  bool norm_first = false;  // x + f(norm(x)), else norm(x + f(x))
  bool gelu = false;        // the activation, else relu
  StepNorm norm;            // after the last layer
  StepLinear scores;        // d -> vocabulary
};

/// The rows of a step. The keys and values of row r go to row first + r of every layer's cache, and
/// are among past[r].
struct StepRows {
  Index count = 0;
  Index first = 0;
  const KeyList* past = nullptr;    // (count)
  const KeyList* source = nullptr;  // (count)
};

/// How many numbers of scratch a step takes.
Index decoder_step_scratch(const DecoderStep& model, Index rows);

/// x (rows, d) holds embeddings and becomes what the last norm gives. logits (rows, vocabulary). A
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
