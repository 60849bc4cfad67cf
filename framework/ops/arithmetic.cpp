#include "framework/kernels/elementwise.h"
#include "framework/ops.h"
#include "framework/ops/detail.h"
#include "framework/ops/views.h"

namespace heed {

using detail::give;
using detail::give_computed;
using detail::kept_for;
using detail::layout;

Variable operator+(const Operand& a, const Operand& b) {
  Tensor y(broadcast(a.shape(), b.shape(), "+"));
  kernels::add(layout(y.shape(), {a.shape(), b.shape()}), a.data(), b.data(), y.data());
  return record("+", y, {a, b}, [](const Tensor& dy, Gradient da, Gradient db) {
    give(da, dy);
    give(db, dy);
  });
}

Variable operator-(const Operand& a, const Operand& b) {
  Tensor y(broadcast(a.shape(), b.shape(), "-"));
  kernels::subtract(layout(y.shape(), {a.shape(), b.shape()}), a.data(), b.data(), y.data());
  return record("-", y, {a, b}, [](const Tensor& dy, Gradient da, Gradient db) {
    give(da, dy);
    give(db, dy, -1);
  });
}

Variable operator*(const Operand& a, const Operand& b) {
  Tensor y(broadcast(a.shape(), b.shape(), "*"));
  kernels::multiply(layout(y.shape(), {a.shape(), b.shape()}), a.data(), b.data(), y.data(),
                    Mode::assign);
  // da = dy b, db = dy a
  return record(
      "*", y, {a, b},
      [a = kept_for(b, a), b = kept_for(a, b)](const Tensor& dy, Gradient da, Gradient db) {
        const auto times = [&dy](const Tensor& other) {
          return [&](Real* out, Mode mode) {
            kernels::multiply(layout(dy.shape(), {dy.shape(), other.shape()}), dy.data(),
                              other.data(), out, mode);
          };
        };
        give_computed(da, dy.shape(), times(b));
        give_computed(db, dy.shape(), times(a));
      });
}

Variable operator/(const Operand& a, const Operand& b) {
  Tensor y(broadcast(a.shape(), b.shape(), "/"));
  kernels::divide(layout(y.shape(), {a.shape(), b.shape()}), a.data(), b.data(), y.data(),
                  Mode::assign);
  // da = dy / b, db = -dy y / b
  return record("/", y, {a, b}, [y, b = b.value()](const Tensor& dy, Gradient da, Gradient db) {
    give_computed(da, y.shape(), [&](Real* out, Mode mode) {
      kernels::divide(layout(y.shape(), {y.shape(), b.shape()}), dy.data(), b.data(), out, mode);
    });
    give_computed(db, y.shape(), [&](Real* out, Mode mode) {
      kernels::divide_backward(layout(y.shape(), {y.shape(), y.shape(), b.shape()}), dy.data(),
                               y.data(), b.data(), out, mode);
    });
  });
}

Variable& operator+=(Variable& a, const Operand& b) { return a = Operand(a, b.where()) + b; }
Variable& operator-=(Variable& a, const Operand& b) { return a = Operand(a, b.where()) - b; }
Variable& operator*=(Variable& a, const Operand& b) { return a = Operand(a, b.where()) * b; }
Variable& operator/=(Variable& a, const Operand& b) { return a = Operand(a, b.where()) / b; }

Variable operator-(const Operand& x) {
  Tensor y(x.shape());
  kernels::scale_to(x.size(), -1, x.data(), y.data(), Mode::assign);
  return record("-", y, {x}, [](const Tensor& dy, Gradient dx) {
    kernels::scale_to(dy.size(), -1, dy.data(), dx.data(), dx.mode());
  });
}

namespace {

/// Backward that gives dy to da or to db, according to a < b.
auto to_the_chosen(const Operand& a, const Operand& b, bool a_where_less) {
  return [a = a.value(), b = b.value(), a_where_less](const Tensor& dy, Gradient da, Gradient db) {
    const auto where = [&](bool less) {
      return [&, less](Real* out, Mode mode) {
        kernels::where_less(layout(dy.shape(), {dy.shape(), a.shape(), b.shape()}), less, dy.data(),
                            a.data(), b.data(), out, mode);
      };
    };
    give_computed(da, dy.shape(), where(a_where_less));
    give_computed(db, dy.shape(), where(!a_where_less));
  };
}

}  // namespace

Variable maximum(const Operand& a, const Operand& b) {
  Tensor y(broadcast(a.shape(), b.shape(), "maximum"));
  kernels::maximum(layout(y.shape(), {a.shape(), b.shape()}), a.data(), b.data(), y.data());
  return record("maximum", y, {a, b}, to_the_chosen(a, b, false));
}

Variable minimum(const Operand& a, const Operand& b) {
  Tensor y(broadcast(a.shape(), b.shape(), "minimum"));
  kernels::minimum(layout(y.shape(), {a.shape(), b.shape()}), a.data(), b.data(), y.data());
  return record("minimum", y, {b, a}, to_the_chosen(b, a, true));  // b where b < a; a tie goes to a
}

Variable where(const Tensor& condition, const Operand& a, const Operand& b) {
  check(condition.defined(), "where", "expected a condition; got an undefined tensor");
  Tensor y(broadcast(condition.shape(), broadcast(a.shape(), b.shape(), "where"), "where"));
  kernels::where(layout(y.shape(), {condition.shape(), a.shape(), b.shape()}), condition.data(),
                 a.data(), b.data(), y.data(), Mode::assign);
  // dy goes where its value came from
  return record("where", y, {a, b}, [condition](const Tensor& dy, Gradient da, Gradient db) {
    const Real zero = 0;
    const Shape& shape = dy.shape();
    give_computed(da, shape, [&](Real* out, Mode mode) {
      kernels::where(layout(shape, {condition.shape(), shape, {}}), condition.data(), dy.data(),
                     &zero, out, mode);
    });
    give_computed(db, shape, [&](Real* out, Mode mode) {
      kernels::where(layout(shape, {condition.shape(), {}, shape}), condition.data(), &zero,
                     dy.data(), out, mode);
    });
  });
}

Variable masked_fill(const Operand& x, const Tensor& mask, Real value) {
  check(mask.defined(), "masked_fill", "expected a mask; got an undefined tensor");
  check(broadcast(x.shape(), mask.shape(), "masked_fill") == x.shape(), "masked_fill",
        "expected a mask that broadcasts to {}; got {}", x.shape(), mask.shape());
  Tensor y(x.shape());
  kernels::where(layout(y.shape(), {mask.shape(), {}, x.shape()}), mask.data(), &value, x.data(),
                 y.data(), Mode::assign);
  // dx = 0 where masked, dy elsewhere
  return record("masked_fill", y, {x}, [mask](const Tensor& dy, Gradient dx) {
    const Real zero = 0;
    kernels::where(layout(dy.shape(), {mask.shape(), {}, dy.shape()}), mask.data(), &zero,
                   dy.data(), dx.data(), dx.mode());
  });
}

}  // namespace heed
