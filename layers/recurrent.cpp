#include "layers/recurrent.h"

#include <algorithm>
#include <cmath>

namespace heed {

const std::vector<Choice<CellKind>>& cells() {
  static const std::vector<Choice<CellKind>> table = {{"elman", CellKind::elman},
                                                      {"lstm", CellKind::lstm},
                                                      {"norm_lstm", CellKind::norm_lstm},
                                                      {"gru", CellKind::gru}};
  return table;
}

CellState CellState::select(std::span<const Index> rows) const {
  Ids ids({static_cast<Index>(rows.size())});
  std::transform(rows.begin(), rows.end(), ids.data(),
                 [](Index row) { return static_cast<Id>(row); });
  return {h.defined() ? gather(h, ids) : h, c.defined() ? gather(c, ids) : c};
}

namespace {

Index gates_of(CellKind kind) {
  switch (kind) {
    case CellKind::elman:
      return 1;
    case CellKind::gru:
      return 3;
    default:
      return 4;  // both LSTMs
  }
}

/// A Glorot matrix for each gate.
Tensor input_weight(Index gates, Index hidden, Index in, Random& random) {
  const Real bound = std::sqrt(Real(6) / static_cast<Real>(in + hidden));
  return uniform({gates * hidden, in}, random, -bound, bound);
}

/// Of (parts, rows, columns): part i.
Variable part(const Variable& y, Index i) {
  return reshape(slice(y, 0, i, i + 1), {y.extent(1), y.extent(2)});
}

}  // namespace

RecurrentLayer::RecurrentLayer(CellKind cell, Index in, Index hidden, Real recurrent_dropout,
                               Random& random)
    : kind(cell), input(0, 0, random, false), dropout(recurrent_dropout) {
  check(in >= 1 && hidden >= 1, "recurrent",
        "expected an input and a hidden width of at least 1; got {} and {}", in, hidden);
  const Index gates = gates_of(kind);
  const Real bound = 1 / std::sqrt(static_cast<Real>(hidden));
  input.weight = Parameter(input_weight(gates, hidden, in, random));
  weight = Parameter(uniform({gates * hidden, hidden}, random, -bound, bound));
  const std::vector<Index> blocks(static_cast<std::size_t>(gates), hidden);
  input.weight.layout().blocks = blocks;
  weight.layout().blocks = blocks;
  Parameter offset(zeros({gates * hidden}));
  if (has_cells()) std::fill_n(offset.value().data() + hidden, hidden, Real{1});
  if (kind == CellKind::norm_lstm) {
    input_gain = Parameter(ones({4 * hidden}));
    input_bias = std::move(offset);
    gain = Parameter(ones({4 * hidden}));
    cell_gain = Parameter(ones({hidden}));
    cell_bias = Parameter(zeros({hidden}));
  } else {
    input.bias = Parameter(zeros({gates * hidden}));
    bias = std::move(offset);
  }
}

Variable RecurrentLayer::normed(const Variable& sums) const {
  return kind == CellKind::norm_lstm ? layer_norm(sums, input_gain, input_bias) : sums;
}

RecurrentLayer::Output RecurrentLayer::run(const Variable& gates, const Spans& spans,
                                           const CellState& initial, bool reverse) const {
  Recurrence o{.spans = spans, .reverse = reverse};
  if (dropout.drops()) {
    o.dropout = dropout.p;
    o.key = step_random().next_key();
  }
  if (!has_cells()) {
    const Variable y = kind == CellKind::gru ? gru(gates, weight, bias, initial.h, o)
                                             : elman(gates, weight, bias, initial.h, o);
    return {y, {final_states(y, spans, reverse, initial.h), {}}};
  }
  const Variable h_and_c =
      kind == CellKind::lstm
          ? lstm(gates, weight, bias, initial.h, initial.c, o)
          : norm_lstm(gates, weight, gain, cell_gain, cell_bias, initial.h, initial.c, o);
  const Variable y = part(h_and_c, 0);
  return {y,
          {final_states(y, spans, reverse, initial.h),
           final_states(part(h_and_c, 1), spans, reverse, initial.c)}};
}

RecurrentLayer::Output RecurrentLayer::operator()(const Operand& x, const Spans& spans,
                                                  const CellState& initial, bool reverse) const {
  return run(gates(x), spans, initial, reverse);
}

CellState RecurrentLayer::step(const Variable& gates, const CellState& state,
                               const Variable& mask) const {
  const Variable h = mask.defined() ? state.h * mask : state.h;
  switch (kind) {
    case CellKind::elman:
      return {tanh(gates + linear(h, weight, bias)), {}};
    case CellKind::gru:
      return {gru_cell(gates, linear(h, weight, bias), state.h), {}};
    case CellKind::lstm: {
      const Variable h_and_c = lstm_cell(gates + linear(h, weight, bias), state.c);
      return {part(h_and_c, 0), part(h_and_c, 1)};
    }
    default: {  // the op reads sequences: here of one row each
      const std::vector<Index> ones(static_cast<std::size_t>(gates.rows()), 1);
      const Variable h_and_c = norm_lstm(gates, weight, gain, cell_gain, cell_bias, h, state.c,
                                         {.spans = Spans::packed(ones)});
      return {part(h_and_c, 0), part(h_and_c, 1)};
    }
  }
}

Recurrent::Recurrent(const RecurrentOptions& o, Random& random) : dropout_(o.dropout) {
  check(o.layers >= 1, "recurrent", "expected at least one layer; got {}", o.layers);
  Index in = o.in;
  for (int i = 0; i < o.layers; ++i) {
    forward_.emplace_back(o.cell, in, o.hidden, o.recurrent_dropout, random);
    if (o.bidirectional) backward_.emplace_back(o.cell, in, o.hidden, o.recurrent_dropout, random);
    in = width();
  }
}

Recurrent::Output Recurrent::operator()(const Operand& x, const Spans& spans,
                                        std::span<const CellState> initial) const {
  check(initial.empty() || (initial.size() == forward_.size() && backward_.empty()), "recurrent",
        "expected initial states for none or for all {} layers, in one direction; got {}",
        forward_.size(), initial.size());
  Output result{x, {}, {}};
  for (std::size_t i = 0; i < forward_.size(); ++i) {
    const Variable in = i > 0 ? dropout_(result.y) : result.y;
    auto forth = forward_[i](in, spans, initial.empty() ? CellState{} : initial[i]);
    result.forward.push_back(forth.final);
    result.y = forth.y;
    if (backward_.empty()) continue;
    auto back = backward_[i](in, spans, {}, true);
    result.backward.push_back(back.final);
    result.y = concat({forth.y, back.y}, 1);
  }
  return result;
}

Variable Recurrent::step(const Variable& x, std::vector<CellState>& states) const {
  check(backward_.empty(), "recurrent",
        "expected layers in one direction, to go step by step; got two");
  check(states.size() == forward_.size(), "recurrent",
        "expected a state for each of {} layers; got {}", forward_.size(), states.size());
  Variable y = x;
  for (std::size_t i = 0; i < forward_.size(); ++i) {
    states[i] = forward_[i].step(forward_[i].gates(i > 0 ? dropout_(y) : y), states[i]);
    y = states[i].h;
  }
  return y;
}

std::vector<CellState> Recurrent::start(Index n) const {
  std::vector<CellState> states;
  for (const RecurrentLayer& layer : forward_) {
    CellState& state = states.emplace_back();
    state.h = Tensor::zeros({n, layer.hidden()});
    if (layer.has_cells()) state.c = Tensor::zeros({n, layer.hidden()});
  }
  return states;
}

}  // namespace heed
