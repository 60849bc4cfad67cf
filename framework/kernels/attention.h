#pragma once

#include <algorithm>

#include "framework/kernels/dropout.h"
#include "framework/kernels/matrix.h"
#include "framework/kernels/rotary.h"
#include "framework/types.h"

namespace heed::kernels {

/// The keys that query i sees: [0, sinks) and [begin, end). Queries stand at the end of the keys:
/// the place of query i is i + keys - queries. `causal` hides the keys after it. A window (0: none)
/// hides the keys that are that far from it or further, except the first `most_sinks`.
struct Visible {
  Index begin;
  Index end;
  Index sinks = 0;  // at most begin; 0 where both parts are one
  Visible(bool causal, Index window, Index queries, Index keys, Index i, Index most_sinks = 0) {
    const Index place = i + keys - queries;
    begin = window > 0 ? std::clamp<Index>(place - window + 1, 0, keys) : 0;
    end = causal ? place + 1 : keys;
    const Index allowed = std::clamp<Index>(end, 0, keys);
    if (window > 0) end = std::min(end, place + window);
    end = std::clamp(end, begin, keys);
    if (window > 0 && most_sinks > 0) add_sinks(std::min(most_sinks, allowed));
  }

 private:
  void add_sinks(Index count) {
    if (count < begin) {
      sinks = count;
      return;
    }
    begin = 0;
    end = std::max(end, count);
  }
};

/// Numbers that are added to the scores. -infinity hides a key from a query, whatever its score.
/// Null: none.
struct ScoreBias {
  const Real* pairs = nullptr;         // for each sequence a block (heads, queries, keys)
  const Index* pair_begins = nullptr;  // (sequences): where the blocks begin
  const Real* shared = nullptr;        // (shared_heads, longest query, longest key)
  Index shared_heads = 0;              // 1 or all
  const Real* keys = nullptr;          // (key rows)

  bool given() const { return pairs || shared || keys; }
};
/// Rotations of queries and keys before their products (rotary.h). Query i is at its place among
/// the keys, key j at j.
struct Rotation {
  HeadRotation head = {};
  // (positions, width / 2) from position 0 on, with earlier ones before them; null: none
  const Real* cosines = nullptr;
  const Real* sines = nullptr;
};

/// What is the same for every sequence and head of one attention.
struct AttentionShape {
  Index sequences;
  Index heads;
  Index kv_heads;              // heads / kv_heads neighbouring heads share keys and values
  Index width;                 // of one head's queries and keys
  Index value_width;           // of one head's values
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
  Index sinks = 0;   // keys that no window hides, the first ones
  Real softcap = 0;  // 0: none
  ScoreBias bias = {};
  Rotation rotation = {};

  /// Whether some queries do not see some keys.
  bool hides() const { return causal || window > 0 || bias.given(); }
  /// Whether scores are more than products of queries and keys up to where a query stops seeing.
  bool adjusts() const { return window > 0 || slopes || caps_or_biases(); }
  bool caps_or_biases() const { return softcap > 0 || bias.given(); }
};

struct AttentionInputs {
  ConstMatrix q;  // (query rows, heads * width)
  ConstMatrix k;  // (key rows, kv_heads * width)
  ConstMatrix v;  // (key rows, kv_heads * value_width)
};
/// What the forward pass keeps for the backward pass.
struct AttentionResults {
  ConstMatrix y;     // (query rows, heads * value_width)
  const Real* sums;  // (query rows, heads): of each row's weights, in the form that forward leaves
};
/// Of the biases. Null: not wanted. Those of shared and keys are shares of tasks, to be added up:
/// they begin as zeros.
struct BiasGradients {
  Output pairs;
  Real* shared = nullptr;  // (bias_shares(), shared_heads, longest query, longest key)
  Real* keys = nullptr;    // (kv_heads, key rows)
};
/// Shapes as those of the inputs. Null data: not wanted.
struct AttentionGradients {
  OutputRows q;
  OutputRows k;
  OutputRows v;
  BiasGradients bias = {};
};

/// Counts this number of multiply-adds for each head of each pair of a query and a key that it
/// sees.
void count_products(const AttentionShape& shape, Index number);

/// Numbers of scratch memory each worker needs.
Index attention_workspace(const AttentionShape& shape);
Index attention_backward_workspace(const AttentionShape& shape);
/// How many shares of the gradient of a shared bias there are. The shapes alone decide it.
Index bias_shares(const AttentionShape& shape);

/// y = softmax(cap(q k^T scale) - slope distance + bias + mask) v for each sequence and head.
/// log_sums (query rows, heads) keeps each row's logsumexp. Rows of q outside the sequences are not
/// written.
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
