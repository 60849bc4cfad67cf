#include "framework/kernels/gemm.h"
#include "framework/kernels/packed.h"
#include "framework/kernels/parallel.h"
#include "framework/kernels/recurrence.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"

namespace heed {

namespace {

using kernels::Cell;

/// Sequences longest first, and the shape that borrows them.
struct Plan {
  Spans spans;
  std::vector<Index> numbers;
  std::vector<Index> begins;
  std::vector<Index> lengths;
  kernels::RecurrenceShape options;

  Plan(const char* op, Cell cell, const Spans& s, bool reverse, Real p, RandomKey key, Index rows,
       Index hidden)
      : spans(s) {
    check(spans.rows() == rows, op, "expected spans over the {} rows of x; got {}", rows,
          spans.rows());
    check(p >= 0 && p < 1, op, "expected a dropout probability within [0, 1); got {}", p);
    numbers = time_order(spans).sequences;
    for (Index i : numbers) {
      begins.push_back(spans.begin(i));
      lengths.push_back(spans.length(i));
    }
    options = {cell, hidden, spans.count(), nullptr, nullptr, nullptr, reverse, {p, key}};
  }
  kernels::RecurrenceShape shape() const {  // of this copy's own vectors
    kernels::RecurrenceShape s = options;
    s.numbers = numbers.data();
    s.begins = begins.data();
    s.lengths = lengths.data();
    return s;
  }
  bool padded() const { return spans.tokens() != spans.rows(); }
  Tensor rows(Index columns) const {  // padding rows belong to no sequence: nobody writes them
    return padded() ? Tensor::zeros({spans.rows(), columns}) : Tensor({spans.rows(), columns});
  }
};

Tensor workspace(Index numbers) { return Tensor({threads(), (numbers + 15) / 16 * 16}); }

struct Norms {
  OptionalOperand gain;
  OptionalOperand cell_gain;
  OptionalOperand cell_bias;
};

Variable recur(const char* op, Cell cell, const Operand& x, const Operand& weight,
               const OptionalOperand& bias, const Norms& norms, const OptionalOperand& h0,
               const OptionalOperand& c0, const Recurrence& o) {
  const Index gates = kernels::gates_of(cell);
  check(weight.rank() == 2 && weight.shape() == Shape{gates * weight.columns(), weight.columns()} &&
            x.rank() == 2 && x.columns() == weight.shape()[0],
        op, "expected x (rows, {0}) and weight ({0}, h); got {1} and {2}",
        gates == 1 ? std::string("h") : fmt::format("{}h", gates), x.shape(), weight.shape());
  const Index h = weight.columns();
  const Index rows = x.rows();
  const Index columns = gates * h;
  const Plan plan(op, cell, o.spans, o.reverse, o.dropout, o.key, rows, h);
  const bool cells = cell == Cell::lstm || cell == Cell::norm_lstm;
  const auto expect = [&](const char* name, const Operand& v, const Shape& shape) {
    check(!v.defined() || v.shape() == shape, op, "expected {} of shape {}; got {}", name, shape,
          v.shape());
  };
  const Index count = plan.spans.count();
  expect("bias", bias, {columns});
  expect("h0", h0, {count, h});
  expect("c0", c0, {count, h});
  check(cell != Cell::norm_lstm ||
            (norms.gain.defined() && norms.cell_gain.defined() && norms.cell_bias.defined()),
        op, "expected gain, cell_gain and cell_bias; got some undefined");
  expect("gain", norms.gain, {columns});
  expect("cell_gain", norms.cell_gain, {h});
  expect("cell_bias", norms.cell_bias, {h});

  const bool gradient =
      Tape::needs_gradient(x) || Tape::needs_gradient(weight) || Tape::needs_gradient(bias) ||
      Tape::needs_gradient(h0) || Tape::needs_gradient(c0) || Tape::needs_gradient(norms.gain) ||
      Tape::needs_gradient(norms.cell_gain) || Tape::needs_gradient(norms.cell_bias);
  const Index kept_columns = kernels::kept_of(cell, h);
  const Tensor added = bias.defined() ? bias.value() : Tensor::zeros({columns});
  Tensor y =
      plan.padded() ? Tensor::zeros({cells ? 2 : 1, rows, h}) : Tensor({cells ? 2 : 1, rows, h});
  Tensor kept = gradient && kept_columns > 0 ? plan.rows(kept_columns) : Tensor();
  kernels::RecurrenceValues values{.x = x.data(),
                                   .bias = added.data(),
                                   .gain = norms.gain.data(),
                                   .cell_gain = norms.cell_gain.data(),
                                   .cell_bias = norms.cell_bias.data(),
                                   .h0 = h0.data(),
                                   .c0 = c0.data(),
                                   .y = y.data(),
                                   .cells = y.data() + (cells ? rows * h : 0),
                                   .kept = kept.defined() ? kept.data() : nullptr};
  {
    Tensor packed({kernels::packed_size(h, columns)});

    Tensor scratch = workspace(kernels::recurrence_workspace(plan.shape()));
    kernels::pack(h, columns, weight.data(), 1, h, packed.data());
    values.weight = packed.data();
    kernels::recurrence(plan.shape(), values, scratch.data());
  }
  if (!cells) y = y.reshape({rows, h});
  return record(
      op, y, {x, weight, bias, norms.gain, norms.cell_gain, norms.cell_bias, h0, c0},
      [=, weight = weight.value(), gain = norms.gain.value(), cell_gain = norms.cell_gain.value(),
       cell_bias = norms.cell_bias.value(), h0 = h0.value(), c0 = c0.value()](
          const Tensor& dy, Gradient dx, Gradient dweight, Gradient dbias, Gradient dgain,
          Gradient dcell_gain, Gradient dcell_bias, Gradient dh0, Gradient dc0) {
        const kernels::RecurrenceShape shape = plan.shape();
        // the product's gradient is not that of x
        const bool own = cell == Cell::gru || cell == Cell::norm_lstm;
        Tensor gates_gradient = plan.rows(columns);

        Tensor product_gradient = own ? plan.rows(columns) : gates_gradient;
        Tensor norm_gradient = cell == Cell::norm_lstm ? plan.rows(h) : Tensor();
        Tensor first = dh0 ? Tensor({count, h}) : Tensor();

        Tensor first_cell = dc0 ? Tensor({count, h}) : Tensor();
        Tensor scratch = workspace(kernels::recurrence_workspace(shape));
        // its inputs' data may have moved on: point at what this closure keeps
        kernels::RecurrenceValues v = values;
        v.gain = gain.data();
        v.cell_gain = cell_gain.data();
        v.cell_bias = cell_bias.data();
        v.h0 = h0.data();
        v.c0 = c0.data();
        v.x = v.bias = nullptr;  // not kept, not read
        {
          Tensor packed({kernels::packed_size(columns, h)});
          kernels::pack(columns, h, weight.data(), h, 1, packed.data());
          v.weight = packed.data();
          kernels::recurrence_backward(
              shape, v,
              {dy.data(), dy.data() + (cells ? rows * h : 0), gates_gradient.data(),
               product_gradient.data(), norm_gradient.data(), first.data(), first_cell.data()},
              scratch.data());
        }
        if (dweight) {  // dU = sum over rows of du^T h_{t-1}
          Tensor inputs = plan.rows(h);
          kernels::recurrence_inputs(shape, h0.data(), y.data(), inputs.data(), scratch.data());
          kernels::gemm(true, false, columns, h, rows, product_gradient.data(), columns,
                        inputs.data(), h, dweight.data(), h, dweight.mode());
        }
        if (dbias)
          kernels::sum_rows(rows, columns, product_gradient.data(), dbias.data(), dbias.mode());
        if (dgain)
          kernels::sum_products(rows, columns, gates_gradient.data(), columns, kept.data() + 4 * h,
                                kept_columns, dgain.data(), dgain.mode());
        if (dcell_gain)
          kernels::sum_products(rows, h, norm_gradient.data(), h, kept.data() + 8 * h, kept_columns,
                                dcell_gain.data(), dcell_gain.mode());
        if (dcell_bias)
          kernels::sum_rows(rows, h, norm_gradient.data(), dcell_bias.data(), dcell_bias.mode());
        if (dx) dx.pass(gates_gradient);
        if (dh0) dh0.pass(first);
        if (dc0) dc0.pass(first_cell);
      });
}

OptionalOperand none(const Operand& x) { return {Variable(), x.where()}; }
Norms no_norms(const Operand& x) { return {none(x), none(x), none(x)}; }

}  // namespace

Variable elman(const Operand& x, const Operand& weight, const OptionalOperand& bias,
               const OptionalOperand& h0, const Recurrence& options) {
  return recur("elman", Cell::elman, x, weight, bias, no_norms(x), h0, none(x), options);
}

Variable lstm(const Operand& x, const Operand& weight, const OptionalOperand& bias,
              const OptionalOperand& h0, const OptionalOperand& c0, const Recurrence& options) {
  return recur("lstm", Cell::lstm, x, weight, bias, no_norms(x), h0, c0, options);
}

Variable norm_lstm(const Operand& x, const Operand& weight, const Operand& gain,
                   const Operand& cell_gain, const Operand& cell_bias, const OptionalOperand& h0,
                   const OptionalOperand& c0, const Recurrence& options) {
  return recur("norm_lstm", Cell::norm_lstm, x, weight, none(x), {gain, cell_gain, cell_bias}, h0,
               c0, options);
}

Variable gru(const Operand& x, const Operand& weight, const OptionalOperand& bias,
             const OptionalOperand& h0, const Recurrence& options) {
  return recur("gru", Cell::gru, x, weight, bias, no_norms(x), h0, none(x), options);
}

Variable lstm_cell(const Operand& gates, const Operand& c) {
  check(c.rank() == 2 && gates.shape() == Shape{c.rows(), 4 * c.columns()}, "lstm_cell",
        "expected gates (n, 4h) and c (n, h); got {} and {}", gates.shape(), c.shape());
  const Index n = c.rows();
  const Index h = c.columns();
  Tensor y({2, n, h});
  Tensor kept(gates.shape());
  kernels::lstm_cell(n, h, gates.data(), c.data(), y.data(), y.data() + n * h, kept.data());
  return record("lstm_cell", y, {gates, c},
                [=, c = c.value()](const Tensor& dy, Gradient dgates, Gradient dc) {
                  Tensor to_gates(kept.shape());
                  Tensor to_c(c.shape());
                  kernels::lstm_cell_backward(n, h, kept.data(), c.data(), y.data() + n * h,
                                              dy.data(), dy.data() + n * h, to_gates.data(),
                                              to_c.data());
                  if (dgates) dgates.pass(to_gates);
                  if (dc) dc.pass(to_c);
                });
}

Variable gru_cell(const Operand& x, const Operand& u, const Operand& state) {
  check(state.rank() == 2 && x.shape() == Shape{state.rows(), 3 * state.columns()} &&
            u.shape() == x.shape(),
        "gru_cell", "expected x and u (n, 3h) and a state (n, h); got {}, {} and {}", x.shape(),
        u.shape(), state.shape());
  const Index n = state.rows();
  const Index h = state.columns();
  Tensor y({n, h});
  Tensor kept({n, 4 * h});
  kernels::gru_cell(n, h, x.data(), u.data(), state.data(), y.data(), kept.data());
  return record(
      "gru_cell", y, {x, u, state},
      [=, state = state.value()](const Tensor& dy, Gradient dx, Gradient du, Gradient dstate) {
        Tensor to_x({n, 3 * h});
        Tensor to_u({n, 3 * h});
        Tensor to_state({n, h});
        kernels::gru_cell_backward(n, h, kept.data(), state.data(), dy.data(), to_x.data(),
                                   to_u.data(), to_state.data());
        if (dx) dx.pass(to_x);
        if (du) du.pass(to_u);
        if (dstate) dstate.pass(to_state);
      });
}

Variable sequence_dropout(const Operand& x, const Spans& spans, Real p, RandomKey key) {
  check(x.rank() == 2, "sequence_dropout", "expected x (rows, d); got {}", x.shape());
  const Plan plan("sequence_dropout", Cell::elman, spans, false, p, key, x.rows(), x.columns());
  if (p == 0 && !plan.padded()) return x;
  Tensor y = plan.rows(x.columns());
  Tensor scratch = workspace(x.columns() + kernels::dropout_block);
  kernels::sequence_dropout(plan.shape(), x.data(), y.data(), Mode::assign, scratch.data());
  return record("sequence_dropout", y, {x}, [plan](const Tensor& dy, Gradient dx) {
    Tensor gradient = plan.rows(dy.columns());

    Tensor work = workspace(dy.columns() + kernels::dropout_block);
    kernels::sequence_dropout(plan.shape(), dy.data(), gradient.data(), Mode::assign, work.data());
    dx.pass(gradient);
  });
}

Variable final_states(const Operand& states, const Spans& spans, bool reverse,
                      const OptionalOperand& initial) {
  const char* op = "final_states";
  check(states.rank() == 2 && states.rows() == spans.rows(), op,
        "expected states (rows, h) with spans over them; got {} and {} rows", states.shape(),
        spans.rows());
  const Index count = spans.count();
  const Index h = states.columns();
  check(!initial.defined() || initial.shape() == Shape{count, h}, op,
        "expected initial states {}; got {}", Shape{count, h}, initial.shape());
  Ids rows({count});
  bool empty = false;
  for (Index i = 0; i < count; ++i) {
    empty = empty || spans.length(i) == 0;
    rows[i] = static_cast<Id>(spans.length(i) == 0
                                  ? spans.rows() + i
                                  : spans.begin(i) + (reverse ? 0 : spans.length(i) - 1));
  }
  if (!empty) return gather(states, rows);
  const Operand before = initial.defined() ? Operand(initial) : Operand(Tensor::zeros({count, h}));
  return gather(concat({states, before}, 0), rows);
}

}  // namespace heed
