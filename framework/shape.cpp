#include "framework/shape.h"

#include <algorithm>
#include <ostream>

#include "framework/error.h"

namespace heed {

Shape::Shape(std::span<const Index> extents) : rank_(static_cast<int>(extents.size())) {
  if (rank_ > max_rank) fail("[shape] expected at most {} axes; got {}", max_rank, rank_);
  Index total = 1;
  for (int i = 0; i < rank_; ++i) {
    if (extents[i] < 0)
      fail("[shape] expected extents of 0 or more; got {} on axis {}", extents[i], i);
    if (__builtin_mul_overflow(total, std::max<Index>(extents[i], 1), &total) ||
        total > (Index{1} << 48))
      fail("[shape] more than 2^48 elements");
    extents_[i] = extents[i];
  }
}

Index Shape::size() const {
  Index total = 1;
  for (Index extent : *this)
    total *= extent;
  return total;
}

Index Shape::rows() const {
  Index total = 1;
  for (int i = 0; i + 1 < rank_; ++i)
    total *= extents_[i];
  return total;
}

int Shape::axis(int axis, const char* op) const {
  const int resolved = axis < 0 ? axis + rank_ : axis;
  check(resolved >= 0 && resolved < rank_, op, "expected an axis of {}; got {}", *this, axis);
  return resolved;
}

Shape Shape::without(int axis) const {
  Shape result;
  for (int i = 0; i < rank_; ++i)
    if (i != axis) result.extents_[result.rank_++] = extents_[i];
  return result;
}

Shape Shape::with(int axis, Index extent) const {
  check(extent >= 0, "shape", "expected an extent of 0 or more; got {} for axis {} of {}", extent,
        axis, *this);
  Shape result = *this;
  result.extents_[axis] = extent;
  return result;
}

bool operator==(const Shape& a, const Shape& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (int i = 0; i < shape.rank(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + (shape.rank() == 1 ? ",)" : ")");
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << to_string(shape); }

Shape broadcast(const Shape& a, const Shape& b, const char* op) {
  const int rank = std::max(a.rank(), b.rank());
  std::array<Index, Shape::max_rank> extents{};
  // An axis that one of the shapes does not have counts as an extent of 1.
  const auto extent_of = [rank](const Shape& shape, int i) {
    const int axis = shape.rank() - rank + i;
    return axis < 0 ? Index{1} : shape[axis];
  };
  for (int i = 0; i < rank; ++i) {
    const Index ea = extent_of(a, i);
    const Index eb = extent_of(b, i);
    check(ea == eb || ea == 1 || eb == 1, op, "shapes {} and {} do not broadcast: {} against {}", a,
          b, ea, eb);
    extents[i] = ea == 1 ? eb : ea;
  }
  return Shape(std::span<const Index>(extents.data(), rank));
}

}  // namespace heed
