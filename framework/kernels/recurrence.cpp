#include "framework/kernels/recurrence.h"

#include <utility>

#include "framework/kernels/packed.h"
#include "framework/kernels/recurrent_cells.h"

namespace heed::kernels {

namespace {

constexpr Index whole(Index n) { return (n + 63) / 64 * 64; }
constexpr Index mask_columns(Index d) {
  return (d + dropout_block - 1) / dropout_block * dropout_block;
}

/// Sequences of a group. More of them read the weight less often; fewer leave more groups to share
/// out.
constexpr Index most_in_group = 12;
Index group_of(Index sequences) {
  return sequences >= 4 * most_in_group ? most_in_group : most_in_group / 2;
}

/// A group's memory: rows of sequences that stand together.
struct Scratch {
  Real* state;
  Real* sums;
  Real* carry;
  Real* carry_cell;
  Real* mask;
  Real* row;
  Real* zeros;
  // strides
  Index columns;
  Index gate_columns;
  Index masks;

  Scratch(const RecurrenceShape& s, Real* base)
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

/// Where things of a group's sequence i at step t lie.
struct Group {
  const RecurrenceShape& s;
  Index first;
  Index count;

  Index length(Index i) const { return s.lengths[first + i]; }
  Index number(Index i) const { return s.numbers[first + i]; }
  Index row(Index i, Index t) const {
    return s.begins[first + i] + (s.reverse ? length(i) - 1 - t : t);
  }
  Index running(Index t, Index at_most) const {  // sequences stand longest first
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
  void masks(const Scratch& w) const {
    if (s.dropout.active())
      for (Index i = 0; i < count; ++i)
        sequence_mask(s.dropout, number(i), s.hidden, w.mask + i * w.masks);
  }
  /// to = mask from, for the group's sequence i
  void drop(const Scratch& w, Index i, const Real* from, Real* to) const {
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
                       [&, size = Scratch::size(s)](Index begin, Index end, int worker) {
                         const Scratch scratch(s, workspace + worker * size);
                         f(Group{s, begin, end - begin}, scratch);
                       });
}

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
        h, x, [=](Index g, auto lane) { return lane.load(u + g * h) + lane.load(b + g * h); },
        state, kept, y);
  } else if constexpr (cell == Cell::lstm) {
    Real* now = v.cells + r * h;
    lstm_gates(
        h,
        [=](Index g, auto lane) {
          return lane.load(x + g * h) + lane.load(u + g * h) + lane.load(b + g * h);
        },
        c, kept, now);
    lstm_output(
        h, [=](auto lane) { return lane.load(now); }, kept, y);
  } else {
    Real* now = v.cells + r * h;
    Real* uhat = kept + kept_u * h;
    Real* chat = kept + kept_c * h;

    Real* scales = kept + kept_scales * h;
    const Real* gain = v.gain;
    scales[0] = normalise(4 * h, u, uhat);
    lstm_gates(
        h,
        [=](Index g, auto lane) {
          return multiply_add(lane.load(gain + g * h), lane.load(uhat + g * h),
                              lane.load(x + g * h));
        },
        c, kept, now);
    scales[1] = normalise(h, now, chat);
    lstm_output(
        h,
        [=](auto lane) {
          return multiply_add(lane.load(v.cell_gain), lane.load(chat), lane.load(v.cell_bias));
        },
        kept, y);
  }
}

/// dh and dc hold what comes from the step after; they are left with what goes to the one before,
/// besides the product's share.
template <Cell cell>
void backward_row(Index h, const RecurrenceValues& v, const RecurrenceGradients& g, Index r,
                  const Real* state, const Real* c, Real* dh, Real* dc) {
  const Real* kept = v.kept + r * kept_of(cell, h);
  const Real* outside = g.dy + r * h;
  Real* dx = g.dx + r * gates_of(cell) * h;
  [[maybe_unused]] Real* du = g.du + r * gates_of(cell) * h;
  const auto dy = [=](auto lane) { return lane.load(dh) + lane.load(outside); };
  if constexpr (cell == Cell::elman) {
    const Real* y = v.y + r * h;
    transform_serial(
        h, dx, Mode::assign, [](Vec a, Vec b, Vec p) { return (a + b) * (Vec(1) - p * p); }, dh,
        outside, y);
    std::fill_n(dh, h, Real{0});
  } else if constexpr (cell == Cell::gru) {
    gru_row_backward(h, dy, kept, state, dx, du, dh);
  } else {
    const Real* now = v.cells + r * h;
    const Real* outside_cell = g.dcells + r * h;
    transform_serial(
        h, dc, Mode::accumulate, [](Vec d) { return d; }, outside_cell);
    if constexpr (cell == Cell::lstm) {
      // dh is read before it is written
      lstm_output_backward(
          h, [=](auto lane) { return lane.load(now); }, dy, kept, dh, dx);
      transform_serial(
          h, dc, Mode::accumulate, [](Vec d) { return d; }, dh);
    } else {
      const Real* chat = kept + kept_c * h;
      const Real* scales = kept + kept_scales * h;
      Real* dnorm = g.dcell_norm + r * h;
      lstm_output_backward(
          h,
          [=](auto lane) {
            return multiply_add(lane.load(v.cell_gain), lane.load(chat), lane.load(v.cell_bias));
          },
          dy, kept, dnorm, dx);
      normalise_backward(h, chat, scales[1], v.cell_gain, dnorm, dc, Mode::accumulate);
    }
    lstm_gates_backward(h, c, kept, dc, dx, dc);
    if constexpr (cell == Cell::norm_lstm)
      normalise_backward(4 * h, kept + kept_u * h, kept[kept_scales * h], v.gain, dx, du,
                         Mode::assign);
    std::fill_n(dh, h, Real{0});
  }
}

template <Cell cell>
void forward(const RecurrenceShape& s, const RecurrenceValues& v, Real* workspace) {
  const Index h = s.hidden;
  const Index columns = gates_of(cell) * h;
  const Index kept = kept_of(cell, h);
  for_groups(s, workspace, [&](const Group& group, const Scratch& w) {
    group.masks(w);
    for (Index i = 0; i < group.count; ++i)
      group.drop(w, i, group.before(i, 0, v.y, v.h0, w.zeros), w.state + i * w.columns);
    Index running = group.count;
    for (Index t = 0; (running = group.running(t, running)) > 0; ++t) {
      packed_product(running, columns, h, w.state, w.columns, v.weight, nullptr, w.sums,
                     w.gate_columns, Mode::assign);
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

template <Cell cell>
void backward(const RecurrenceShape& s, const RecurrenceValues& v, const RecurrenceGradients& g,
              Real* workspace) {
  const Index h = s.hidden;
  const Index columns = gates_of(cell) * h;
  for_groups(s, workspace, [&](const Group& group, const Scratch& w) {
    group.masks(w);
    std::fill_n(w.carry, group.count * w.columns, Real{0});
    std::fill_n(w.carry_cell, group.count * w.columns, Real{0});
    for (Index t = group.length(0) - 1; t >= 0; --t) {
      const Index running = group.running(t, group.count);
      for (Index i = 0; i < running; ++i) {
        const Index r = group.row(i, t);
        backward_row<cell>(h, v, g, r, group.before(i, t, v.y, v.h0, w.zeros),
                           group.before(i, t, v.cells, v.c0, w.zeros), w.carry + i * w.columns,
                           w.carry_cell + i * w.columns);
        std::copy_n(g.du + r * columns, columns, w.sums + i * w.gate_columns);
      }
      // d(mask h') = du U
      packed_product(running, h, columns, w.sums, w.gate_columns, v.weight, nullptr, w.state,
                     w.columns, Mode::assign);
      for (Index i = 0; i < running; ++i) {
        const Real* d = w.state + i * w.columns;
        Real* carry = w.carry + i * w.columns;
        if (s.dropout.active())
          transform_serial(
              h, carry, Mode::accumulate, [](Vec m, Vec x) { return m * x; }, w.mask + i * w.masks,
              d);
        else
          transform_serial(
              h, carry, Mode::accumulate, [](Vec x) { return x; }, d);
      }
    }
    for (Index i = 0; i < group.count; ++i) {
      if (g.dh0) std::copy_n(w.carry + i * w.columns, h, g.dh0 + group.number(i) * h);
      if (g.dc0) std::copy_n(w.carry_cell + i * w.columns, h, g.dc0 + group.number(i) * h);
    }
  });
}

}  // namespace

Index recurrence_workspace(const RecurrenceShape& shape) { return Scratch::size(shape); }

void recurrence(const RecurrenceShape& s, const RecurrenceValues& v, Real* workspace) {
  switch (s.cell) {
    case Cell::elman: return forward<Cell::elman>(s, v, workspace);
    case Cell::lstm: return forward<Cell::lstm>(s, v, workspace);
    case Cell::norm_lstm: return forward<Cell::norm_lstm>(s, v, workspace);
    case Cell::gru: return forward<Cell::gru>(s, v, workspace);
  }
}

void recurrence_backward(const RecurrenceShape& s, const RecurrenceValues& v,
                         const RecurrenceGradients& g, Real* workspace) {
  switch (s.cell) {
    case Cell::elman: return backward<Cell::elman>(s, v, g, workspace);
    case Cell::lstm: return backward<Cell::lstm>(s, v, g, workspace);
    case Cell::norm_lstm: return backward<Cell::norm_lstm>(s, v, g, workspace);
    case Cell::gru: return backward<Cell::gru>(s, v, g, workspace);
  }
}

void recurrence_inputs(const RecurrenceShape& s, const Real* h0, const Real* y, Real* inputs,
                       Real* workspace) {
  for_groups(s, workspace, [&](const Group& group, const Scratch& w) {
    group.masks(w);
    for (Index i = 0; i < group.count; ++i)
      for (Index t = 0; t < group.length(i); ++t)
        group.drop(w, i, group.before(i, t, y, h0, w.zeros), inputs + group.row(i, t) * s.hidden);
  });
}

void lstm_cell(Index n, Index h, const Real* gates, const Real* c, Real* y, Real* cells,
               Real* kept) {
  parallel_for(n, grain_of(100 * h), [=](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Real* z = gates + r * 4 * h;
      Real* k = kept + r * 4 * h;
      Real* now = cells + r * h;
      lstm_gates(
          h, [=](Index g, auto lane) { return lane.load(z + g * h); }, c + r * h, k, now);
      lstm_output(
          h, [=](auto lane) { return lane.load(now); }, k, y + r * h);
    }
  });
}

void lstm_cell_backward(Index n, Index h, const Real* kept, const Real* c, const Real* cells,
                        const Real* dy, const Real* dcells, Real* dgates, Real* dc) {
  parallel_for(n, grain_of(60 * h), [=](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Real* k = kept + r * 4 * h;
      const Real* now = cells + r * h;
      const Real* d = dy + r * h;
      Real* to = dc + r * h;
      lstm_output_backward(
          h, [=](auto lane) { return lane.load(now); }, [=](auto lane) { return lane.load(d); }, k,
          to, dgates + r * 4 * h);
      transform_serial(
          h, to, Mode::accumulate, [](Vec x) { return x; }, dcells + r * h);
      lstm_gates_backward(h, c + r * h, k, to, dgates + r * 4 * h, to);
    }
  });
}

void gru_cell(Index n, Index h, const Real* x, const Real* u, const Real* state, Real* y,
              Real* kept) {
  parallel_for(n, grain_of(70 * h), [=](Index begin, Index end) {
    for (Index r = begin; r < end; ++r)
      gru_row(
          h, x + r * 3 * h,
          [p = u + r * 3 * h, h](Index g, auto lane) { return lane.load(p + g * h); },
          state + r * h, kept + r * 4 * h, y + r * h);
  });
}

void gru_cell_backward(Index n, Index h, const Real* kept, const Real* state, const Real* dy,
                       Real* dx, Real* du, Real* dstate) {
  parallel_for(n, grain_of(40 * h), [=](Index begin, Index end) {
    for (Index r = begin; r < end; ++r)
      gru_row_backward(
          h, [d = dy + r * h](auto lane) { return lane.load(d); }, kept + r * 4 * h, state + r * h,
          dx + r * 3 * h, du + r * 3 * h, dstate + r * h);
  });
}

void sequence_mask(const Dropout& dropout, Index sequence, Index d, Real* mask) {
  dropout_mask(dropout, sequence * (mask_columns(d) / dropout_block), d, mask);
}

void sequence_dropout(const RecurrenceShape& s, const Real* x, Real* y, Mode mode,
                      Real* workspace) {
  const Index d = s.hidden;
  parallel_for_workers(s.sequences, grain_of(20 * d), [&](Index begin, Index end, int worker) {
    Real* mask = workspace + worker * mask_columns(d);
    for (Index i = begin; i < end; ++i) {
      sequence_mask(s.dropout, s.numbers[i], d, mask);
      for (Index r = s.begins[i]; r < s.begins[i] + s.lengths[i]; ++r)
        transform_serial(
            d, y + r * d, mode, [](Vec m, Vec v) { return m * v; }, mask, x + r * d);
    }
  });
}

void sum_products(Index m, Index n, const Real* a, Index lda, const Real* b, Index ldb, Real* y,
                  Mode mode) {
  parallel_for(n, 256, [=](Index begin, Index end) {
    if (mode == Mode::assign) std::fill(y + begin, y + end, Real{0});
    for (Index i = 0; i < m; ++i)
      transform_serial(
          end - begin, y + begin, Mode::accumulate, [](Vec p, Vec q) { return p * q; },
          a + i * lda + begin, b + i * ldb + begin);
  });
}

}  // namespace heed::kernels
