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

constexpr Index default_window = 16;

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

void list_kv_heads(Fields& f, AttentionOptions& o, const char* help) {
  f("kv_heads", o.kv_heads, between(Index{0}, Index{1} << 20), help);
}

AttentionOptions grouped(AttentionOptions o) {
  if (o.kv_heads == 0) o.kv_heads = o.heads % 2 == 0 ? o.heads / 2 : 1;
  o.window = 0;
  return o;
}

AttentionOptions local(AttentionOptions o) {
  if (o.window == 0) o.window = default_window;
  return o;
}

/// Without what other rows read.
AttentionOptions plain(AttentionOptions o) {
  o.kv_heads = 0;
  o.window = 0;
  return o;
}

template <Weighing weighing>
AttentionOptions weighed(AttentionOptions o) {
  o = plain(o);
  o.weighing = weighing;
  return o;
}

template <Distances distances>
AttentionOptions by(AttentionOptions o) {
  o = plain(o);
  o.distances = distances;
  return o;
}

/// MultiHeadAttention with the options that `choose` makes of those given.
template <AttentionOptions (*choose)(AttentionOptions)>
std::unique_ptr<AttentionLayer> multi_head(const O& o, Random& r) {
  return built<MultiHeadAttention>(choose(o), r);
}

AttentionOptions shared_by_all(AttentionOptions o) {
  o = plain(o);
  o.kv_heads = 1;
  return o;
}

/// With heads, blind to distances.
std::vector<AttentionKind> with_heads() {
  return {{.name = "multi_head",
           .paper = "Vaswani et al. 2017",
           .has_heads = true,
           .of_layers = true,
           .choose = plain,
           .make = multi_head<plain>},
          {.name = "multi_query",
           .paper = "Shazeer 2019",
           .has_heads = true,
           .of_layers = true,
           .choose = shared_by_all,
           .make = multi_head<shared_by_all>},
          {.name = "grouped_query",
           .paper = "Ainslie et al. 2023",
           .has_heads = true,
           .of_layers = true,
           .list =
               [](Fields& f, O& o) {
                 list_kv_heads(f, o,
                               "heads of keys and values, which groups of heads share; 0: half as "
                               "many as heads (1 where heads is odd)");
               },
           .choose = grouped,
           .make = multi_head<grouped>},
          {.name = "linear",
           .paper = "Katharopoulos et al. 2020",
           .has_heads = true,
           .of_layers = true,
           .has_scores = false,
           .choose = weighed<Weighing::linear>,
           .make = multi_head<weighed<Weighing::linear>>}};
}

void list_local(Fields& f, O& o) {
  f("window", o.window, between(Index{0}, Index{1} << 30),
    fmt::format("a token sees those less than this many places away; 0: {}", default_window));
  list_kv_heads(f, o, "heads of keys and values; 0: as many as heads");
}

void list_adaptive_span(Fields& f, O& o) {
  f("longest", o.longest, between(Index{1}, Index{1} << 30),
    "the longest span of a head, in tokens");
  f("ramp", o.ramp, between(1.0, 1e6), "tokens over which a head's weights fade to 0 at its span");
}

/// With heads that see distances between queries and keys.
std::vector<AttentionKind> by_distance() {
  return {{.name = "local",
           .paper = "Beltagy et al. 2020",
           .has_heads = true,
           .by_distance = true,
           .of_layers = true,
           .list = list_local,
           .choose = local,
           .make = multi_head<local>},
          {.name = "relative",
           .paper = "Shaw et al. 2018",
           .has_heads = true,
           .by_distance = true,
           .make = multi_head<by<Distances::relative>>},
          {.name = "alibi",
           .paper = "Press et al. 2022",
           .has_heads = true,
           .by_distance = true,
           .make = multi_head<by<Distances::alibi>>},
          {.name = "rotary",
           .paper = "Su et al. 2021",
           .has_heads = true,
           .by_distance = true,
           .make = multi_head<by<Distances::rotary>>},
          {.name = "adaptive_span",
           .paper = "Sukhbaatar et al. 2019",
           .has_heads = true,
           .by_distance = true,
           .of_layers = true,
           .list = list_adaptive_span,
           .choose = weighed<Weighing::span>,
           .make = multi_head<weighed<Weighing::span>>}};
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
