#pragma once

#include <cstdint>
#include <vector>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// A memory's keys and values, (rows, ...) each in the form that its layer reads. They are computed
/// once for any number of queries. Where one product gives both, `keys` holds them side by side and
/// `values` is undefined.
struct Memory {
  Variable keys;
  Variable values;
};

/// Which products of an attention with heads are computed as one. The weights of fused products
/// stand in one matrix, so that rows are read once.
enum class Fused : std::uint8_t {
  none,    // parameters query, key, value
  memory,  // query, memory: keys and values
  all,     // input: queries, keys and values, where the memory is as wide as the queries
};

/// How an attention with heads makes weights of queries and keys.
enum class Weighing : std::uint8_t {
  softmax,  // of the scores
  linear,   // products of positive features, without a softmax
  span,     // softmax within spans that are learned
};

/// What an attention with heads makes of the distance from a query's place to a key.
enum class Distances : std::uint8_t {
  none,
  rotary,    // turns queries and keys
  alibi,     // lowers scores
  relative,  // adds trained vectors to keys and values
};

/// The options of all attentions; each reads those that it needs.
struct AttentionOptions {
  Index query = 256;      // width of the queries
  Index memory = 256;     // width of the memory
  Index hidden = 0;       // additive, concat: width inside the score; 0: as wide as the queries
  bool coverage = false;  // additive: the score reads the sum of earlier weights
  int heads = 4;          // of all below
  int kv_heads = 0;       // 0: as many as heads (grouped_query: half of them, 1 where they are odd)
  Real dropout = 0;       // on the weights
  Fused fused = Fused::none;
  Weighing weighing = Weighing::softmax;
  Distances distances = Distances::none;
  bool qk_norm = false;  // normalise queries and keys
  Index window = 0;   // a query sees the keys less than `window` from its place; 0: all (local: 16)
  Index reach = 16;   // relative: larger distances count as this one
  Real base = 10000;  // rotary
  Index longest = 512;  // span: the longest one, in keys
  Real ramp = 32;       // span: keys over which a head's weights fade to 0

  bool operator==(const AttentionOptions&) const = default;
};

struct AttendOptions {
  /// Query i sees the keys up to i + (length of keys - length of queries).
  bool causal = false;
  /// Gets the weights of each sequence, (heads, queries, keys), before dropout.
  std::vector<Tensor>* weights = nullptr;
  /// Gets the weights of a layer that points, (pairing.size()), with their gradient. The order is
  /// that of Pairing in framework/ops.h.
  Variable* flat_weights = nullptr;
  /// For a layer with coverage: the sum of the weights of earlier steps, (pairing.size()).
  Variable covered = {};
};

/// Attention of queries to a memory, with any score. Spans say which rows belong to which sequence.
/// - Query sequence i attends to memory sequence i alone.
/// - A query that sees no key yields zeros, before any output projection.
class AttentionLayer {
 public:
  virtual ~AttentionLayer() = default;
  virtual void visit(Visitor& visitor) = 0;
  /// The columns of attend()'s result.
  virtual Index width() const = 0;
  /// Projects a memory (rows, memory width).
  virtual Memory remember(const Variable& memory, const Spans& spans) const = 0;
  /// (query rows, query width) -> (query rows, width()). `keys`: the spans that remember() was
  /// given, or a selection of them.
  virtual Variable attend(const Variable& queries, const Spans& query_spans, const Memory& memory,
                          const Spans& keys, const AttendOptions& options = {}) const = 0;

  /// Whether it has a single distribution over the memory, so that a model can copy words by it.
  virtual bool points() const { return false; }

  /// Self-attention: attend() to remember(x).
  virtual Variable operator()(const Operand& x, const Spans& spans,
                              const AttendOptions& options = {}) const {
    return attend(x, spans, remember(x, spans), spans, options);
  }
};

}  // namespace heed
