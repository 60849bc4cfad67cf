#include "framework/kernels/top_k.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

void log_sum_exp(Index m, Index n, const Real* x, Real* y) {
  parallel_for(m, grain_of(6 * n), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Real* row = x + i * n;
      const Real top = largest(n, row);
      y[i] = top;
      if (top == -std::numeric_limits<Real>::infinity()) continue;
      y[i] += std::log(sum_of(n, [=](auto lanes) { return exp(lanes.load(row) - Vec(top)); }));
    }
  });
}

void top_k(Index m, Index n, Index k, const Real* x, Real* values, Id* columns) {
  parallel_for(m, grain_of(n), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Real* row = x + i * n;
      Real* best = values + i * k;
      Id* column = columns + i * k;
      Index found = 0;
      const auto offer = [&](Index j) {
        if (found == k && !(row[j] > best[k - 1])) return;
        Index at = found < k ? found++ : k - 1;
        for (; at > 0 && row[j] > best[at - 1]; --at) {
          best[at] = best[at - 1];
          column[at] = column[at - 1];
        }
        best[at] = row[j];
        column[at] = static_cast<Id>(j);
      };
      Index j = 0;
      for (; j + Vec::width <= n; j += Vec::width)
        if (found < k || any_less(Vec(best[k - 1]), Vec::load(row + j)))
          for (Index c = j; c < j + Vec::width; ++c)
            offer(c);
      for (; j < n; ++j)
        offer(j);
    }
  });
}

}  // namespace heed::kernels
