#include "tests/framework/ops_table.h"

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
  const auto row = [&](const char* op, const char* what, std::vector<Input> inputs,
                       std::function<Variable(Xs)> f) {
    t.push_back({op, std::string(c.what) + what, std::move(inputs), std::move(f), 2});
  };
  const Variable none;
  row("elman", "", {x(1), weight(1), bias(1), state},
      [o](Xs v) { return elman(v[0], v[1], v[2], v[3], o); });
  row("elman", ", bare", {x(1), weight(1)}, [=](Xs v) { return elman(v[0], v[1], none, none, o); });
  row("lstm", "", {x(4), weight(4), bias(4), state, state},
      [o](Xs v) { return lstm(v[0], v[1], v[2], v[3], v[4], o); });
  row("lstm", ", bare", {x(4), weight(4)},
      [=](Xs v) { return lstm(v[0], v[1], none, none, none, o); });
  row("lstm", ", one of its parts", {x(4), weight(4), state},
      [=](Xs v) { return slice(lstm(v[0], v[1], none, none, v[2], o), 0, 1, 2); });
  row("gru", "", {x(3), weight(3), bias(3), state},
      [o](Xs v) { return gru(v[0], v[1], v[2], v[3], o); });
  row("gru", ", bare", {x(3), weight(3)}, [=](Xs v) { return gru(v[0], v[1], none, none, o); });
  // With few units a norm divides by a number near 0, and differences do not follow the gradient.
  if (h < 3) return;
  // Distinct values of x keep the cells apart.
  const Input apart{Input::distinct, {rows, 4 * h}};
  const Input gains = between(0.5, 1.5, {4 * h});
  const Input cell_gain = between(0.5, 1.5, {h});
  row("norm_lstm", "", {apart, weight(4), gains, cell_gain, bias(1), state, state},
      [o](Xs v) { return norm_lstm(v[0] * Real(0.5), v[1], v[2], v[3], v[4], v[5] * 2, v[6], o); });
}

void add_cells(std::vector<OpRow>& t) {
  const auto lstm = OP(lstm_cell(x[0], x[1]));
  const auto gru = OP(gru_cell(x[0], x[1], x[2]));
  t.push_back({"lstm_cell", "rows", {{3, 20}, {3, 5}}, lstm});
  t.push_back({"lstm_cell", "odd width", {{1, 76}, {1, 19}}, lstm});
  t.push_back({"lstm_cell", "no rows", {{0, 8}, {0, 2}}, lstm});
  t.push_back({"gru_cell", "rows", {{3, 15}, {3, 15}, {3, 5}}, gru});
  t.push_back({"gru_cell", "odd width", {{1, 57}, {1, 57}, {1, 19}}, gru});
  t.push_back({"gru_cell", "no rows", {{0, 6}, {0, 6}, {0, 2}}, gru});
}

void add_sequence_dropout(std::vector<OpRow>& t) {
  const auto dropout = [&](const char* what, Input input, const Spans& spans, Real p) {
    t.push_back({"sequence_dropout", what, {input}, [=](Xs x) {
                   return sequence_dropout(x[0], spans, p, {3, 4});
                 }});
  };
  dropout("packed", {6, 19}, packed({2, 0, 3, 1}), Real(0.4));
  dropout("padded", {8, 5}, padded({2, 3}, 4), Real(0.4));
  dropout("none", {3, 5}, packed({2, 1}), 0);
}

void add_final_states(std::vector<OpRow>& t) {
  const Variable zeros;
  const Spans empties = packed({0, 3, 0});
  const auto states = [&](const char* what, Input input, const Spans& spans, bool reverse) {
    t.push_back({"final_states", what, {input}, [=](Xs x) {
                   return final_states(x[0], spans, reverse, zeros);
                 }});
  };
  states("last", {6, 3}, packed({2, 3, 1}), false);
  states("first", {8, 3}, padded({2, 3}, 4), true);
  t.push_back({"final_states", "of empty sequences", {{3, 3}, {3, 3}}, [=](Xs x) {
                 return final_states(x[0], empties, false, x[1]);
               }});
  states("of empty sequences, from zeros", {3, 3}, empties, true);
}

}  // namespace

void add_recurrence(std::vector<OpRow>& t) {
  for (const Case& c : cases())
    add_sequences(t, c);
  add_cells(t);
  add_sequence_dropout(t);
  add_final_states(t);
}

}  // namespace heed::test
