#include "layers/attention/family.h"

#include <array>
#include <string>
#include <utility>

#include "layers/attention/multi_head.h"
#include "layers/attention/scored.h"

namespace heed {

namespace {

using O = AttentionOptions;

struct Member {
  std::string_view name;
  std::unique_ptr<AttentionLayer> (*make)(const O&, Random&);
};

template <class Layer, class... Args>
std::unique_ptr<AttentionLayer> built(Args&&... args) {
  return std::make_unique<Layer>(std::forward<Args>(args)...);
}

int kv_heads(const O& o) {
  if (o.kv_heads > 0) return o.kv_heads;
  return o.heads % 2 == 0 ? o.heads / 2 : 1;
}
Index hidden(const O& o) { return o.hidden > 0 ? o.hidden : o.query; }

constexpr Member members[] = {
    {"additive",
     [](const O& o, Random& r) {
       return built<AdditiveAttention>(o.query, o.memory, hidden(o), r, o.coverage);
     }},
    {"dot", [](const O& o, Random&) { return built<DotAttention>(o.query, o.memory); }},
    {"general",
     [](const O& o, Random& r) { return built<GeneralAttention>(o.query, o.memory, r); }},
    {"concat",
     [](const O& o, Random& r) { return built<ConcatAttention>(o.query, o.memory, hidden(o), r); }},
    {"multi_head",
     [](const O& o, Random& r) {
       return built<MultiHeadAttention>(o.query, o.memory, o.heads, o.dropout, r);
     }},
    {"multi_query",
     [](const O& o, Random& r) {
       return built<MultiQueryAttention>(o.query, o.memory, o.heads, o.dropout, r);
     }},
    {"grouped_query",
     [](const O& o, Random& r) {
       return built<GroupedQueryAttention>(o.query, o.memory, o.heads, kv_heads(o), o.dropout, r);
     }},
    {"linear",
     [](const O& o, Random& r) { return built<LinearAttention>(o.query, o.memory, o.heads, r); }},
    {"local",
     [](const O& o, Random& r) {
       return built<LocalAttention>(o.query, o.memory, o.heads, o.window, o.dropout, r);
     }},
    {"relative",
     [](const O& o, Random& r) {
       return built<RelativeAttention>(o.query, o.memory, o.heads, o.reach, o.dropout, r);
     }},
    {"alibi",
     [](const O& o, Random& r) {
       return built<AlibiAttention>(o.query, o.memory, o.heads, o.dropout, r);
     }},
    {"rotary",
     [](const O& o, Random& r) {
       return built<RotaryAttention>(o.query, o.memory, o.heads, o.base, o.dropout, r);
     }},
    {"adaptive_span",
     [](const O& o, Random& r) {
       return built<AdaptiveSpanAttention>(o.query, o.memory, o.heads, o.longest, o.ramp, o.dropout,
                                           r);
     }},
};

constexpr auto names = [] {
  std::array<std::string_view, std::size(members)> result;
  for (std::size_t i = 0; i < result.size(); ++i)
    result[i] = members[i].name;
  return result;
}();

}  // namespace

std::span<const std::string_view> attention_names() { return names; }

std::unique_ptr<AttentionLayer> make_attention(std::string_view name,
                                               const AttentionOptions& options, Random& random) {
  check(!options.coverage || name == "additive", "attention",
        "expected additive attention for coverage; got {}", name);
  for (const Member& member : members)
    if (member.name == name) return member.make(options, random);
  std::string all;
  for (std::string_view n : names)
    all += (all.empty() ? "" : ", ") + std::string(n);
  fail("[attention] expected one of {}; got {}", all, name);
}

}  // namespace heed
