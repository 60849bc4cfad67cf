#include "framework/kernels/attend_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

constexpr Index chunk = 64;      // keys whose scores are held at once
constexpr Index most_heads = 8;  // of a row, that go through its keys together
constexpr Index ahead = 3;       // how many keys ahead of their use rows are prefetched
constexpr Index few_rows = 16;   // up to here each head is a task, which keeps the threads busy
static_assert(chunk % Vec::width == 0);

Vec load(const Real* from, Index count) {
  return count >= Vec::width ? Vec::load(from) : Vec::load(from, count);
}

/// out += sum_j s_j rows[j][column ..] over `vectors` vectors of columns, the last of which may be
/// short.
template <int vectors>
void add_values(Index count, const Real* s, const Real* const* rows, Index column, Index width,
                Real* out) {
  Vec sums[vectors];
  for (int c = 0; c < vectors; ++c)
    sums[c] = load(out + c * Vec::width, width - c * Vec::width);
  for (Index j = 0; j < count; ++j)
    for (int c = 0; c < vectors; ++c)
      sums[c] = multiply_add(
          Vec(s[j]), load(rows[j] + column + c * Vec::width, width - c * Vec::width), sums[c]);
  for (int c = 0; c < vectors; ++c) {
    if (const Index left = width - c * Vec::width; left >= Vec::width)
      sums[c].store(out + c * Vec::width);
    else
      sums[c].store(out + c * Vec::width, left);
  }
}

void prefetch(const Real* from, Index count) {
  for (Index c = 0; c < count; c += Index{64 / sizeof(Real)})
    __builtin_prefetch(from + c);
}

/// The running softmax of one head.
struct RunningSoftmax {
  Real top = -std::numeric_limits<Real>::infinity();  // the largest score so far
  Real total = 0;                                     // sum of exp(score - top)

  /// Turns `count` further scores into exp(score - top), and rescales `y` where one of them is the
  /// new top. `first`: there is nothing to rescale yet. Up to the next whole vector s is zeroed.
  void take(Real* s, Index count, bool first, Real* y, Index width) {
    const Index whole = (count + Vec::width - 1) / Vec::width * Vec::width;
    Real best = top;
    for (Index j = 0; j < count; ++j)
      best = std::max(best, s[j]);
    std::fill(s + count, s + whole, -std::numeric_limits<Real>::infinity());
    if (!first && best > top) {
      const Real factor = std::exp(top - best);
      total *= factor;
      for (Index c = 0; c < width; ++c)
        y[c] *= factor;
    }
    top = best;
    Vec sums = Real{0};
    for (Index j = 0; j < whole; j += Vec::width) {
      const Vec e = exp(Vec::load(s + j) - Vec(best));
      e.store(s + j);
      sums = sums + e;
    }
    total += sum(sums);
  }
};

/// Some neighbouring heads of one row, whose keys lie side by side. q, keys and values begin at the
/// first of them.
struct HeadsOfRow {
  Index heads;
  Index width;
  Real scale;
  const Real* q;
  const Real* keys;
  const Real* values;
  Index stride;  // from one cached row to the next
  const KeyList& seen;

  Index row(Index j) const { return (seen.rows ? seen.rows[j] : seen.begin + j) * stride; }
};

/// scores[h][j] of the keys [begin, begin + count), whose values lie at rows[j]. Rows are
/// prefetched: they lie anywhere, and no processor guesses where.
void score_keys(const HeadsOfRow& t, Index begin, Index count, Real (*scores)[chunk],
                const Real** rows) {
  for (Index j = 0; j < count; ++j) {
    const Real* const key = t.keys + t.row(begin + j);
    rows[j] = t.values + t.row(begin + j);
    if (begin + j + ahead < t.seen.count)
      prefetch(t.keys + t.row(begin + j + ahead), t.heads * t.width);
    prefetch(rows[j], t.heads * t.width);
    for (Index h = 0; h < t.heads; ++h)
      scores[h][j] = t.scale * dot(t.width, t.q + h * t.width, key + h * t.width);
  }
}

/// out (heads, width). Goes through the keys chunk by chunk, and rescales `out` where a chunk has a
/// larger score (docs/kernels.md).
void attend_heads(const HeadsOfRow& t, Real* out) {
  alignas(64) Real scores[most_heads][chunk];
  RunningSoftmax softmax[most_heads];
  const Real* rows[chunk];
  const Index width = t.width;
  std::fill_n(out, t.heads * width, Real{0});
  for (Index begin = 0; begin < t.seen.count; begin += chunk) {
    const Index count = std::min(chunk, t.seen.count - begin);
    score_keys(t, begin, count, scores, rows);
    for (Index h = 0; h < t.heads; ++h) {
      Real* y = out + h * width;
      softmax[h].take(scores[h], count, begin == 0, y, width);
      Index c = 0;
      for (; c + 4 * Vec::width <= width; c += 4 * Vec::width)
        add_values<4>(count, scores[h], rows, h * width + c, 4 * Vec::width, y + c);
      for (; c < width; c += Vec::width)
        add_values<1>(count, scores[h], rows, h * width + c, width - c, y + c);
    }
  }
  if (t.seen.count > 0)
    for (Index h = 0; h < t.heads; ++h)
      for (Index c = 0; c < width; ++c)
        out[h * width + c] /= softmax[h].total;
}

}  // namespace

void attend_rows(const RowAttention& a, Real* y) {
  const Index rows = a.queries.rows;
  const Index d = a.queries.columns;
  const Index width = d / a.heads;
  Index seen = 0;
  for (Index r = 0; r < rows; ++r)
    seen += a.keys[r].count;
  const Index together = a.serial || rows > few_rows ? std::min(a.heads, most_heads) : 1;
  const Index groups = (a.heads + together - 1) / together;
  const Index tasks = rows * groups;
  const Index cost = rows > 0 ? 4 * together * width * (seen / rows + 1) : 1;
  parallel_for(tasks, a.serial ? std::max<Index>(tasks, 1) : grain_of(cost),
               [=](Index begin, Index end) {
                 for (Index i = begin; i < end; ++i) {
                   const Index r = i / groups;
                   const Index first = i % groups * together;
                   const Index column = first * width;
                   attend_heads({.heads = std::min(together, a.heads - first),
                                 .width = width,
                                 .scale = a.scale,
                                 .q = a.queries.row(r) + column,
                                 .keys = a.cache + column,
                                 .values = a.cache + d + column,
                                 .stride = 2 * d,
                                 .seen = a.keys[r]},
                                y + r * d + column);
                 }
               });
}

}  // namespace heed::kernels
