#include "framework/kernels/log_mean.h"

#include <algorithm>

#include "framework/kernels/scratch.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

void log_mean(Index rows, Index columns, std::span<const Distributions> of, Real least, Real* y) {
  const auto count = static_cast<Index>(of.size());
  parallel_for(rows, grain_of(20 * count * columns), [=](Index begin, Index end) {
    const Scratch sums(columns);  // (columns)
    for (Index r = begin; r < end; ++r) {
      Real* top = y + r * columns;  // the largest term, and then the result
      std::fill_n(top, columns, least);
      std::fill_n(sums.data(), columns, Real(0));
      for (const Distributions& d : of) {
        const Vec log_sum = d.log_sums[r];
        transform_serial(
            d.columns, top, Mode::assign, [=](Vec x, Vec m) { return max(x - log_sum, m); },
            d.logits + r * d.columns, top);
      }
      for (const Distributions& d : of) {
        const Vec log_sum = d.log_sums[r];
        transform_serial(
            d.columns, sums.data(), Mode::accumulate,
            [=](Vec x, Vec m) { return exp(x - log_sum - m); }, d.logits + r * d.columns, top);
      }
      const Vec share = 1 / static_cast<Real>(count);
      transform_serial(
          columns, top, Mode::assign,
          [=](Vec m, Vec sum) { return select(less(Vec(0), sum), m + log(sum * share), m); }, top,
          sums.data());
    }
  });
}

}  // namespace heed::kernels
