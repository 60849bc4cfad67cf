#include <cmath>

#include <gtest/gtest.h>

#include "framework/kernels/parallel.h"
#include "tests/framework/ops_table/table.h"

namespace heed::test {
namespace {

constexpr double close = sizeof(Real) == 8 ? 1e-11 : 2e-5;

enum class Kind { elman, lstm, norm_lstm, gru };
const std::vector<std::pair<Kind, const char*>> kinds = {{Kind::elman, "elman"},
                                                         {Kind::lstm, "lstm"},
                                                         {Kind::norm_lstm, "norm_lstm"},
                                                         {Kind::gru, "gru"}};
Index gates_of(Kind kind) {
  if (kind == Kind::elman) return 1;
  return kind == Kind::gru ? 3 : 4;
}

/// Everything an op of this family reads.
struct Inputs {
  Parameter x;
  Parameter weight;
  Parameter bias;
  Parameter gain;
  Parameter cell_gain;
  Parameter cell_bias;
  Parameter h0;
  Parameter c0;

  Inputs(Kind kind, Index rows, Index count, Index h, std::uint64_t seed) {
    Random random(seed);
    const auto draw = [&](const Shape& shape, double low, double high) {
      Tensor t(shape);
      for (Real& v : t.span())
        v = static_cast<Real>(random.uniform(low, high));
      return Parameter(t);
    };
    const Index g = gates_of(kind) * h;
    x = draw({rows, g}, -1, 1);
    weight = draw({g, h}, -0.7, 0.7);
    bias = draw({g}, -1, 1);
    gain = draw({g}, 0.5, 1.5);
    cell_gain = draw({h}, 0.5, 1.5);
    cell_bias = draw({h}, -1, 1);
    h0 = draw({count, h}, -1, 1);
    c0 = draw({count, h}, -1, 1);
  }
  std::vector<ParameterRef> all() const {
    return {x, weight, bias, gain, cell_gain, cell_bias, h0, c0};
  }
};

Variable fused(Kind kind, const Inputs& in, const Recurrence& o) {
  switch (kind) {
    case Kind::elman:
      return elman(in.x, in.weight, in.bias, in.h0, o);
    case Kind::lstm:
      return lstm(in.x, in.weight, in.bias, in.h0, in.c0, o);
    case Kind::norm_lstm:
      return norm_lstm(in.x, in.weight, in.gain, in.cell_gain, in.cell_bias, in.h0, in.c0, o);
    default:
      return gru(in.x, in.weight, in.bias, in.h0, o);
  }
}

struct State {
  Variable h;
  Variable c;
};

/// One step of one sequence. x is what the input adds to the gates, u what the state adds.
State step(Kind kind, const Inputs& in, const Variable& x, const Variable& u, const State& s) {
  const Index h = s.h.columns();
  const auto part = [&](const Variable& z, Index i) { return slice(z, 1, i * h, (i + 1) * h); };
  if (kind == Kind::elman) return {tanh(x + u), s.c};
  if (kind == Kind::gru) {
    const Variable r = sigmoid(part(x, 0) + part(u, 0));
    const Variable z = sigmoid(part(x, 1) + part(u, 1));
    return {(1 - z) * tanh(part(x, 2) + r * part(u, 2)) + z * s.h, s.c};
  }
  const Variable z = x + u;
  const Variable c = sigmoid(part(z, 1)) * s.c + sigmoid(part(z, 0)) * tanh(part(z, 2));
  const Variable normed = kind == Kind::lstm ? c : layer_norm(c, in.cell_gain, in.cell_bias);
  return {sigmoid(part(z, 3)) * tanh(normed), c};
}

/// One sequence after the other and one step after the other, from plain ops.
Variable composed(Kind kind, const Inputs& in, const Recurrence& o) {
  const Index h = in.weight.shape()[1];
  const Index rows = in.x.shape()[0];
  const Index count = o.spans.count();
  const bool cells = kind == Kind::lstm || kind == Kind::norm_lstm;
  const std::vector<Index> ones(static_cast<std::size_t>(count), 1);
  const Variable masks =
      sequence_dropout(Tensor::full({count, h}, 1), Spans::packed(ones), o.dropout, o.key);
  // The first row of each is for padding.
  std::vector<Operand> hs{Tensor::zeros({1, h})};
  std::vector<Operand> cs{Tensor::zeros({1, h})};
  Ids place = Ids::full({rows}, 0);
  for (Index s = 0; s < count; ++s) {
    State state{slice(in.h0, 0, s, s + 1), slice(in.c0, 0, s, s + 1)};
    for (Index t = 0; t < o.spans.length(s); ++t) {
      const Index row = o.spans.begin(s) + (o.reverse ? o.spans.length(s) - 1 - t : t);
      const Variable x = slice(in.x, 0, row, row + 1);
      Variable u = matmul(state.h * slice(masks, 0, s, s + 1), in.weight, {.b = true});
      u = kind == Kind::norm_lstm ? layer_norm(u, in.gain, Tensor::zeros(in.gain.shape()))
                                  : u + in.bias;
      state = step(kind, in, x, u, state);
      place[row] = static_cast<Id>(hs.size());
      hs.emplace_back(state.h);
      cs.emplace_back(state.c);
    }
  }
  const Variable y = gather(concat(hs, 0), place);
  return cells ? stack({y, gather(concat(cs, 0), place)}, 0) : y;
}

struct Layout {
  const char* name;
  Spans spans;
  Index h;
};
std::vector<Layout> layouts() {
  return {{"one row", packed({1}), 4},
          {"packed", packed({3, 5, 1}), 8},
          {"padded", padded({3, 5, 1}, 6), 8},
          {"empty ones", packed({0, 4, 0, 2}), 5},
          {"odd width", packed({4, 2}), 19},
          {"many", packed({1, 7, 3, 4, 4, 0, 9, 2, 6, 5, 8, 1, 2, 3, 2}), 33},
          {"as many as four groups", Spans::padded(std::vector<Index>(50, 3), 3), 16}};
}

struct Result {
  std::vector<Real> value;
  std::vector<std::vector<Real>> gradients;
};
Result run(const Inputs& in, const std::function<Variable()>& f) {
  Result result;
  Tape tape;
  const Variable y = f();
  Tensor weights(y.shape());
  Random random(5);
  for (Real& w : weights.span())
    w = static_cast<Real>(random.uniform(-1, 1));
  tape.backward(sum(y * weights));
  result.value = y.value().to_vector();
  for (const ParameterRef& p : in.all()) {
    result.gradients.push_back(p.gradient().defined() ? p.gradient().to_vector()
                                                      : std::vector<Real>());
    p.clear_gradient();
  }
  return result;
}

void expect_close(const std::vector<Real>& got, const std::vector<Real>& expected,
                  const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  double largest = 1;
  for (Real v : expected)
    largest = std::max(largest, std::abs(static_cast<double>(v)));
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_NEAR(static_cast<double>(got[i]), static_cast<double>(expected[i]), close * largest)
        << what << ", element " << i;
}

TEST(Recurrence, EqualsItsComposition) {
  const char* names[] = {"x", "weight", "bias", "gain", "cell_gain", "cell_bias", "h0", "c0"};
  for (const auto& [kind, name] : kinds)
    for (const Layout& layout : layouts())
      for (bool reverse : {false, true})
        for (Real p : {Real(0), Real(0.3)}) {
          const Recurrence o{
              .spans = layout.spans, .reverse = reverse, .dropout = p, .key = {3, 8}};
          const Inputs in(kind, layout.spans.rows(), layout.spans.count(), layout.h, 4);
          const std::string what = fmt::format("{}, {}{}, dropout {}", name, layout.name,
                                               reverse ? ", backwards" : "", p);
          const Result got = run(in, [&] { return fused(kind, in, o); });
          const Result expected = run(in, [&] { return composed(kind, in, o); });
          expect_close(got.value, expected.value, what);
          for (std::size_t i = 0; i < got.gradients.size(); ++i)
            expect_close(got.gradients[i], expected.gradients[i],
                         fmt::format("{}: gradient of {}", what, names[i]));
        }
}

TEST(Recurrence, GivesASequenceTheSameBitsInAnyCompany) {
  const std::vector<Index> lengths = {1, 7, 3, 4, 4, 0, 9, 2, 6, 5, 8, 1, 2, 3, 2};
  const Spans spans = Spans::packed(lengths);
  for (const auto& [kind, name] : kinds)
    for (bool reverse : {false, true}) {
      const Inputs in(kind, spans.rows(), spans.count(), 33, 6);
      const Tensor together = fused(kind, in, {.spans = spans, .reverse = reverse}).value();
      for (Index s = 0; s < spans.count(); ++s) {
        Inputs one = in;
        one.x = Parameter(in.x.value().slice(spans.begin(s), spans.begin(s) + spans.length(s)));
        one.h0 = Parameter(in.h0.value().slice(s, s + 1));
        one.c0 = Parameter(in.c0.value().slice(s, s + 1));
        const Tensor alone =
            fused(kind, one, {.spans = packed({spans.length(s)}), .reverse = reverse}).value();
        for (Index part = 0; part < together.size() / (spans.rows() * 33); ++part)
          for (Index i = 0; i < spans.length(s) * 33; ++i)
            ASSERT_EQ(together[(part * spans.rows() + spans.begin(s)) * 33 + i],
                      alone[part * spans.length(s) * 33 + i])
                << name << ", " << s;
      }
    }
}

TEST(Recurrence, GivesTheSameBitsOnAnyNumberOfThreads) {
  const int before = threads();
  for (const auto& [kind, name] : kinds) {
    const Spans spans = packed({20, 3, 17, 9, 11, 1, 0, 25, 8, 30, 2, 2, 16, 5, 5, 5, 21, 40});
    const Inputs in(kind, spans.rows(), spans.count(), 48, 6);
    const auto at = [&](int n) {
      set_threads(n);
      return run(in, [&, k = kind] {
        return fused(k, in, {.spans = spans, .dropout = Real(0.2), .key = {1, 2}});
      });
    };
    const Result one = at(1);
    for (int n : {2, 3, 8}) {
      const Result more = at(n);
      EXPECT_EQ(one.value, more.value) << name;
      EXPECT_EQ(one.gradients, more.gradients) << name;
    }
  }
  set_threads(before);
}

TEST(Recurrence, StepsOfCellsAreTheSequence) {
  const Index h = 19;
  const Inputs a(Kind::lstm, 3, 3, h, 2);
  const Inputs b(Kind::gru, 3, 3, h, 3);
  const Tensor whole = fused(Kind::lstm, a, {.spans = packed({1, 1, 1})}).value();
  expect_close(lstm_cell(a.x + linear(a.h0, a.weight, a.bias), a.c0).value().to_vector(),
               whole.to_vector(), "lstm");
  expect_close(gru_cell(b.x, linear(b.h0, b.weight, b.bias), b.h0).value().to_vector(),
               fused(Kind::gru, b, {.spans = packed({1, 1, 1})}).value().to_vector(), "gru");
}

TEST(SequenceDropout, HasOneMaskForAllRowsOfASequence) {
  const Spans spans = packed({3, 1, 0, 4});
  const Index d = 200;
  const Tensor y = sequence_dropout(Tensor::full({8, d}, 1), spans, Real(0.25), {2, 3}).value();
  Index zeros = 0;
  Index equal = 0;
  for (Index s = 0; s < 4; ++s)
    for (Index r = spans.begin(s); r < spans.begin(s) + spans.length(s); ++r)
      for (Index j = 0; j < d; ++j) {
        EXPECT_EQ(y[r * d + j], y[spans.begin(s) * d + j]);
        EXPECT_TRUE(y[r * d + j] == 0 ||
                    std::abs(static_cast<double>(y[r * d + j]) - 4.0 / 3) < 1e-6);
        zeros += y[r * d + j] == 0;
      }
  for (Index j = 0; j < d; ++j)
    equal += y[j] == y[3 * d + j];
  EXPECT_NEAR(static_cast<double>(zeros) / (8 * d), 0.25, 0.06);
  EXPECT_NEAR(static_cast<double>(equal) / d, 0.625, 0.12) << "of two independent masks";
}

}  // namespace
}  // namespace heed::test
