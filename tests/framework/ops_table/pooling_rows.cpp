#include <algorithm>
#include <limits>

#include "tests/framework/ops_table/table.h"

// Rows of sequences pooled to one row a sequence, and images cut into patches.

namespace heed::test {

namespace {

struct PooledCase {
  const char* what;
  Spans spans;
  Index d = 3;
};

std::vector<PooledCase> pooled_cases() {
  return {
      {"packed", packed({3, 2})},
      {"padded", padded({3, 1}, 4)},
      {"one row", packed({1})},
      {"one number", packed({1}), 1},
      {"an empty sequence", packed({2, 0, 3})},
      {"an empty sequence, padded", padded({2, 0, 3}, 3)},
      {"nothing but empty sequences", packed({0, 0})},
      {"nothing but padding", padded({0, 0}, 2)},
      {"no sequences", packed({})},
      {"odd width", packed({4, 1}), 19},
      {"more columns than a task", packed({2, 1}), 70},
      {"a selection", packed({2, 4, 1, 3}).select({3, 0})},
      {"no columns", packed({2, 1}), 0},
  };
}

/// The rows of each sequence become one: f(begin, length, column) is an element.
template <class F>
std::vector<double> for_each_sequence(const Spans& spans, Index d, F f) {
  std::vector<double> y;
  for (Index i = 0; i < spans.count(); ++i)
    for (Index c = 0; c < d; ++c)
      y.push_back(spans.length(i) == 0 ? 0 : f(spans.begin(i), spans.length(i), c));
  return y;
}

double at(const Tensor& x, Index row, Index column) {
  return static_cast<double>(x[row * x.shape()[1] + column]);
}

void add_pooled(std::vector<OpRow>& t, const PooledCase& c) {
  const Spans spans = c.spans;
  const Shape shape{spans.rows(), c.d};
  const Index d = c.d;
  using Inputs = std::span<const Tensor>;
  const auto mean = [=](Inputs x) {
    return for_each_sequence(spans, d, [&](Index begin, Index length, Index column) {
      double total = 0;
      for (Index row = begin; row < begin + length; ++row)
        total += at(x[0], row, column);
      return total / static_cast<double>(length);
    });
  };
  const auto max = [=](Inputs x) {
    return for_each_sequence(spans, d, [&](Index begin, Index length, Index column) {
      double largest = at(x[0], begin, column);
      for (Index row = begin; row < begin + length; ++row)
        largest = std::max(largest, at(x[0], row, column));
      return largest;
    });
  };
  const auto first = [=](Inputs x) {
    return for_each_sequence(
        spans, d, [&](Index begin, Index, Index column) { return at(x[0], begin, column); });
  };
  const auto last = [=](Inputs x) {
    return for_each_sequence(spans, d, [&](Index begin, Index length, Index column) {
      return at(x[0], begin + length - 1, column);
    });
  };
  const Input any{Input::uniform, shape};
  t.push_back({"mean_rows", c.what, {any}, [=](Xs x) { return mean_rows(x[0], spans); }, 1, mean});
  t.push_back(
      {"max_rows", c.what, {distinct(shape)}, [=](Xs x) { return max_rows(x[0], spans); }, 1, max});
  t.push_back(
      {"first_rows", c.what, {any}, [=](Xs x) { return first_rows(x[0], spans); }, 1, first});
  t.push_back({"last_rows", c.what, {any}, [=](Xs x) { return last_rows(x[0], spans); }, 1, last});
}

struct PatchCase {
  const char* what;
  Shape images;
  Index size;
};

std::vector<PatchCase> patch_cases() {
  return {{"squares", {2, 4, 6, 3}, 2},     {"one patch", {2, 3, 3, 2}, 3},
          {"pixels", {1, 2, 3, 2}, 1},      {"no images", {0, 4, 4, 2}, 2},
          {"no channels", {1, 2, 2, 0}, 2}, {"odd width", {1, 3, 9, 19}, 3}};
}

/// Patch (i, j) of an image has pixels (i p + a, j p + b).
std::vector<double> naive_patches(const Tensor& x, Index p) {
  const Shape& s = x.shape();
  std::vector<double> y;
  for (Index n = 0; n < s[0]; ++n)
    for (Index i = 0; i < s[1] / p; ++i)
      for (Index j = 0; j < s[2] / p; ++j)
        for (Index a = 0; a < p; ++a)
          for (Index b = 0; b < p; ++b)
            for (Index c = 0; c < s[3]; ++c)
              y.push_back(
                  static_cast<double>(x[((n * s[1] + i * p + a) * s[2] + j * p + b) * s[3] + c]));
  return y;
}

void add_divided_pooling(std::vector<OpRow>& t) {
  const auto row = [&](const char* op, const Input& input, Compute f, bool cuts_backward = true) {
    t.push_back({.op = op,
                 .what = "divided",
                 .inputs = {input},
                 .compute = std::move(f),
                 .size = Size::divided,
                 .cuts_backward = cuts_backward});
  };
  const Spans spans = mixed(60, 40);
  const Input some = any({spans.rows(), 75});
  const Input many = any({spans.rows(), 800});
  row("mean_rows", some, [=](Xs v) { return mean_rows(v[0], spans); });
  row("max_rows", some, [=](Xs v) { return max_rows(v[0], spans); });
  row(
      "first_rows", many, [=](Xs v) { return first_rows(v[0], spans); }, false);
  row(
      "last_rows", many, [=](Xs v) { return last_rows(v[0], spans); }, false);
  row("patches", any({5, 40, 32, 17}), OP(patches(x[0], 4)));
}

void add_hostile_pooling(std::vector<HostileCall>& calls) {
  const Variable x = parameter({3, 4});
  for (const Spans& spans : spans_for(3)) {
    calls.push_back({"mean_rows", [=] { return mean_rows(x, spans); }});
    calls.push_back({"max_rows", [=] { return max_rows(x, spans); }});
    calls.push_back({"first_rows", [=] { return first_rows(x, spans); }});
    calls.push_back({"last_rows", [=] { return last_rows(x, spans); }});
  }
  const Variable images = parameter({2, 3, 4, 2});
  constexpr Index lowest = std::numeric_limits<Index>::min();
  for (const Index i : {lowest, Index{-1}, Index{0}, Index{1}, Index{5}, Index{1} << 40}) {
    calls.push_back({"patches", [=] { return patches(images, i); }});
    calls.push_back({"patches", [=] { return patches(parameter({2, 0, 0, 3}), i); }});
    calls.push_back({"patches", [=] { return patches(parameter({0, 5, 5, 0}), i); }});
  }
}

// clang-format off
std::vector<HostileCall> refused_pooling() {
  return {
    {"mean_rows", CALL(mean_rows(Tensor({2, 3}), packed({1}))),
     "[mean_rows] expected x (rows, d) with spans over its rows; got (2, 3) and spans over 1 rows"},
    {"max_rows", CALL(max_rows(Tensor({3}), packed({3}))),
     "[max_rows] expected x (rows, d) with spans over its rows; got (3,) and spans over 3 rows"},
    {"first_rows", CALL(first_rows(Tensor({2, 3}), {})),
     "[first_rows] expected x (rows, d) with spans over its rows; got (2, 3) and spans over 0 "
     "rows"},
    {"last_rows", CALL(last_rows(Tensor({2, 3}), {})),
     "[last_rows] expected x (rows, d) with spans over its rows; got (2, 3) and spans over 0 rows"},
    {"patches", CALL(patches(Tensor({2, 3}), 2)),
     "[patches] expected x (n, height, width, d); got (2, 3)"},
    {"patches", CALL(patches(Tensor({1, 4, 6, 3}), 4)),
     "[patches] expected images that patches of 4 x 4 pixels divide; got (1, 4, 6, 3)"},
    {"patches", CALL(patches(Tensor({1, 4, 6, 3}), 0)),
     "[patches] expected patches of at least 1 pixel; got 0"},
  };
}
// clang-format on

}  // namespace

void add_pooling(OpTable& table) {
  for (const PooledCase& c : pooled_cases())
    add_pooled(table.rows, c);
  for (const PatchCase& c : patch_cases())
    table.rows.push_back({"patches",
                          c.what,
                          {any(c.images)},
                          [=](Xs x) { return patches(x[0], c.size); },
                          1,
                          [=](std::span<const Tensor> x) { return naive_patches(x[0], c.size); }});
  add_divided_pooling(table.rows);
  add_hostile_pooling(table.calls);
  for (HostileCall& call : refused_pooling())
    table.calls.push_back(std::move(call));
}

}  // namespace heed::test
