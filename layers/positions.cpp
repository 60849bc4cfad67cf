#include "layers/positions.h"

#include <algorithm>
#include <cmath>

namespace heed {

Ids position_ids(const Spans& spans, Index offset) {
  Ids result = Ids::zeros({spans.rows()});
  for (Index i = 0; i < spans.count(); ++i)
    for (Index t = 0; t < spans.length(i); ++t) result[spans.begin(i) + t] = static_cast<Id>(t + offset);
  return result;
}

SinusoidalPositions::SinusoidalPositions(Index d) : d_(d) {
  check(d >= 2 && d % 2 == 0, "positions", "expected an even width; got {}", d);
  extend(256);
}

void SinusoidalPositions::extend(Index length) const {
  Tensor table({length, d_});
  for (Index t = 0; t < length; ++t)
    for (Index i = 0; i < d_; i += 2) {
      const double angle = static_cast<double>(t) * std::exp(-std::log(1e4) * static_cast<double>(i) / static_cast<double>(d_));
      table[t * d_ + i] = static_cast<Real>(std::sin(angle)), table[t * d_ + i + 1] = static_cast<Real>(std::cos(angle));
    }
  table_ = table;
}

Tensor SinusoidalPositions::operator()(const Spans& spans, Index offset) const {
  if (spans.longest() + offset > table_.shape()[0]) extend(std::max(2 * table_.shape()[0], spans.longest() + offset));
  Tensor result({spans.rows(), d_});
  if (spans.tokens() != spans.rows()) std::fill_n(result.data(), result.size(), Real{0});
  for (Index i = 0; i < spans.count(); ++i)
    std::copy_n(table_.data() + offset * d_, spans.length(i) * d_, result.data() + spans.begin(i) * d_);
  return result;
}

Variable LearnedPositions::operator()(const Spans& spans, Index offset) const {
  check(spans.longest() + offset <= weight.shape()[0], "positions", "expected at most {} positions; got {}", weight.shape()[0],
        spans.longest() + offset);
  return embedding(position_ids(spans, offset), weight);
}

}  // namespace heed
