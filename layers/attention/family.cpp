#include "layers/attention/family.h"

#include <array>
#include <string>

#include "layers/attention/heads.h"
#include "layers/attention/scored.h"

namespace heed {

namespace {

using Make = std::unique_ptr<AttentionLayer> (*)(const AttentionOptions&, Random&);

struct Member {
  std::string_view name;
  Make make;
};

Index hidden(const AttentionOptions& o) { return o.hidden > 0 ? o.hidden : o.query; }

constexpr Member members[] = {
    {"additive", [](const AttentionOptions& o, Random& r) -> std::unique_ptr<AttentionLayer> {
       return std::make_unique<AdditiveAttention>(o.query, o.memory, hidden(o), r);
     }},
    {"dot", [](const AttentionOptions& o, Random&) -> std::unique_ptr<AttentionLayer> { return std::make_unique<DotAttention>(o.query, o.memory); }},
    {"general", [](const AttentionOptions& o, Random& r) -> std::unique_ptr<AttentionLayer> {
       return std::make_unique<GeneralAttention>(o.query, o.memory, r);
     }},
    {"concat", [](const AttentionOptions& o, Random& r) -> std::unique_ptr<AttentionLayer> {
       return std::make_unique<ConcatAttention>(o.query, o.memory, hidden(o), r);
     }},
    {"multi_head", [](const AttentionOptions& o, Random& r) -> std::unique_ptr<AttentionLayer> {
       return std::make_unique<MultiHeadAttention>(o.query, o.memory, o.heads, o.dropout, r);
     }},
};

constexpr auto names = [] {
  std::array<std::string_view, std::size(members)> result;
  for (std::size_t i = 0; i < result.size(); ++i) result[i] = members[i].name;
  return result;
}();

}  // namespace

std::span<const std::string_view> attention_names() { return names; }

std::unique_ptr<AttentionLayer> make_attention(std::string_view name, const AttentionOptions& options, Random& random) {
  for (const Member& member : members)
    if (member.name == name) return member.make(options, random);
  std::string all;
  for (std::string_view n : names) all += (all.empty() ? "" : ", ") + std::string(n);
  fail("[attention] expected one of {}; got {}", all, name);
}

}  // namespace heed
