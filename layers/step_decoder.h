#pragma once

#include <span>
#include <vector>

#include "framework/kernels/decoder_step.h"
#include "layers/attention/cache.h"
#include "layers/transformer.h"

namespace heed {

/// y = x W^T + b with W packed once, for products of a few rows again and again. A copy: what becomes of W later does not reach it.
class PackedLinear {
 public:
  explicit PackedLinear(const Tensor& weight, const Tensor& bias = {});
  explicit PackedLinear(const Linear& layer) : PackedLinear(layer.weight.value(), layer.bias.defined() ? layer.bias.value() : Tensor()) {}
  kernels::StepLinear view() const { return {packed_.data(), bias_.data(), in_, out_}; }

 private:
  Tensor packed_, bias_;
  Index in_, out_;
};

/// The decoder of a Transformer, or a decoder-only model, that computes one position of every row at a time (docs/kernels.md, "A step of
/// decoding"). It lives as long as one decoding: weights may not change meanwhile.
class StepDecoder {
 public:
  /// `norm` after the last layer, `output` (vocabulary, d) after that.
  StepDecoder(const std::vector<DecoderLayer>& layers, const LayerNorm& norm, const Tensor& output, Index rows);
  StepDecoder(const std::vector<EncoderLayer>& layers, const LayerNorm& norm, const Tensor& output, Index rows);

  /// One more position: x (rows, d) embeddings, which become what `norm` gives; returns logits (rows, vocabulary). memory[layer]: keys and
  /// values of the sources, (source rows, 2 d), of which row r sees those of sentence[r].
  Tensor step(Tensor& x, std::span<const Tensor> memory = {}, const Spans& memory_spans = {}, std::span<const Index> sentence = {});

  KeyValueCache cache;

 private:
  template <class Layer>
  StepDecoder(const std::vector<Layer>& layers, const LayerNorm& norm, const Tensor& output, Index rows, int);
  kernels::StepLinear pack(const PackedLinear& layer) { return packed_.push_back(layer), layer.view(); }
  kernels::StepNorm keep(const LayerNorm& norm);

  std::vector<PackedLinear> packed_;
  std::vector<Tensor> kept_;
  std::vector<kernels::StepLayer> layers_;
  kernels::DecoderStep model_;
};

}  // namespace heed
