#include <algorithm>
#include <array>

#include "framework/kernels/gemm.h"
#include "framework/kernels/parallel.h"
#include "framework/ops.h"
#include "framework/ops/detail.h"

namespace heed {

namespace {

/// The leading axes of a batched product, and how far an operand moves along them, in matrices: 0
/// where it repeats.
struct Leading {
  Shape shape;

  std::array<Index, Shape::max_rank> strides(const Shape& operand) const {
    std::array<Index, Shape::max_rank> result{};
    Index step = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      const int axis = i - shape.rank() + operand.rank() - 2;
      if (axis < 0 || operand[axis] == 1) continue;
      result[i] = step;
      step *= shape[i];
    }
    return result;
  }
};

/// A matrix of each batch, transposed or not.
struct Matrices {
  const Real* data;
  std::array<Index, Shape::max_rank> strides;  // over the leading axes
                                               // as stored
  Index rows;
  Index columns;
  bool transposed;
};

/// out = or += a b for each batch; batches in which `out` is the same matrix add up, in order.
void multiply(const Shape& leading, const Matrices& a, const Matrices& b, Real* out,
              const std::array<Index, Shape::max_rank>& out_strides, Mode mode) {
  const Index m = a.transposed ? a.columns : a.rows;
  const Index k = a.transposed ? a.rows : a.columns;

  const Index n = b.transposed ? b.rows : b.columns;
  // matrices of out, and products that add up to each
  Index targets = 1;
  Index terms = 1;
  for (int i = 0; i < leading.rank(); ++i)
    (out_strides[i] != 0 ? targets : terms) *= leading[i];
  // each product is cut, or each is a task
  const bool large = targets == 1 || (targets < 64 && m * n * k >= Index{1} << 22);
  const auto product = large ? kernels::gemm : kernels::gemm_serial;
  const auto run = [&](Index begin, Index end) {
    for (Index target = begin; target < end; ++target)
      for (Index term = 0; term < terms; ++term) {
        Index own = target;
        Index other = term;
        Index at_a = 0;
        Index at_b = 0;
        for (int i = leading.rank() - 1; i >= 0; --i) {
          Index& rest = out_strides[i] != 0 ? own : other;
          const Index at = rest % leading[i];
          rest /= leading[i];
          at_a += at * a.strides[i];
          at_b += at * b.strides[i];
        }
        product(a.transposed, b.transposed, m, n, k, a.data + at_a * a.rows * a.columns,
                std::max<Index>(a.columns, 1), b.data + at_b * b.rows * b.columns,
                std::max<Index>(b.columns, 1), out + target * m * n, std::max<Index>(n, 1),
                term == 0 ? mode : Mode::accumulate);
      }
    if (terms == 0 && mode == Mode::assign)
      std::fill(out + begin * m * n, out + end * m * n, Real{0});
  };
  if (large)
    run(0, targets);
  else
    kernels::parallel_for(targets, kernels::grain_of(terms * m * n * k / 8), run);
}

Shape leading_of(const Shape& shape) { return Shape(std::span(shape.begin(), shape.rank() - 2)); }

}  // namespace

Variable matmul(const Operand& a, const Operand& b, Transpose transpose) {
  check(a.rank() >= 2 && b.rank() >= 2, "matmul",
        "expected matrices (..., m, k) and (..., k, n); got {} and {}", a.shape(), b.shape());
  const Shape sa = a.shape();
  const Shape sb = b.shape();
  const int ra = a.rank();
  const int rb = b.rank();
  const Index k = sa[transpose.a ? ra - 2 : ra - 1];
  const Index m = sa[transpose.a ? ra - 1 : ra - 2];

  const Index n = sb[transpose.b ? rb - 2 : rb - 1];
  check(sb[transpose.b ? rb - 1 : rb - 2] == k, "matmul",
        "expected inner extents that agree; got {}{} and {}{}", sa,
        transpose.a ? " transposed" : "", sb, transpose.b ? " transposed" : "");
  const Shape batches = broadcast(leading_of(sa), leading_of(sb), "matmul");
  std::array<Index, Shape::max_rank> extents{};
  std::copy(batches.begin(), batches.end(), extents.begin());
  extents[batches.rank()] = m;
  extents[batches.rank() + 1] = n;
  const Shape shape(std::span<const Index>(extents.data(), batches.rank() + 2));

  // One matrix b for all rows of a: one product.
  const bool flat = !transpose.a && leading_of(sb).size() == 1;
  const Leading leading{flat ? Shape() : batches};
  const Matrices x{a.data(), leading.strides(sa),
                   flat ? detail::product(sa, 0, ra - 1) : sa[ra - 2], sa[ra - 1], transpose.a};
  const Matrices w{b.data(), leading.strides(sb), sb[rb - 2], sb[rb - 1], transpose.b};
  const Matrices out{nullptr, leading.strides(shape), flat ? x.rows : m, n, false};

  Tensor y(shape);
  multiply(leading.shape, x, w, y.data(), out.strides, Mode::assign);
  return record("matmul", y, {a, b},
                [=, a = a.value(), b = b.value()](const Tensor& dy, Gradient da, Gradient db) {
                  Matrices g = out;
                  Matrices gt = out;
                  Matrices xt = x;
                  Matrices wt = w;
                  g.data = gt.data = dy.data();
                  xt.transposed = !x.transposed;
                  wt.transposed = !w.transposed;
                  gt.transposed = true;
                  // da = dy op(b)^T
                  if (da && !transpose.a)
                    multiply(leading.shape, g, wt, da.data(), x.strides, da.mode());
                  // da = op(b) dy^T
                  if (da && transpose.a)
                    multiply(leading.shape, w, gt, da.data(), x.strides, da.mode());
                  // db = op(a)^T dy
                  if (db && !transpose.b)
                    multiply(leading.shape, xt, g, db.data(), w.strides, db.mode());
                  // db = dy^T op(a)
                  if (db && transpose.b)
                    multiply(leading.shape, gt, x, db.data(), w.strides, db.mode());
                });
}

}  // namespace heed
