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

Tensor SinusoidalPositions::at(const Ids& positions) const {
  Index end = 0;
  for (const Id position : positions.span())
    end = std::max<Index>(end, position + 1);
  const Tensor table = end <= most_kept ? table_->at_least(end, d_) : Tensor();
  Tensor result({positions.size(), d_});
  for (Index r = 0; r < positions.size(); ++r) {
    const Tensor one = table.defined() ? Tensor() : sinusoids(positions[r], 1, d_);
    const Real* from = table.defined() ? table.data() + positions[r] * d_ : one.data();
    std::copy_n(from, d_, result.data() + r * d_);
  }
  return result;
}

Variable LearnedPositions::operator()(const Spans& spans, Index offset) const {
  check_offset(spans, offset);
  check_argument(spans.longest() + offset <= weight.shape()[0], "positions", "positions",
                 spans.longest() + offset, "of at most {}", weight.shape()[0]);
  return embedding(position_ids(spans, offset), weight);
}

Variable AddedPositions::operator()(const Variable& rows, const Spans& spans, Index offset) const {
  if (sinusoids) return rows + (*sinusoids)(spans, offset);
  if (learned) return rows + (*learned)(spans, offset);
  return rows;
}

Variable AddedPositions::at(const Variable& rows, const Ids& positions) const {
  if (sinusoids) return rows + sinusoids->at(positions);
  if (learned) return rows + embedding(positions, learned->weight);
  return rows;
}

AddedPositions make_positions(const PositionKind& kind, Index most, Index d, Random& random) {
  AddedPositions made;
  if (kind.added == Added::sinusoids) made.sinusoids.emplace(d);
  if (kind.added == Added::learned) made.learned.emplace(most, d, random);
  return made;
}

namespace {

void list_rotary(Fields& f, AttentionOptions& o) {
  f("base", o.base, between(1.0, 1e12), "rotary: larger turns more slowly with the distance");
}

void list_relative(Fields& f, AttentionOptions& o) {
  f("reach", o.reach, between(Index{0}, Index{1} << 20),
    "relative: larger distances count as this");
}

std::vector<PositionKind> built_in() {
  return {{.name = "sinusoidal", .paper = "Vaswani et al. 2017", .added = Added::sinusoids},
          {.name = "learned", .paper = "Gehring et al. 2017", .added = Added::learned},
          {.name = "rotary",
           .paper = "Su et al. 2021",
           .distances = Distances::rotary,
           .list = list_rotary},
          {.name = "alibi", .paper = "Press et al. 2022", .distances = Distances::alibi},
          {.name = "relative",
           .paper = "Shaw et al. 2018",
           .distances = Distances::relative,
           .list = list_relative},
          {.name = "none", .paper = "Kazemnejad et al. 2023"}};
}

}  // namespace

Registry<PositionKind>& position_kinds() {
  static Registry<PositionKind> table("positions", built_in());
  return table;
}

}  // namespace heed
