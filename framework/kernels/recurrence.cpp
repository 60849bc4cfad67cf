#include "framework/kernels/recurrence.h"

#include <numeric>
#include <utility>

#include "framework/kernels/multiply_adds.h"
#include "framework/kernels/packed.h"
#include "framework/kernels/recurrent_cells.h"

namespace heed::kernels {

namespace {

constexpr Index whole(Index n) { return (n + 63) / 64 * 64; }
constexpr Index mask_columns(Index d) {
  return (d + dropout_block - 1) / dropout_block * dropout_block;
}

/// Sequences of a group. Large groups read the weight less often; small ones leave more groups to
/// share out.
constexpr Index most_in_group = 12;
Index group_of(Index sequences) {
  return sequences >= 4 * most_in_group ? most_in_group : most_in_group / 2;
}

/// A group's memory: rows of sequences that stand together.
struct GroupSpace {
  Index columns;       // stride of rows of h numbers
  Index gate_columns;  // stride of rows of G h numbers
  Index masks;         // stride of masks
  // (sequences of the group, ..)
  Real* state;
  Real* carry;
  Real* carry_cell;
  Real* sums;
  Real* mask;
  // single rows
  Real* row;  // kept of a row that nobody keeps
  Real* zeros;

  GroupSpace(const RecurrenceShape& s, Real* base)
      : columns(whole(s.hidden)),
        gate_columns(whole(gates_of(s.cell) * s.hidden)),
        masks(mask_columns(s.hidden)) {
    const auto take = [&](Index n) { return std::exchange(base, base + n); };
    state = take(most_in_group * columns);
    carry = take(most_in_group * columns);
    carry_cell = take(most_in_group * columns);
    sums = take(most_in_group * gate_columns);
    mask = take(most_in_group * masks);
    row = take(whole(kept_of(s.cell, s.hidden)));
    zeros = take(columns);
    std::fill_n(zeros, s.hidden, Real{0});
  }
  static Index size(const RecurrenceShape& s) {
    return most_in_group *
               (3 * whole(s.hidden) + whole(gates_of(s.cell) * s.hidden) + mask_columns(s.hidden)) +
           whole(kept_of(s.cell, s.hidden)) + whole(s.hidden);
  }
};

/// Some sequences that run side by side, and where their rows lie.
struct Group {
  const RecurrenceShape& s;
  Index first;
  Index count;

