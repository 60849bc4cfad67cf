#include "layers/step_decoder.h"

#include "framework/kernels/packed.h"

namespace heed {

PackedLinear::PackedLinear(const Tensor& weight, const Tensor& bias)
    : packed_({kernels::packed_size(weight.columns(), weight.shape()[0])}), bias_(bias), in_(weight.columns()), out_(weight.shape()[0]) {
  kernels::pack(in_, out_, weight.data(), 1, in_, packed_.data());
}

kernels::StepNorm StepDecoder::keep(const LayerNorm& norm) {
  kept_.push_back(norm.gain.value()), kept_.push_back(norm.bias.value());
  return {norm.gain.value().data(), norm.bias.value().data()};
}

template <class Layer>
StepDecoder::StepDecoder(const std::vector<Layer>& layers, const LayerNorm& norm, const Tensor& output, Index rows, int)
    : cache(layers.size(), rows) {
  for (const Layer& layer : layers) {
    kernels::StepLayer& to = layers_.emplace_back();
    to.input = pack(PackedLinear(layer.attention.input)), to.output = pack(PackedLinear(layer.attention.output));
    to.attention_norm = keep(layer.around_attention.norm);
    if constexpr (requires { layer.cross; }) {
      to.query = pack(PackedLinear(layer.cross.query)), to.cross_output = pack(PackedLinear(layer.cross.output));
      to.cross_norm = keep(layer.around_cross.norm);
    }
    to.up = pack(PackedLinear(layer.feed_forward.up)), to.down = pack(PackedLinear(layer.feed_forward.down));
    to.feed_forward_norm = keep(layer.around_feed_forward.norm);
  }
  const Layer& first = layers.front();
  model_ = {.layers = nullptr,
            .layer_count = static_cast<Index>(layers.size()),
            .d = output.columns(),
            .heads = first.attention.heads,
            .ff = layers_.front().up.out,
            .norm_first = first.around_attention.place == NormPlace::pre,
            .gelu = first.feed_forward.activation == Activation::gelu,
            .norm = keep(norm),
            .scores = pack(PackedLinear(output))};
}

StepDecoder::StepDecoder(const std::vector<DecoderLayer>& layers, const LayerNorm& norm, const Tensor& output, Index rows)
    : StepDecoder(layers, norm, output, rows, 0) {}
StepDecoder::StepDecoder(const std::vector<EncoderLayer>& layers, const LayerNorm& norm, const Tensor& output, Index rows)
    : StepDecoder(layers, norm, output, rows, 0) {}

Tensor StepDecoder::step(Tensor& x, std::span<const Tensor> memory, const Spans& memory_spans, std::span<const Index> sentence) {
  const Index rows = x.rows();
  cache.extend();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].cache = cache.data(i, model_.d);
    layers_[i].memory = memory.empty() ? nullptr : memory[i].data();
  }
  const std::vector<kernels::KeyList> past = cache.keys();
  std::vector<kernels::KeyList> source;
  for (Index i : sentence) source.push_back({nullptr, memory_spans.begin(i), memory_spans.length(i)});
  model_.layers = layers_.data();
  Tensor logits({rows, model_.scores.out}), scratch({kernels::decoder_step_scratch(model_, rows)});
  kernels::decoder_step(model_, {rows, cache.latest(), past.data(), source.data()}, x.data(), scratch.data(), logits.data());
  return logits;
}

}  // namespace heed
