#include "framework/kernels/decoder_step.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "framework/kernels/packed.h"
#include "framework/kernels/top_k.h"
#include "framework/random.h"

// The kernels of a step of decoding against plain loops in double precision.
// tests/models/decode_test.cpp compares whole steps.

namespace heed {
namespace {

std::vector<Real> random_numbers(Index n, std::uint64_t seed) {
  Random random(seed);
  std::vector<Real> x(static_cast<std::size_t>(n));
  for (Real& v : x)
    v = static_cast<Real>(random.uniform() * 2 - 1);
  return x;
}

TEST(StepLinear, IsTheProductWithWhatIsFusedIntoIt) {
  struct Row {
    Index m;
    Index in;
    Index out;
    bool bias;
    bool relu;
    Mode mode;
  };
  constexpr Mode assign = Mode::assign;
  constexpr Mode accumulate = Mode::accumulate;
  for (const Row& row :
       {Row{1, 19, 7, true, false, assign}, Row{5, 64, 64, false, false, assign},
        Row{33, 20, 65, true, true, assign}, Row{2, 256, 130, true, false, accumulate},
        Row{40, 3, 64, false, true, accumulate}, Row{300, 17, 70, true, true, accumulate},
        Row{9, 600, 50, true, true, accumulate}, Row{0, 8, 8, true, false, assign},
        Row{1, 1, 1, false, false, accumulate}}) {
    const Index ldx = row.in + 3;
    const Index ldy = row.out + 2;
    const auto x = random_numbers(row.m * ldx, 1);
    const auto w = random_numbers(row.out * row.in, 2);
    const auto b = random_numbers(row.out, 3);
    const auto before = random_numbers(row.m * ldy, 4);
    std::vector<Real> packed(static_cast<std::size_t>(kernels::packed_size(row.in, row.out)));
    kernels::pack_panels(transposed(kernels::dense(w.data(), row.out, row.in)), packed.data());
    const kernels::StepLinear linear{packed.data(), row.bias ? b.data() : nullptr, row.in, row.out};
    for (const Index grain : {0, 1, 1000}) {
      std::vector<Real> y = before;
      kernels::step_linear(linear, {x.data(), row.m, row.in, ldx}, {y.data(), row.m, row.out, ldy},
                           {.relu = row.relu, .mode = row.mode, .grain = grain});
      for (Index i = 0; i < row.m; ++i) {
        for (Index j = 0; j < row.out; ++j) {
          double expected = row.bias ? static_cast<double>(b[j]) : 0;
          for (Index p = 0; p < row.in; ++p)
            expected +=
                static_cast<double>(x[i * ldx + p]) * static_cast<double>(w[j * row.in + p]);
          if (row.mode == accumulate) expected += static_cast<double>(before[i * ldy + j]);
          if (row.relu) expected = std::max(expected, 0.0);
          ASSERT_NEAR(y[i * ldy + j], expected, 2e-5)
              << row.m << " x " << row.in << " x " << row.out << " at " << i << ", " << j;
        }
        for (Index j = row.out; j < ldy; ++j)
          ASSERT_EQ(y[i * ldy + j], before[i * ldy + j]) << "beyond the row";
        // A row alone has the same bits.
        std::vector<Real> alone(before.begin() + i * ldy, before.begin() + (i + 1) * ldy);
        kernels::step_linear(linear, {x.data() + i * ldx, 1, row.in, ldx},
                             {alone.data(), 1, row.out, ldy}, {.relu = row.relu, .mode = row.mode});
        for (Index j = 0; j < row.out; ++j)
          ASSERT_EQ(alone[j], y[i * ldy + j]) << "row " << i;
      }
    }
  }
}

TEST(AttendRows, IsSoftmaxTimesValues) {
  for (const auto& [heads, width] :
       {std::pair<Index, Index>{1, 1}, {4, 64}, {2, 19}, {3, 16}, {1, 130}, {10, 8}})
    for (const Index longest : {0, 1, 20, 64, 65, 200}) {
      const Index d = heads * width;
      const Index rows = 3;
      const Index q_stride = d + 5;
      const auto q = random_numbers(rows * q_stride, 5);
      const auto kv = random_numbers((longest + 1) * 2 * d, 6);
      std::vector<Id> order;
      for (Index j = 0; j < longest; ++j)
        order.push_back(static_cast<Id>((j * 7 + 3) % (longest + 1)));
      const kernels::KeyList keys[] = {
          {order.data(), 0, longest}, {nullptr, 1, longest}, {order.data(), 0, longest / 2}};
      const Real scale = Real(3) / std::sqrt(static_cast<Real>(width));
      for (const bool serial : {false, true}) {
        std::vector<Real> y(static_cast<std::size_t>(rows * d), Real(7));
        kernels::attend_rows({.heads = heads,
                              .scale = scale,
                              .queries = {q.data(), rows, d, q_stride},
                              .cache = kv.data(),
                              .keys = keys,
                              .serial = serial},
                             y.data());
        for (Index r = 0; r < rows; ++r)
          for (Index h = 0; h < heads; ++h) {
            std::vector<double> e;
            double total = 0;
            const auto at = [&](Index j) {
              return kv.data() + (keys[r].rows ? keys[r].rows[j] : keys[r].begin + j) * 2 * d +
                     h * width;
            };
            for (Index j = 0; j < keys[r].count; ++j) {
              double s = 0;
              for (Index c = 0; c < width; ++c)
                s += static_cast<double>(q[r * q_stride + h * width + c]) *
                     static_cast<double>(at(j)[c]);
              e.push_back(std::exp(s * static_cast<double>(scale)));
              total += e.back();
            }
            for (Index c = 0; c < width; ++c) {
              double expected = 0;
              for (Index j = 0; j < keys[r].count; ++j)
                expected += e[j] / total * static_cast<double>(at(j)[d + c]);
              ASSERT_NEAR(y[r * d + h * width + c], expected, 2e-5)
                  << heads << " heads of " << width << ", " << longest << " keys, row " << r;
            }
          }
      }
    }
}

// Whole steps ------------------------------------------------------------------------------------

using Numbers = std::vector<double>;

/// y = x W^T + b, and its packed form.
struct Product {
  std::vector<Real> w;
  std::vector<Real> b;
  std::vector<Real> packed;
  Index in;

