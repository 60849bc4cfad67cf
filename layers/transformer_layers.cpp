#include "layers/transformer_layers.h"

namespace heed {

FeedForward::FeedForward(const LayerOptions& o, Random& random)
    : up(o.d, o.ff, random),
      down(o.ff, o.d, random),
      dropout(o.dropout),
      activation(o.activation) {}

Variable FeedForward::operator()(const Operand& x) const {
  const bool drops = dropout.drops();
  return feed_forward(x, up.weight, up.bias, down.weight, down.bias, activation,
                      drops ? dropout.p : 0, drops ? step_random().next_key() : RandomKey());
}

EncoderLayer::EncoderLayer(const LayerOptions& o, Random& random)
    : attention(o.d, o.heads, o.dropout, random),
      feed_forward(o, random),
      around_attention(o),
      around_feed_forward(o) {}

Variable EncoderLayer::operator()(const Operand& x, const Spans& spans, bool causal,
                                  std::vector<Tensor>* weights) const {
  const Variable h = around_attention(x, [&](const Operand& z) {
    return attention(z, spans, {.causal = causal, .weights = weights});
  });
  return around_feed_forward(h, feed_forward);
}

DecoderLayer::DecoderLayer(const LayerOptions& o, Random& random)
    : attention(o.d, o.heads, o.dropout, random),
      cross(o.d, o.heads, o.dropout, random),
      feed_forward(o, random),
      around_attention(o),
      around_cross(o),
      around_feed_forward(o) {}

Variable DecoderLayer::operator()(const Operand& x, const Spans& spans, const Variable& memory,
                                  const Spans& memory_spans, std::vector<Tensor>* weights) const {
  const Variable h =
      around_attention(x, [&](const Operand& z) { return attention(z, spans, {.causal = true}); });
  const Variable c = around_cross(h, [&](const Operand& z) {
    const Memory remembered = cross.remember(memory, memory_spans);
    return cross.attend(z, spans, remembered, memory_spans, {.weights = weights});
  });
  return around_feed_forward(c, feed_forward);
}

}  // namespace heed
