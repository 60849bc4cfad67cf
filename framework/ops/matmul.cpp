#include <algorithm>
#include <array>

#include "framework/kernels/gemm.h"
#include "framework/kernels/multiply_adds.h"
#include "framework/kernels/parallel.h"
#include "framework/ops.h"
#include "framework/ops/detail.h"
#include "framework/ops/views.h"

namespace heed {

namespace {

using Strides = std::array<Index, Shape::max_rank>;

/// How far an operand moves along the leading axes of a batched product, in matrices. 0 where it
/// repeats.
Strides leading_strides(const Shape& leading, const Shape& operand) {
  Strides result{};
  Index step = 1;
  for (int i = leading.rank() - 1; i >= 0; --i) {
    const int axis = i - leading.rank() + operand.rank() - 2;
    if (axis < 0 || operand[axis] == 1) continue;
    result[i] = step;
    step *= leading[i];
  }
  return result;
}

/// A matrix of each batch, transposed or not.
struct Matrices {
  const Real* data;
  Strides strides;  // over the leading axes
  // as stored
  Index rows;
  Index columns;
  bool transposed;

  /// Number `i` of the stored matrices, as the product reads it.
  kernels::ConstMatrix at(Index i) const {
    const kernels::ConstMatrix m = kernels::dense(data + i * rows * columns, rows, columns);
    return transposed ? kernels::transposed(m) : m;
  }
  Matrices as_transposed() const {
    Matrices result = *this;
    result.transposed = !transposed;
    return result;
  }
  Matrices of(const Tensor& other) const {
    Matrices result = *this;
    result.data = other.data();
    return result;
  }
};

/// Where the products that add up to one matrix of `out` read their operands: matrices of a and b.
struct Term {
  Index a = 0;
  Index b = 0;

  /// Number `term` of those that add up to matrix `target`.
  Term(const Shape& leading, const Matrices& left, const Matrices& right,
       const Strides& out_strides, Index target, Index term) {
    for (int i = leading.rank() - 1; i >= 0; --i) {
      Index& rest = out_strides[i] != 0 ? target : term;
      const Index at = rest % leading[i];
      rest /= leading[i];
      a += at * left.strides[i];
      b += at * right.strides[i];
    }
  }
};

/// out = or += a b for each batch. Batches in which `out` is the same matrix add up, in order.
void multiply(const Shape& leading, const Matrices& a, const Matrices& b, Real* out,
              const Strides& out_strides, Mode mode) {
  const Index m = a.at(0).rows;
  const Index k = a.at(0).columns;
  const Index n = b.at(0).columns;
  Index targets = 1;  // matrices of out
  Index terms = 1;    // products that add up to each
  for (int i = 0; i < leading.rank(); ++i)
    (out_strides[i] != 0 ? targets : terms) *= leading[i];
  // Either each product is cut, or each is a task.
  const bool large = targets == 1 || (targets < 64 && m * n * k >= Index{1} << 22);
  const auto product = large ? kernels::gemm : kernels::gemm_serial;
  const auto run = [&](Index begin, Index end) {
    for (Index target = begin; target < end; ++target)
      for (Index i = 0; i < terms; ++i) {
        const Term term(leading, a, b, out_strides, target, i);
        product(a.at(term.a), b.at(term.b), kernels::dense(out + target * m * n, m, n),
                i == 0 ? mode : Mode::accumulate);
      }
    if (terms == 0 && mode == Mode::assign)
      std::fill(out + begin * m * n, out + end * m * n, Real{0});
  };
  if (large) return run(0, targets);  // kernels::gemm counts its operations
  kernels::multiply_adds() += targets * terms * m * n * k;
  kernels::parallel_for(targets, kernels::grain_of(terms * m * n * k / 8), run);
}

Shape leading_of(const Shape& shape) { return Shape(std::span(shape.begin(), shape.rank() - 2)); }

/// The shape of a product: the batches' leading axes, then (m, n).
Shape product_shape(const Shape& batches, Index m, Index n) {
  std::array<Index, Shape::max_rank> extents{};
  std::copy(batches.begin(), batches.end(), extents.begin());
  extents[batches.rank()] = m;
  extents[batches.rank() + 1] = n;
  return Shape(std::span<const Index>(extents.data(), batches.rank() + 2));
}

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
  const Shape shape = product_shape(batches, m, n);

  // Where there is one matrix b for all rows of a, there is one product.
  const bool flat = !transpose.a && leading_of(sb).size() == 1;
  const Shape leading = flat ? Shape() : batches;
  const Matrices x{a.data(), leading_strides(leading, sa),
                   flat ? detail::product(sa, 0, ra - 1) : sa[ra - 2], sa[ra - 1], transpose.a};
  const Matrices w{b.data(), leading_strides(leading, sb), sb[rb - 2], sb[rb - 1], transpose.b};
  const Matrices out{nullptr, leading_strides(leading, shape), flat ? x.rows : m, n, false};

  Tensor y(shape);
  multiply(leading, x, w, y.data(), out.strides, Mode::assign);
  // da = dy op(b)^T, or where a was transposed op(b) dy^T; db = op(a)^T dy, or dy^T op(a)
  return record("matmul", y, {a, b},
                [=, a = detail::kept_for(b, a), b = detail::kept_for(a, b)](
                    const Tensor& dy, Gradient da, Gradient db) {
                  const Matrices g = out.of(dy);
                  const Matrices gt = g.as_transposed();
                  if (da && !transpose.a)
                    multiply(leading, g, w.as_transposed(), da.data(), x.strides, da.mode());
                  if (da && transpose.a) multiply(leading, w, gt, da.data(), x.strides, da.mode());
                  if (db && !transpose.b)
                    multiply(leading, x.as_transposed(), g, db.data(), w.strides, db.mode());
                  if (db && transpose.b) multiply(leading, gt, x, db.data(), w.strides, db.mode());
                });
}

}  // namespace heed