  Product(Index columns, Index out, std::uint64_t seed)
      : w(random_numbers(columns * out, seed)),
        b(random_numbers(out, seed + 1)),
        packed(static_cast<std::size_t>(kernels::packed_size(columns, out))),
        in(columns) {
    kernels::pack_panels(transposed(kernels::dense(w.data(), out, in)), packed.data());
  }
  Index out() const { return static_cast<Index>(b.size()); }
  kernels::StepLinear view() const { return {packed.data(), b.data(), in, out()}; }
  Numbers operator()(const Numbers& x) const {
    Numbers y;
    for (Index j = 0; j < out(); ++j) {
      y.push_back(static_cast<double>(b[j]));
      for (Index c = 0; c < in; ++c)
        y.back() += x[c] * static_cast<double>(w[j * in + c]);
    }
    return y;
  }
};

struct Norm {
  std::vector<Real> gain;
  std::vector<Real> bias;

  Norm(Index d, std::uint64_t seed)
      : gain(random_numbers(d, seed)), bias(random_numbers(d, seed + 1)) {}
  kernels::StepNorm view() const { return {gain.data(), bias.data()}; }
  Numbers operator()(const Numbers& x) const {
    const double n = static_cast<double>(x.size());
    double mean = 0;
    double variance = 0;
    for (double v : x)
      mean += v / n;
    for (double v : x)
      variance += (v - mean) * (v - mean) / n;
    Numbers y;
    for (std::size_t c = 0; c < x.size(); ++c)
      y.push_back((x[c] - mean) / std::sqrt(variance + 1e-5) * static_cast<double>(gain[c]) +
                  static_cast<double>(bias[c]));
    return y;
  }
};

/// concat(heads) of q over keys and values [k, v] that lie one after the other.
Numbers attend(const Numbers& q, const std::vector<Numbers>& keys_values, Index heads) {
  const Index d = static_cast<Index>(q.size());
  const Index width = d / heads;
  Numbers y(q.size(), 0);
  for (Index h = 0; h < heads; ++h) {
    Numbers e;
    double total = 0;
    for (const Numbers& kv : keys_values) {
      double score = 0;
      for (Index c = h * width; c < (h + 1) * width; ++c)
        score += q[c] * kv[c];
      e.push_back(std::exp(score / std::sqrt(static_cast<double>(width))));
      total += e.back();
    }
    for (std::size_t j = 0; j < e.size(); ++j)
      for (Index c = h * width; c < (h + 1) * width; ++c)
        y[c] += e[j] / total * keys_values[j][d + c];
  }
  return y;
}

constexpr Index width_of_model = 12;
constexpr Index rows_of_source = 3;

/// A sublayer with its weights, and what f is by definition.
struct Sublayer {
  kernels::StepKind kind;
  NormPlace place;
  Index heads;
  bool gelu;
  Product in;
  Product out;
  Norm norm;
  std::vector<Real> cache;   // room for each row's keys and values, behind one row of older ones
  std::vector<Real> source;  // keys and values

