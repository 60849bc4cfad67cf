#pragma once

#include <cstdint>

#include "layers/dropout.h"
#include "layers/linear.h"

namespace heed {

/// What stands between the two products of a feed-forward layer.
enum class FeedForwardKind : std::uint8_t {
  relu,          // max(0, x) (Vaswani et al. 2017, section 3.3)
  gelu,          // Hendrycks and Gimpel 2016
  swiglu,        // silu(a) b, where one product gives [a, b] (Shazeer 2020)
  relu_squared,  // max(0, x)^2 (So et al. 2021, section 4.1)
};

/// y = f(x W1^T + b1) W2^T + b2 at every position (Vaswani et al. 2017, section 3.3), with f by its
/// kind. x, y (rows, d), W1 (ff, d), of swiglu (2 ff, d), W2 (d, ff). Dropout acts after f.
struct FeedForward {
  Linear up;
  Linear down;
  Dropout dropout;
  FeedForwardKind kind;

  FeedForward(Index d, Index ff, FeedForwardKind kind, Real p, Random& random);
  Variable operator()(const Operand& x) const;
  /// f(h) of what `up` gives, without dropout.
  Variable activate(const Variable& h) const;
  void visit(Visitor& v) {
    v("up", up);
    v("down", down);
    v("dropout", dropout);
  }
};

}  // namespace heed
