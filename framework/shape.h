#pragma once

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>

#include <fmt/core.h>

#include "framework/types.h"

namespace heed {

/// The extents of up to six axes, outermost first, stored without an allocation. A scalar has no
/// axes. The constructors throw Error on an extent below 0, on more than six axes, and on more than
/// 2^48 elements.
class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;
  Shape(std::initializer_list<Index> extents)
      : Shape(std::span<const Index>(extents.begin(), extents.size())) {}
  explicit Shape(std::span<const Index> extents);

  int rank() const { return rank_; }
  Index operator[](int axis) const { return extents_[axis]; }
  Index& operator[](int axis) { return extents_[axis]; }
  Index size() const;                                                     // number of elements
  Index columns() const { return rank_ == 0 ? 1 : extents_[rank_ - 1]; }  // the last extent
  Index rows() const;  // the product of all other extents

  /// The axis as a number from 0: -1 is the last axis, -2 the one before it. Throws Error, in the
  /// name of `op`, when there is no such axis.
  int axis(int axis, const char* op) const;
  /// This shape with `axis` removed, or with another extent. Throws Error on an extent below 0.
  Shape without(int axis) const;
  Shape with(int axis, Index extent) const;

  const Index* begin() const { return extents_.data(); }
  const Index* end() const { return extents_.data() + rank_; }
  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<Index, max_rank> extents_{};
  int rank_ = 0;
};

std::string to_string(const Shape& shape);  // "(2, 3)" or "(2,)", as NumPy prints it
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// The shape to which both broadcast, as in NumPy: aligned at the last axis, where an extent of 1
/// repeats. Throws Error, in the name of `op`, when they do not broadcast.
Shape broadcast(const Shape& a, const Shape& b, const char* op);

}  // namespace heed

template <>
struct fmt::formatter<heed::Shape> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  template <class Context>
  auto format(const heed::Shape& shape, Context& context) const {
    const std::string text = heed::to_string(shape);
    return std::copy(text.begin(), text.end(), context.out());
  }
};
