#include <algorithm>
#include <array>
#include <vector>

#include <fmt/ranges.h>

#include "framework/kernels/elementwise.h"
#include "framework/kernels/move.h"
#include "framework/ops.h"
#include "framework/ops/detail.h"

namespace heed {

using detail::product;

Variable reshape(const Operand& x, const Shape& shape) {
  return record("reshape", x.value().reshape(shape), {x},
                [](const Tensor& dy, Gradient dx) { dx.pass(dy); });
}

Variable reshape(const Operand& x, std::initializer_list<Index> extents) {
  std::vector<Index> resolved(extents);
  const auto open = std::find(resolved.begin(), resolved.end(), -1);
  if (open != resolved.end()) {
    *open = 1;
    const Index known = Shape(resolved).size();
    check(known > 0 && x.size() % known == 0, "reshape",
          "expected extents that divide the {} elements of {}; got {}", x.size(), x.shape(), known);
    *open = x.size() / known;
  }
  return reshape(x, Shape(resolved));
}

Variable slice(const Operand& x, int axis, Index begin, Index end) {
  const int i = x.shape().axis(axis, "slice");
  const Index n = x.shape()[i];
  const Index inner = product(x.shape(), i + 1, x.rank());
  const Index outer = product(x.shape(), 0, i);
  check(0 <= begin && begin <= end && end <= n, "slice",
        "expected a range within [0, {}) on axis {} of {}; got [{}, {})", n, i, x.shape(), begin,
        end);
  const Shape shape = x.shape().with(i, end - begin);
  const Index length = (end - begin) * inner;
  Tensor y;
  if (outer == 1) {  // the elements lie together: shared
    y = x.value().reshape({n * inner}).slice(begin * inner, end * inner).reshape(shape);
  } else {
    y = Tensor(shape);
    kernels::copy_rows({x.data() + begin * inner, outer, length, n * inner}, {y.data(), length});
  }
  // dx = dy within the range, 0 elsewhere
  return record("slice", y, {x}, [=](const Tensor& dy, Gradient dx) {
    if (dx.mode() == Mode::assign && length != n * inner)
      kernels::fill(outer * n * inner, 0, dx.data());
    kernels::copy_rows(kernels::dense(dy.data(), outer, length),
                       {dx.data() + begin * inner, n * inner, dx.mode()});
  });
}

Variable concat(std::span<const Operand> xs, int axis) {
  check(!xs.empty(), "concat", "expected at least one tensor; got none");
  const Shape& first = xs[0].shape();
  const int i = first.axis(axis, "concat");
  const Index inner = product(first, i + 1, first.rank());
  const Index outer = product(first, 0, i);
  std::vector<Index> lengths;  // of each input's part of a block
  Index total = 0;
  for (const Operand& x : xs) {
    check(x.rank() == first.rank() && x.shape().with(i, 0) == first.with(i, 0), "concat",
          "expected shapes that agree but on axis {}; got {} and {}", i, first, x.shape());
    lengths.push_back(x.shape()[i] * inner);
    total += x.shape()[i];
  }
  Tensor y(first.with(i, total));
  const Index stride = total * inner;
  Real* to = y.data();
  for (std::size_t k = 0; k < xs.size(); ++k) {
    kernels::copy_rows(kernels::dense(xs[k].data(), outer, lengths[k]), {to, stride});
    to += lengths[k];
  }
  return record(
      "concat", y, xs,
      [outer, stride, lengths = std::move(lengths)](const Tensor& dy, std::span<Gradient> dxs) {
        Index begin = 0;  // each input gets its part of dy
        for (std::size_t k = 0; k < dxs.size(); ++k) {
          const Index length = lengths[k];
          if (dxs[k] && outer == 1)
            dxs[k].pass(dy.reshape({stride}).slice(begin, begin + length));
          else if (dxs[k])
            kernels::copy_rows({dy.data() + begin, outer, length, stride},
                               {dxs[k].data(), length, dxs[k].mode()});
          begin += length;
        }
      });
}

Variable concat(std::initializer_list<Operand> xs, int axis) {
  return concat(std::span(xs.begin(), xs.size()), axis);
}

namespace {

std::vector<Operand> operands(const std::vector<Variable>& xs, const Operand::Where& where) {
  std::vector<Operand> result;
  result.reserve(xs.size());
  for (const Variable& x : xs)
    result.emplace_back(x, where);
  return result;
}

}  // namespace

Variable concat(const std::vector<Variable>& xs, int axis, Operand::Where where) {
  return concat(operands(xs, where), axis);
}

Variable stack(std::span<const Operand> xs, int axis) {
  check(!xs.empty(), "stack", "expected at least one tensor; got none");
  const Shape& first = xs[0].shape();
  check(first.rank() < Shape::max_rank, "stack", "expected at most {} axes; got {}",
        Shape::max_rank - 1, first);
  std::vector<Index> extents(first.begin(), first.end());
  const int rank = first.rank() + 1;
  const int i = axis < 0 ? axis + rank : axis;
  check(i >= 0 && i < rank, "stack", "expected a new axis within [{}, {}] of {}; got {}", -rank,
        rank - 1, first, axis);
  extents.insert(extents.begin() + i, 1);
  std::vector<Operand> parts;
  for (const Operand& x : xs) {
    check(x.shape() == first, "stack", "expected tensors of one shape; got {} and {}", first,
          x.shape());
    parts.emplace_back(reshape(x, Shape(extents)), x.where());
  }
  return concat(parts, i);
}

Variable stack(std::initializer_list<Operand> xs, int axis) {
  return stack(std::span(xs.begin(), xs.size()), axis);
}

Variable stack(const std::vector<Variable>& xs, int axis, Operand::Where where) {
  return stack(operands(xs, where), axis);
}

namespace {

/// Axis i of the output is axis order[i] of a contiguous input. Axes that stay neighbours, in
/// order, are merged.
kernels::Permutation permutation(const Shape& x, const Axes& order) {
  std::array<Index, Shape::max_rank> strides{};
  Index step = 1;
  for (int i = x.rank() - 1; i >= 0; --i) {
    strides[i] = step;
    step *= x[i];
  }
  kernels::Permutation p;
  p.rank = 0;
  for (int axis : order) {
    if (x[axis] == 1) continue;
    if (p.rank > 0 && p.strides[p.rank - 1] == strides[axis] * x[axis]) {
      p.extents[p.rank - 1] *= x[axis];
      p.strides[p.rank - 1] = strides[axis];
      continue;
    }
    p.extents[p.rank] = x[axis];
    p.strides[p.rank] = strides[axis];
    ++p.rank;
  }
  if (p.rank == 0) p = {1, {1}, {1}};
  return p;
}

}  // namespace

Variable permute(const Operand& x, const Axes& order) {
  const int rank = x.rank();
  Axes inverse(static_cast<std::size_t>(rank), -1);
  Axes resolved;
  Shape shape = x.shape();
  bool valid = static_cast<int>(order.size()) == rank;
  for (int i = 0; valid && i < rank; ++i) {
    const int axis = x.shape().axis(order[i], "permute");
    valid = inverse[axis] < 0;
    inverse[axis] = i;
    resolved.push_back(axis);
    shape[i] = x.shape()[axis];
  }
  check(valid, "permute", "expected each of the {} axes of {} once; got ({})", rank, x.shape(),
        fmt::join(order, ", "));
  const kernels::Permutation forward = permutation(x.shape(), resolved);
  if (forward.rank == 1)  // nothing moves
    return record("permute", x.value().reshape(shape), {x},
                  [](const Tensor& dy, Gradient dx) { dx.pass(dy); });
  Tensor y(shape);
  kernels::permute(forward, x.data(), y.data(), Mode::assign);
  return record("permute", y, {x},
                [back = permutation(shape, inverse)](const Tensor& dy, Gradient dx) {
                  kernels::permute(back, dy.data(), dx.data(), dx.mode());
                });
}

Variable transpose(const Operand& x, int a, int b) {
  Axes order(static_cast<std::size_t>(x.rank()));
  for (int i = 0; i < x.rank(); ++i)
    order[i] = i;
  std::swap(order[x.shape().axis(a, "transpose")], order[x.shape().axis(b, "transpose")]);
  return permute(x, order);
}

Variable broadcast_to(const Operand& x, const Shape& shape) {
  check(broadcast(x.shape(), shape, "broadcast_to") == shape, "broadcast_to",
        "expected a shape that broadcasts to {}; got {}", shape, x.shape());
  if (x.size() == shape.size()) return reshape(x, shape);
  Tensor y(shape);
  kernels::broadcast(detail::layout(shape, {x.shape()}), 1, x.data(), y.data(), Mode::assign);
  return record("broadcast_to", y, {x},
                [](const Tensor& dy, Gradient dx) { detail::give(dx, dy); });
}

}  // namespace heed
