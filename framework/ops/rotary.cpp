#include "framework/kernels/rotary.h"

#include <algorithm>
#include <cmath>

#include "framework/ops.h"

namespace heed {

Variable rotary(const Operand& x, const Spans& spans, const Rotary& o) {
  const char* op = "rotary";
  check(x.rank() == 2 && o.heads >= 1 && x.columns() % (2 * o.heads) == 0, op,
        "expected a width that {} heads share in pairs; got {}", o.heads, x.shape());
  check(o.base > 0 && std::isfinite(o.base), op, "expected a base above 0; got {}", o.base);
  constexpr Index furthest = Index{1} << 31;
  check(-furthest <= o.offset && o.offset <= furthest, op, "expected an offset within +-{}; got {}",
        furthest, o.offset);
  check(spans.rows() == x.rows(), op, "expected spans over the {} rows of x; got {}", x.rows(),
        spans.rows());
  check(o.end_of.count() == 0 || o.end_of.count() == spans.count(), op,
        "expected as many sequences to be at the end of as there are; got {} and {}",
        o.end_of.count(), spans.count());
  const auto first_of = [&](Index i) {
    return o.offset + (o.end_of.count() > 0 ? o.end_of.length(i) - spans.length(i) : 0);
  };
  // positions
  Index low = 0;
  Index high = 0;
  for (Index i = 0; i < spans.count(); ++i) {
    if (spans.length(i) == 0) continue;
    if (low == high) {
      low = first_of(i);
      high = low + 1;
    }
    low = std::min(low, first_of(i));
    high = std::max(high, first_of(i) + spans.length(i));
  }
  Ids positions = Ids::full({x.rows()}, -1);  // rows of the table
  for (Index i = 0; i < spans.count(); ++i)
    for (Index t = 0; t < spans.length(i); ++t)
      positions[spans.begin(i) + t] = static_cast<Id>(first_of(i) + t - low);
  const Index width = x.columns() / o.heads;
  Tensor cosines({high - low, width / 2});
  Tensor sines({high - low, width / 2});
  Tensor y(x.shape());
  kernels::rotary_table(low, high - low, width, static_cast<double>(o.base), cosines.data(),
                        sines.data());
  kernels::rotary(x.rows(), o.heads, width, false, positions.data(), cosines.data(), sines.data(),
                  x.data(), y.data(), Mode::assign);
  // turned back
  return record(op, y, {x},
                [heads = o.heads, width, positions, cosines, sines](const Tensor& dy, Gradient dx) {
                  kernels::rotary(dy.rows(), heads, width, true, positions.data(), cosines.data(),
                                  sines.data(), dy.data(), dx.data(), dx.mode());
                });
}

}  // namespace heed
