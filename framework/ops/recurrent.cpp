#include "framework/kernels/gemm.h"
#include "framework/kernels/packed.h"
#include "framework/kernels/parallel.h"
#include "framework/kernels/recurrence.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/views.h"

namespace heed {

namespace {

using detail::columns_of;
using detail::output_of;
using detail::rows_of;
using kernels::Cell;

/// Sequences longest first, and the shape that borrows them.
struct SequenceOrder {
  Spans spans;
  std::vector<Index> numbers;
  std::vector<Index> begins;
  std::vector<Index> lengths;
  kernels::RecurrenceShape options;  // borrows nothing

  SequenceOrder(const char* op, const Spans& s, Index rows, const kernels::RecurrenceShape& o)
      : spans(s), options(o) {
    check(spans.rows() == rows, op, "expected spans over the {} rows of x; got {}", rows,
          spans.rows());
    numbers = time_order(spans).sequences;
    for (Index i : numbers) {
      begins.push_back(spans.begin(i));
      lengths.push_back(spans.length(i));
    }
    options.sequences = spans.count();
  }
  kernels::RecurrenceShape shape() const {  // of this copy's own vectors
    kernels::RecurrenceShape s = options;
    s.numbers = numbers.data();
    s.begins = begins.data();
    s.lengths = lengths.data();
    return s;
  }
  bool padded() const { return spans.tokens() != spans.rows(); }
  /// Zeros where there are rows of no sequence, which no kernel writes.
  Tensor room(const Shape& shape) const { return padded() ? Tensor::zeros(shape) : Tensor(shape); }
  Tensor rows(Index columns) const { return room({spans.rows(), columns}); }
};

kernels::Dropout checked_dropout(const char* op, Real p, RandomKey key) {
  check(p >= 0 && p < 1, op, "expected a dropout probability within [0, 1); got {}", p);
  return {p, key};
}

Tensor workspace(Index numbers) { return Tensor({threads(), (numbers + 15) / 16 * 16}); }

/// What a recurrence reads. Cells lack some of it.
struct RecurrentOperands {
  const Operand& x;
  const Operand& weight;
  const OptionalOperand& bias;
  const OptionalOperand& gain;
  const OptionalOperand& cell_gain;
  const OptionalOperand& cell_bias;
  const OptionalOperand& h0;
  const OptionalOperand& c0;

  Index hidden() const { return weight.columns(); }
  bool need_gradient() const {
    for (const Operand* operand : std::initializer_list<const Operand*>{
             &x, &weight, &bias, &h0, &c0, &gain, &cell_gain, &cell_bias})
      if (Tape::needs_gradient(*operand)) return true;
    return false;
  }

  void check_weight(const char* op, Index gates) const {
    check(weight.rank() == 2 && weight.shape() == Shape{gates * hidden(), hidden()} &&
              x.rank() == 2 && x.columns() == weight.shape()[0],
          op, "expected x (rows, {0}) and weight ({0}, h); got {1} and {2}",
          gates == 1 ? std::string("h") : fmt::format("{}h", gates), x.shape(), weight.shape());
  }
  /// `count`: how many sequences there are.
  void check_rest(const char* op, Cell cell, Index count) const {
    const Index h = hidden();
    const Index columns = kernels::gates_of(cell) * h;
    const auto expect = [&](const char* name, const Operand& v, const Shape& shape) {
      check(!v.defined() || v.shape() == shape, op, "expected {} of shape {}; got {}", name, shape,
            v.shape());
    };
    expect("bias", bias, {columns});
    expect("h0", h0, {count, h});
    expect("c0", c0, {count, h});
    check(cell != Cell::norm_lstm || (gain.defined() && cell_gain.defined() && cell_bias.defined()),
          op, "expected gain, cell_gain and cell_bias; got some undefined");
    expect("gain", gain, {columns});
    expect("cell_gain", cell_gain, {h});
    expect("cell_bias", cell_bias, {h});
  }
};

bool has_cells(Cell cell) { return cell == Cell::lstm || cell == Cell::norm_lstm; }

/// What backward keeps of a recurrence.
struct RecurrentTensors {
  SequenceOrder order;
  Cell cell;
  Tensor weight;
  Tensor gain;
  Tensor cell_gain;
  Tensor cell_bias;
  Tensor h0;
  Tensor c0;
  Tensor y;     // (1, rows, h), or (2, rows, h) with the cells
  Tensor kept;  // (rows, kept_of(cell, h)), where there is a backward that reads it

