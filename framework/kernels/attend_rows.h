#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// The rows of a key-value matrix that one query sees: rows[0 .. count), or begin, begin + 1, ...
/// where rows is null.
struct KeyList {
  const Id* rows;
  Index begin;
  Index count;
};

/// Attention for decoding, one query a row: y_r = softmax(q_r K_r^T scale) V_r for each head, where
/// K and V are the halves of the rows of kv (.., 2 d) in keys[r], d = heads * width. A row without
/// keys yields zeros. `serial`: on this thread alone.
void attend_rows(Index rows, Index heads, Index width, Real scale, const Real* q, Index q_stride,
                 const Real* kv, const KeyList* keys, Real* y, bool serial = false);

}  // namespace heed::kernels
