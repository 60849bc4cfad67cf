#include "models/encoders.h"

#include <numbers>

namespace heed {

TransformerEncoder::TransformerEncoder(const TransformerEncoderOptions& o, Random& random)
    : blocks(o.blocks),
      positions(make_positions(blocks.position_kind(), o.max_positions, o.sizes.d, random)),
      dropout(o.sizes.dropout),
      layers(stack_of<EncoderLayer>(blocks.layers(o.sizes), o.layers, blocks.tied_layers, random)),
      norm(o.sizes.d, blocks.norm) {}

Encoded TransformerEncoder::operator()(const Variable& rows, const Spans& spans) const {
  Variable x = dropout(positions(rows, spans));
  for (const EncoderLayer& layer : layers)
    x = blocks.recompute ? recomputed(layer, x, spans) : layer(x, spans);
  x = norm(x);
  return {.keys = x, .values = x, .spans = spans};
}

namespace {

/// The final state of a layer, of both directions side by side.
CellState joined(const CellState& forward, const CellState* backward) {
  if (!backward) return forward;
  CellState state{concat({forward.h, backward->h}, 1), {}};
  if (forward.c.defined()) state.c = concat({forward.c, backward->c}, 1);
  return state;
}

}  // namespace

Encoded RecurrentEncoder::operator()(const Variable& rows, const Spans& spans) const {
  const Recurrent::Output output = recurrent(dropout(rows), spans);
  Encoded encoded{.keys = output.y, .values = output.y, .spans = spans};
  for (std::size_t i = 0; i < output.forward.size(); ++i)
    encoded.states.push_back(
        joined(output.forward[i], output.backward.empty() ? nullptr : &output.backward[i]));
  return encoded;
}

ConvStack::ConvStack(const ConvLayerOptions& o, int count, Random& random)
    : dropout(o.conv.dropout) {
  for (int i = 0; i < count; ++i)
    layers.emplace_back(o, random);
}

Encoded ConvStack::operator()(const Variable& e, const Spans& spans) const {
  constexpr Real sqrt_half = static_cast<Real>(1 / std::numbers::sqrt2);
  Variable x = e;
  for (const ConvLayer& conv : layers)
    x = add_scaled(conv(dropout(x), spans), x, sqrt_half);
  return {.keys = x, .values = add_scaled(x, e, sqrt_half), .spans = spans};
}

ConvEncoder::ConvEncoder(const ConvLayerOptions& o, int count, Index longest, Random& random)
    : positions(longest, o.conv.in, random), stack(o, count, random) {
  positions.weight.value() = normal(positions.weight.shape(), random, input_deviation());
}

Encoded ConvEncoder::operator()(const Variable& rows, const Spans& spans) const {
  return stack(stack.dropout(rows + positions(spans)), spans);
}

}  // namespace heed