  RecurrentTensors(SequenceOrder sequences, Cell c, const RecurrentOperands& operands)
      : order(std::move(sequences)),
        cell(c),
        weight(operands.weight.value()),
        gain(operands.gain.value()),
        cell_gain(operands.cell_gain.value()),
        cell_bias(operands.cell_bias.value()),
        h0(operands.h0.value()),
        c0(operands.c0.value()),
        y(order.room({has_cells(c) ? 2 : 1, operands.x.rows(), operands.hidden()})) {
    const Index columns = kernels::kept_of(c, hidden());
    if (columns > 0 && operands.need_gradient()) kept = order.rows(columns);
  }
  Index hidden() const { return weight.columns(); }
  Index columns() const { return weight.shape()[0]; }  // of all gates
  Index rows() const { return order.spans.rows(); }
  Index cells_offset() const { return has_cells(cell) ? rows() * hidden() : 0; }
};

/// Fills t.y and t.kept.
void forward(RecurrentTensors& t, const Tensor& x, const Tensor& bias) {
  const Index h = t.hidden();
  Tensor panels({kernels::packed_size(h, t.columns())});
  Tensor scratch = workspace(kernels::recurrence_workspace(t.order.shape()));
  kernels::pack_panels(transposed(rows_of(std::as_const(t.weight))), panels.data());
  kernels::recurrence(t.order.shape(),
                      {.x = x.data(),
                       .weight = panels.data(),
                       .bias = bias.data(),
                       .gain = std::as_const(t.gain).data(),
                       .cell_gain = std::as_const(t.cell_gain).data(),
                       .cell_bias = std::as_const(t.cell_bias).data(),
                       .h0 = std::as_const(t.h0).data(),
                       .c0 = std::as_const(t.c0).data(),
                       .y = t.y.data(),
                       .cells = t.y.data() + t.cells_offset(),
                       .kept = t.kept.defined() ? t.kept.data() : nullptr},
                      scratch.data());
}

/// The gradients of a recurrence's operands, in their order on the tape.
struct RecurrentGradients {
  Gradient x;
  Gradient weight;
  Gradient bias;
  Gradient gain;
  Gradient cell_gain;
  Gradient cell_bias;
  Gradient h0;
  Gradient c0;
};

/// The gradients that the recurrence itself gives: those of the parameters follow from them.
struct StepGradients {
  Tensor gates;    // (rows, G h)
  Tensor product;  // (rows, G h): of U h_{t-1}; the same tensor where the two are equal
  Tensor norm;     // (rows, h): of the normalised cells; of a normed LSTM alone
  // (sequences, h), where they are wanted
  Tensor h0;
  Tensor c0;

