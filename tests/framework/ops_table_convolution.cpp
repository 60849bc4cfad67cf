#include "tests/framework/ops_table.h"

namespace heed::test {

namespace {

struct Conv1dCase {
  const char* what;
  Window window;
  Index kernel = 3;
  Index in = 4;
  Index out = 5;
};

std::vector<Conv1dCase> conv1d_cases() {
  // clang-format off
  return {
    {"centred", {packed({4, 3})}},
    {"causal", {packed({4, 3}), true}},
    {"even kernel", {packed({4, 3})}, 4},
    {"even kernel, causal", {packed({4, 3}), true}, 2},
    {"padded", {padded({3, 1}, 4)}},
    {"padded, causal", {padded({3, 4}, 5), true}},
    {"an empty sequence", {packed({2, 0, 3})}},
    {"an empty sequence, padded", {padded({2, 0, 3}, 3), true}},
    {"kernel longer than a sequence", {packed({1, 2, 4})}, 7},
    {"kernel longer than a sequence, causal", {packed({1, 2, 4}), true}, 6},
    {"dilated", {packed({6, 2}), false, 2}},
    {"dilated, causal", {packed({7, 3}), true, 3}},
    {"dilated past the ends, padded", {padded({2, 5}, 5), true, 4}},
    {"kernel of one", {packed({3, 2})}, 1},
    {"kernel of one, padded", {padded({3, 2}, 4)}, 1},
    {"odd widths", {packed({5}), true}, 3, 19, 17},
    {"widths of one", {packed({5})}, 3, 1, 1},
    {"one row", {packed({1})}},
    {"no rows", {packed({0})}},
    {"no sequence", {packed({})}},
  };
  // clang-format on
}

void add_conv1d(std::vector<OpRow>& t) {
  for (const Conv1dCase& c : conv1d_cases()) {
    const std::string what = c.what;
    const Window window = c.window;
    const Input x{window.spans.rows(), c.in};
    const Input weight{c.out, c.kernel, c.in};
    const Input bias{c.out};
    const Input taps{c.kernel, c.in};
    const auto dense = [=](Xs v) { return conv1d(v[0], v[1], v[2], window); };
    const auto dense_no_bias = [=](Xs v) { return conv1d(v[0], v[1], Variable(), window); };
    const auto depthwise = [=](Xs v) { return depthwise_conv1d(v[0], v[1], v[2], window); };
    const auto depthwise_no_bias = [=](Xs v) {
      return depthwise_conv1d(v[0], v[1], Variable(), window);
    };
    t.push_back({"conv1d", what, {x, weight, bias}, dense});
    t.push_back({"conv1d", what + ", no bias", {x, weight}, dense_no_bias});
    t.push_back({"depthwise_conv1d", what, {x, taps, {c.in}}, depthwise});
    t.push_back({"depthwise_conv1d", what + ", no bias", {x, taps}, depthwise_no_bias});
  }
  const char* many = "more than a group of rows";
  const auto dense = OP(conv1d(x[0], x[1], x[2], {packed({66, 4}), true}));
  const auto depthwise = OP(depthwise_conv1d(x[0], x[1], x[2], {packed({66, 4}), true}));
  const auto wide = OP(depthwise_conv1d(x[0], x[1], x[2], {packed({4})}));
  t.push_back({"conv1d", many, {{70, 3}, {2, 2, 3}, {2}}, dense});
  t.push_back({"depthwise_conv1d", many, {{70, 3}, {2, 3}, {3}}, depthwise});
  t.push_back({"depthwise_conv1d", "many columns", {{4, 70}, {3, 70}, {70}}, wide});
}

/// What convolutional models combine with their convolutions.
void add_gates_and_norms(std::vector<OpRow>& t) {
  for (const Shape& shape : {Shape{3, 8}, Shape{2, 3, 38}, Shape{2}, Shape{0, 4}, Shape{3, 64}})
    t.push_back({"glu", to_string(shape), {{Input::uniform, shape}}, OP(glu(x[0]))});
  for (const Shape& shape : {Shape{3, 19}, Shape{}, Shape{0, 2}}) {
    const std::string what = to_string(shape);
    const Input input{Input::uniform, shape};
    t.push_back({"add_scaled", what, {input, input}, OP(add_scaled(x[0], x[1], Real(0.7)))});
    t.push_back({"add_scaled", what + ", itself", {input}, OP(add_scaled(x[0], x[0], Real(0.7)))});
  }
  const auto norm = OP(weight_norm(x[0], x[1]));
  for (const Shape& shape :
       {Shape{3, 4}, Shape{2, 3, 19}, Shape{5, 1}, Shape{1, 2, 2, 3}, Shape{0, 4}}) {
    const Input gain{Input::uniform, Shape{shape[0]}};
    t.push_back({"weight_norm", to_string(shape), {away(shape), gain}, norm, 2});
  }
  const auto product = OP(linear(x[2], weight_norm(x[0], x[1])));
  t.push_back({"weight_norm", "of a product", {{3, 4}, {3}, {2, 4}}, product, 3});
}

struct Conv2dCase {
  const char* what;
  Shape x;
  Shape weight;
  Window2d window;
};

std::vector<Conv2dCase> conv2d_cases() {
  // clang-format off
  return {
    {"plain", {2, 4, 5, 3}, {2, 3, 3, 3}, {}},
    {"padded", {1, 3, 4, 2}, {3, 3, 3, 2}, {.padding = {1, 1}}},
    {"padded more than the kernel", {1, 2, 2, 2}, {2, 2, 1, 2}, {.padding = {2, 3}}},
    {"strides", {1, 5, 7, 2}, {2, 2, 3, 2}, {.stride = {2, 3}}},
    {"strides, padded", {2, 5, 4, 1}, {2, 3, 3, 1}, {.stride = {2, 2}, .padding = {1, 0}}},
    {"strides that skip pixels", {1, 6, 6, 1}, {2, 1, 2, 1}, {.stride = {3, 3}}},
    {"one pixel", {1, 1, 1, 3}, {2, 1, 1, 3}, {}},
    {"odd widths", {1, 3, 3, 17}, {19, 2, 2, 17}, {.padding = {1, 1}}},
    {"no images", {0, 4, 4, 2}, {2, 3, 3, 2}, {}},
  };
  // clang-format on
}

void add_conv2d(std::vector<OpRow>& t) {
  for (const Conv2dCase& c : conv2d_cases()) {
    const std::string what = c.what;
    const Window2d window = c.window;
    const Input x{Input::uniform, c.x};
    const Input weight{Input::uniform, c.weight};
    const Input bias{c.weight[0]};
    const auto conv = [=](Xs v) { return conv2d(v[0], v[1], v[2], window); };
    const auto conv_no_bias = [=](Xs v) { return conv2d(v[0], v[1], Variable(), window); };
    t.push_back({"conv2d", what, {x, weight, bias}, conv, 2});
    t.push_back({"conv2d", what + ", no bias", {x, weight}, conv_no_bias, 2});
  }
}

struct PoolCase {
  const char* what;
  Shape x;
  Extent2d size;
  Extent2d stride = {0, 0};
};

std::vector<PoolCase> pool_cases() {
  // clang-format off
  return {
    {"halves", {2, 4, 4, 3}, {2, 2}},
    {"what is left over", {1, 5, 7, 2}, {2, 3}},
    {"overlapping", {1, 4, 5, 2}, {3, 2}, {1, 1}},
    {"gaps", {1, 6, 6, 1}, {2, 2}, {3, 4}},
    {"whole images", {3, 2, 3, 19}, {2, 3}},
    {"single pixels", {1, 2, 2, 2}, {1, 1}},
    {"no images", {0, 2, 2, 2}, {2, 2}},
  };
  // clang-format on
}

void add_pools(std::vector<OpRow>& t) {
  for (const PoolCase& c : pool_cases()) {
    const auto max = [c](Xs v) { return max_pool2d(v[0], c.size, c.stride); };
    const auto mean = [c](Xs v) { return mean_pool2d(v[0], c.size, c.stride); };
    t.push_back({"max_pool2d", c.what, {distinct(c.x)}, max});
    t.push_back({"mean_pool2d", c.what, {{Input::uniform, c.x}}, mean});
  }
}

}  // namespace

void add_convolution(std::vector<OpRow>& t) {
  add_conv1d(t);
  add_gates_and_norms(t);
  add_conv2d(t);
  add_pools(t);
}

}  // namespace heed::test
