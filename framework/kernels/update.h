#pragma once

#include <span>

#include "framework/types.h"

namespace heed::kernels {

/// One parameter among all those that an update walks in one parallel loop. The numbers of all
/// parameters are counted end to end, and are cut into pieces that depend on their count alone.
/// Many small parameters share a piece, and a large one is spread over several.
struct UpdateSlot {
  Index begin = 0;  // the place of its first number among those of all parameters
  Index size = 0;
  Real* value = nullptr;
  Real* gradient = nullptr;  // null: skipped
  Real rate = 0;             // the learning rate; for Adam, divided by 1 - beta1^t
  Real root = 1;             // for Adam: 1 / sqrt(1 - beta2^t)
  Real penalty = 0;          // times the value, is added to the gradient
  Real keep = 1;             // multiplies the value first: decoupled decay
};

/// How many partial sums sum_of_squares() needs.
Index update_pieces(std::span<const UpdateSlot> slots);
/// The sum over all gradients, in double. Its order depends on the sizes alone.
double sum_of_squares(std::span<const UpdateSlot> slots, double* partials);
void scale_gradients(std::span<const UpdateSlot> slots, Real factor);

// Each update is one pass over memory. `factor` multiplies the gradients. m and v hold the moments
// of all parameters end to end.

/// g = factor gradient + penalty value;  m = momentum m + g;  value -= rate m.
/// m null: without momentum, value -= rate g.
void sgd(std::span<const UpdateSlot> slots, Real factor, Real momentum, Real* m);

struct AdamConstants {
  Real beta2;
  Real one_minus_beta1;
  Real one_minus_beta2;
  Real epsilon;
};
/// g = factor gradient + penalty value;  m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2;
/// value = keep value - rate m / (root sqrt(v) + epsilon).
void adam(std::span<const UpdateSlot> slots, Real factor, const AdamConstants& constants, Real* m,
          Real* v);

}  // namespace heed::kernels
