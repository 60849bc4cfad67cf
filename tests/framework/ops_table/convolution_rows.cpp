#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/framework/ops_table/references.h"

namespace heed::test {

namespace {

double at(const Tensor& x, Index i) { return static_cast<double>(x[i]); }

/// Row t of a sequence of n rows: the row that tap j of `kernel` reads, or -1 where that is
/// outside.
Index tapped(const Window& window, Index kernel, Index t, Index n, Index j) {
  const Index left = window.causal ? kernel - 1 : (kernel - 1) / 2;
  const Index s = t + (j - left) * window.dilation;
  return s < 0 || s >= n ? -1 : s;
}

Reference conv1d_of(const Window& window) {
  return [window](Inputs x) {
    const Tensor& w = x[1];
    const Index out = w.shape()[0];
    const Index kernel = w.shape()[1];
    const Index in = w.shape()[2];
    const Spans& spans = window.spans;
    Numbers y(static_cast<std::size_t>(spans.rows() * out));
    for (Index i = 0; i < spans.count(); ++i)
      for (Index t = 0; t < spans.length(i); ++t)
        for (Index o = 0; o < out; ++o) {
          double sum = x.size() > 2 ? at(x[2], o) : 0;
          for (Index j = 0; j < kernel; ++j) {
            const Index s = tapped(window, kernel, t, spans.length(i), j);
            for (Index c = 0; c < in && s >= 0; ++c)
              sum += at(w, (o * kernel + j) * in + c) * at(x[0], (spans.begin(i) + s) * in + c);
          }
          y[static_cast<std::size_t>((spans.begin(i) + t) * out + o)] = sum;
        }
    return y;
  };
}

Reference depthwise_conv1d_of(const Window& window) {
  return [window](Inputs x) {
    const Index kernel = x[1].shape()[0];
    const Index d = x[1].shape()[1];
    const Spans& spans = window.spans;
    Numbers y(static_cast<std::size_t>(spans.rows() * d));
    for (Index i = 0; i < spans.count(); ++i)
      for (Index t = 0; t < spans.length(i); ++t)
        for (Index c = 0; c < d; ++c) {
          double sum = x.size() > 2 ? at(x[2], c) : 0;
          for (Index j = 0; j < kernel; ++j)
            if (const Index s = tapped(window, kernel, t, spans.length(i), j); s >= 0)
              sum += at(x[1], j * d + c) * at(x[0], (spans.begin(i) + s) * d + c);
          y[static_cast<std::size_t>((spans.begin(i) + t) * d + c)] = sum;
        }
    return y;
  };
}

Numbers gated(const Numbers& row, Inputs) {
  const std::size_t d = row.size() / 2;
  Numbers y;
  for (std::size_t i = 0; i < d; ++i)
    y.push_back(row[i] * logistic(row[d + i]));
  return y;
}

Reference weight_norm_of() {
  return [](Inputs x) {
    const Numbers v = numbers_of(x[0]);
    const Index n = x[0].shape()[0] > 0 ? x[0].size() / x[0].shape()[0] : 0;
    Numbers y;
    for (Index o = 0; o < x[0].shape()[0]; ++o) {
      const auto begin = v.begin() + o * n;
      const double norm = std::sqrt(std::inner_product(begin, begin + n, begin, 0.0));
      for (Index i = 0; i < n; ++i)
        y.push_back(at(x[1], o) * begin[i] / norm);
    }
    return y;
  };
}

/// f(image, row, column, channel) for each of the outputs of windows.
template <class F>
Expected for_each_window(const Shape& x, Extent2d size, Extent2d stride, Extent2d padding,
                         Index channels, F f) {
  const Index height = (x[1] + 2 * padding[0] - size[0]) / stride[0] + 1;
  const Index width = (x[2] + 2 * padding[1] - size[1]) / stride[1] + 1;
  Numbers y;
  for (Index n = 0; n < x[0]; ++n)
    for (Index oy = 0; oy < height; ++oy)
      for (Index ox = 0; ox < width; ++ox)
        for (Index o = 0; o < channels; ++o)
          y.push_back(f(n, oy * stride[0] - padding[0], ox * stride[1] - padding[1], o));
  return {y, Shape{x[0], height, width, channels}};
}

Reference conv2d_of(const Window2d& window) {
  return [window](Inputs in) {
    const Tensor& x = in[0];
    const Tensor& w = in[1];
    const Shape& xs = x.shape();
    const Shape& ws = w.shape();
    return for_each_window(xs, {ws[1], ws[2]}, window.stride, window.padding, ws[0],
                           [&](Index n, Index top, Index left, Index o) {
                             double sum = in.size() > 2 ? at(in[2], o) : 0;
                             for (Index tap = 0; tap < ws[1] * ws[2]; ++tap) {
                               const Index y = top + tap / ws[2];
                               const Index z = left + tap % ws[2];
                               if (y < 0 || y >= xs[1] || z < 0 || z >= xs[2]) continue;
                               for (Index c = 0; c < xs[3]; ++c)
                                 sum += at(w, (o * ws[1] * ws[2] + tap) * ws[3] + c) *
                                        at(x, ((n * xs[1] + y) * xs[2] + z) * xs[3] + c);
                             }
                             return sum;
                           });
  };
}

Reference pool2d_of(Extent2d size, Extent2d stride, bool largest) {
  return [=](Inputs in) {
    const Shape& s = in[0].shape();
    const Extent2d step{stride[0] > 0 ? stride[0] : size[0], stride[1] > 0 ? stride[1] : size[1]};
    return for_each_window(s, size, step, {0, 0}, s[3],
                           [&](Index n, Index top, Index left, Index c) {
                             Numbers window;
                             for (Index i = 0; i < size[0] * size[1]; ++i) {
                               const Index y = top + i / size[1];
                               const Index z = left + i % size[1];
                               window.push_back(at(in[0], ((n * s[1] + y) * s[2] + z) * s[3] + c));
                             }
                             if (largest) return *std::max_element(window.begin(), window.end());
                             return std::accumulate(window.begin(), window.end(), 0.0) /
                                    static_cast<double>(window.size());
                           });
  };
}

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
    t.push_back({"conv1d", what, {x, weight, bias}, dense, 1, conv1d_of(window)});
    t.push_back({"conv1d", what + ", no bias", {x, weight}, dense_no_bias, 1, conv1d_of(window)});
    t.push_back(
        {"depthwise_conv1d", what, {x, taps, {c.in}}, depthwise, 1, depthwise_conv1d_of(window)});
    t.push_back({"depthwise_conv1d",
                 what + ", no bias",
                 {x, taps},
                 depthwise_no_bias,
                 1,
                 depthwise_conv1d_of(window)});
  }
  const char* many = "more than a group of rows";
  const auto dense = OP(conv1d(x[0], x[1], x[2], {packed({66, 4}), true}));
  const auto depthwise = OP(depthwise_conv1d(x[0], x[1], x[2], {packed({66, 4}), true}));
  const auto wide = OP(depthwise_conv1d(x[0], x[1], x[2], {packed({4})}));
  t.push_back({"conv1d", many, {{70, 3}, {2, 2, 3}, {2}}, dense});
  t.push_back({"depthwise_conv1d", many, {{70, 3}, {2, 3}, {3}}, depthwise});
  t.push_back({"depthwise_conv1d", "many columns", {{4, 70}, {3, 70}, {70}}, wide});
}

