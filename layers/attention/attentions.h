#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "framework/fields.h"
#include "framework/registry.h"
#include "layers/attention/attention_layer.h"

namespace heed {

/// A row of the table of attentions.
struct AttentionKind {
  std::string name;
  std::string paper;
  bool points = false;       // it has one distribution, by which a model can copy words
  bool has_heads = false;    // it reads AttentionOptions::heads
  bool covers = false;       // it reads AttentionOptions::coverage
  bool by_distance = false;  // the distance between query and key matters
  bool of_layers = false;    // the layers of a Transformer can have it
  bool has_scores = true;    // one of each query and key, which a scheme of positions can change
  /// Lists the options of it that are settings of a model.
  void (*list)(Fields&, AttentionOptions&) = nullptr;
  /// The options of a MultiHeadAttention that is this one; null: it is none.
  AttentionOptions (*choose)(AttentionOptions) = nullptr;
  std::unique_ptr<AttentionLayer> (*make)(const AttentionOptions&, Random&) = nullptr;
};

/// Attentions without heads (additive, dot, general, concat) give rows as wide as the memory; those
/// with heads give rows as wide as the queries.
Registry<AttentionKind>& attentions();

/// Throws Error when
/// - there is no attention of this name: the message lists all names;
/// - an option does not fit this attention.
std::unique_ptr<AttentionLayer> make_attention(std::string_view name,
                                               const AttentionOptions& options, Random& random);

}  // namespace heed
