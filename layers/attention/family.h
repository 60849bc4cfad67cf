#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "layers/attention/attention_layer.h"

namespace heed {

/// What the family's members are built from; each reads what it needs.
struct AttentionOptions {
  Index query = 256, memory = 256;  // widths
  Index hidden = 0;                 // of additive and concat scores; 0: as wide as queries
  int heads = 4;
  Real dropout = 0;                 // on the weights of those with heads
};

/// A member of the family by its name, so that a model can take any.
std::unique_ptr<AttentionLayer> make_attention(std::string_view name, const AttentionOptions& options, Random& random);
std::span<const std::string_view> attention_names();

}  // namespace heed
