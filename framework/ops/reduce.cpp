#include "framework/kernels/reduce.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "framework/kernels/elementwise.h"
#include "framework/ops.h"
#include "framework/ops/detail.h"
#include "framework/ops/views.h"

namespace heed {

using detail::output_of;

namespace detail {

void sum_into(const Tensor& x, const AxisSet& reduced, double scale, Real* out, Mode mode) {
  // One pass for each run of reduced axes, from the last. Axes of extent 1 do not separate runs.
  struct Axis {
    Index extent;
    bool reduced;
  };
  std::array<Axis, Shape::max_rank> axes;
  int count = 0;
  for (int i = 0; i < x.rank(); ++i) {
    if (x.shape()[i] == 1) continue;
    if (count > 0 && axes[count - 1].reduced == reduced[i])
      axes[count - 1].extent *= x.shape()[i];
    else
      axes[count++] = {x.shape()[i], reduced[i]};
  }
  int runs = 0;
  for (int i = 0; i < count; ++i)
    runs += axes[i].reduced;
  if (runs == 0) return kernels::scale_to(x.size(), static_cast<Real>(scale), x.data(), out, mode);
  const Real* from = x.data();
  Tensor to;
  Index inner = 1;
  for (int i = count - 1; i >= 0; --i) {
    if (!axes[i].reduced) {
      inner *= axes[i].extent;
      continue;
    }
    Index outer = 1;
    for (int k = 0; k < i; ++k)
      outer *= axes[k].extent;
    const kernels::MiddleAxis middle{outer, axes[i].extent, inner};
    if (--runs == 0) return kernels::sum(middle, scale, from, {out, mode});
    Tensor sums({outer, inner});
    kernels::sum(middle, 1, from, {sums.data()});
    to = std::move(sums);
    from = std::as_const(to).data();
  }
}

void give(const Gradient& dx, const Tensor& g, Real scale) {
  if (!dx) return;
  const Shape& to = dx.shape();
  if (to.size() == g.size()) {
    if (scale == 1) return dx.pass(g);
    return kernels::scale_to(g.size(), scale, g.data(), dx.data(), dx.mode());
  }
  AxisSet reduced{};
  for (int i = 0; i < g.rank(); ++i) {
    const int axis = i - g.rank() + to.rank();
    reduced[i] = axis < 0 || to[axis] != g.shape()[i];
  }
  sum_into(g, reduced, scale, dx.data(), dx.mode());
}

}  // namespace detail

namespace {

/// A reduction's axes, resolved.
struct Reduction {
  detail::AxisSet reduced{};
  // the result with reduced axes of extent 1, and as asked for
  Shape kept;
  Shape shape;
  Index count = 1;  // elements that make one

