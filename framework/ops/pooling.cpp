#include "framework/kernels/pooling.h"

#include "framework/ops.h"
#include "framework/ops/sequence_rows.h"

namespace heed {

namespace {

using detail::output_of;
using detail::zero_rest;

void check_rows(const char* op, const Operand& x, const Spans& spans) {
  check(x.rank() == 2 && x.shape()[0] == spans.rows(), op,
        "expected x (rows, d) with spans over its rows; got {} and spans over {} rows", x.shape(),
        spans.rows());
}

/// Borrows from `spans`.
kernels::PooledRows pooled(const Spans& spans, Index columns) {
  return {.sequences = spans.count(),
          .columns = columns,
          .begins = spans.begins().data(),
          .lengths = spans.lengths().data(),
          .longest = spans.longest()};
}

/// Row 0 or the last row of each sequence.
Variable end_rows(const char* op, const Operand& x, const Spans& spans, bool first) {
  check_rows(op, x, spans);
  return final_states(x, spans, first, OptionalOperand(Variable(), x.where()));
}

}  // namespace

Variable mean_rows(const Operand& x, const Spans& spans) {
  check_rows("mean_rows", x, spans);
  const Index d = x.shape()[1];
  Tensor y({spans.count(), d});
  kernels::mean_rows(pooled(spans, d), x.data(), y.data());
  // dx_t = dy_i / length for each row t of sequence i
  return record("mean_rows", y, {x}, [spans, d](const Tensor& dy, Gradient dx) {
    zero_rest(dx, spans);
    kernels::mean_rows_backward(pooled(spans, d), dy.data(), output_of(dx));
  });
}

Variable max_rows(const Operand& x, const Spans& spans) {
  check_rows("max_rows", x, spans);
  const Index d = x.shape()[1];
  Tensor y({spans.count(), d});
  Ids which(y.shape());
  kernels::max_rows(pooled(spans, d), x.data(), y.data(), which.data());
  // dy to the largest of each column, 0 to the rest
  return record("max_rows", y, {x}, [spans, d, which](const Tensor& dy, Gradient dx) {
    zero_rest(dx, spans);
    kernels::max_rows_backward(pooled(spans, d), which.data(), dy.data(), output_of(dx));
  });
}

Variable first_rows(const Operand& x, const Spans& spans) {
  return end_rows("first_rows", x, spans, true);
}

Variable last_rows(const Operand& x, const Spans& spans) {
  return end_rows("last_rows", x, spans, false);
}

}  // namespace heed
