#include <cmath>

#include "tests/framework/ops_table/references.h"

// Recurrences, one number after the other.

namespace heed::test {

namespace {

enum class Cell { elman, lstm, norm_lstm, gru };

Index gates_of(Cell cell) {
  if (cell == Cell::elman) return 1;
  return cell == Cell::gru ? 3 : 4;
}

Numbers normalised(const Numbers& v) {
  const auto n = static_cast<double>(v.size());
  double mean = 0;
  double variance = 0;
  for (const double e : v)
    mean += e / n;
  for (const double e : v)
    variance += (e - mean) * (e - mean) / n;
  Numbers y;
  for (const double e : v)
    y.push_back((e - mean) / std::sqrt(variance + 1e-5));
  return y;
}

struct State {
  Numbers h;
  Numbers c;
};

/// What the state adds to the gates: U h + b, and for norm_lstm gain * norm(U h).
Numbers from_state(Cell cell, Inputs in, const Numbers& h) {
  Numbers u;
  for (Index g = 0; g < in[1].shape()[0]; ++g) {
    double total = cell != Cell::norm_lstm && in.size() > 2 ? static_cast<double>(in[2][g]) : 0;
    for (std::size_t k = 0; k < h.size(); ++k)
      total += static_cast<double>(in[1][g * std::ssize(h) + static_cast<Index>(k)]) * h[k];
    u.push_back(total);
  }
  if (cell != Cell::norm_lstm) return u;
  u = normalised(u);
  for (std::size_t g = 0; g < u.size(); ++g)
    u[g] *= static_cast<double>(in[2][static_cast<Index>(g)]);
  return u;
}

/// One step. x is what the input adds to the gates, u what the state adds.
State step(Cell cell, Inputs in, const Numbers& x, const Numbers& u, const State& s) {
  const std::size_t h = s.h.size();
  State next = s;
  for (std::size_t j = 0; j < h; ++j) {
    const auto gate = [&](std::size_t g) { return logistic(x[g * h + j] + u[g * h + j]); };
    if (cell == Cell::elman) {
      next.h[j] = std::tanh(x[j] + u[j]);
    } else if (cell == Cell::gru) {
      const double n = std::tanh(x[2 * h + j] + gate(0) * u[2 * h + j]);
      next.h[j] = (1 - gate(1)) * n + gate(1) * s.h[j];
    } else {
      next.c[j] = gate(1) * s.c[j] + gate(0) * std::tanh(x[2 * h + j] + u[2 * h + j]);
      next.h[j] = gate(3);
    }
  }
  if (cell == Cell::elman || cell == Cell::gru) return next;
  Numbers shown = next.c;
  if (cell == Cell::norm_lstm) {
    shown = normalised(shown);
    for (std::size_t j = 0; j < h; ++j)
      shown[j] = shown[j] * static_cast<double>(in[3][static_cast<Index>(j)]) +
                 static_cast<double>(in[4][static_cast<Index>(j)]);
  }
  for (std::size_t j = 0; j < h; ++j)
    next.h[j] *= std::tanh(shown[j]);
  return next;
}

/// Row i of input k; zeros where there is no such input.
Numbers row_of(Inputs in, std::size_t k, Index i, Index columns) {
  Numbers row(static_cast<std::size_t>(columns));
  for (Index j = 0; j < columns && k < in.size(); ++j)
    row[static_cast<std::size_t>(j)] = static_cast<double>(in[k][i * columns + j]);
  return row;
}

/// Input `h0` is the first of the initial states.
Reference over_time(Cell cell, const Recurrence& o, std::size_t h0) {
  return [=](Inputs in) {
    const Index h = in[1].shape()[1];
    const Index rows = in[0].shape()[0];
    Numbers hs(static_cast<std::size_t>(rows * h));
    Numbers cs(hs.size());
    for (Index s = 0; s < o.spans.count(); ++s) {
      State state{row_of(in, h0, s, h), row_of(in, h0 + 1, s, h)};
      for (Index t = 0; t < o.spans.length(s); ++t) {
        const Index row = o.spans.begin(s) + (o.reverse ? o.spans.length(s) - 1 - t : t);
        const Numbers x = row_of(in, 0, row, gates_of(cell) * h);
        state = step(cell, in, x, from_state(cell, in, state.h), state);
        std::copy(state.h.begin(), state.h.end(), hs.begin() + row * h);
        std::copy(state.c.begin(), state.c.end(), cs.begin() + row * h);
      }
    }
    if (cell == Cell::lstm || cell == Cell::norm_lstm) hs.insert(hs.end(), cs.begin(), cs.end());
    return hs;
  };
}

}  // namespace

Reference elman_of(const Recurrence& o) { return over_time(Cell::elman, o, 3); }
Reference lstm_of(const Recurrence& o) { return over_time(Cell::lstm, o, 3); }
Reference norm_lstm_of(const Recurrence& o) { return over_time(Cell::norm_lstm, o, 5); }
Reference gru_of(const Recurrence& o) { return over_time(Cell::gru, o, 3); }

Reference lstm_cell_of() {
  return [](Inputs in) {
    const Index h = in[1].shape()[1];
    Numbers hs;
    Numbers cs;
    for (Index i = 0; i < in[1].shape()[0]; ++i) {
      const Numbers none(static_cast<std::size_t>(4 * h));
      const Numbers c = row_of(in, 1, i, h);
      const State next = step(Cell::lstm, in, row_of(in, 0, i, 4 * h), none, {c, c});
      hs.insert(hs.end(), next.h.begin(), next.h.end());
      cs.insert(cs.end(), next.c.begin(), next.c.end());
    }
    hs.insert(hs.end(), cs.begin(), cs.end());
    return hs;
  };
}

Reference gru_cell_of() {
  return [](Inputs in) {
    const Index h = in[2].shape()[1];
    Numbers y;
    for (Index i = 0; i < in[2].shape()[0]; ++i) {
      const Numbers x = row_of(in, 0, i, 3 * h);
      const Numbers u = row_of(in, 1, i, 3 * h);
      const State next = step(Cell::gru, in, x, u, {row_of(in, 2, i, h), {}});
      y.insert(y.end(), next.h.begin(), next.h.end());
    }
    return y;
  };
}

}  // namespace heed::test