  Reduction(const char* op, const Shape& x, const Axes& axes, bool keep) : kept(x) {
    for (int axis : axes) {
      const int i = x.axis(axis, op);
      check(!reduced[i], op, "expected different axes; got axis {} twice", axis);
      reduced[i] = true;
    }
    if (axes.empty()) std::fill_n(reduced.begin(), x.rank(), true);
    for (int i = 0; i < x.rank(); ++i)
      if (reduced[i]) {
        count *= x[i];
        kept[i] = 1;
      }
    shape = kept;
    if (!keep)
      for (int i = x.rank() - 1; i >= 0; --i)
        if (reduced[i]) shape = shape.without(i);
  }
};

/// x as (outer, n, inner), where n is all that is reduced. None where the reduced axes do not lie
/// together.
std::optional<kernels::MiddleAxis> middle_axis(const Shape& x, const Reduction& reduction) {
  kernels::MiddleAxis middle;
  bool seen = false;  // a reduced axis
  for (int i = 0; i < x.rank(); ++i) {
    if (x[i] == 1) continue;
    if (reduction.reduced[i]) {
      if (middle.inner != 1) return std::nullopt;
      middle.n *= x[i];
      seen = true;
    } else {
      (seen ? middle.inner : middle.outer) *= x[i];
    }
  }
  return middle;
}

/// x with its reduced axes moved to the end and made one, the others kept in order.
Variable gathered(const Operand& x, const Reduction& reduction) {
  Axes order;
  for (bool reduced : {false, true})
    for (int i = 0; i < x.rank(); ++i)
      if (reduction.reduced[i] == reduced) order.push_back(i);
  const Index outer = reduction.count == 0 ? reduction.shape.size() : x.size() / reduction.count;
  return reshape({permute(x, order), x.where()}, {outer, reduction.count});
}

/// Each element of dy, of shape `kept`, to all the elements of x that it came from.
void spread(const Tensor& dy, const Shape& kept, Real scale, Gradient dx) {
  kernels::broadcast(detail::layout(dx.shape(), {kept}), scale, dy.data(), dx.data(), dx.mode());
}

Variable scaled_sum(const char* op, const Operand& x, const Reduction& reduction, double scale) {
  Tensor y(reduction.shape);
  detail::sum_into(x.value(), reduction.reduced, scale, y.data(), Mode::assign);
  const auto factor = static_cast<Real>(scale);
  // dx = scale dy, repeated
  return record(op, y, {x}, [kept = reduction.kept, factor](const Tensor& dy, Gradient dx) {
    if (dy.size() == dx.shape().size() && factor == 1) return dx.pass(dy);
    spread(dy, kept, factor, dx);
  });
}

}  // namespace

Variable sum(const Operand& x, const Axes& axes, bool keep) {
  return scaled_sum("sum", x, {"sum", x.shape(), axes, keep}, 1);
}

Variable mean(const Operand& x, const Axes& axes, bool keep) {
  const Reduction reduction("mean", x.shape(), axes, keep);
  return scaled_sum("mean", x, reduction, 1 / static_cast<double>(reduction.count));
}

Variable max(const Operand& x, const Axes& axes, bool keep) {
  const Reduction reduction("max", x.shape(), axes, keep);
  check(reduction.count > 0, "max", "expected something along the reduced axes; got {}", x.shape());
  const auto middle = middle_axis(x.shape(), reduction);
  if (!middle)
    return reshape({max({gathered(x, reduction), x.where()}, {1}), x.where()}, reduction.shape);
  Tensor y(reduction.shape);
  Ids position(reduction.shape);
  kernels::max(*middle, x.data(), y.data(), position.data());
  // dy to the largest, 0 to the rest
  return record("max", y, {x}, [axis = *middle, position](const Tensor& dy, Gradient dx) {
    kernels::max_backward(axis, position.data(), dy.data(), output_of(dx));
  });
}

Ids argmax(const Operand& x) {
  check(x.rank() >= 1, "argmax", "expected at least one axis; got a scalar");
  const Index n = x.shape()[x.rank() - 1];
  check(n > 0, "argmax", "expected something along the last axis; got {}", x.shape());
  const Shape shape = x.shape().without(x.rank() - 1);
  Tensor largest(shape);
  Ids position(shape);
  kernels::max({.outer = shape.size(), .n = n}, x.data(), largest.data(), position.data());
  return position;
}

Variable variance(const Operand& x, const Axes& axes, bool keep) {
  const Reduction reduction("variance", x.shape(), axes, keep);
  const auto middle = middle_axis(x.shape(), reduction);
  if (!middle)
    return reshape({variance({gathered(x, reduction), x.where()}, {1}), x.where()},
                   reduction.shape);
  const double share = 1 / static_cast<double>(reduction.count);
  Tensor average(reduction.kept);
  Tensor rest(reduction.kept);  // what rounding left of the mean
  Tensor y(reduction.shape);
  kernels::sum(*middle, share, x.data(), {average.data()});
  kernels::deviations(*middle, share, x.data(), average.data(), rest.data());
  kernels::squared_deviations(*middle, share, x.data(), average.data(), rest.data(), y.data());
  // dx = dy 2/n (x - mean)
  return record(
      "variance", y, {x}, [x = x.value(), average, rest, share](const Tensor& dy, Gradient dx) {
        const Shape& kept = average.shape();
        kernels::variance_backward(detail::layout(x.shape(), {x.shape(), kept, kept, kept}),
                                   static_cast<Real>(2 * share), x.data(), average.data(),
                                   rest.data(), dy.data(), output_of(dx));
      });
}

Variable cumsum(const Operand& x, int axis) {
  const int i = x.shape().axis(axis, "cumsum");
  const kernels::MiddleAxis middle{detail::product(x.shape(), 0, i), x.shape()[i],
                                   detail::product(x.shape(), i + 1, x.rank())};
  Tensor y(x.shape());
  kernels::cumsum(middle, false, x.data(), {y.data()});
  // dx = the same sum from the other end
  return record("cumsum", y, {x}, [middle](const Tensor& dy, Gradient dx) {
    kernels::cumsum(middle, true, dy.data(), output_of(dx));
  });
}

}  // namespace heed
