#pragma once

#include <algorithm>

#include "framework/kernels/attention.h"
#include "framework/kernels/parallel.h"
#include "framework/ops/views.h"
#include "framework/sequences.h"
#include "framework/tape.h"

// What ops on the rows of sequences share.

namespace heed::detail {

/// Zeros x where it has rows of no sequence, which no kernel writes.
inline void zero_rest(Tensor& x, const Spans& spans) {
  if (spans.tokens() != spans.rows()) std::fill_n(x.data(), x.size(), Real{0});
}
inline void zero_rest(const Gradient& dx, const Spans& spans) {
  if (dx && dx.mode() == Mode::assign) zero_rest(dx.tensor(), spans);
}

/// The rows of a gradient from column `offset` on. Null where it is not wanted.
inline kernels::OutputRows rows_of(const Gradient& dx, const Spans& spans, Index offset = 0) {
  if (!dx) return {};
  zero_rest(dx, spans);
  return {dx.data() + offset, dx.shape().columns(), dx.mode()};
}

/// Scratch memory for each thread.
inline Tensor workspace(Index numbers) { return Tensor({threads(), (numbers + 15) / 16 * 16}); }

/// Room for each sequence's (heads, queries, keys), left in `weights` too.
inline std::vector<Real*> room_for(std::vector<Tensor>& weights, int heads, const Spans& queries,
                                   const Spans& keys) {
  std::vector<Real*> room;
  weights.clear();
  for (Index i = 0; i < queries.count(); ++i) {
    weights.emplace_back(Shape{heads, queries.length(i), keys.length(i)});
    room.push_back(weights.back().data());
  }
  return room;
}

}  // namespace heed::detail
