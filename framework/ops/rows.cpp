#include <vector>

#include "framework/kernels/move.h"
#include "framework/ops.h"
#include "framework/ops/detail.h"
#include "framework/ops/views.h"

namespace heed {

void detail::check_ids(const char* op, const Ids& ids, Index extent) {
  check(ids.defined(), op, "expected ids; got undefined ones");
  const Index bad = kernels::first_outside(ids.size(), ids.data(), extent);
  if (bad < ids.size())
    check(false, op, "expected ids within [0, {}); got {} at position {}", extent, ids[bad], bad);
}

using detail::check_ids;
using detail::output_of;
using detail::product;

namespace {

/// Rows of an array (outer, n, inner), by their numbers along the middle axis.
struct RowIds {
  Ids ids;
  Index outer;
  Index n;
  Index inner;

  kernels::Selection selection() const {
    return {.outer = outer, .n = n, .inner = inner, .count = ids.size(), .ids = ids.data()};
  }
};

}  // namespace

Variable gather(const Operand& x, const Ids& ids, int axis) {
  const int i = x.shape().axis(axis, "gather");
  check(ids.rank() == 1, "gather", "expected ids of one axis; got {}", ids.shape());
  const Shape& shape = x.shape();
  check_ids("gather", ids, shape[i]);
  const RowIds rows{ids, product(shape, 0, i), shape[i], product(shape, i + 1, x.rank())};
  Tensor y(shape.with(i, ids.size()));
  kernels::gather(rows.selection(), 1, x.data(), {y.data()});
  // dx = zeros with dy[:, j] added to row ids[j]
  return record("gather", y, {x}, [rows](const Tensor& dy, Gradient dx) {
    kernels::scatter_add(rows.selection(), 1, dy.data(), output_of(dx));
  });
}

Variable scatter_add(const Operand& x, const Ids& ids, Index rows) {
  check(x.rank() >= 1 && ids.shape() == Shape{x.shape()[0]}, "scatter_add",
        "expected an id for each row of {}; got {}", x.shape(), ids.shape());
  check_ids("scatter_add", ids, rows);
  const RowIds to{ids, 1, rows, product(x.shape(), 1, x.rank())};
  Tensor y(x.shape().with(0, rows));
  kernels::scatter_add(to.selection(), 1, x.data(), {y.data()});
  // dx[j] = dy[ids[j]]
  return record("scatter_add", y, {x}, [to](const Tensor& dy, Gradient dx) {
    kernels::gather(to.selection(), 1, dy.data(), output_of(dx));
  });
}

Variable embedding(const Ids& ids, const Operand& table, Real scale) {
  check(table.rank() == 2, "embedding", "expected a table (n, d); got {}", table.shape());
  check(ids.rank() < Shape::max_rank, "embedding", "expected ids of at most {} axes; got {}",
        Shape::max_rank - 1, ids.shape());
  check_ids("embedding", ids, table.rows());
  const RowIds rows{ids, 1, table.rows(), table.columns()};
  std::vector<Index> extents(ids.shape().begin(), ids.shape().end());
  extents.push_back(table.columns());
  Tensor y{Shape(extents)};
  kernels::gather(rows.selection(), scale, table.data(), {y.data()});
  // dtable[ids[j]] += scale dy[j]
  return record("embedding", y, {table}, [rows, scale](const Tensor& dy, Gradient dtable) {
    kernels::scatter_add(rows.selection(), scale, dy.data(), output_of(dtable));
  });
}

Variable pick(const Operand& x, const Ids& ids) {
  check(x.rank() == 2 && ids.shape() == Shape{x.shape()[0]}, "pick",
        "expected x (n, m) and ids (n); got {} and {}", x.shape(), ids.shape());
  const Index n = x.shape()[0];
  const Index m = x.columns();
  check_ids("pick", ids, m);
  Tensor y({n});
  kernels::pick(n, m, ids.data(), x.data(), y.data());
  // dx[i, ids[i]] = dy[i], the rest 0
  return record("pick", y, {x}, [=](const Tensor& dy, Gradient dx) {
    kernels::pick_backward(n, m, ids.data(), dy.data(), dx.data(), dx.mode());
  });
}

}  // namespace heed
