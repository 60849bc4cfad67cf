#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "layers/attention/attention_layer.h"

namespace heed {

/// What the family's members are built from; each reads what it needs.
struct AttentionOptions {
  // widths
  Index query = 256;
  Index memory = 256;
  Index hidden = 0;       // of additive and concat scores; 0: as wide as queries
  bool coverage = false;  // of additive: what has been looked at counts
  int heads = 4;
  int kv_heads = 0;     // of grouped_query; 0: half of heads, 1 where those are odd
  Real dropout = 0;     // on the weights of those with heads
  Index window = 16;    // of local: how far a query sees
  Index reach = 16;     // of relative: distances beyond are one
  Real base = 10000;    // of rotary
  Index longest = 512;  // of adaptive_span: what a head's span can grow to
  Real ramp = 32;       // of adaptive_span: over how many keys its sight fades
};

/// A member of the family by its name, so that a model can take any. Those without heads (additive,
/// dot, general, concat) give rows as wide as the memory, those with heads rows as wide as the
/// queries. From local on, a key's distance from its query counts.
std::unique_ptr<AttentionLayer> make_attention(std::string_view name,
                                               const AttentionOptions& options, Random& random);
std::span<const std::string_view> attention_names();

}  // namespace heed
