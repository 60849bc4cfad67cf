#include "framework/kernels/update.h"

#include <algorithm>

#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

constexpr Index piece = 16384;  // numbers: an update of so many takes some ten microseconds

Index total(std::span<const UpdateSlot> slots) {
  return slots.empty() ? 0 : slots.back().begin + slots.back().size;
}

/// Runs body(slot, first, count, number of the piece) on each run of numbers that lies in one
/// parameter and in one piece.
template <class Body>
void walk(std::span<const UpdateSlot> slots, Body body) {
  parallel_for(total(slots), piece, [&](Index begin, Index end) {
    auto slot =
        std::upper_bound(slots.begin(), slots.end(), begin,
                         [](Index at, const UpdateSlot& s) { return at < s.begin + s.size; });
    for (; slot != slots.end() && slot->begin < end; ++slot) {
      const Index first = std::max(begin, slot->begin);

      const Index last = std::min(end, slot->begin + slot->size);
      if (slot->gradient && first < last)
        body(*slot, first - slot->begin, last - first, begin / piece);
    }
  });
}

}  // namespace

Index update_pieces(std::span<const UpdateSlot> slots) {
  return (total(slots) + piece - 1) / piece;
}

double sum_of_squares(std::span<const UpdateSlot> slots, double* partials) {
  const Index pieces = update_pieces(slots);
  std::fill_n(partials, pieces, 0.0);
  walk(slots, [&](const UpdateSlot& slot, Index first, Index n, Index number) {
    const Real* g = slot.gradient + first;
    // Separate sums: the loop becomes vector code without a change of the order.
    double lanes[8] = {};
    Index i = 0;
    for (; i + 8 <= n; i += 8)
      for (int lane = 0; lane < 8; ++lane)
        lanes[lane] += static_cast<double>(g[i + lane]) * static_cast<double>(g[i + lane]);
    for (; i < n; ++i)
      lanes[0] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    for (double lane : lanes)
      partials[number] += lane;
  });
  double sum = 0;
  for (Index i = 0; i < pieces; ++i)
    sum += partials[i];
  return sum;
}

void scale_gradients(std::span<const UpdateSlot> slots, Real factor) {
  walk(slots, [&](const UpdateSlot& slot, Index first, Index n, Index) {
    Real* g = slot.gradient + first;
    for_each_vector(n, [&](auto lanes) { lanes.store(lanes.load(g) * Vec(factor), g); });
  });
}

void sgd(std::span<const UpdateSlot> slots, Real factor, Real momentum, Real* m) {
  walk(slots, [&](const UpdateSlot& slot, Index first, Index n, Index) {
    Real* value = slot.value + first;
    const Real* gradient = slot.gradient + first;
    Real* moment = m ? m + slot.begin + first : nullptr;
    for_each_vector(n, [&](auto lanes) {
      const Vec x = lanes.load(value);
      Vec g = multiply_add(Vec(slot.penalty), x, Vec(factor) * lanes.load(gradient));
      if (moment) {
        g = multiply_add(Vec(momentum), lanes.load(moment), g);
        lanes.store(g, moment);
      }
      lanes.store(x - Vec(slot.rate) * g, value);
    });
  });
}

void adam(std::span<const UpdateSlot> slots, Real factor, const AdamConstants& constants, Real* m,
          Real* v) {
  walk(slots, [&](const UpdateSlot& slot, Index first, Index n, Index) {
    Real* value = slot.value + first;
    const Real* gradient = slot.gradient + first;
    Real* mean = m + slot.begin + first;
    Real* square = v + slot.begin + first;
    for_each_vector(n, [&](auto lanes) {
      const Vec x = lanes.load(value);
      const Vec old = lanes.load(mean);
      const Vec g = multiply_add(Vec(slot.penalty), x, Vec(factor) * lanes.load(gradient));
      const Vec new_mean = multiply_add(Vec(constants.one_minus_beta1), g - old, old);
      const Vec new_square = multiply_add(Vec(constants.beta2), lanes.load(square),
                                          Vec(constants.one_minus_beta2) * g * g);
      lanes.store(new_mean, mean);
      lanes.store(new_square, square);
      const Vec change = Vec(slot.rate) * new_mean /
                         multiply_add(sqrt(new_square), Vec(slot.root), Vec(constants.epsilon));
      lanes.store(Vec(slot.keep) * x - change, value);
    });
  });
}

void schedule_free(std::span<const UpdateSlot> slots, Real factor,
                   const ScheduleFreeConstants& constants, Real* z, Real* v, Real* x) {
  walk(slots, [&](const UpdateSlot& slot, Index first, Index n, Index) {
    Real* value = slot.value + first;
    const Real* gradient = slot.gradient + first;
    Real* fast = z + slot.begin + first;
    Real* square = v + slot.begin + first;
    Real* average = x + slot.begin + first;
    const bool begins = slot.share == 1;
    for_each_vector(n, [&](auto lanes) {
      const Vec y = lanes.load(value);
      const Vec g = Vec(factor) * lanes.load(gradient);
      const Vec new_square = multiply_add(Vec(constants.beta2), lanes.load(square),
                                          Vec(constants.one_minus_beta2) * g * g);
      const Vec change = multiply_add(
          Vec(slot.penalty), y, Vec(slot.rate) * g / (sqrt(new_square) + Vec(constants.epsilon)));
      const Vec new_fast = (begins ? y : lanes.load(fast)) - change;
      const Vec old = begins ? new_fast : lanes.load(average);
      const Vec new_average = multiply_add(Vec(slot.share), new_fast - old, old);
      lanes.store(new_square, square);
      lanes.store(new_fast, fast);
      lanes.store(new_average, average);
      lanes.store(multiply_add(Vec(constants.beta1), new_average - new_fast, new_fast), value);
    });
  });
}

void interpolate(Index n, Real beta1, const Real* z, const Real* x, Real* value) {
  for_each_vector(n, [&](auto lanes) {
    const Vec fast = lanes.load(z);
    lanes.store(multiply_add(Vec(beta1), lanes.load(x) - fast, fast), value);
  });
}

void move_average(std::span<const UpdateSlot> slots) {
  walk(slots, [&](const UpdateSlot& slot, Index first, Index n, Index) {
    Real* average = slot.value + first;
    const Real* present = slot.gradient + first;
    if (slot.share == 1) {
      std::copy_n(present, n, average);
      return;
    }
    for_each_vector(n, [&](auto lanes) {
      const Vec old = lanes.load(average);
      lanes.store(multiply_add(Vec(slot.share), lanes.load(present) - old, old), average);
    });
  });
}

}  // namespace heed::kernels
