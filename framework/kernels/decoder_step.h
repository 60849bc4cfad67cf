#pragma once

#include "framework/kernels/attend_rows.h"

namespace heed::kernels {

// One position of a Transformer's decoder for every row of a batch, all of its layers in one call:
// docs/kernels.md, "A step of decoding".

/// y = x W^T + b, W (out, in) as pack(in, out, W, 1, in, packed) leaves it. bias null: none.
struct StepLinear {
  const Real* packed = nullptr;
  const Real* bias = nullptr;
  Index in = 0;
  Index out = 0;
};

struct StepNorm {
  const Real* gain = nullptr;
  const Real* bias = nullptr;
};

struct StepLayer {
  // self-attention: d -> 3 d (queries, keys, values), d -> d
  StepLinear input;
  StepLinear output;
  StepNorm attention_norm;
  // keys and values so far, (.., 2 d); this step's rows are written
  Real* cache = nullptr;
  // attention to the source: d -> d, d -> d; query.packed null: there is none
  StepLinear query;
  StepLinear cross_output;
  StepNorm cross_norm;
  const Real* memory = nullptr;  // keys and values of the source, (.., 2 d)
                                 // feed-forward: d -> ff, ff -> d
  StepLinear up;
  StepLinear down;
  StepNorm feed_forward_norm;
};

struct DecoderStep {
  const StepLayer* layers = nullptr;
  Index layer_count = 0;
  Index d = 0;
  Index heads = 0;
  Index ff = 0;
  // x + f(norm(x)), else norm(x + f(x)); else relu
  bool norm_first = false;
  bool gelu = false;
  StepNorm norm;      // after the last layer
  StepLinear scores;  // d -> vocabulary
};

/// The rows of a step: row r's keys and values go to row first + r of every layer's cache, and are
/// among past[r].
struct StepRows {
  Index count = 0;
  Index first = 0;
  const KeyList* past = nullptr;
  const KeyList* source = nullptr;
};

/// How many numbers of scratch a step takes.
Index decoder_step_scratch(const DecoderStep& model, Index rows);

/// x (rows, d): embeddings; becomes what the last norm gives. logits (rows, vocabulary). Each row's
/// depend on its own keys alone, to the bit.
void decoder_step(const DecoderStep& model, const StepRows& rows, Real* x, Real* scratch,
                  Real* logits);

/// y (m, out) = or += x W^T + b, and y = max(0, y) where `relu` asks for it. x and y have leading
/// dimensions. Panels of columns are shared out among the threads in pieces of `grain` (0: as many
/// as a piece is worth).
void step_linear(Index m, const StepLinear& w, const Real* x, Index ldx, bool relu, Real* y,
                 Index ldy, Mode mode, Index grain = 0);

}  // namespace heed::kernels
