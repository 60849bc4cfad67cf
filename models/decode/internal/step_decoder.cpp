#include "models/decode/internal/step_decoder.h"

#include <algorithm>
#include <type_traits>

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

namespace {

/// The two products of a sublayer: what reads its rows, and what gives its result.
struct Products {
  const Linear& in;
  const Linear& out;
};
Products products_of(const SelfAttention& attention) {
  return {*attention.input, attention.output};
}
Products products_of(const CrossAttention& attention) {
  return {*attention.query, attention.output};
}
Products products_of(const FeedForward& layer) { return {layer.up, layer.down}; }

kernels::StepSublayer step_of(const SelfAttention& attention) {
  return {.kind = kernels::StepKind::self_attention, .heads = attention.heads};
}
kernels::StepSublayer step_of(const CrossAttention& attention) {
  return {.kind = kernels::StepKind::cross_attention, .heads = attention.heads};
}
kernels::StepSublayer step_of(const FeedForward& layer) {
  return {.kind = kernels::StepKind::feed_forward, .gelu = layer.activation == Activation::gelu};
}

std::size_t self_attentions(const std::vector<kernels::StepSublayer>& sublayers) {
  return static_cast<std::size_t>(std::count_if(
      sublayers.begin(), sublayers.end(),
      [](const kernels::StepSublayer& s) { return s.kind == kernels::StepKind::self_attention; }));
}

}  // namespace

template <class Layers>
void StepWeights::pack_all(const Layers& layers, const LayerNorm& norm, const Tensor& output) {
  for (const auto& layer : layers)
    layer.sublayers([this]<class Sublayer>(const Residual& around, const Sublayer& sublayer) {
      const Products products = products_of(sublayer);
      kernels::StepSublayer& to = sublayers_.emplace_back(step_of(sublayer));
      to.in = pack(PackedLinear(products.in));
      to.out = pack(PackedLinear(products.out));
      to.place = around.place;
      to.norm = keep(around.norm);
      if constexpr (std::is_same_v<Sublayer, CrossAttention>)
        memory_.emplace_back(*sublayer.memory);
    });
  model_ = {.sublayer_count = static_cast<Index>(sublayers_.size()),
            .d = output.columns(),
            .norm = keep(norm),
            .scores = pack(PackedLinear(output))};
}

std::vector<Tensor> StepWeights::remember(const Tensor& encoded) const {
  std::vector<Tensor> result;
  for (const PackedLinear& layer : memory_)
    result.push_back(layer(encoded));
  return result;
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
  for (const EncoderLayer& plain : layers) {
    Layer& layer = layers_.emplace_back(share(plain));
    // Only the copy: the model itself may be training.
    set_training(layer.plain, false);
    plain.sublayers([&layer](const Residual&, const auto& sublayer) {
      const Products products = products_of(sublayer);
      layer.packed.push_back({PackedLinear(products.in), PackedLinear(products.out)});
    });
  }
}

Tensor PackedEncoder::operator()(const Tensor& x, const Spans& spans) const {
  Variable y(x);
  for (const Layer& layer : layers_) {
    auto packed = layer.packed.begin();
    y = through(
        layer.plain, y,
        [&](const SelfAttention& attention, const Operand& z) {
          const PackedProducts& products = *packed++;
          const Projected projected{products.in(z.value()), {}};
          const Variable heads = attention.combine(projected, spans, spans);
          return Variable(products.out(heads.value()));
        },
        [&](const FeedForward& plain, const Operand& z) {
          const PackedProducts& products = *packed++;
          const bool relu = plain.activation == Activation::relu;
          const Tensor hidden = products.in(z.value(), relu);
          return Variable(products.out(relu ? hidden : gelu(hidden).value()));
        });
  }
  return norm_(y).value();
}

StepDecoder::StepDecoder(const StepWeights& weights, Index rows)
    : cache(self_attentions(weights.sublayers_), rows),
      sublayers_(weights.sublayers_),
      model_(weights.model_) {}

Variable StepDecoder::prompt(const std::vector<EncoderLayer>& layers, const Variable& x,
                             const Spans& spans) {
  cache.extend(spans);
  std::size_t caches = 0;
  Variable y = x;
  for (const EncoderLayer& layer : layers)
    y = through(
        layer, y,
        [&](const SelfAttention& attention, const Operand& z) {
          return cache.prompt(caches++, attention, z, spans);
        },
        [](const FeedForward& plain, const Operand& z) { return plain(z); });
  return y;
}

Tensor StepDecoder::step(Tensor& x, std::span<const Tensor> memory, const Spans& memory_spans,
                         std::span<const Index> sources) {
  const Index rows = x.rows();
  cache.extend();
  std::size_t caches = 0;
  std::size_t memories = 0;
  for (kernels::StepSublayer& s : sublayers_) {
    if (s.kind == kernels::StepKind::self_attention) s.cache = cache.data(caches++, model_.d);
    if (s.kind == kernels::StepKind::cross_attention) s.memory = memory[memories++].data();
  }
  const std::vector<kernels::KeyList> past = cache.keys();
  std::vector<kernels::KeyList> source;
  for (const Index i : sources)
    source.push_back({nullptr, memory_spans.begin(i), memory_spans.length(i)});
  model_.sublayers = sublayers_.data();
  Tensor logits({rows, model_.scores.out});
  Tensor scratch({kernels::decoder_step_scratch(model_, rows)});
  kernels::decoder_step(model_, {rows, cache.latest(), past.data(), source.data()}, x.data(),
                        scratch.data(), logits.data());
  return logits;
}

}  // namespace heed
