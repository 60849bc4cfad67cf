#include "layers/transformer_layers.h"

namespace heed {

namespace {

/// A sublayer by itself.
constexpr auto plain = [](const FeedForward& f, const Operand& z) { return f(z); };

}  // namespace

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
  return through(
      *this, x,
      [&](const SelfAttention& self, const Operand& z) {
        return self(z, spans, {.causal = causal, .weights = weights});
      },
      plain);
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
