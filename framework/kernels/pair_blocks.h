#pragma once

// For kernels' .cpp files only: how work on pairs is cut.

#include "framework/kernels/pairs.h"
#include "framework/kernels/parallel.h"

namespace heed::kernels {

/// One sequence's pairs.
struct Block {
  Index queries;
  Index keys;
  Index query_begin;
  Index key_begin;
  Index begin;

  Block(const PairShape& s, Index sequence)
      : queries(s.query_lengths[sequence]),
        keys(s.key_lengths[sequence]),
        query_begin(s.query_begins[sequence]),
        key_begin(s.key_begins[sequence]),
        begin(s.begins[sequence]) {}
  Index size() const { return queries * keys; }
};

/// f(block, head) for each sequence and each of `heads`; an element of a block costs `cost`.
template <class F>
void for_blocks(const PairShape& s, Index heads, Index cost, F f) {
  parallel_for(s.sequences * heads, grain_of(cost * (s.longest_query + 1) * (s.longest_key + 1)),
               [&](Index begin, Index end) {
                 for (Index i = begin; i < end; ++i)
                   f(Block(s, i / heads), i % heads);
               });
}

}  // namespace heed::kernels
