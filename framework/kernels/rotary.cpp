#include "framework/kernels/rotary.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/rotate.h"

namespace heed::kernels {

void rotary_table(Index first, Index count, Index width, double base, Real* cosines, Real* sines) {
  const Index half = width / 2;
  // Angles are added up from the multiples of this, so that a position's numbers do not depend on
  // where the table begins.
  constexpr Index run = 64;
  parallel_for(half, grain_of(10 * (count + run)), [=](Index begin, Index end) {
    for (Index c = begin; c < end; ++c) {
      const double speed =
          std::pow(base, -2.0 * static_cast<double>(c) / static_cast<double>(width));
      const double step_cosine = std::cos(speed);
      const double step_sine = std::sin(speed);
      double x = 1;
      double y = 0;
      for (Index p = (first & -run); p < first + count; ++p) {
        if (p % run == 0) {
          const double angle = static_cast<double>(p) * speed;
          x = std::cos(angle);
          y = std::sin(angle);
        }
        if (p >= first) {
          cosines[(p - first) * half + c] = static_cast<Real>(x);
          sines[(p - first) * half + c] = static_cast<Real>(y);
        }
        const double turned = x * step_cosine - y * step_sine;
        y = y * step_cosine + x * step_sine;
        x = turned;
      }
    }
  });
}

void rotary(const RotaryRows& r, bool back, const Real* x, Output y) {
  const Index half = r.rotation.width / 2;
  const Index rest = r.width - r.rotation.width;
  const Index d = r.heads * r.width;
  parallel_for_each(r.rows, 4 * d, [=](Index i) {
    const Real* from = x + i * d;
    Real* to = y.data + i * d;
    if (r.positions[i] < 0) {
      if (y.mode == Mode::assign) std::fill_n(to, d, Real{0});
      return;
    }
    const Angles angles{r.cosines + r.positions[i] * half, r.sines + r.positions[i] * half, back};
    for (Index h = 0; h < r.heads; ++h, from += r.width, to += r.width) {
      rotate_columns(r.rotation, angles, from, to, y.mode);
      transform_serial(
          rest, to + r.rotation.width, y.mode, [](Vec a) { return a; }, from + r.rotation.width);
    }
  });
}

}  // namespace heed::kernels
