#pragma once

#include <vector>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// What attention keeps of a memory: computed once, however many queries follow.
struct Memory {
  // (rows, ...), both as the layer likes them
  Variable keys;
  Variable values;
};

struct AttendOptions {
  // query i sees the keys up to i + (length of keys - length of queries)
  bool causal = false;
  // where asked for: each sequence's (heads, queries, keys), before dropout
  std::vector<Tensor>* weights = nullptr;
  // where asked for, of layers that point: the weights as ops on pairs have them, with their
  // gradient
  Variable* pairs = nullptr;
  // of layers with coverage: how much each pair was looked at before, (pairs)
  Variable covered = {};
};

/// Attention of queries to a memory, whatever the score. Rows belong to sequences as the spans say;
/// query sequence i attends to memory sequence i and to nothing else; a query that may see no key
/// yields zeros before any output projection.
class AttentionLayer {
 public:
  virtual ~AttentionLayer() = default;
  virtual void visit(Visitor& visitor) = 0;
  /// Columns of what attend() gives.
  virtual Index width() const = 0;
  /// Projects a memory (rows, memory width).
  virtual Memory remember(const Variable& memory, const Spans& spans) const = 0;
  /// (query rows, query width) -> (query rows, width()). `keys` are the spans remember() was given,
  /// or a selection of them.
  virtual Variable attend(const Variable& queries, const Spans& query_spans, const Memory& memory,
                          const Spans& keys, const AttendOptions& options = {}) const = 0;

  /// Whether it has one distribution over the memory, and so can point at words to copy.
  virtual bool points() const { return false; }

  /// Self-attention.
  Variable operator()(const Operand& x, const Spans& spans,
                      const AttendOptions& options = {}) const {
    return attend(x, spans, remember(x, spans), spans, options);
  }
};

}  // namespace heed
