#pragma once

#include <algorithm>

#include "framework/kernels/dropout.h"
#include "framework/types.h"

namespace heed::kernels {

/// A (rows, width) matrix inside a wider one: row i begins at data + i * stride.
struct Rows {
  const Real* data;
  Index stride;
};
struct MutableRows {
  Real* data;
  Index stride;
  Mode mode = Mode::assign;
};

/// The keys [begin, end) that query i sees. Queries stand at the end of the keys: i's own place is
/// i + keys - queries. `causal` hides what comes after it, a window (0: none) what is that far from
/// it or further.
struct Visible {
  Index begin;
  Index end;
  Visible(bool causal, Index window, Index queries, Index keys, Index i) {
    const Index place = i + keys - queries;
    begin = window > 0 ? std::clamp<Index>(place - window + 1, 0, keys) : 0;
    end = causal ? place + 1 : keys;
    if (window > 0) end = std::min(end, place + window);
    end = std::clamp(end, begin, keys);
  }
};

/// What is the same for every sequence and head of one attention.
struct AttentionShape {
  // width: of one head; heads / kv_heads neighbours share keys and values
  Index sequences;
  Index heads;
  Index kv_heads;
  Index width;
  const Index* query_begins;
  const Index* query_lengths;
  const Index* key_begins;
  const Index* key_lengths;
  Index longest_query;
  Index longest_key;
  bool causal;
  Index window;  // 0: none
  // (heads): scores lose slope * distance; null: none
  const Real* slopes;
  Real scale;
  Dropout dropout;

  bool hides() const { return causal || window > 0; }  // some keys from some queries
};

/// Numbers of scratch memory each worker needs.
Index attention_workspace(const AttentionShape& shape);
Index attention_backward_workspace(const AttentionShape& shape);

/// y = softmax(q k^T scale - slope distance + mask) v for each sequence and head; log_sums (query
/// rows, heads) keeps each row's logsumexp. Rows of q outside the sequences are not written.
/// `weights` (null: not wanted) points at room for heads * queries * keys a sequence. `workspace`
/// holds attention_workspace() numbers for each of threads() workers.
void attention(const AttentionShape& shape, Rows q, Rows k, Rows v, MutableRows y, Real* log_sums,
               Real* const* weights, Real* workspace);

/// From dy, and what attention() took and gave. Gradients in `mode`; null data: not wanted.
void attention_backward(const AttentionShape& shape, Rows q, Rows k, Rows v, Rows y,
                        const Real* log_sums, Rows dy, MutableRows dq, MutableRows dk,
                        MutableRows dv, Real* workspace);

}  // namespace heed::kernels
