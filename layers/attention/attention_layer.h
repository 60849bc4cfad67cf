#pragma once

#include <vector>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// A memory's keys and values, (rows, ...) each in the form that its layer reads. They are computed
/// once for any number of queries.
struct Memory {
  Variable keys;
  Variable values;
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

  /// Self-attention.
  Variable operator()(const Operand& x, const Spans& spans,
                      const AttendOptions& options = {}) const {
    return attend(x, spans, remember(x, spans), spans, options);
  }
};

}  // namespace heed