/// Every combination of kernel and dilation.
void add_long_conv1d(std::vector<OpRow>& t) {
  for (const Index kernel : {1, 2, 3, 5, 8})
    for (const Index dilation : {1, 3})
      for (const bool causal : {false, true})
        for (const Spans& spans : {packed({5, 1, 9, 0, 3}), padded({5, 1, 9, 0, 3}, 11)}) {
          const Window window{spans, causal, dilation};
          const std::string what = fmt::format("kernel {}, dilation {}, causal {}, {} rows", kernel,
                                               dilation, causal, spans.rows());
          const auto dense = [=](Xs v) { return conv1d(v[0], v[1], v[2], window); };
          const auto depthwise = [=](Xs v) { return depthwise_conv1d(v[0], v[1], v[2], window); };
          t.push_back({"conv1d",
                       what,
                       {any({spans.rows(), 6}), any({7, kernel, 6}), any({7})},
                       dense,
                       10,
                       conv1d_of(window),
                       nullptr,
                       Size::large});
          t.push_back({"depthwise_conv1d",
                       what,
                       {any({spans.rows(), 19}), any({kernel, 19}), any({19})},
                       depthwise,
                       10,
                       depthwise_conv1d_of(window),
                       nullptr,
                       Size::large});
        }
}

double scaled_sum(double a, double b) { return static_cast<double>(Real(0.7)) * (a + b); }