  Sublayer(kernels::StepKind k, NormPlace p, Index h, bool g, Index hidden, std::uint64_t seed)
      : kind(k),
        place(p),
        heads(h),
        gelu(g),
        in(width_of_model, hidden, seed),
        out(k == kernels::StepKind::feed_forward ? hidden : width_of_model, width_of_model,
            seed + 10),
        norm(width_of_model, seed + 20),
        cache(random_numbers(2 * width_of_model, seed + 30)),
        source(random_numbers(rows_of_source * 2 * width_of_model, seed + 40)) {}

  kernels::StepSublayer view(Index rows) {
    cache.resize(static_cast<std::size_t>((1 + rows) * 2 * width_of_model));
    return {.kind = kind,
            .in = in.view(),
            .out = out.view(),
            .heads = heads,
            .gelu = gelu,
            .place = place,
            .norm = norm.view(),
            .cache = cache.data(),
            .memory = source.data()};
  }
  static Numbers row_of(const std::vector<Real>& numbers, Index i) {
    const auto begin = numbers.begin() + i * 2 * width_of_model;
    return {begin, begin + 2 * width_of_model};
  }
  Numbers f(const Numbers& z) const {
    Numbers middle = in(z);
    if (kind == kernels::StepKind::self_attention) {
      const Numbers query(middle.begin(), middle.begin() + width_of_model);
      const Numbers own(middle.begin() + width_of_model, middle.end());
      return out(attend(query, {row_of(cache, 0), own}, heads));
    }
    if (kind == kernels::StepKind::cross_attention)
      return out(attend(middle, {row_of(source, 1), row_of(source, 2)}, heads));
    const auto gelu_of = [](double v) {
      return v / 2 * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (v + 0.044715 * v * v * v)));
    };
    for (double& v : middle)
      v = gelu ? gelu_of(v) : std::max(v, 0.0);
    return out(middle);
  }
  Numbers operator()(const Numbers& x) const {
    const auto plus = [&](Numbers a, const Numbers& b) {
      std::transform(a.begin(), a.end(), b.begin(), a.begin(), std::plus<>());
      return a;
    };
    return place == NormPlace::pre ? plus(x, f(norm(x))) : norm(plus(x, f(x)));
  }
};

std::vector<Sublayer> some_sublayers(const std::string& kinds) {
  std::vector<Sublayer> result;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const NormPlace place = std::islower(kinds[i]) ? NormPlace::pre : NormPlace::post;
    const std::uint64_t seed = 100 * (i + 1);
    const int kind = std::tolower(kinds[i]);
    using enum kernels::StepKind;
    if (kind == 's') result.emplace_back(self_attention, place, 3, false, 36, seed);
    if (kind == 'c') result.emplace_back(cross_attention, place, 2, false, 12, seed);
    if (kind == 'f') result.emplace_back(feed_forward, place, 1, i % 2 == 1, 50, seed);
  }
  return result;
}

/// One step of `rows` rows, each of which sees an older position besides its own.
struct Step {
  std::vector<Sublayer> sublayers;
  Norm last{width_of_model, 1};
  Product scores{width_of_model, 9, 3};
  std::vector<Real> x;
  std::vector<Real> logits;

  Step(const std::string& kinds, Index rows)
      : sublayers(some_sublayers(kinds)),
        x(random_numbers(rows * width_of_model, 7)),
        logits(static_cast<std::size_t>(rows * 9)) {}