  Index length(Index i) const { return s.lengths[first + i]; }
  Index number(Index i) const { return s.numbers[first + i]; }
  Index row(Index i, Index t) const {
    return s.begins[first + i] + (s.reverse ? length(i) - 1 - t : t);
  }
  /// How many of the first `at_most` sequences have a step t. They stand longest first.
  Index running(Index t, Index at_most) const {
    while (at_most > 0 && length(at_most - 1) <= t)
      --at_most;
    return at_most;
  }
  /// Row of `states` before step t: of the step before, or the initial one.
  const Real* before(Index i, Index t, const Real* states, const Real* initial,
                     const Real* zeros) const {
    if (t > 0) return states + row(i, t - 1) * s.hidden;
    return initial ? initial + number(i) * s.hidden : zeros;
  }
  void masks(const GroupSpace& w) const {
    if (s.dropout.active())
      for (Index i = 0; i < count; ++i)
        sequence_mask(s.dropout, number(i), s.hidden, w.mask + i * w.masks);
  }
  /// to = mask from, for the group's sequence i
  void drop(const GroupSpace& w, Index i, const Real* from, Real* to) const {
    if (s.dropout.active())
      transform_serial(
          s.hidden, to, Mode::assign, [](Vec m, Vec x) { return m * x; }, w.mask + i * w.masks,
          from);
    else
      std::copy_n(from, s.hidden, to);
  }
};

template <class F>
void for_groups(const RecurrenceShape& s, Real* workspace, F f) {
  parallel_for_workers(s.sequences, group_of(s.sequences),
                       [&, size = GroupSpace::size(s)](Index begin, Index end, int worker) {
                         const GroupSpace space(s, workspace + worker * size);
                         f(Group{s, begin, end - begin}, space);
                       });
}

/// A step of one row of a normed LSTM. now = v.cells of the row.
void norm_lstm_row(Index h, const RecurrenceValues& v, const Real* x, const Real* u, const Real* c,
                   Real* kept, Real* now, Real* y) {
  Real* uhat = kept + kept_u * h;
  Real* chat = kept + kept_c * h;
  Real* scales = kept + kept_scales * h;
  const Real* gain = v.gain;
  scales[0] = normalise(4 * h, u, uhat);
  lstm_gates(
      h,
      [=](Index g, auto lanes) {
        return multiply_add(lanes.load(gain + g * h), lanes.load(uhat + g * h),
                            lanes.load(x + g * h));
      },
      c, kept, now);
  scales[1] = normalise(h, now, chat);
  lstm_output(
      h,
      [=](auto lanes) {
        return multiply_add(lanes.load(v.cell_gain), lanes.load(chat), lanes.load(v.cell_bias));
      },
      kept, y);
}

/// A step of row r. u (G h): the product U h; state and c (h): of the step before.
template <Cell cell>
void forward_row(Index h, const RecurrenceValues& v, Index r, const Real* u, const Real* state,
                 const Real* c, Real* kept) {
  const Real* x = v.x + r * gates_of(cell) * h;
  const Real* b = v.bias;
  Real* y = v.y + r * h;
  if constexpr (cell == Cell::elman) {
    transform_serial(
        h, y, Mode::assign, [](Vec p, Vec q, Vec s) { return tanh(p + q + s); }, x, u, b);
  } else if constexpr (cell == Cell::gru) {
    gru_row(
        h, x, [=](Index g, auto lanes) { return lanes.load(u + g * h) + lanes.load(b + g * h); },
        state, kept, y);
  } else if constexpr (cell == Cell::lstm) {
    Real* now = v.cells + r * h;
    lstm_gates(
        h,
        [=](Index g, auto lanes) {
          return lanes.load(x + g * h) + lanes.load(u + g * h) + lanes.load(b + g * h);
        },
        c, kept, now);
    lstm_output(
        h, [=](auto lanes) { return lanes.load(now); }, kept, y);
  } else {
    norm_lstm_row(h, v, x, u, c, kept, v.cells + r * h, y);
  }
}

/// to += from
void add_row(Index h, const Real* from, Real* to) {
  transform_serial(
      h, to, Mode::accumulate, [](Vec d) { return d; }, from);
}

/// The LSTMs' part of backward_row(). dy(lanes) is the whole gradient of y.
template <Cell cell, class D>
void lstm_row_backward(Index h, const RecurrenceValues& v, const RecurrenceGradients& g, Index r,
                       const Real* c, D dy, Real* dh, Real* dc) {
  const Real* kept = v.kept + r * kept_of(cell, h);
  Real* dx = g.dx + r * gates_of(cell) * h;
  add_row(h, g.dcells + r * h, dc);
  if constexpr (cell == Cell::lstm) {
    const Real* now = v.cells + r * h;
    // dh is read before it is written.
    lstm_output_backward(
        h, [=](auto lanes) { return lanes.load(now); }, dy, kept, dh, dx);
    add_row(h, dh, dc);
  } else {
    const Real* chat = kept + kept_c * h;
    const Real* scales = kept + kept_scales * h;
    Real* dnorm = g.dcell_norm + r * h;
    lstm_output_backward(
        h,
        [=](auto lanes) {
          return multiply_add(lanes.load(v.cell_gain), lanes.load(chat), lanes.load(v.cell_bias));
        },
        dy, kept, dnorm, dx);
    normalise_backward(h, chat, scales[1], v.cell_gain, dnorm, dc, Mode::accumulate);
  }
  lstm_gates_backward(h, c, kept, dc, dx, dc);
  if constexpr (cell == Cell::norm_lstm)
    normalise_backward(4 * h, kept + kept_u * h, kept[kept_scales * h], v.gain, dx,
                       g.du + r * gates_of(cell) * h, Mode::assign);
  std::fill_n(dh, h, Real{0});
}

/// dh and dc (h) hold what comes from the step after. They are left with what goes to the step
/// before, except the product's share.
template <Cell cell>
void backward_row(Index h, const RecurrenceValues& v, const RecurrenceGradients& g, Index r,
                  const Real* state, const Real* c, Real* dh, Real* dc) {
  const Real* outside = g.dy + r * h;
  [[maybe_unused]] Real* dx = g.dx + r * gates_of(cell) * h;
  const auto dy = [=](auto lanes) { return lanes.load(dh) + lanes.load(outside); };
  if constexpr (cell == Cell::elman) {
    const Real* y = v.y + r * h;
    transform_serial(
        h, dx, Mode::assign, [](Vec a, Vec b, Vec p) { return (a + b) * (Vec(1) - p * p); }, dh,
        outside, y);
    std::fill_n(dh, h, Real{0});
  } else if constexpr (cell == Cell::gru) {
    gru_row_backward(h, dy, v.kept + r * kept_of(cell, h), state, dx, g.du + r * gates_of(cell) * h,
                     dh);
  } else {
    lstm_row_backward<cell>(h, v, g, r, c, dy, dh, dc);
  }
}

template <Cell cell>
void forward(const RecurrenceShape& s, const RecurrenceValues& v, Real* workspace) {
  const Index h = s.hidden;
  const Index columns = gates_of(cell) * h;
  const Index kept = kept_of(cell, h);
  for_groups(s, workspace, [&](const Group& group, const GroupSpace& w) {
    group.masks(w);
    for (Index i = 0; i < group.count; ++i)
      group.drop(w, i, group.before(i, 0, v.y, v.h0, w.zeros), w.state + i * w.columns);
    Index running = group.count;
    for (Index t = 0; (running = group.running(t, running)) > 0; ++t) {
      packed_gemm_serial({w.state, running, h, w.columns}, v.weight, nullptr,
                         {w.sums, running, columns, w.gate_columns}, Mode::assign);
      for (Index i = 0; i < running; ++i) {
        const Index r = group.row(i, t);
        forward_row<cell>(
            h, v, r, w.sums + i * w.gate_columns, group.before(i, t, v.y, v.h0, w.zeros),
            group.before(i, t, v.cells, v.c0, w.zeros), v.kept ? v.kept + r * kept : w.row);
        group.drop(w, i, v.y + r * h, w.state + i * w.columns);
      }
    }
  });
}

/// Step t of the group's first `running` sequences.
template <Cell cell>
void backward_step(const Group& group, const GroupSpace& w, const RecurrenceValues& v,
                   const RecurrenceGradients& g, Index t, Index running) {
  const RecurrenceShape& s = group.s;
  const Index h = s.hidden;
  const Index columns = gates_of(cell) * h;
  for (Index i = 0; i < running; ++i) {
    const Index r = group.row(i, t);
    backward_row<cell>(h, v, g, r, group.before(i, t, v.y, v.h0, w.zeros),
                       group.before(i, t, v.cells, v.c0, w.zeros), w.carry + i * w.columns,
                       w.carry_cell + i * w.columns);
    std::copy_n(g.du + r * columns, columns, w.sums + i * w.gate_columns);
  }
  // d(mask h') = du U
  packed_gemm_serial({w.sums, running, columns, w.gate_columns}, v.weight, nullptr,
                     {w.state, running, h, w.columns}, Mode::assign);
  for (Index i = 0; i < running; ++i) {
    const Real* d = w.state + i * w.columns;
    Real* carry = w.carry + i * w.columns;
    if (s.dropout.active())
      transform_serial(
          h, carry, Mode::accumulate, [](Vec m, Vec x) { return m * x; }, w.mask + i * w.masks, d);
    else
      add_row(h, d, carry);
  }
}

template <Cell cell>
void backward(const RecurrenceShape& s, const RecurrenceValues& v, const RecurrenceGradients& g,
              Real* workspace) {
  const Index h = s.hidden;
  for_groups(s, workspace, [&](const Group& group, const GroupSpace& w) {
    group.masks(w);
    std::fill_n(w.carry, group.count * w.columns, Real{0});
    std::fill_n(w.carry_cell, group.count * w.columns, Real{0});
    for (Index t = group.length(0) - 1; t >= 0; --t)
      backward_step<cell>(group, w, v, g, t, group.running(t, group.count));
    for (Index i = 0; i < group.count; ++i) {
      if (g.dh0) std::copy_n(w.carry + i * w.columns, h, g.dh0 + group.number(i) * h);
      if (g.dc0) std::copy_n(w.carry_cell + i * w.columns, h, g.dc0 + group.number(i) * h);
    }
  });
}

}  // namespace

Index recurrence_workspace(const RecurrenceShape& shape) { return GroupSpace::size(shape); }

namespace {

/// Of the products with the state, in either pass.
void count_products(const RecurrenceShape& s) {
  const Index steps = std::accumulate(s.lengths, s.lengths + s.sequences, Index{0});
  multiply_adds() += steps * gates_of(s.cell) * s.hidden * s.hidden;
}

}  // namespace

void recurrence(const RecurrenceShape& s, const RecurrenceValues& v, Real* workspace) {
  count_products(s);
  switch (s.cell) {
    case Cell::elman:
      return forward<Cell::elman>(s, v, workspace);
    case Cell::lstm:
      return forward<Cell::lstm>(s, v, workspace);
    case Cell::norm_lstm:
      return forward<Cell::norm_lstm>(s, v, workspace);
    case Cell::gru:
      return forward<Cell::gru>(s, v, workspace);
  }
}

void recurrence_backward(const RecurrenceShape& s, const RecurrenceValues& v,
                         const RecurrenceGradients& g, Real* workspace) {
  count_products(s);
  switch (s.cell) {
    case Cell::elman:
      return backward<Cell::elman>(s, v, g, workspace);
    case Cell::lstm:
      return backward<Cell::lstm>(s, v, g, workspace);
    case Cell::norm_lstm:
      return backward<Cell::norm_lstm>(s, v, g, workspace);
    case Cell::gru:
      return backward<Cell::gru>(s, v, g, workspace);
  }
}

void recurrence_inputs(const RecurrenceShape& s, const Real* h0, const Real* y, Real* inputs,
                       Real* workspace) {
  for_groups(s, workspace, [&](const Group& group, const GroupSpace& w) {
    group.masks(w);
    for (Index i = 0; i < group.count; ++i)
      for (Index t = 0; t < group.length(i); ++t)
        group.drop(w, i, group.before(i, t, y, h0, w.zeros), inputs + group.row(i, t) * s.hidden);
  });
}

void lstm_cell(const LstmCell& cell) {
  const Index h = cell.hidden;
  parallel_for_each(cell.n, 100 * h, [=](Index r) {
    const Real* z = cell.gates + r * 4 * h;
    Real* kept = cell.kept + r * 4 * h;
    Real* now = cell.cells + r * h;
    lstm_gates(
        h, [=](Index g, auto lanes) { return lanes.load(z + g * h); }, cell.c + r * h, kept, now);
    lstm_output(
        h, [=](auto lanes) { return lanes.load(now); }, kept, cell.y + r * h);
  });
}

void lstm_cell_backward(const LstmCellBackward& cell) {
  const Index h = cell.hidden;
  parallel_for_each(cell.n, 60 * h, [=](Index r) {
    const Real* kept = cell.kept + r * 4 * h;
    const Real* now = cell.cells + r * h;
    const Real* d = cell.dy + r * h;
    Real* dgates = cell.dgates + r * 4 * h;
    Real* dc = cell.dc + r * h;
    lstm_output_backward(
        h, [=](auto lanes) { return lanes.load(now); }, [=](auto lanes) { return lanes.load(d); },
        kept, dc, dgates);
    add_row(h, cell.dcells + r * h, dc);
    lstm_gates_backward(h, cell.c + r * h, kept, dc, dgates, dc);
  });
}

void gru_cell(const GruCell& cell) {
  const Index h = cell.hidden;
  parallel_for_each(cell.n, 70 * h, [=](Index r) {
    gru_row(
        h, cell.x + r * 3 * h,
        [u = cell.u + r * 3 * h, h](Index g, auto lanes) { return lanes.load(u + g * h); },
        cell.state + r * h, cell.kept + r * 4 * h, cell.y + r * h);
  });
}

void gru_cell_backward(const GruCellBackward& cell) {
  const Index h = cell.hidden;
  parallel_for_each(cell.n, 40 * h, [=](Index r) {
    gru_row_backward(
        h, [d = cell.dy + r * h](auto lanes) { return lanes.load(d); }, cell.kept + r * 4 * h,
        cell.state + r * h, cell.dx + r * 3 * h, cell.du + r * 3 * h, cell.dstate + r * h);
  });
}

void sequence_mask(const Dropout& dropout, Index sequence, Index d, Real* mask) {
  dropout_mask(dropout, sequence * (mask_columns(d) / dropout_block), d, mask);
}

void sequence_dropout(const RecurrenceShape& s, const Real* x, Output y, Real* workspace) {
  const Index d = s.hidden;
  parallel_for_workers(s.sequences, grain_of(20 * d), [&](Index begin, Index end, int worker) {
    Real* mask = workspace + worker * mask_columns(d);
    for (Index i = begin; i < end; ++i) {
      sequence_mask(s.dropout, s.numbers[i], d, mask);
      for (Index r = s.begins[i]; r < s.begins[i] + s.lengths[i]; ++r)
        transform_serial(
            d, y.data + r * d, y.mode, [](Vec m, Vec v) { return m * v; }, mask, x + r * d);
    }
  });
}

void sum_products(const ConstMatrix& a, const ConstMatrix& b, Output y) {
  parallel_for(a.columns, 256, [=](Index begin, Index end) {
    if (y.mode == Mode::assign) std::fill(y.data + begin, y.data + end, Real{0});
    for (Index i = 0; i < a.rows; ++i)
      transform_serial(
          end - begin, y.data + begin, Mode::accumulate, [](Vec p, Vec q) { return p * q; },
          a.row(i) + begin, b.row(i) + begin);
  });
}

}  // namespace heed::kernels
