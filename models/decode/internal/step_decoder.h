#pragma once

#include <span>
#include <vector>

#include "framework/kernels/decoder_step.h"
#include "layers/transformer_layers.h"
#include "models/decode/internal/cache.h"

namespace heed {

/// y = x W^T + b with W packed once, for many products with the same W.  x (rows, in), W (out, in),
/// b (out), y (rows, out). It is a copy of W, so later changes of W do not reach it. Each row of y
/// depends on its row of x alone, to the bit.
class PackedLinear {
 public:
  explicit PackedLinear(const Tensor& weight, const Tensor& bias = {});
  explicit PackedLinear(const Linear& layer)
      : PackedLinear(layer.weight.value(), layer.bias.defined() ? layer.bias.value() : Tensor()) {}
  /// `relu`: max(0, y).
  Tensor operator()(const Tensor& x, bool relu = false) const;
  kernels::StepLinear view() const { return {packed_.data(), bias_.data(), in_, out_}; }

 private:
  Tensor packed_;
  Tensor bias_;
  Index in_;
  Index out_;
};

/// The weights of a Transformer's decoder, or of a decoder-only model, packed for single steps. The
/// weights of the model may not change while this is used.
class StepWeights {
 public:
  /// `norm` follows the last layer, and `output` (vocabulary, d) follows `norm`.
  StepWeights(const std::vector<DecoderLayer>& layers, const LayerNorm& norm, const Tensor& output);
  StepWeights(const std::vector<EncoderLayer>& layers, const LayerNorm& norm, const Tensor& output);
  StepWeights(const StepWeights&) = delete;
  StepWeights& operator=(const StepWeights&) = delete;

  /// Keys and values that each cross-attention reads, (source rows, 2 d), of the encoder's output
  /// (source rows, d).
  std::vector<Tensor> remember(const Tensor& encoded) const;

 private:
  friend class StepDecoder;
  template <class Layers>
  void pack_all(const Layers& layers, const LayerNorm& norm, const Tensor& output);
  kernels::StepLinear pack(const PackedLinear& layer);
  kernels::StepNorm keep(const LayerNorm& norm);

  std::vector<PackedLinear> packed_;
  std::vector<PackedLinear> memory_;  // of each cross-attention
  std::vector<Tensor> kept_;
  std::vector<kernels::StepSublayer> sublayers_;
  kernels::DecoderStep model_;
};

/// A Transformer's encoder with packed weights, for decoding. Gives what its layers give in
/// evaluation.
class PackedEncoder {
 public:
  PackedEncoder(const std::vector<EncoderLayer>& layers, const LayerNorm& norm);
  Tensor operator()(const Tensor& x, const Spans& spans) const;  // (rows, d) -> (rows, d)

 private:
  struct PackedProducts {
    PackedLinear in;
    PackedLinear out;
  };
  struct Layer {
    EncoderLayer plain;                       // all but the products; shares the parameters
    std::vector<PackedProducts> packed = {};  // of each sublayer, in order
  };
  std::vector<Layer> layers_;
  LayerNorm norm_;
};

/// Computes one position of every row at a time (docs/kernels.md, "A step of decoding").
class StepDecoder {
 public:
  StepDecoder(const StepWeights& weights, Index rows);

  /// x through the layers of a decoder-only model, for the first positions of every row: their keys
  /// and values are kept. x (spans.rows(), d). No step may have come before.
  Variable prompt(const std::vector<EncoderLayer>& layers, const Variable& x, const Spans& spans);

  /// Computes one more position. x (rows, d): embeddings, which are replaced by the output of the
  /// last norm. memory: what StepWeights::remember() gave; row r sees the keys of sequence
  /// sources[r]. Returns logits (rows, vocabulary).
  Tensor step(Tensor& x, std::span<const Tensor> memory = {}, const Spans& memory_spans = {},
              std::span<const Index> sources = {});

  KeyValueCache cache;

 private:
  std::vector<kernels::StepSublayer> sublayers_;
  kernels::DecoderStep model_;
};

}  // namespace heed
