#include "layers/attention/transformer_attention.h"

namespace heed {

namespace {

Attention options(int heads, const Spans& queries, const Spans& keys, bool causal,
                  const Dropout& dropout, std::vector<Tensor>* weights) {
  Attention o{
      .heads = heads, .queries = queries, .keys = keys, .causal = causal, .weights = weights};
  if (dropout.drops()) {
    o.dropout = dropout.p;
    o.key = step_random().next_key();
  }
  return o;
}

}  // namespace

SelfAttention::SelfAttention(Index d, int h, Real p, Random& random)
    : heads(h), input(d, 3 * d, random), output(d, d, random), dropout(p) {
  check_argument(h >= 1 && d % h == 0, "attention", "heads", h,
                 "of a number that shares a width of {} evenly", d);
}

Variable SelfAttention::operator()(const Operand& x, const Spans& spans, bool causal,
                                   std::vector<Tensor>* weights) const {
  return output(attention(input(x), options(heads, spans, spans, causal, dropout, weights)));
}

CrossAttention::CrossAttention(Index d, int h, Real p, Random& random)
    : heads(h), query(d, d, random), memory(d, 2 * d, random), output(d, d, random), dropout(p) {
  check_argument(h >= 1 && d % h == 0, "attention", "heads", h,
                 "of a number that shares a width of {} evenly", d);
}

Variable CrossAttention::operator()(const Operand& x, const Spans& spans,
                                    const Variable& memory_rows, const Spans& memory_spans,
                                    std::vector<Tensor>* weights) const {
  return output(attention(query(x), memory(memory_rows),
                          options(heads, spans, memory_spans, false, dropout, weights)));
}

}  // namespace heed