/// What convolutional models combine with their convolutions.
void add_gates_and_norms(std::vector<OpRow>& t) {
  for (const Shape& shape : {Shape{3, 8}, Shape{2, 3, 38}, Shape{2}, Shape{0, 4}, Shape{3, 64}})
    t.push_back({"glu",
                 to_string(shape),
                 {{Input::uniform, shape}},
                 OP(glu(x[0])),
                 1,
                 rows_with_inputs(gated)});
  for (const Shape& shape : {Shape{3, 19}, Shape{}, Shape{0, 2}}) {
    const std::string what = to_string(shape);
    const Input input{Input::uniform, shape};
    t.push_back({"add_scaled",
                 what,
                 {input, input},
                 OP(add_scaled(x[0], x[1], Real(0.7))),
                 1,
                 pairs(scaled_sum)});
    t.push_back({"add_scaled", what + ", itself", {input}, OP(add_scaled(x[0], x[0], Real(0.7)))});
  }
  const auto norm = OP(weight_norm(x[0], x[1]));
  for (const Shape& shape :
       {Shape{3, 4}, Shape{2, 3, 19}, Shape{5, 1}, Shape{1, 2, 2, 3}, Shape{0, 4}}) {
    const Input gain{Input::uniform, Shape{shape[0]}};
    t.push_back({"weight_norm", to_string(shape), {away(shape), gain}, norm, 2, weight_norm_of()});
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
    t.push_back({"conv2d", what, {x, weight, bias}, conv, 2, conv2d_of(window)});
    t.push_back({"conv2d", what + ", no bias", {x, weight}, conv_no_bias, 2, conv2d_of(window)});
  }
}

void add_large_conv2d(std::vector<OpRow>& t) {
  const std::vector<Conv2dCase> cases{
      {"three images", {3, 6, 7, 5}, {4, 3, 3, 5}, {}},
      {"strides and padding", {2, 5, 6, 3}, {4, 3, 2, 3}, {.stride = {2, 3}, .padding = {2, 1}}},
      {"kernel past the image", {1, 2, 3, 2}, {3, 5, 5, 2}, {.padding = {2, 2}}},
      {"long strides", {2, 9, 9, 1}, {2, 2, 2, 1}, {.stride = {4, 3}}},
      {"more than one group", {40, 28, 28, 8}, {2, 3, 3, 8}, {.padding = {1, 1}}},
  };
  for (const Conv2dCase& c : cases)
    t.push_back({"conv2d",
                 c.what,
                 {any(c.x), any(c.weight), any({c.weight[0]})},
                 [c](Xs v) { return conv2d(v[0], v[1], v[2], c.window); },
                 10,
                 conv2d_of(c.window),
                 nullptr,
                 Size::large});
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
    t.push_back({"max_pool2d", c.what, {distinct(c.x)}, max, 1, pool2d_of(c.size, c.stride, true)});
    t.push_back({"mean_pool2d", c.what, {any(c.x)}, mean, 1, pool2d_of(c.size, c.stride, false)});
  }
}

}  // namespace

void add_convolution(std::vector<OpRow>& t) {
  add_conv1d(t);
  add_long_conv1d(t);
  add_gates_and_norms(t);
  add_conv2d(t);
  add_large_conv2d(t);
  add_pools(t);
}

}  // namespace heed::test
