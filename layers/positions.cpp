#include "layers/positions.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace heed {

namespace {

constexpr Index most_positions = std::numeric_limits<Id>::max();

void check_offset(const Spans& spans, Index offset) {
  check(offset >= 0, "positions", "expected an offset of at least 0; got {}", offset);
  check(offset <= most_positions - spans.longest(), "positions",
        "expected positions below {}; got {} rows from {} on", most_positions, spans.longest(),
        offset);
}

}  // namespace

Ids position_ids(const Spans& spans, Index offset) {
  check_offset(spans, offset);
  Ids result = Ids::zeros({spans.rows()});
  for (Index i = 0; i < spans.count(); ++i)
    for (Index t = 0; t < spans.length(i); ++t)
      result[spans.begin(i) + t] = static_cast<Id>(t + offset);
  return result;
}

namespace {

constexpr Index first_length = 256;
constexpr Index most_kept = Index{1} << 16;  // positions in the table

/// The vectors of the positions [first, first + length).
Tensor sinusoids(Index first, Index length, Index d) {
  Tensor table({length, d});
  for (Index t = 0; t < length; ++t) {
    for (Index i = 0; i < d; i += 2) {
      const double angle =
          static_cast<double>(first + t) *
          std::exp(-std::log(1e4) * static_cast<double>(i) / static_cast<double>(d));
      table[t * d + i] = static_cast<Real>(std::sin(angle));
      table[t * d + i + 1] = static_cast<Real>(std::cos(angle));
    }
  }
  return table;
}

}  // namespace

SinusoidalPositions::SinusoidalPositions(Index d) : d_(d), table_(std::make_shared<Table>()) {
  check(d >= 2 && d % 2 == 0, "positions", "expected an even width; got {}", d);
  table_->at_least(first_length, d);
}

Tensor SinusoidalPositions::Table::at_least(Index length, Index d) {
  const std::lock_guard lock(mutex_);
  const Index have = rows_.defined() ? rows_.shape()[0] : 0;
  if (have < length) rows_ = sinusoids(0, std::max(2 * have, length), d);
  return rows_;
}

Tensor SinusoidalPositions::operator()(const Spans& spans, Index offset) const {
  check_offset(spans, offset);
  const Index end = spans.longest() + offset;
  const bool kept = end <= most_kept;
  const Tensor table = kept ? table_->at_least(end, d_) : sinusoids(offset, spans.longest(), d_);
  const Real* from = table.data() + (kept ? offset * d_ : 0);
  Tensor result({spans.rows(), d_});
  if (spans.tokens() != spans.rows()) std::fill_n(result.data(), result.size(), Real{0});
  for (Index i = 0; i < spans.count(); ++i)
    std::copy_n(from, spans.length(i) * d_, result.data() + spans.begin(i) * d_);
  return result;
}

Variable LearnedPositions::operator()(const Spans& spans, Index offset) const {
  check_offset(spans, offset);
  check_argument(spans.longest() + offset <= weight.shape()[0], "positions", "positions",
                 spans.longest() + offset, "of at most {}", weight.shape()[0]);
  return embedding(position_ids(spans, offset), weight);
}

}  // namespace heed
