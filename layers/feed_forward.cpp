#include "layers/feed_forward.h"

namespace heed {

FeedForward::FeedForward(Index d, Index ff, FeedForwardKind k, Real p, Random& random)
    : up(d, k == FeedForwardKind::swiglu ? 2 * ff : ff, random),
      down(ff, d, random),
      dropout(p),
      kind(k) {}

Variable FeedForward::operator()(const Operand& x) const {
  const bool fused = kind == FeedForwardKind::relu || kind == FeedForwardKind::gelu;
  if (!fused) return down(dropout(activate(up(x))));
  const bool drops = dropout.drops();
  return feed_forward(x, up.weight, up.bias, down.weight, down.bias,
                      kind == FeedForwardKind::relu ? Activation::relu : Activation::gelu,
                      drops ? dropout.p : 0, drops ? step_random().next_key() : RandomKey());
}

Variable FeedForward::activate(const Variable& h) const {
  switch (kind) {
    case FeedForwardKind::relu:
      return relu(h);
    case FeedForwardKind::gelu:
      return gelu(h);
    case FeedForwardKind::relu_squared: {
      const Variable positive = relu(h);
      return positive * positive;
    }
    case FeedForwardKind::swiglu:
      break;
  }
  const Index ff = h.columns() / 2;
  const int axis = static_cast<int>(h.rank()) - 1;
  return silu(slice(h, axis, 0, ff)) * slice(h, axis, ff, 2 * ff);
}

}  // namespace heed
