#include "tests/framework/ops_table.h"

namespace heed::test {

void add_recurrence(std::vector<OpRow>& t) {
  struct Case {
    const char* what;
    Recurrence options;
    Index h = 3;
  };
  const Spans two = packed({3, 2});
  const Spans with_empty = packed({2, 0, 3, 1});
  for (const Case& c : std::vector<Case>{
           {"one row", {.spans = packed({1})}},
           {"packed", {.spans = two}},
           {"backwards", {.spans = two, .reverse = true}},
           {"padded", {.spans = padded({2, 3}, 4)}},
           {"padded, backwards", {.spans = padded({3, 1}, 4), .reverse = true}},
           {"empty sequences", {.spans = with_empty}},
           {"nothing but empty sequences", {.spans = packed({0, 0})}},
           {"one unit", {.spans = two}, 1},
           {"odd width", {.spans = packed({2, 1})}, 19},
           {"more sequences than a group", {.spans = packed({2, 1, 2, 1, 1, 3, 1, 1, 1})}, 2},
           {"dropout", {.spans = two, .dropout = Real(0.4), .key = {5, 9}}, 5},
           {"dropout, backwards",
            {.spans = with_empty, .reverse = true, .dropout = Real(0.4), .key = {5, 9}},
            5}}) {
    const Index rows = c.options.spans.rows();
    const Index count = c.options.spans.count();
    const Index h = c.h;
    const Recurrence o = c.options;
    const auto in = [](Index m, Index n) { return Input{Shape{m, n}, -0.8, 0.8}; };
    const auto vector = [](Index n) { return Input{Shape{n}, -0.8, 0.8}; };
    const auto row = [&](const char* op, const std::string& what, std::vector<Input> inputs,
                         std::function<Variable(Xs)> f) {
      t.push_back({op, c.what + what, std::move(inputs), std::move(f), 2});
    };
    row("elman", "", {in(rows, h), in(h, h), vector(h), in(count, h)},
        [o](Xs x) { return elman(x[0], x[1], x[2], x[3], o); });
    row("elman", ", bare", {in(rows, h), in(h, h)},
        [o](Xs x) { return elman(x[0], x[1], Variable(), Variable(), o); });
    row("lstm", "", {in(rows, 4 * h), in(4 * h, h), vector(4 * h), in(count, h), in(count, h)},
        [o](Xs x) { return lstm(x[0], x[1], x[2], x[3], x[4], o); });
    row("lstm", ", bare", {in(rows, 4 * h), in(4 * h, h)},
        [o](Xs x) { return lstm(x[0], x[1], Variable(), Variable(), Variable(), o); });
    row("lstm", ", one of its parts", {in(rows, 4 * h), in(4 * h, h), in(count, h)},
        [o](Xs x) { return slice(lstm(x[0], x[1], Variable(), Variable(), x[2], o), 0, 1, 2); });
    row("gru", "", {in(rows, 3 * h), in(3 * h, h), vector(3 * h), in(count, h)},
        [o](Xs x) { return gru(x[0], x[1], x[2], x[3], o); });
    row("gru", ", bare", {in(rows, 3 * h), in(3 * h, h)},
        [o](Xs x) { return gru(x[0], x[1], Variable(), Variable(), o); });
    // With few units a norm divides by next to nothing, which differences do not follow; x apart
    // keeps the cells apart.
    if (h < 3) continue;
    const auto gain = [](Index n) { return Input{Shape{n}, 0.5, 1.5}; };
    const Input apart{Input::distinct, {rows, 4 * h}};
    row("norm_lstm", "",
        {apart, in(4 * h, h), gain(4 * h), gain(h), vector(h), in(count, h), in(count, h)},
        [o](Xs x) {
          return norm_lstm(x[0] * Real(0.5), x[1], x[2], x[3], x[4], x[5] * 2, x[6], o);
        });
  }
  t.push_back({"lstm_cell", "rows", {{3, 20}, {3, 5}}, OP(lstm_cell(x[0], x[1]))});
  t.push_back({"lstm_cell", "odd width", {{1, 76}, {1, 19}}, OP(lstm_cell(x[0], x[1]))});
  t.push_back({"lstm_cell", "no rows", {{0, 8}, {0, 2}}, OP(lstm_cell(x[0], x[1]))});
  t.push_back({"gru_cell", "rows", {{3, 15}, {3, 15}, {3, 5}}, OP(gru_cell(x[0], x[1], x[2]))});
  t.push_back(
      {"gru_cell", "odd width", {{1, 57}, {1, 57}, {1, 19}}, OP(gru_cell(x[0], x[1], x[2]))});
  t.push_back({"gru_cell", "no rows", {{0, 6}, {0, 6}, {0, 2}}, OP(gru_cell(x[0], x[1], x[2]))});
  t.push_back({"sequence_dropout",
               "packed",
               {{6, 19}},
               OP(sequence_dropout(x[0], packed({2, 0, 3, 1}), Real(0.4), {3, 4}))});
  t.push_back({"sequence_dropout",
               "padded",
               {{8, 5}},
               OP(sequence_dropout(x[0], padded({2, 3}, 4), Real(0.4), {3, 4}))});
  t.push_back({"sequence_dropout",
               "none",
               {{3, 5}},
               OP(sequence_dropout(x[0], packed({2, 1}), 0, {3, 4}))});
  t.push_back({"final_states",
               "last",
               {{6, 3}},
               OP(final_states(x[0], packed({2, 3, 1}), false, Variable()))});
  t.push_back({"final_states",
               "first",
               {{8, 3}},
               OP(final_states(x[0], padded({2, 3}, 4), true, Variable()))});
  t.push_back({"final_states",
               "of empty sequences",
               {{3, 3}, {3, 3}},
               OP(final_states(x[0], packed({0, 3, 0}), false, x[1]))});
  t.push_back({"final_states",
               "of empty sequences, from zeros",
               {{3, 3}},
               OP(final_states(x[0], packed({0, 3, 0}), true, Variable()))});
}

}  // namespace heed::test
