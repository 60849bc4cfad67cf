#include "layers/transformer_layers.h"

#include <algorithm>

namespace heed {

namespace {

/// A sublayer by itself.
constexpr auto plain = [](const FeedForward& f, const Operand& z) { return f(z); };

AttentionOptions attention_of(const LayerOptions& o) {
  AttentionOptions attention = o.attention;
  attention.query = o.d;
  attention.memory = o.d;
  attention.heads = o.heads;
  attention.dropout = o.dropout;
  return attention;
}

FeedForward feed_forward_of(const LayerOptions& o, Random& random) {
  return {o.d, o.ff, o.activation, o.dropout, random};
}

const Parameter& last_weight(const MultiHeadAttention& layer) { return layer.output.weight; }
const Parameter& last_weight(const FeedForward& layer) { return layer.down.weight; }

/// Zeroes the last product of each sublayer, after its weights were drawn: the same seed gives all
/// others the same weights.
template <class Layer>
void begin_at_zero(Layer& layer) {
  layer.sublayers([](const Residual&, const auto& sublayer) {
    std::ranges::fill(last_weight(sublayer).value().span(), Real{0});
  });
}

}  // namespace

EncoderLayer::EncoderLayer(const LayerOptions& o, Random& random)
    : attention(attention_of(o), random),
      feed_forward(feed_forward_of(o, random)),
      around_attention(o),
      around_feed_forward(o) {
  if (o.zero_init) begin_at_zero(*this);
}

Variable EncoderLayer::operator()(const Operand& x, const Spans& spans, bool causal,
                                  std::vector<Tensor>* weights) const {
  return through(
      *this, x,
      [&](const SelfAttention& self, const Operand& z) {
        return self(z, spans, {.causal = causal, .weights = weights});
      },
      plain);
}

DecoderLayer::DecoderLayer(const LayerOptions& o, Random& random)
    : attention(attention_of(o), random),
      cross(attention_of(o), random),
      feed_forward(feed_forward_of(o, random)),
      around_attention(o),
      around_cross(o),
      around_feed_forward(o) {
  if (o.zero_init) begin_at_zero(*this);
}

namespace {

/// A layer of a decoder, where remember(cross) gives what its cross-attention reads.
template <class Remember>
Variable through_decoder(const DecoderLayer& layer, const Operand& x, const Spans& spans,
                         const Spans& memory_spans, const Remember& remember,
                         std::vector<Tensor>* weights = nullptr) {
  return through(
      layer, x,
      [&](const SelfAttention& self, const Operand& z) { return self(z, spans, {.causal = true}); },
      [&](const CrossAttention& cross, const Operand& z) {
        const Memory remembered = remember(cross);
        return cross.attend(z, spans, remembered, memory_spans, {.weights = weights});
      },
      plain);
}

/// Whether backward reaches something in the layer, or through it one of the variables.
template <class Layer>
bool learns(const Layer& layer, std::initializer_list<Variable> reads) {
  if (!Tape::recording()) return false;
  if (std::ranges::any_of(reads, [](const Variable& x) { return Tape::needs_gradient(x); }))
    return true;
  // visits, and changes nothing
  const auto all = parameters(const_cast<Layer&>(layer));
  return std::ranges::any_of(all, [](const auto& p) { return p.parameter.trainable(); });
}

}  // namespace

Variable DecoderLayer::operator()(const Operand& x, const Spans& spans, const Variable& memory,
                                  const Spans& memory_spans, std::vector<Tensor>* weights) const {
  const auto remember = [&](const CrossAttention& c) { return c.remember(memory, memory_spans); };
  return through_decoder(*this, x, spans, memory_spans, remember, weights);
}

Variable recomputed(const EncoderLayer& layer, const Operand& x, const Spans& spans, bool causal) {
  if (!learns(layer, {x})) return layer(x, spans, causal);
  const Operand inputs[] = {x};
  return recompute([&layer, spans, causal](
                       std::span<const Variable> read) { return layer(read[0], spans, causal); },
                   inputs);
}

Variable recomputed(const DecoderLayer& layer, const Operand& x, const Spans& spans,
                    const Variable& memory, const Spans& memory_spans) {
  if (!learns(layer, {x, memory})) return layer(x, spans, memory, memory_spans);
  const Memory remembered = layer.cross.remember(memory, memory_spans);
  std::vector<Operand> inputs = {x, {remembered.keys, x.where()}};
  if (remembered.values.defined()) inputs.emplace_back(remembered.values, x.where());
  return recompute(
      [&layer, spans, memory_spans](std::span<const Variable> read) {
        const Memory again{read[1], read.size() > 2 ? read[2] : Variable()};
        const auto remember = [&](const CrossAttention&) { return again; };
        return through_decoder(layer, read[0], spans, memory_spans, remember);
      },
      inputs);
}

}  // namespace heed