  void run(Index rows) {
    std::vector<kernels::StepSublayer> views;
    for (Sublayer& s : sublayers)
      views.push_back(s.view(rows));
    const kernels::DecoderStep model{.sublayers = views.data(),
                                     .sublayer_count = static_cast<Index>(views.size()),
                                     .d = width_of_model,
                                     .norm = last.view(),
                                     .scores = scores.view()};
    std::vector<Id> seen;
    for (Index r = 0; r < rows; ++r)
      seen.insert(seen.end(), {0, static_cast<Id>(1 + r)});
    std::vector<kernels::KeyList> past;
    for (Index r = 0; r < rows; ++r)
      past.push_back({seen.data() + 2 * r, 0, 2});
    const std::vector<kernels::KeyList> source(static_cast<std::size_t>(rows),
                                               {nullptr, 1, rows_of_source - 1});
    std::vector<Real> scratch(static_cast<std::size_t>(kernels::decoder_step_scratch(model, rows)));
    kernels::decoder_step(model, {rows, 1, past.data(), source.data()}, x.data(), scratch.data(),
                          logits.data());
  }
};

// s, c, f: self-attention, cross-attention, feed-forward with the norm before; large: after the
// sum.
TEST(DecoderStep, IsItsSublayersInOrder) {
  for (const std::string kinds :
       {"", "s", "S", "c", "C", "f", "F", "ff", "scf", "SCF", "sfsf", "FcS", "fScFsC"})
    for (const Index rows : {1, 7, 70}) {
      Step step(kinds, rows);
      const std::vector<Real> before = step.x;
      step.run(rows);
      for (Index r = 0; r < rows; ++r) {
        const auto begin = before.begin() + r * width_of_model;
        Numbers expected(begin, begin + width_of_model);
        for (const Sublayer& s : step.sublayers)
          expected = s(expected);
        expected = step.last(expected);
        for (Index c = 0; c < width_of_model; ++c)
          ASSERT_NEAR(step.x[r * width_of_model + c], expected[c], 1e-4) << kinds << ", row " << r;
        expected = step.scores(expected);
        for (Index c = 0; c < 9; ++c)
          ASSERT_NEAR(step.logits[r * 9 + c], expected[c], 1e-4) << kinds << ", row " << r;
      }
    }
}

// Against a stable sort of the row: the largest come first, equal ones in the order of their
// columns, and NaN is never chosen.
TEST(TopK, IsTheHeadOfTheSorted) {
  struct Row {
    const char* name;
    Index n;
    Index k;
    int values;  // how many different values occur; few make ties
    bool nan;
  };
  for (const Row& row :
       {Row{"one of one", 1, 1, 9, false}, Row{"all", 20, 20, 1000, false},
        Row{"greedy", 8000, 1, 100'000, false}, Row{"a beam", 8000, 5, 100'000, false},
        Row{"ties", 1000, 7, 5, false}, Row{"short of a vector", 15, 3, 100, false},
        Row{"beside NaN", 300, 4, 1000, true}, Row{"all equal", 77, 3, 1, false}}) {
    constexpr Index m = 5;
    Random random(3);
    std::vector<Real> x(static_cast<std::size_t>(m * row.n));
    std::vector<Real> values(static_cast<std::size_t>(m * row.k));
    for (Real& v : x)
      v = static_cast<Real>(
              static_cast<int>(random.below(static_cast<std::uint64_t>(row.values)))) -
          3;
    if (row.nan)
      for (Index i = 0; i < m; ++i)
        for (Index j = row.k; j < row.n; j += 3)
          x[i * row.n + j] = std::numeric_limits<Real>::quiet_NaN();
    std::vector<Id> columns(values.size());
    kernels::top_k(m, row.n, row.k, x.data(), values.data(), columns.data());
    for (Index i = 0; i < m; ++i) {
      std::vector<Id> order;
      for (Index j = 0; j < row.n; ++j)
        if (!std::isnan(x[i * row.n + j])) order.push_back(static_cast<Id>(j));
      std::stable_sort(order.begin(), order.end(),
                       [&](Id a, Id b) { return x[i * row.n + a] > x[i * row.n + b]; });
      for (Index c = 0; c < row.k; ++c) {
        ASSERT_EQ(columns[i * row.k + c], order[c]) << row.name << ", row " << i;
        ASSERT_EQ(values[i * row.k + c], x[i * row.n + order[c]]) << row.name << ", row " << i;
      }
    }
  }
}

}  // namespace
}  // namespace heed
