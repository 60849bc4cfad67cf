#pragma once

#include <cmath>

#include "framework/error.h"
#include "framework/kernels/update.h"
#include "framework/update_slot.h"

// What the optimizers share that divide by the root of a second moment.

namespace heed {

inline kernels::AdamConstants adam_constants(double beta1, double beta2, double epsilon) {
  return {static_cast<Real>(beta2), static_cast<Real>(1 - beta1), static_cast<Real>(1 - beta2),
          static_cast<Real>(epsilon)};
}

/// Corrects for both moments being zero at first (Kingma and Ba 2015, section 3), in double.
inline void correct_bias(UpdateSlot& slot, std::int64_t step, double lr, double beta1,
                         double beta2) {
  const auto t = static_cast<double>(step);
  slot.rate = static_cast<Real>(lr / (1 - std::pow(beta1, t)));
  slot.root = static_cast<Real>(1 / std::sqrt(1 - std::pow(beta2, t)));
}

inline void check_adam(const char* name, double lr, double beta1, double beta2, double epsilon,
                       double weight_decay) {
  check_argument(lr >= 0, name, "lr", lr, "of at least 0");
  check_argument(0 <= beta1 && beta1 < 1, name, "beta1", beta1, "within [0, 1)");
  check_argument(0 <= beta2 && beta2 < 1, name, "beta2", beta2, "within [0, 1)");
  check_argument(epsilon >= 0, name, "epsilon", epsilon, "of at least 0");
  check_argument(weight_decay >= 0, name, "weight_decay", weight_decay, "of at least 0");
}

}  // namespace heed
