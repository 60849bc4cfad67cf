#include "tests/framework/ops_table/compositions.h"

// Recurrences step by step and convolutions tap by tap, from plain ops.

namespace heed::test {

namespace {

enum class Cell { elman, lstm, norm_lstm, gru };

Variable part(const Variable& z, Index h, Index i) { return slice(z, 1, i * h, (i + 1) * h); }

struct State {
  Variable h;
  Variable c;
};
/// One step. x is what the input adds to the gates, u what the state adds.
State step(Cell cell, const Variable& x, const Variable& u, const State& s,
           const Variable& cell_gain, const Variable& cell_bias) {
  const Index h = s.h.columns();
  if (cell == Cell::elman) return {tanh(x + u), {}};
  if (cell == Cell::gru) {
    const Variable r = sigmoid(part(x, h, 0) + part(u, h, 0));
    const Variable z = sigmoid(part(x, h, 1) + part(u, h, 1));
    return {(1 - z) * tanh(part(x, h, 2) + r * part(u, h, 2)) + z * s.h, {}};
  }
  const Variable z = x + u;
  const Variable c = sigmoid(part(z, h, 1)) * s.c + sigmoid(part(z, h, 0)) * tanh(part(z, h, 2));
  return {
      sigmoid(part(z, h, 3)) * tanh(cell == Cell::lstm ? c : layer_norm(c, cell_gain, cell_bias)),
      c};
}

struct Sequence {
  const char* what;
  std::vector<Index> lengths;
  Index h;
};

/// The parameters of a recurrence. Of norm_lstm the bias is the gain of the gates' norm.
struct Weights {
  Variable weight;
  Variable bias;
  Variable cell_gain = {};
  Variable cell_bias = {};
};

/// A loop over time steps. It computes all sequences at once; those that have not ended come first.
Variable over_time(Cell cell, const Variable& x, const Weights& w, State state, const Spans& spans,
                   bool reverse) {
  const TimeOrder order = time_order(spans, reverse);
  const auto count = static_cast<Index>(order.sequences.size());
  const Index h = w.weight.columns();
  const bool cells = cell == Cell::lstm || cell == Cell::norm_lstm;
  Ids sequences({count});
  for (Index i = 0; i < count; ++i)
    sequences[i] = static_cast<Id>(order.sequences[static_cast<std::size_t>(i)]);
  state.h = gather(state.h, sequences);
  if (cells) state.c = gather(state.c, sequences);
  const Variable in_time = gather(x, order.rows);
  // The first row of each is for padding.
  std::vector<Operand> hs{Tensor::zeros({1, h})};
  std::vector<Operand> cs{Tensor::zeros({1, h})};
  Index begin = 0;
  for (const Index running : order.counts) {
    if (running < state.h.rows()) {
      state.h = slice(state.h, 0, 0, running);
      if (cells) state.c = slice(state.c, 0, 0, running);
    }
    const Variable product = matmul(state.h, w.weight, {.b = true});
    const Variable u = cell == Cell::norm_lstm
                           ? layer_norm(product, w.bias, Tensor::zeros(w.bias.shape()))
                           : product + w.bias;
    const Variable now = slice(in_time, 0, begin, begin + running);
    state = step(cell, now, u, state, w.cell_gain, w.cell_bias);
    hs.emplace_back(state.h);
    if (cells) cs.emplace_back(state.c);
    begin += running;
  }
  Ids place = Ids::full({spans.rows()}, 0);
  for (Index i = 0; i < order.rows.size(); ++i)
    place[order.rows[i]] = static_cast<Id>(i + 1);
  const Variable y = gather(concat(hs, 0), place);
  return cells ? stack({y, gather(concat(cs, 0), place)}, 0) : y;
}

void add_recurrences(std::vector<Composition>& t, const Sequence& s, bool reverse) {
  const Spans spans = Spans::packed(s.lengths);
  const Index n = spans.rows();
  const Index h = s.h;
  const Index count = spans.count();
  const Recurrence o{.spans = spans, .reverse = reverse};
  const std::string what = fmt::format("{}{}", s.what, reverse ? ", backwards" : "");
  const auto add = [&](const char* op, std::vector<Shape> inputs, Compute fused, Compute composed,
                       double factor = 4) {
    t.push_back(drawn(
        -0.3, 0.3,
        within(factor, {op, what, std::move(inputs), std::move(fused), std::move(composed)})));
  };
  const auto x = [=](Index gates) { return Shape{n, gates * h}; };
  const auto weight = [=](Index gates) { return Shape{gates * h, h}; };
  const auto bias = [=](Index gates) { return Shape{gates * h}; };
  const Shape state{count, h};
  add(
      "elman", {x(1), weight(1), bias(1), state},
      [=](Xs v) { return elman(v[0], v[1], v[2], v[3], o); },
      [=](Xs v) {
        return over_time(Cell::elman, v[0], {v[1], v[2]}, {v[3], {}}, spans, reverse);
      });
  add(
      "gru", {x(3), weight(3), bias(3), state},
      [=](Xs v) { return gru(v[0], v[1], v[2], v[3], o); },
      [=](Xs v) {
        return over_time(Cell::gru, v[0], {v[1], v[2]}, {v[3], {}}, spans, reverse);
      });
  add(
      "lstm", {x(4), weight(4), bias(4), state, state},
      [=](Xs v) { return lstm(v[0], v[1], v[2], v[3], v[4], o); },
      [=](Xs v) {
        return over_time(Cell::lstm, v[0], {v[1], v[2]}, {v[3], v[4]}, spans, reverse);
      });
  add(
      "norm_lstm", {x(4), weight(4), bias(4), bias(1), bias(1), state, state},
      [=](Xs v) { return norm_lstm(v[0], v[1], v[2], v[3], v[4], v[5], v[6], o); },
      [=](Xs v) {
        const Weights weights{v[1], v[2], v[3], v[4]};
        return over_time(Cell::norm_lstm, v[0], weights, {v[5], v[6]}, spans, reverse);
      },
      40);
}

void add_cells(std::vector<Composition>& t, const char* what, Index n, Index h) {
  t.push_back(
      {"lstm_cell",
       what,
       {{n, 4 * h}, {n, h}},
       [](Xs x) { return lstm_cell(x[0], x[1]); },
       [=](Xs x) {
         const State s = step(Cell::lstm, x[0], Tensor::zeros({n, 4 * h}), {x[1], x[1]}, {}, {});
         return stack({s.h, s.c}, 0);
       }});
  t.push_back({"gru_cell",
               what,
               {{n, 3 * h}, {n, 3 * h}, {n, h}},
               [](Xs x) { return gru_cell(x[0], x[1], x[2]); },
               [](Xs x) {
                 return step(Cell::gru, x[0], x[1], {x[2], {}}, {}, {}).h;
               }});
}

void add_sequence_dropout(std::vector<Composition>& t, const Sequence& s) {
  const Spans spans = Spans::packed(s.lengths);
  const Spans each = Spans::packed(std::vector<Index>(s.lengths.size(), 1));
  const Index d = s.h;
  Ids owner({spans.rows()});
  for (Index i = 0; i < spans.count(); ++i)
    for (Index r = 0; r < spans.length(i); ++r)
      owner[spans.begin(i) + r] = static_cast<Id>(i);
  const Tensor ones = Tensor::full({spans.count(), d}, 1);
  t.push_back({"sequence_dropout",
               s.what,
               {{spans.rows(), d}},
               [=](Xs x) {
                 return sequence_dropout(x[0], spans, Real(0.3), {5, 7});
               },
               [=](Xs x) {
                 return x[0] * gather(sequence_dropout(ones, each, Real(0.3), {5, 7}), owner);
               }});
}

/// For each tap the row that every row reads. The row after the last stands for zeros.
std::vector<Ids> taps(const Window& w, Index kernel) {
  const Index rows = w.spans.rows();
  const Index left = w.causal ? kernel - 1 : (kernel - 1) / 2;
  std::vector<Ids> result;
  for (Index j = 0; j < kernel; ++j) {
    Ids ids = Ids::full({rows}, static_cast<Id>(rows));
    for (Index s = 0; s < w.spans.count(); ++s)
      for (Index r = 0; r < w.spans.length(s); ++r)
        if (const Index read = r + (j - left) * w.dilation; read >= 0 && read < w.spans.length(s))
          ids[w.spans.begin(s) + r] = static_cast<Id>(w.spans.begin(s) + read);
    result.push_back(ids);
  }
  return result;
}
/// The rows of x (rows, d) that each tap reads, (rows, d) for each tap.
std::vector<Operand> tapped(const Variable& x, const std::vector<Ids>& ids) {
  const Variable with_zeros = concat({x, Tensor::zeros({1, x.columns()})}, 0);
  std::vector<Operand> result;
  for (const Ids& tap : ids)
    result.emplace_back(gather(with_zeros, tap));
  return result;
}

void add_convolutions(std::vector<Composition>& t, const Sequence& s, Index out, Index kernel,
                      const Window& shape) {
  Window w = shape;
  w.spans = Spans::packed(s.lengths);
  const Index n = w.spans.rows();
  const Index in = s.h;
  const std::vector<Ids> ids = taps(w, kernel);
  const std::string what =
      fmt::format("{}, {} taps{}{}", s.what, kernel, w.causal ? ", causal" : "",
                  w.dilation > 1 ? ", dilated" : "");
  const auto dense = [=](Xs x) { return conv1d(x[0], x[1], x[2], w); };
  const auto composed_dense = [=](Xs x) {
    const Variable flat = reshape(x[1], {out, kernel * in});
    return matmul(concat(tapped(x[0], ids), 1), flat, {.b = true}) + x[2];
  };
  t.push_back(
      within(4, {"conv1d", what, {{n, in}, {out, kernel, in}, {out}}, dense, composed_dense}));
  const auto depthwise = [=](Xs x) { return depthwise_conv1d(x[0], x[1], x[2], w); };
  const auto composed_depthwise = [=](Xs x) {
    Variable y = x[2] + Tensor::zeros({n, in});
    const std::vector<Operand> read = tapped(x[0], ids);
    for (Index j = 0; j < kernel; ++j)
      y = y + read[static_cast<std::size_t>(j)] * slice(x[1], 0, j, j + 1);
    return y;
  };
  t.push_back(
      {"depthwise_conv1d", what, {{n, in}, {kernel, in}, {in}}, depthwise, composed_depthwise});
}

struct Images {
  const char* what;
  Index n;
  Index height;
  Index width;
  Index in;
  Index out;
  Index kernel;
  Index stride;
  Index padding;

