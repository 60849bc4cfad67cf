#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "framework/registry.h"
#include "layers/attention/attention_layer.h"

namespace heed {

/// The options of all attentions; each reads those that it needs.
struct AttentionOptions {
  Index query = 256;      // width of the queries
  Index memory = 256;     // width of the memory
  Index hidden = 0;       // additive, concat: width inside the score; 0: as wide as the queries
  bool coverage = false;  // additive: the score reads the sum of earlier weights
  int heads = 4;          // of all below
  int kv_heads = 0;       // grouped_query; 0: half of heads, 1 where heads is odd
  Real dropout = 0;       // on the weights
  Index window = 16;      // local: a query sees the keys less than `window` from its place
  Index reach = 16;       // relative: larger distances count as this one
  Real base = 10000;      // rotary
  Index longest = 512;    // adaptive_span: the longest span, in keys
  Real ramp = 32;         // adaptive_span: keys over which a head's weights fade to 0
};

/// A row of the table of attentions.
struct AttentionKind {
  std::string name;
  std::string paper;
  bool points = false;       // it has one distribution, by which a model can copy words
  bool has_heads = false;    // it reads AttentionOptions::heads
  bool covers = false;       // it reads AttentionOptions::coverage
  bool by_distance = false;  // the distance between query and key matters
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