  StepGradients(const RecurrentTensors& t, bool wants_h0, bool wants_c0)
      : gates(t.order.rows(t.columns())) {
    const bool own = t.cell == Cell::gru || t.cell == Cell::norm_lstm;
    product = own ? t.order.rows(t.columns()) : gates;
    if (t.cell == Cell::norm_lstm) norm = t.order.rows(t.hidden());
    const Shape states{t.order.spans.count(), t.hidden()};
    if (wants_h0) h0 = Tensor(states);
    if (wants_c0) c0 = Tensor(states);
  }
};

void backward_steps(const RecurrentTensors& t, const Tensor& dy, StepGradients& to,
                    Tensor& scratch) {
  // The kernel only reads y, cells and kept here.
  Tensor y = t.y;
  Tensor kept = t.kept;
  Tensor panels({kernels::packed_size(t.columns(), t.hidden())});
  kernels::pack_panels(rows_of(t.weight), panels.data());
  kernels::recurrence_backward(t.order.shape(),
                               {.weight = panels.data(),
                                .gain = t.gain.data(),
                                .cell_gain = t.cell_gain.data(),
                                .cell_bias = t.cell_bias.data(),
                                .h0 = t.h0.data(),
                                .c0 = t.c0.data(),
                                .y = y.data(),
                                .cells = y.data() + t.cells_offset(),
                                .kept = kept.data()},
                               {.dy = dy.data(),
                                .dcells = dy.data() + t.cells_offset(),
                                .dx = to.gates.data(),
                                .du = to.product.data(),
                                .dcell_norm = to.norm.data(),
                                .dh0 = to.h0.data(),
                                .dc0 = to.c0.data()},
                               scratch.data());
}

void backward(const RecurrentTensors& t, const Tensor& dy, const RecurrentGradients& to) {
  const Index h = t.hidden();
  Tensor scratch = workspace(kernels::recurrence_workspace(t.order.shape()));
  StepGradients steps(t, static_cast<bool>(to.h0), static_cast<bool>(to.c0));
  backward_steps(t, dy, steps, scratch);
  if (to.weight) {  // dU = sum over rows of du^T h_{t-1}
    Tensor inputs = t.order.rows(h);
    kernels::recurrence_inputs(t.order.shape(), t.h0.data(), t.y.data(), inputs.data(),
                               scratch.data());
    kernels::gemm(transposed(rows_of(steps.product)), rows_of(inputs), rows_of(to.weight),
                  to.weight.mode());
  }
  if (to.bias) kernels::sum_rows(rows_of(steps.product), output_of(to.bias));
  // Of the kept rows, columns [4 h, 8 h) hold the normalised product, [8 h, 9 h) the normalised
  // cell.
  if (to.gain)
    kernels::sum_products(rows_of(steps.gates), columns_of(t.kept, 4 * h, 4 * h),
                          output_of(to.gain));
  if (to.cell_gain)
    kernels::sum_products(rows_of(steps.norm), columns_of(t.kept, 8 * h, h),
                          output_of(to.cell_gain));
  if (to.cell_bias) kernels::sum_rows(rows_of(steps.norm), output_of(to.cell_bias));
  if (to.x) to.x.pass(steps.gates);
  if (to.h0) to.h0.pass(steps.h0);
  if (to.c0) to.c0.pass(steps.c0);
}

Variable recur(const char* op, Cell cell, const RecurrentOperands& operands, const Recurrence& o) {
  const Index gates = kernels::gates_of(cell);
  operands.check_weight(op, gates);
  const Index h = operands.hidden();
  const Index rows = operands.x.rows();
  const kernels::Dropout dropout = checked_dropout(op, o.dropout, o.key);
  SequenceOrder order(op, o.spans, rows,
                      {.cell = cell, .hidden = h, .reverse = o.reverse, .dropout = dropout});
  operands.check_rest(op, cell, order.spans.count());
  RecurrentTensors tensors(std::move(order), cell, operands);
  const Tensor bias = operands.bias.defined() ? operands.bias.value() : Tensor::zeros({gates * h});
  forward(tensors, operands.x.value(), bias);
  const Tensor y = has_cells(cell) ? tensors.y : tensors.y.reshape({rows, h});
  return record(op, y,
                {operands.x, operands.weight, operands.bias, operands.gain, operands.cell_gain,
                 operands.cell_bias, operands.h0, operands.c0},
                [tensors = std::as_const(tensors)](
                    const Tensor& dy, Gradient dx, Gradient dweight, Gradient dbias, Gradient dgain,
                    Gradient dcell_gain, Gradient dcell_bias, Gradient dh0, Gradient dc0) {
                  backward(tensors, dy,
                           {.x = dx,
                            .weight = dweight,
                            .bias = dbias,
                            .gain = dgain,
                            .cell_gain = dcell_gain,
                            .cell_bias = dcell_bias,
                            .h0 = dh0,
                            .c0 = dc0});
                });
}

OptionalOperand none(const Operand& x) { return {Variable(), x.where()}; }

}  // namespace

Variable elman(const Operand& x, const Operand& weight, const OptionalOperand& bias,
               const OptionalOperand& h0, const Recurrence& options) {
  const OptionalOperand no = none(x);
  return recur("elman", Cell::elman, {x, weight, bias, no, no, no, h0, no}, options);
}

Variable lstm(const Operand& x, const Operand& weight, const OptionalOperand& bias,
              const OptionalOperand& h0, const OptionalOperand& c0, const Recurrence& options) {
  const OptionalOperand no = none(x);
  return recur("lstm", Cell::lstm, {x, weight, bias, no, no, no, h0, c0}, options);
}

Variable norm_lstm(const Operand& x, const Operand& weight, const Operand& gain,
                   const Operand& cell_gain, const Operand& cell_bias, const OptionalOperand& h0,
                   const OptionalOperand& c0, const Recurrence& options) {
  return recur("norm_lstm", Cell::norm_lstm,
               {x, weight, none(x), gain, cell_gain, cell_bias, h0, c0}, options);
}

Variable gru(const Operand& x, const Operand& weight, const OptionalOperand& bias,
             const OptionalOperand& h0, const Recurrence& options) {
  const OptionalOperand no = none(x);
  return recur("gru", Cell::gru, {x, weight, bias, no, no, no, h0, no}, options);
}

Variable lstm_cell(const Operand& gates, const Operand& c) {
  check(c.rank() == 2 && gates.shape() == Shape{c.rows(), 4 * c.columns()}, "lstm_cell",
        "expected gates (n, 4h) and c (n, h); got {} and {}", gates.shape(), c.shape());
  const Index n = c.rows();
  const Index h = c.columns();
  Tensor y({2, n, h});
  Tensor kept(gates.shape());
  kernels::lstm_cell({.n = n,
                      .hidden = h,
                      .gates = gates.data(),
                      .c = c.data(),
                      .y = y.data(),
                      .cells = y.data() + n * h,
                      .kept = kept.data()});
  return record("lstm_cell", y, {gates, c},
                [n, h, y, kept, c = c.value()](const Tensor& dy, Gradient dgates, Gradient dc) {
                  Tensor to_gates(kept.shape());
                  Tensor to_c(c.shape());
                  kernels::lstm_cell_backward({.n = n,
                                               .hidden = h,
                                               .c = c.data(),
                                               .cells = y.data() + n * h,
                                               .kept = kept.data(),
                                               .dy = dy.data(),
                                               .dcells = dy.data() + n * h,
                                               .dgates = to_gates.data(),
                                               .dc = to_c.data()});
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
  kernels::gru_cell({.n = n,
                     .hidden = h,
                     .x = x.data(),
                     .u = u.data(),
                     .state = state.data(),
                     .y = y.data(),
                     .kept = kept.data()});
  return record("gru_cell", y, {x, u, state},
                [n, h, kept, state = state.value()](const Tensor& dy, Gradient dx, Gradient du,
                                                    Gradient dstate) {
                  Tensor to_x({n, 3 * h});
                  Tensor to_u({n, 3 * h});
                  Tensor to_state({n, h});
                  kernels::gru_cell_backward({.n = n,
                                              .hidden = h,
                                              .state = state.data(),
                                              .kept = kept.data(),
                                              .dy = dy.data(),
                                              .dx = to_x.data(),
                                              .du = to_u.data(),
                                              .dstate = to_state.data()});
                  if (dx) dx.pass(to_x);
                  if (du) du.pass(to_u);
                  if (dstate) dstate.pass(to_state);
                });
}

Variable sequence_dropout(const Operand& x, const Spans& spans, Real p, RandomKey key) {
  check(x.rank() == 2, "sequence_dropout", "expected x (rows, d); got {}", x.shape());
  const char* op = "sequence_dropout";
  const kernels::Dropout dropout = checked_dropout(op, p, key);
  const SequenceOrder order(op, spans, x.rows(),
                            {.cell = Cell::elman, .hidden = x.columns(), .dropout = dropout});
  if (p == 0 && !order.padded()) return x;
  const auto apply = [order](const Tensor& from) {
    Tensor to = order.rows(from.columns());
    Tensor scratch = workspace(from.columns() + kernels::dropout_block);
    kernels::sequence_dropout(order.shape(), from.data(), {to.data()}, scratch.data());
    return to;
  };
  // The gradient is dropped out by the same mask.
  return record(op, apply(x.value()), {x},
                [apply](const Tensor& dy, Gradient dx) { dx.pass(apply(dy)); });
}

namespace {

/// The last state of sequence i: a row of the states, or for an empty sequence of the initial ones,
/// which stand behind them.
Index last_row(const Spans& spans, Index i, bool reverse) {
  if (spans.length(i) == 0) return spans.rows() + i;
  return spans.begin(i) + (reverse ? 0 : spans.length(i) - 1);
}

}  // namespace

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
    rows[i] = static_cast<Id>(last_row(spans, i, reverse));
  }
  if (!empty) return gather(states, rows);
  const Operand before = initial.defined() ? Operand(initial) : Operand(Tensor::zeros({count, h}));
  return gather(concat({states, before}, 0), rows);
}

}  // namespace heed
