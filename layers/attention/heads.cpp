#include "layers/attention/heads.h"

namespace heed {

MultiHeadAttention::MultiHeadAttention(Index d, Index memory, int h, Real p, Random& random)
    : heads(h), query(d, d, random), key(memory, d, random), value(memory, d, random), output(d, d, random), dropout(p) {
  check(h >= 1 && d % h == 0, "attention", "expected a width that {} heads share evenly; got {}", h, d);
}

void MultiHeadAttention::visit(Visitor& v) {
  v("query", query), v("key", key), v("value", value), v("output", output), v("dropout", dropout);
}

Variable MultiHeadAttention::attend(const Variable& queries, const Spans& query_spans, const Memory& memory, const Spans& keys,
                                    const AttendOptions& options) const {
  Attention o{.heads = heads, .queries = query_spans, .keys = keys, .causal = options.causal, .weights = options.weights};
  if (dropout.drops()) o.dropout = dropout.p, o.key = step_random().next_key();
  return output(attention(query(queries), memory.keys, memory.values, o));
}

}  // namespace heed
