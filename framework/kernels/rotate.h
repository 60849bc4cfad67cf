#pragma once

// For kernels' .cpp files only: rotates the row of one head.

#include "framework/kernels/rotary.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

/// Cosines and sines of the angles of a row's pairs.
struct Angles {
  const Real* cosines;
  const Real* sines;
  bool back;  // turn by the negative angles
};

/// to = or += the rotated columns of `from`. Both may be the same row.
inline void rotate_halves(Index half, const Angles& angles, const Real* from, Real* to, Mode mode) {
  const Vec sign = angles.back ? Real{-1} : Real{1};
  for_each_vector(half, [&](auto lanes) {
    const Vec a = lanes.load(from);
    const Vec b = lanes.load(from + half);
    const Vec c = lanes.load(angles.cosines);
    const Vec s = lanes.load(angles.sines);
    lanes.store(a * c - sign * b * s, to, mode);
    lanes.store(sign * a * s + b * c, to + half, mode);
  });
}

inline void rotate_neighbours(Index half, const Angles& angles, const Real* from, Real* to,
                              Mode mode) {
  const Real sign = angles.back ? Real{-1} : Real{1};
  for (Index i = 0; i < half; ++i) {
    const Real a = from[2 * i];
    const Real b = from[2 * i + 1];
    const Real c = angles.cosines[i];
    const Real s = sign * angles.sines[i];
    const bool adds = mode == Mode::accumulate;
    to[2 * i] = (adds ? to[2 * i] : Real{0}) + (a * c - b * s);
    to[2 * i + 1] = (adds ? to[2 * i + 1] : Real{0}) + (a * s + b * c);
  }
}

inline void rotate_columns(const HeadRotation& rotation, const Angles& angles, const Real* from,
                           Real* to, Mode mode) {
  (rotation.interleaved ? rotate_neighbours : rotate_halves)(rotation.width / 2, angles, from, to,
                                                             mode);
}

}  // namespace heed::kernels
