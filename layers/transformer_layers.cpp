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

Variable DecoderLayer::operator()(const Operand& x, const Spans& spans, const Variable& memory,
                                  const Spans& memory_spans, std::vector<Tensor>* weights) const {
  return through(
      *this, x,
      [&](const SelfAttention& self, const Operand& z) { return self(z, spans, {.causal = true}); },
      [&](const CrossAttention& to_memory, const Operand& z) {
        const Memory remembered = to_memory.remember(memory, memory_spans);
        return to_memory.attend(z, spans, remembered, memory_spans, {.weights = weights});
      },
      plain);
}

}  // namespace heed
