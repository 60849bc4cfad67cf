#pragma once

#include <span>

#include "framework/update_slot.h"

namespace heed::kernels {

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

struct ScheduleFreeConstants {
  Real beta1;
  Real beta2;
  Real one_minus_beta2;
  Real epsilon;
};
/// g = factor gradient;  v = beta2 v + (1 - beta2) g^2;
/// z -= rate g / (sqrt(v) + epsilon) + penalty value;  x += share (z - x);
/// value = z + beta1 (x - z).
/// At a share of 1, z begins as the value, and x as z.
void schedule_free(std::span<const UpdateSlot> slots, Real factor,
                   const ScheduleFreeConstants& constants, Real* z, Real* v, Real* x);
/// The last line of these, for n numbers.
void interpolate(Index n, Real beta1, const Real* z, const Real* x, Real* value);

/// value += share (gradient - value): an average moves towards what stands in `gradient`. At a
/// share of 1 it begins as that.
void move_average(std::span<const UpdateSlot> slots);

}  // namespace heed::kernels
