#include "optim/clip.h"

#include <cmath>
#include <vector>

#include "framework/kernels/update.h"

namespace heed {

Real clip_gradients(AnyModule model, double max_norm) {
  check(max_norm > 0, "clip_gradients", "expected a norm above 0; got {}", max_norm);
  std::vector<UpdateSlot> slots;
  Index begin = 0;
  for (const auto& [name, parameter] : parameters(model))
    if (parameter.gradient().defined()) {
      slots.push_back({.begin = begin,
                       .size = parameter.gradient().size(),
                       .gradient = parameter.gradient().data()});
      begin += slots.back().size;
    }
  std::vector<double> partials(static_cast<std::size_t>(kernels::update_pieces(slots)));
  const double norm = std::sqrt(kernels::sum_of_squares(slots, partials.data()));
  if (norm > max_norm)
    kernels::scale_gradients(slots, static_cast<Real>(clip_factor(norm, max_norm)));
  return static_cast<Real>(norm);
}

}  // namespace heed
