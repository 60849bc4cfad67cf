#include "framework/kernels/attend_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/parallel.h"
#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

Real dot(Index n, const Real* a, const Real* b) {
  Vec total = Real{0};
  Index j = 0;
  for (; j + Vec::width <= n; j += Vec::width) total = multiply_add(Vec::load(a + j), Vec::load(b + j), total);
  if (j < n) total = multiply_add(Vec::load(a + j, n - j), Vec::load(b + j, n - j), total);
  return sum(total);
}

}  // namespace

void attend_rows(Index rows, Index heads, Index width, Real scale, const Real* q, Index q_stride, const Real* kv, const KeyList* keys,
                 Index longest, Real* y, Real* scores) {
  const Index d = heads * width;
  parallel_for_workers(rows, grain_of(4 * d * (longest + 1)), [=](Index begin, Index end, int worker) {
    Real* s = scores + worker * longest;
    for (Index r = begin; r < end; ++r) {
      const KeyList& list = keys[r];
      const auto row = [&](Index j) { return kv + (list.rows ? list.rows[j] : list.begin + j) * 2 * d; };
      for (Index h = 0; h < heads; ++h) {
        const Real* query = q + r * q_stride + h * width;
        Real* out = y + r * d + h * width;
        std::fill_n(out, width, Real{0});
        Real top = -std::numeric_limits<Real>::infinity(), total = 0;
        for (Index j = 0; j < list.count; ++j) top = std::max(top, s[j] = scale * dot(width, query, row(j) + h * width));
        for (Index j = 0; j < list.count; ++j) total += s[j] = std::exp(s[j] - top);
        for (Index j = 0; j < list.count; ++j) {
          const Vec weight = s[j] / total;
          transform_serial(width, out, Mode::accumulate, [weight](Vec v) { return weight * v; }, row(j) + d + h * width);
        }
      }
    }
  });
}

}  // namespace heed::kernels
