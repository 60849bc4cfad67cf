#include "tests/framework/ops_table/compositions.h"

// Rows of sequences pooled to one, from plain ops.

namespace heed::test {

namespace {

void add_pooled(std::vector<Composition>& t, const char* what, const Spans& spans, Index d) {
  const Shape rows{spans.rows(), d};
  Tensor shares = Tensor::zeros({spans.count(), spans.rows()});
  for (Index i = 0; i < spans.count(); ++i)
    for (Index r = spans.begin(i); r < spans.begin(i) + spans.length(i); ++r)
      shares[i * spans.rows() + r] = 1 / static_cast<Real>(spans.length(i));
  const auto mean = [=](Xs x) { return mean_rows(x[0], spans); };
  const auto composed_mean = [=](Xs x) { return matmul(shares, x[0]); };
  t.push_back(within(4, {"mean_rows", what, {rows}, mean, composed_mean}));
  const auto largest = [=](Xs x) { return max_rows(x[0], spans); };
  const auto composed_largest = [=](Xs x) {
    std::vector<Operand> pooled;
    for (Index i = 0; i < spans.count(); ++i) {
      const Index begin = spans.begin(i);
      const bool empty = spans.length(i) == 0;
      pooled.emplace_back(empty ? Variable(Tensor::zeros({d}))
                                : max(slice(x[0], 0, begin, begin + spans.length(i)), 0));
    }
    return stack(pooled, 0);
  };
  t.push_back({"max_rows", what, {rows}, largest, composed_largest});
}

}  // namespace

void add_pooling_compositions(std::vector<Composition>& t, bool small) {
  if (small) {
    add_pooled(t, "one row", Spans::packed({1}), 5);
    add_pooled(t, "odd width", Spans::padded({3, 1, 2}, 4), 19);
    add_pooled(t, "an empty one", Spans::packed({2, 0, 70}), 67);
  } else {
    std::vector<Index> lengths;
    for (Index i = 0; i < 64; ++i)
      lengths.push_back(10 + i * 7 % 11);
    add_pooled(t, "64 sentences", Spans::packed(lengths), 256);
  }
}

}  // namespace heed::test
