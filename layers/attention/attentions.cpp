#include "layers/attention/attentions.h"

#include <utility>

#include "layers/attention/multi_head.h"
#include "layers/attention/scored.h"

namespace heed {

namespace {

using O = AttentionOptions;

template <class Layer, class... Args>
std::unique_ptr<AttentionLayer> built(Args&&... args) {
  return std::make_unique<Layer>(std::forward<Args>(args)...);
}

/// A layer that reads its options itself.
template <class Layer>
std::unique_ptr<AttentionLayer> from_options(const O& o, Random& r) {
  return std::make_unique<Layer>(o, r);
}

Index hidden(const O& o) { return o.hidden > 0 ? o.hidden : o.query; }

/// With one distribution over the memory.
std::vector<AttentionKind> scored() {
  return {
      {.name = "additive",
       .paper = "Bahdanau et al. 2015",
       .points = true,
       .covers = true,
       .make =
           [](const O& o, Random& r) {
             return built<AdditiveAttention>(o.query, o.memory, hidden(o), r, o.coverage);
           }},
      {.name = "dot",
       .paper = "Luong et al. 2015",
       .points = true,
       .make = [](const O& o, Random&) { return built<DotAttention>(o.query, o.memory); }},
      {.name = "general",
       .paper = "Luong et al. 2015",
       .points = true,
       .make = [](const O& o, Random& r) { return built<GeneralAttention>(o.query, o.memory, r); }},
      {.name = "concat",
       .paper = "Luong et al. 2015",
       .points = true,
       .make = [](const O& o, Random& r) {
         return built<ConcatAttention>(o.query, o.memory, hidden(o), r);
       }}};
}

/// With heads, blind to distances.
std::vector<AttentionKind> with_heads() {
  return {{.name = "multi_head",
           .paper = "Vaswani et al. 2017",
           .has_heads = true,
           .make = from_options<MultiHeadAttention>},
          {.name = "multi_query",
           .paper = "Shazeer 2019",
           .has_heads = true,
           .make = from_options<MultiQueryAttention>},
          {.name = "grouped_query",
           .paper = "Ainslie et al. 2023",
           .has_heads = true,
           .make = from_options<GroupedQueryAttention>},
          {.name = "linear",
           .paper = "Katharopoulos et al. 2020",
           .has_heads = true,
           .make = from_options<LinearAttention>}};
}

/// With heads that see distances between queries and keys.
std::vector<AttentionKind> by_distance() {
  return {{.name = "local",
           .paper = "Beltagy et al. 2020",
           .has_heads = true,
           .by_distance = true,
           .make = from_options<LocalAttention>},
          {.name = "relative",
           .paper = "Shaw et al. 2018",
           .has_heads = true,
           .by_distance = true,
           .make = from_options<RelativeAttention>},
          {.name = "alibi",
           .paper = "Press et al. 2022",
           .has_heads = true,
           .by_distance = true,
           .make = from_options<AlibiAttention>},
          {.name = "rotary",
           .paper = "Su et al. 2021",
           .has_heads = true,
           .by_distance = true,
           .make = from_options<RotaryAttention>},
          {.name = "adaptive_span",
           .paper = "Sukhbaatar et al. 2019",
           .has_heads = true,
           .by_distance = true,
           .make = from_options<AdaptiveSpanAttention>}};
}

}  // namespace

Registry<AttentionKind>& attentions() {
  static Registry<AttentionKind> table = [] {
    Registry<AttentionKind> all("attention", {});
    for (auto* rows : {scored, with_heads, by_distance})
      for (AttentionKind& row : rows())
        all.add(std::move(row));
    return all;
  }();
  return table;
}

std::unique_ptr<AttentionLayer> make_attention(std::string_view name,
                                               const AttentionOptions& options, Random& random) {
  const AttentionKind& kind = attentions().at(name);
  check(!options.coverage || kind.covers, "attention",
        "expected additive attention for coverage; got {}", name);
  return kind.make(options, random);
}

}  // namespace heed
