#include "framework/kernels/top_k.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/simd.h"

namespace heed::kernels {

namespace {

void top_k_row(Index n, Index k, const Real* x, Real* values, Id* columns) {
  Index found = 0;
  for (Index j = 0; j < n; ++j) {
    if (found == k && !(x[j] > values[k - 1])) continue;
    Index at = found < k ? found++ : k - 1;
    for (; at > 0 && x[j] > values[at - 1]; --at) values[at] = values[at - 1], columns[at] = columns[at - 1];
    values[at] = x[j], columns[at] = static_cast<Id>(j);
  }
}

}  // namespace

void top_k_log_softmax(Index m, Index n, Index k, const Real* x, Real* values, Id* columns) {
  parallel_for(m, grain_of(6 * n), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Real* row = x + i * n;
      Real* best = values + i * k;
      top_k_row(n, k, row, best, columns + i * k);
      const Vec top = best[0];
      Vec total = Real{0};
      Index j = 0;
      for (; j + Vec::width <= n; j += Vec::width) total = total + exp(Vec::load(row + j) - top);
      Real sum_of_all = sum(total);
      for (; j < n; ++j) sum_of_all += std::exp(row[j] - best[0]);
      const Real log_sum = best[0] + std::log(sum_of_all);
      for (Index c = 0; c < k; ++c) best[c] -= log_sum;
    }
  });
}

}  // namespace heed::kernels
