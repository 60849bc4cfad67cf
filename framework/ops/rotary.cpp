#include <algorithm>

#include "framework/ops.h"
#include "framework/ops/rotation.h"
#include "framework/ops/views.h"

namespace heed {

namespace {

constexpr const char* op = "rotary";

void check_arguments(const Operand& x, const Spans& spans, const Rotary& o) {
  const Index pair = o.width == 0 ? 2 : 1;
  check(x.rank() == 2 && o.heads >= 1 && x.columns() % (pair * o.heads) == 0, op,
        "expected a width that {} heads share{}; got {}", o.heads, pair == 2 ? " in pairs" : "",
        x.shape());
  constexpr Index furthest = Index{1} << 31;
  check(-furthest <= o.offset && o.offset <= furthest, op, "expected an offset within +-{}; got {}",
        furthest, o.offset);
  check(spans.rows() == x.rows(), op, "expected spans over the {} rows of x; got {}", x.rows(),
        spans.rows());
  check(o.end_of.count() == 0 || o.end_of.count() == spans.count(), op,
        "expected as many sequences to be at the end of as there are; got {} and {}",
        o.end_of.count(), spans.count());
}

/// The positions of the rows of sequences.
struct Positions {
  // all lie within [low, high)
  Index low = 0;
  Index high = 0;
  Ids in_table;  // (rows): position - low; -1 for rows of no sequence

  Positions(const Spans& spans, const Rotary& o) : in_table(Ids::full({spans.rows()}, -1)) {
    const auto first_of = [&](Index i) {
      return o.offset + (o.end_of.count() > 0 ? o.end_of.length(i) - spans.length(i) : 0);
    };
    for (Index i = 0; i < spans.count(); ++i) {
      if (spans.length(i) == 0) continue;
      if (low == high) {
        low = first_of(i);
        high = low + 1;
      }
      low = std::min(low, first_of(i));
      high = std::max(high, first_of(i) + spans.length(i));
    }
    for (Index i = 0; i < spans.count(); ++i)
      for (Index t = 0; t < spans.length(i); ++t)
        in_table[spans.begin(i) + t] = static_cast<Id>(first_of(i) + t - low);
  }
};

/// What both passes read.
struct RotaryRows {
  Index heads;
  Index width;  // of a head
  kernels::HeadRotation rotation;
  Ids positions;
  detail::RotationTable table;

  kernels::RotaryRows rows() const {
    return {.rows = positions.size(),
            .heads = heads,
            .width = width,
            .rotation = rotation,
            .positions = positions.data(),
            .cosines = table.cosines.data(),
            .sines = table.sines.data()};
  }
};

}  // namespace

Variable rotary(const Operand& x, const Spans& spans, const Rotary& o) {
  check_arguments(x, spans, o);
  const Index width = x.columns() / o.heads;
  const kernels::HeadRotation rotation = detail::rotated_columns(
      op, {.base = o.base, .width = o.width, .interleaved = o.interleaved}, width);
  const Positions positions(spans, o);
  const RotaryRows rows{
      .heads = o.heads,
      .width = width,
      .rotation = rotation,
      .positions = positions.in_table,
      .table = detail::RotationTable(positions.low, positions.high, rotation.width, o.base)};
  Tensor y(x.shape());
  kernels::rotary(rows.rows(), false, x.data(), {y.data()});
  // dx = dy turned back
  return record(op, y, {x}, [rows](const Tensor& dy, Gradient dx) {
    kernels::rotary(rows.rows(), true, dy.data(), detail::output_of(dx));
  });
}

}  // namespace heed
