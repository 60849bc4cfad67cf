#pragma once

#include <algorithm>

#include "framework/kernels/dropout.h"
#include "framework/kernels/matrix.h"
#include "framework/types.h"

namespace heed::kernels {

/// The keys [begin, end) that query i sees. Queries stand at the end of the keys: the place of
/// query i is i + keys - queries. `causal` hides the keys after it. A window (0: none) hides the
/// keys that are that far from it or further.
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
  Index sequences;
  Index heads;
  Index kv_heads;              // heads / kv_heads neighbouring heads share keys and values
  Index width;                 // of one head
  const Index* query_begins;   // (sequences): first row
  const Index* query_lengths;  // (sequences)
  const Index* key_begins;
  const Index* key_lengths;
  Index longest_query;
  Index longest_key;
  bool causal;
  Index window;        // 0: none
  const Real* slopes;  // (heads): scores lose slope * distance; null: none
  Real scale;
  Dropout dropout;

  bool hides() const { return causal || window > 0; }  // some keys from some queries
};

struct AttentionInputs {
  ConstMatrix q;  // (query rows, heads * width)
  ConstMatrix k;  // (key rows, kv_heads * width)
  ConstMatrix v;  // (key rows, kv_heads * width)
};
/// What the forward pass keeps for the backward pass.
struct AttentionResults {
  ConstMatrix y;     // (query rows, heads * width)
  const Real* sums;  // (query rows, heads): of each row's weights, in the form that forward leaves
};
/// Shapes as those of the inputs. Null data: not wanted.
struct AttentionGradients {
  OutputRows q;
  OutputRows k;
  OutputRows v;
};

/// Numbers of scratch memory each worker needs.
Index attention_workspace(const AttentionShape& shape);
Index attention_backward_workspace(const AttentionShape& shape);

/// y = softmax(q k^T scale - slope distance + mask) v for each sequence and head. log_sums (query
/// rows, heads) keeps each row's logsumexp. Rows of q outside the sequences are not written.
/// `weights` (null: not wanted) points at room for heads * queries * keys numbers a sequence.
/// `workspace` holds attention_workspace() numbers, rounded up to whole vectors of 16, for each of
/// threads() workers.
void attention(const AttentionShape& shape, const AttentionInputs& in, const OutputRows& y,
               Real* log_sums, Real* const* weights, Real* workspace);

/// The gradients of attention() from dy. `results.sums` are its log_sums.
void attention_backward(const AttentionShape& shape, const AttentionInputs& in,
                        const AttentionResults& results, const ConstMatrix& dy,
                        const AttentionGradients& to, Real* workspace);

}  // namespace heed::kernels
