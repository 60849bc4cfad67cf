#pragma once

// For kernels' .cpp files only: how work on scores is cut.

#include "framework/kernels/parallel.h"
#include "framework/kernels/scores.h"

namespace heed::kernels {

/// One sequence's scores.
struct ScoreBlock {
  Index queries;
  Index keys;
  Index query_begin;
  Index key_begin;
  Index begin;

  ScoreBlock(const ScoresShape& s, Index sequence)
      : queries(s.query_lengths[sequence]),
        keys(s.key_lengths[sequence]),
        query_begin(s.query_begins[sequence]),
        key_begin(s.key_begins[sequence]),
        begin(s.begins[sequence]) {}
  Index size() const { return queries * keys; }
  /// Query i stands at this place among the keys.
  Index place(Index i) const { return i + keys - queries; }
};

/// f(block, head) for each sequence and each of `heads`. `cost`: operations for a score.
template <class F>
void for_blocks(const ScoresShape& s, Index heads, Index cost, F f) {
  parallel_for(s.sequences * heads, grain_of(cost * (s.longest_query + 1) * (s.longest_key + 1)),
               [&](Index begin, Index end) {
                 for (Index i = begin; i < end; ++i)
                   f(ScoreBlock(s, i / heads), i % heads);
               });
}

}  // namespace heed::kernels
