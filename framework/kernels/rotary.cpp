#include "framework/kernels/rotary.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/simd.h"

namespace heed::kernels {

void rotary_table(Index first, Index count, Index width, double base, Real* cosines, Real* sines) {
  const Index half = width / 2;
  // angles are added up from multiples of this, so that a position's numbers are its own
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

void rotary(Index rows, Index heads, Index width, bool back, const Id* positions,
            const Real* cosines, const Real* sines, const Real* x, Real* y, Mode mode) {
  const Index half = width / 2;
  const Vec sign = back ? Real{-1} : Real{1};
  parallel_for(rows, grain_of(4 * heads * width), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Real* from = x + i * heads * width;
      Real* to = y + i * heads * width;
      if (positions[i] < 0) {
        if (mode == Mode::assign) std::fill_n(to, heads * width, Real{0});
        continue;
      }
      const Real* cosine = cosines + positions[i] * half;
      const Real* sine = sines + positions[i] * half;
      for (Index h = 0; h < heads; ++h, from += width, to += width) {
        transform_serial(
            half, to, mode, [sign](Vec a, Vec b, Vec c, Vec s) { return a * c - sign * b * s; },
            from, from + half, cosine, sine);
        transform_serial(
            half, to + half, mode,
            [sign](Vec a, Vec b, Vec c, Vec s) { return sign * a * s + b * c; }, from, from + half,
            cosine, sine);
      }
    }
  });
}

}  // namespace heed::kernels
