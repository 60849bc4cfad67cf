#include "tests/framework/ops_table/references.h"

namespace heed::test {

namespace {

struct Case {
  const char* what;
  Recurrence options;
  Index h = 3;
};

std::vector<Case> cases() {
  // clang-format off
  return {
    {"one row", {.spans = packed({1})}},
    {"packed", {.spans = packed({3, 2})}},
    {"backwards", {.spans = packed({3, 2}), .reverse = true}},
    {"padded", {.spans = padded({2, 3}, 4)}},
    {"padded, backwards", {.spans = padded({3, 1}, 4), .reverse = true}},
    {"empty sequences", {.spans = packed({2, 0, 3, 1})}},
    {"nothing but empty sequences", {.spans = packed({0, 0})}},
    {"one unit", {.spans = packed({3, 2})}, 1},
    {"odd width", {.spans = packed({2, 1})}, 19},
    {"more sequences than a group", {.spans = packed({2, 1, 2, 1, 1, 3, 1, 1, 1})}, 2},
    {"dropout", {.spans = packed({3, 2}), .dropout = Real(0.4), .key = {5, 9}}, 5},
    {"dropout, backwards",
     {.spans = packed({2, 0, 3, 1}), .reverse = true, .dropout = Real(0.4), .key = {5, 9}}, 5},
  };
  // clang-format on
}

Input between(double low, double high, const Shape& shape) { return {shape, low, high}; }
Input small(const Shape& shape) { return between(-0.8, 0.8, shape); }

/// Whole sequences, with every input and with the least that the op takes ("bare").
void add_sequences(std::vector<OpRow>& t, const Case& c) {
  const Recurrence o = c.options;
  const Index rows = o.spans.rows();
  const Index h = c.h;
  const Input state = small({o.spans.count(), h});
  const auto x = [&](Index gates) { return small({rows, gates * h}); };
  const auto weight = [&](Index gates) { return small({gates * h, h}); };
  const auto bias = [&](Index gates) { return small({gates * h}); };
  const auto row = [&](const char* op, const char* what, std::vector<Input> inputs, Compute f,
                       Reference definition) {
    if (o.dropout > 0) definition = nullptr;
    t.push_back({op, std::string(c.what) + what, std::move(inputs), std::move(f), 2,
                 std::move(definition)});
  };
  const Variable none;
  row(
      "elman", "", {x(1), weight(1), bias(1), state},
      [o](Xs v) { return elman(v[0], v[1], v[2], v[3], o); }, elman_of(o));
  row(
      "elman", ", bare", {x(1), weight(1)}, [=](Xs v) { return elman(v[0], v[1], none, none, o); },
      elman_of(o));
  row(
      "lstm", "", {x(4), weight(4), bias(4), state, state},
      [o](Xs v) { return lstm(v[0], v[1], v[2], v[3], v[4], o); }, lstm_of(o));
  row(
      "lstm", ", bare", {x(4), weight(4)},
      [=](Xs v) { return lstm(v[0], v[1], none, none, none, o); }, lstm_of(o));
  row(
      "lstm", ", one of its parts", {x(4), weight(4), state},
      [=](Xs v) { return slice(lstm(v[0], v[1], none, none, v[2], o), 0, 1, 2); }, nullptr);
  row(
      "gru", "", {x(3), weight(3), bias(3), state},
      [o](Xs v) { return gru(v[0], v[1], v[2], v[3], o); }, gru_of(o));
  row(
      "gru", ", bare", {x(3), weight(3)}, [=](Xs v) { return gru(v[0], v[1], none, none, o); },
      gru_of(o));
}

void add_norm_lstm(std::vector<OpRow>& t, const Case& c) {
  const Index h = c.h;
  // With few units a norm divides by a number near 0, and differences do not follow the gradient.
  if (h < 3) return;
  const Recurrence o = c.options;
  const Input state = small({o.spans.count(), h});
  // Distinct values of x keep the cells apart.
  const Input apart{Input::distinct, {o.spans.rows(), 4 * h}};
  const Input gains = between(0.5, 1.5, {4 * h});
  const Input cell_gain = between(0.5, 1.5, {h});
  const auto normed = [o](Xs v) {
    return norm_lstm(v[0] * Real(0.5), v[1], v[2], v[3], v[4], v[5] * 2, v[6], o);
  };
  Reference definition = [of_inputs = norm_lstm_of(o)](Inputs in) {
    std::vector<Tensor> scaled(in.begin(), in.end());
    scaled[0] = (Variable(in[0]) * Real(0.5)).value();
    scaled[5] = (Variable(in[5]) * 2).value();
    return of_inputs(scaled);
  };
  if (o.dropout > 0) definition = nullptr;
  t.push_back({"norm_lstm",
               c.what,
               {apart, small({4 * h, h}), gains, cell_gain, small({h}), state, state},
               normed,
               2,
               definition});
}

void add_cells(std::vector<OpRow>& t) {
  const auto lstm = OP(lstm_cell(x[0], x[1]));
  const auto gru = OP(gru_cell(x[0], x[1], x[2]));
  t.push_back({"lstm_cell", "rows", {{3, 20}, {3, 5}}, lstm, 1, lstm_cell_of()});
  t.push_back({"lstm_cell", "odd width", {{1, 76}, {1, 19}}, lstm, 1, lstm_cell_of()});
  t.push_back({"lstm_cell", "no rows", {{0, 8}, {0, 2}}, lstm, 1, lstm_cell_of()});
  t.push_back({"gru_cell", "rows", {{3, 15}, {3, 15}, {3, 5}}, gru, 1, gru_cell_of()});
  t.push_back({"gru_cell", "odd width", {{1, 57}, {1, 57}, {1, 19}}, gru, 1, gru_cell_of()});
  t.push_back({"gru_cell", "no rows", {{0, 6}, {0, 6}, {0, 2}}, gru, 1, gru_cell_of()});
}

/// Row s of the masks has one factor for each column; rows of masks begin at multiples of 128.
Reference sequence_dropout_of(const Spans& spans, Real p) {
  return [=](Inputs x) {
    const Index d = x[0].shape()[1];
    Numbers y(static_cast<std::size_t>(x[0].size()));
    for (Index s = 0; s < spans.count(); ++s)
      for (Index i = spans.begin(s) * d; i < (spans.begin(s) + spans.length(s)) * d; ++i)
        y[static_cast<std::size_t>(i)] =
            static_cast<double>(x[0][i]) *
            dropout_factor(p, {3, 4}, s * ((d + 127) / 128 * 128) + i % d);
    return y;
  };
}

/// A row of the states, or the initial state of an empty sequence; zeros where there is none.
Reference final_states_of(const Spans& spans, bool reverse) {
  return [=](Inputs x) {
    const Index h = x[0].shape()[1];
    Numbers y;
    for (Index s = 0; s < spans.count(); ++s)
      for (Index c = 0; c < h; ++c) {
        const Index row = spans.begin(s) + (reverse ? 0 : spans.length(s) - 1);
        const bool empty = spans.length(s) == 0;
        const double initial = x.size() > 1 ? static_cast<double>(x[1][s * h + c]) : 0;
        y.push_back(empty ? initial : static_cast<double>(x[0][row * h + c]));
      }
    return y;
  };
}

void add_sequence_dropout(std::vector<OpRow>& t) {
  const auto dropout = [&](const char* what, Input input, const Spans& spans, Real p) {
    t.push_back({"sequence_dropout",
                 what,
                 {input},
                 [=](Xs x) {
                   return sequence_dropout(x[0], spans, p, {3, 4});
                 },
                 1,
                 sequence_dropout_of(spans, p)});
  };
  dropout("packed", {6, 19}, packed({2, 0, 3, 1}), Real(0.4));
  dropout("padded", {8, 5}, padded({2, 3}, 4), Real(0.4));
  dropout("none", {3, 5}, packed({2, 1}), 0);
}

void add_final_states(std::vector<OpRow>& t) {
  const Variable zeros;
  const Spans empties = packed({0, 3, 0});
  const auto states = [&](const char* what, Input input, const Spans& spans, bool reverse) {
    t.push_back({"final_states",
                 what,
                 {input},
                 [=](Xs x) { return final_states(x[0], spans, reverse, zeros); },
                 1,
                 final_states_of(spans, reverse)});
  };
  states("last", {6, 3}, packed({2, 3, 1}), false);
  states("first", {8, 3}, padded({2, 3}, 4), true);
  t.push_back({"final_states",
               "of empty sequences",
               {{3, 3}, {3, 3}},
               [=](Xs x) { return final_states(x[0], empties, false, x[1]); },
               1,
               final_states_of(empties, false)});
  states("of empty sequences, from zeros", {3, 3}, empties, true);
}

}  // namespace

void add_recurrence(std::vector<OpRow>& t) {
  for (const Case& c : cases()) {
    add_sequences(t, c);
    add_norm_lstm(t, c);
  }
  add_cells(t);
  add_sequence_dropout(t);
  add_final_states(t);
}

}  // namespace heed::test