  Index pixels() const { return n * height * width; }
  Index down(Index pad) const { return (height + 2 * pad - kernel) / stride + 1; }
  Index across(Index pad) const { return (width + 2 * pad - kernel) / stride + 1; }
  /// y (outputs, columns) as (n, down, across, columns).
  Variable shaped(const Variable& y, Index pad, Index columns) const {
    return reshape(y, {n, down(pad), across(pad), columns});
  }
};

/// For each place of the kernel the pixel that every output reads. The pixel after the last stands
/// for zeros.
std::vector<Ids> pixels_read(const Images& m, Index padding) {
  const Index down = m.down(padding);
  const Index across = m.across(padding);
  std::vector<Ids> result;
  for (Index i = 0; i < m.kernel; ++i)
    for (Index j = 0; j < m.kernel; ++j) {
      Ids ids = Ids::full({m.n * down * across}, static_cast<Id>(m.pixels()));
      for (Index k = 0; k < ids.size(); ++k) {
        const Index y = k / across % down * m.stride - padding + i;
        const Index x = k % across * m.stride - padding + j;
        if (y >= 0 && y < m.height && x >= 0 && x < m.width)
          ids[k] = static_cast<Id>((k / (down * across) * m.height + y) * m.width + x);
      }
      result.push_back(ids);
    }
  return result;
}

void add_images(std::vector<Composition>& t, const Images& m) {
  const Shape images{m.n, m.height, m.width, m.in};
  const Index taken = m.kernel * m.kernel * m.in;
  const Extent2d size{m.kernel, m.kernel};
  const Extent2d stride{m.stride, m.stride};
  const Window2d window{.stride = stride, .padding = {m.padding, m.padding}};
  const std::vector<Ids> padded = pixels_read(m, m.padding);
  const std::vector<Ids> inside = pixels_read(m, 0);
  const auto read = [=](const Variable& x, const std::vector<Ids>& ids) {
    return tapped(reshape(x, {m.pixels(), m.in}), ids);
  };
  const auto conv = [=](Xs x) { return conv2d(x[0], x[1], x[2], window); };
  const auto composed_conv = [=](Xs x) {
    const Variable windows = concat(read(x[0], padded), 1);
    const Variable weight = reshape(x[1], {m.out, taken});
    return m.shaped(matmul(windows, weight, {.b = true}) + x[2], m.padding, m.out);
  };
  const Shape weight{m.out, m.kernel, m.kernel, m.in};
  t.push_back(within(4, {"conv2d", m.what, {images, weight, {m.out}}, conv, composed_conv}));
  t.push_back({"max_pool2d",
               m.what,
               {images},
               [=](Xs x) { return max_pool2d(x[0], size, stride); },
               [=](Xs x) { return m.shaped(max(stack(read(x[0], inside), 0), {0}), 0, m.in); }});
  t.push_back({"mean_pool2d",
               m.what,
               {images},
               [=](Xs x) { return mean_pool2d(x[0], size, stride); },
               [=](Xs x) { return m.shaped(mean(stack(read(x[0], inside), 0), {0}), 0, m.in); }});
}

}  // namespace

void add_sequence_compositions(std::vector<Composition>& t, bool small) {
  if (small) {
    for (const Sequence& s : {Sequence{"one row", {1}, 4},
                              {"odd width", {3, 5, 1}, 19},
                              {"empty ones", {0, 4, 0, 2}, 5},
                              {"many", {7, 3, 9, 1, 5, 5, 8, 2, 6, 4, 4, 3, 2}, 33}}) {
      add_recurrences(t, s, false);
      add_recurrences(t, s, true);
      add_sequence_dropout(t, s);
      add_convolutions(t, s, 7, 3, {});
      add_convolutions(t, s, 4, 2, {.spans = {}, .causal = true, .dilation = 2});
    }
    add_cells(t, "one row", 1, 1);
    add_cells(t, "odd width", 7, 19);
    add_cells(t, "no rows", 0, 3);
    add_images(t, {"one pixel", 1, 1, 1, 1, 1, 1, 1, 0});
    add_images(t, {"strides", 2, 7, 6, 3, 5, 3, 2, 1});
    add_images(t, {"windows meet", 2, 6, 6, 19, 2, 2, 1, 0});
  } else {
    Random random(3);
    std::vector<Index> lengths(64);
    for (Index& n : lengths)
      n = 10 + static_cast<Index>(random.below(11));
    const Sequence rnn{"rnn", lengths, 256};
    const Sequence conv{"conv", lengths, 256};
    add_recurrences(t, rnn, false);
    add_cells(t, "rnn, one step", 64, 256);
    add_sequence_dropout(t, rnn);
    add_convolutions(t, conv, 512, 3, {});
    add_convolutions(t, conv, 512, 3, {.spans = {}, .causal = true});
    add_images(t, {"32 images", 32, 16, 16, 32, 64, 3, 1, 1});
  }
}

}  // namespace heed::test
