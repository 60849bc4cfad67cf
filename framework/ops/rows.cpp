#include <vector>

#include "framework/kernels/move.h"
#include "framework/ops.h"
#include "framework/ops/detail.h"

namespace heed {

void detail::check_ids(const char* op, const Ids& ids, Index extent) {
  check(ids.defined(), op, "expected ids; got undefined ones");
  const Index bad = kernels::first_outside(ids.size(), ids.data(), extent);
  if (bad < ids.size())
    check(false, op, "expected ids within [0, {}); got {} at position {}", extent, ids[bad], bad);
}

using detail::check_ids;
using detail::product;

Variable gather(const Operand& x, const Ids& ids, int axis) {
  const int i = x.shape().axis(axis, "gather");
  check(ids.rank() == 1, "gather", "expected ids of one axis; got {}", ids.shape());
  const Index n = x.shape()[i];
  const Index outer = product(x.shape(), 0, i);

  const Index inner = product(x.shape(), i + 1, x.rank());
  const Index count = ids.size();
  check_ids("gather", ids, n);
  Tensor y(x.shape().with(i, count));
  kernels::gather(outer, n, inner, count, ids.data(), 1, x.data(), y.data(), Mode::assign);
  // dx = zeros with dy[:, j] added to row ids[j]
  return record("gather", y, {x}, [=](const Tensor& dy, Gradient dx) {
    kernels::scatter_add(outer, n, inner, count, ids.data(), 1, dy.data(), dx.data(), dx.mode());
  });
}

Variable scatter_add(const Operand& x, const Ids& ids, Index rows) {
  check(x.rank() >= 1 && ids.shape() == Shape{x.shape()[0]}, "scatter_add",
        "expected an id for each row of {}; got {}", x.shape(), ids.shape());
  check_ids("scatter_add", ids, rows);
  const Index inner = product(x.shape(), 1, x.rank());
  const Index count = ids.size();
  Tensor y(x.shape().with(0, rows));
  kernels::scatter_add(1, rows, inner, count, ids.data(), 1, x.data(), y.data(), Mode::assign);
  return record("scatter_add", y, {x}, [=](const Tensor& dy, Gradient dx) {  // dx[j] = dy[ids[j]]
    kernels::gather(1, rows, inner, count, ids.data(), 1, dy.data(), dx.data(), dx.mode());
  });
}

Variable embedding(const Ids& ids, const Operand& table, Real scale) {
  check(table.rank() == 2, "embedding", "expected a table (n, d); got {}", table.shape());
  check(ids.rank() < Shape::max_rank, "embedding", "expected ids of at most {} axes; got {}",
        Shape::max_rank - 1, ids.shape());
  const Index n = table.rows();
  const Index d = table.columns();
  const Index count = ids.size();
  check_ids("embedding", ids, n);
  std::vector<Index> extents(ids.shape().begin(), ids.shape().end());
  extents.push_back(d);
  Tensor y{Shape(extents)};
  kernels::gather(1, n, d, count, ids.data(), scale, table.data(), y.data(), Mode::assign);
  // dtable[ids[j]] += scale dy[j]
  return record("embedding", y, {table}, [=](const Tensor& dy, Gradient dtable) {
    kernels::scatter_add(1, n, d, count, ids.data(), scale, dy.data(), dtable.data(),
                         dtable.mode());
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
