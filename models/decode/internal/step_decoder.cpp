#include "models/decode/internal/step_decoder.h"

#include "framework/kernels/packed.h"

namespace heed {

PackedLinear::PackedLinear(const Tensor& weight, const Tensor& bias)
    : packed_({kernels::packed_size(weight.columns(), weight.shape()[0])}),
      bias_(bias),
      in_(weight.columns()),
      out_(weight.shape()[0]) {
  kernels::pack_panels(transposed(kernels::dense(weight.data(), out_, in_)), packed_.data());
}

Tensor PackedLinear::operator()(const Tensor& x, bool relu) const {
  Tensor y(x.shape().with(x.rank() - 1, out_));
  kernels::step_linear(view(), kernels::dense(x.data(), x.rows(), in_),
                       kernels::dense(y.data(), x.rows(), out_), {.relu = relu});
  return y;
}

kernels::StepLinear StepWeights::pack(const PackedLinear& layer) {
  packed_.push_back(layer);
  return layer.view();
}

kernels::StepNorm StepWeights::keep(const LayerNorm& norm) {
  kept_.push_back(norm.gain.value());
  kept_.push_back(norm.bias.value());
  return {norm.gain.value().data(), norm.bias.value().data()};
}

template <class Layers>
void StepWeights::pack_all(const Layers& layers, const LayerNorm& norm, const Tensor& output) {
  for (const auto& layer : layers) {
    kernels::StepLayer& to = layers_.emplace_back();
    to.input = pack(PackedLinear(*layer.attention.input));
    to.output = pack(PackedLinear(layer.attention.output));
    to.attention_norm = keep(layer.around_attention.norm);
    if constexpr (requires { layer.cross; }) {
      to.query = pack(PackedLinear(*layer.cross.query));
      to.cross_output = pack(PackedLinear(layer.cross.output));
      to.cross_norm = keep(layer.around_cross.norm);
    }
    to.up = pack(PackedLinear(layer.feed_forward.up));
    to.down = pack(PackedLinear(layer.feed_forward.down));
    to.feed_forward_norm = keep(layer.around_feed_forward.norm);
  }
  const auto& first = layers.front();
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

StepWeights::StepWeights(const std::vector<DecoderLayer>& layers, const LayerNorm& norm,
                         const Tensor& output) {
  pack_all(layers, norm, output);
}
StepWeights::StepWeights(const std::vector<EncoderLayer>& layers, const LayerNorm& norm,
                         const Tensor& output) {
  pack_all(layers, norm, output);
}

PackedEncoder::PackedEncoder(const std::vector<EncoderLayer>& layers, const LayerNorm& norm)
    : norm_(share(norm)) {
  for (const EncoderLayer& layer : layers) {
    layers_.push_back({share(layer), PackedLinear(*layer.attention.input),
                       PackedLinear(layer.attention.output), PackedLinear(layer.feed_forward.up),
                       PackedLinear(layer.feed_forward.down)});
    // Only the copy: the model itself may be training.
    set_training(layers_.back().plain, false);
  }
}

Tensor PackedEncoder::operator()(const Tensor& x, const Spans& spans) const {
  Variable y(x);
  for (const Layer& layer : layers_) {
    y = layer.plain.around_attention(y, [&](const Variable& z) {
      const Variable qkv(layer.input(z.value()));
      return Variable(layer.output(
          attention(qkv, {.heads = layer.plain.attention.heads, .queries = spans, .keys = spans})
              .value()));
    });
    y = layer.plain.around_feed_forward(y, [&](const Variable& z) {
      if (layer.plain.feed_forward.activation == Activation::relu)
        return Variable(layer.down(layer.up(z.value(), true)));
      return Variable(layer.down(gelu(Variable(layer.up(z.value()))).value()));
    });
  }
  return norm_(y).value();
}

StepDecoder::StepDecoder(const StepWeights& weights, Index rows)
    : cache(weights.layers_.size(), rows), layers_(weights.layers_), model_(weights.model_) {}

Tensor StepDecoder::step(Tensor& x, std::span<const Tensor> memory, const Spans& memory_spans,
                         std::span<const Index> sentence) {
  const Index rows = x.rows();
  cache.extend();
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].cache = cache.data(i, model_.d);
    layers_[i].memory = memory.empty() ? nullptr : memory[i].data();
  }
  const std::vector<kernels::KeyList> past = cache.keys();
  std::vector<kernels::KeyList> source;
  for (Index i : sentence)
    source.push_back({nullptr, memory_spans.begin(i), memory_spans.length(i)});
  model_.layers = layers_.data();
  Tensor logits({rows, model_.scores.out});
  Tensor scratch({kernels::decoder_step_scratch(model_, rows)});
  kernels::decoder_step(model_, {rows, cache.latest(), past.data(), source.data()}, x.data(),
                        scratch.data(), logits.data());
  return logits;
}

}  // namespace heed
