#pragma once

#include <span>
#include <vector>

#include "framework/kernels/decoder_step.h"
#include "layers/attention/cache.h"
#include "layers/transformer_layers.h"

namespace heed {

/// y = x W^T + b with W packed once, for products with the same W again and again. A copy: what
/// becomes of W later does not reach it. Each row of y depends on its row of x alone, to the bit.
class PackedLinear {
 public:
  explicit PackedLinear(const Tensor& weight, const Tensor& bias = {});
  explicit PackedLinear(const Linear& layer)
      : PackedLinear(layer.weight.value(), layer.bias.defined() ? layer.bias.value() : Tensor()) {}
  // (rows, in) -> (rows, out); relu: max(0, y)
  Tensor operator()(const Tensor& x, bool relu = false) const;
  kernels::StepLinear view() const { return {packed_.data(), bias_.data(), in_, out_}; }

 private:
  Tensor packed_;
  Tensor bias_;
  Index in_;
  Index out_;
};

/// The weights of a Transformer's decoder, or of a decoder-only model, packed for single steps.
/// They may not change while this is used.
class StepWeights {
 public:
  /// `norm` after the last layer, `output` (vocabulary, d) after that.
  StepWeights(const std::vector<DecoderLayer>& layers, const LayerNorm& norm, const Tensor& output);
  StepWeights(const std::vector<EncoderLayer>& layers, const LayerNorm& norm, const Tensor& output);
  StepWeights(const StepWeights&) = delete;
  StepWeights& operator=(const StepWeights&) = delete;

 private:
  friend class StepDecoder;
  template <class Layers>
  void pack_all(const Layers& layers, const LayerNorm& norm, const Tensor& output);
  kernels::StepLinear pack(const PackedLinear& layer) {
    return packed_.push_back(layer), layer.view();
  }
  kernels::StepNorm keep(const LayerNorm& norm);

  std::vector<PackedLinear> packed_;
  std::vector<Tensor> kept_;
  std::vector<kernels::StepLayer> layers_;
  kernels::DecoderStep model_;
};

/// A Transformer's encoder for decoding: what its layers compute, with packed weights.
class PackedEncoder {
 public:
  PackedEncoder(const std::vector<EncoderLayer>& layers, const LayerNorm& norm);
  Tensor operator()(const Tensor& x, const Spans& spans) const;  // (rows, d) -> (rows, d)

 private:
  struct Layer {
    EncoderLayer plain;  // its norms and structure; shares its parameters
    PackedLinear input;
    PackedLinear output;
    PackedLinear up;
    PackedLinear down;
  };
  std::vector<Layer> layers_;
  LayerNorm norm_;
};

/// Computes one position of every row at a time (docs/kernels.md, "A step of decoding").
class StepDecoder {
 public:
  StepDecoder(const StepWeights& weights, Index rows);

  /// One more position: x (rows, d) embeddings, which become what the last norm gives; returns
  /// logits (rows, vocabulary). memory[layer]: keys and values of the sources, (source rows, 2 d),
  /// of which row r sees those of sentence[r].
  Tensor step(Tensor& x, std::span<const Tensor> memory = {}, const Spans& memory_spans = {},
              std::span<const Index> sentence = {});

  KeyValueCache cache;

 private:
  std::vector<kernels::StepLayer> layers_;
  kernels::DecoderStep model_;
};

}  // namespace heed
