#include "models/blocks.h"

#include <fmt/ranges.h>

#include "layers/attention/attentions.h"
#include "models/internal/common_fields.h"

namespace heed {

namespace {

std::vector<std::string> layer_attentions() {
  std::vector<std::string> names;
  for (const AttentionKind& kind : attentions().rows())
    if (kind.of_layers) names.push_back(kind.name);
  return names;
}

/// The schemes of positions that go with an attention.
std::vector<std::string> schemes_beside(const AttentionKind& attention) {
  std::vector<std::string> names;
  for (const PositionKind& kind : position_kinds().rows())
    if (attention.has_scores || kind.distances == Distances::none) names.push_back(kind.name);
  return names;
}

const std::vector<Choice<NormKind>> norm_kinds = {{"layer", NormKind::layer},
                                                  {"rms", NormKind::rms}};
const std::vector<Choice<FeedForwardKind>> activations = {
    {"relu", FeedForwardKind::relu},
    {"gelu", FeedForwardKind::gelu},
    {"swiglu", FeedForwardKind::swiglu},
    {"relu_squared", FeedForwardKind::relu_squared}};

template <class Enum>
std::string name_of(const std::vector<Choice<Enum>>& choices, Enum value) {
  for (const Choice<Enum>& choice : choices)
    if (choice.value == value) return choice.name;
  return "";
}

void list_attention(Fields& f, Blocks& b, const Blocks& before) {
  f("attention", b.attention, one_of(layer_attentions()),
    "of the layers; cross attention, where places have no distance, has multi_head for local and "
    "adaptive_span")
      .selects()
      .absent(before.attention);
  const AttentionKind* kind = attentions().find(b.attention);
  if (kind && kind->list) kind->list(f, b.options);
  // Of the one attention that learns spans.
  if (kind && kind->choose && kind->choose(b.options).weighing == Weighing::span)
    f("span_penalty", b.span_penalty, between(0.0, 1.0),
      "is added to the loss of a token, times the mean span of the heads of each layer");
}

void list_positions(Fields& f, Blocks& b, const Blocks& before) {
  f("positions", b.positions, one_of(position_kinds().names()),
    "how the order of tokens is told: added to their vectors (sinusoidal, learned), or by distance "
    "within self-attention")
      .selects()
      .absent(before.positions);
  const PositionKind* kind = position_kinds().find(b.positions);
  if (kind && kind->list) kind->list(f, b.options);
}

const std::vector<Choice<Recipe>> recipes = {{"classic", Recipe::classic},
                                             {"modern", Recipe::modern}};

/// The blocks of a family's paper, with what the recipe chooses instead.
Blocks by_recipe(Recipe recipe, Blocks blocks) {
  blocks.recipe = recipe;
  if (recipe == Recipe::classic) return blocks;
  blocks.positions = "rotary";
  blocks.qk_norm = true;
  blocks.zero_init = true;
  return blocks;
}

}  // namespace

void Blocks::list(Fields& f, const Blocks& before) {
  f("recipe", recipe, recipes,
    "sets what is not given: classic, as in the paper of the model; modern, what pays of later "
    "ones")
      .selects()
      .then([this, before] { *this = by_recipe(recipe, before); })
      .absent(name_of(recipes, before.recipe));
  list_attention(f, *this, before);
  list_positions(f, *this, before);
  f("norm_kind", norm, norm_kinds, "layer, or rms (without mean and bias)")
      .absent(name_of(norm_kinds, before.norm));
  f("activation", activation, activations, "inside the feed-forward layers")
      .absent(name_of(activations, before.activation));
  f("qk_norm", qk_norm, any_value(), "queries and keys of each head are normalised")
      .absent(before.qk_norm);
  f("zero_init", zero_init, any_value(),
    "the last product of each sublayer begins at 0, so that a new model passes its input on")
      .absent(before.zero_init);
  f("tied_layers", tied_layers, any_value(), "all layers of a stack share their weights")
      .absent(before.tied_layers);
  // Not "tied": configurations of old runs hold that of other families too.
  f("tied_output", tied, any_value(), "the output layer shares the weights of the embedding")
      .absent(before.tied)
      .used_by(detail::decoder_part);
  f("softcap", softcap, between(0.0, 1e6), "logits become softcap tanh(logits / softcap); 0: off")
      .absent(static_cast<double>(before.softcap))
      .used_by(detail::decoder_part);
  // It changes no bit of what is trained, so that a resumed run may have another.
  f("recompute", recompute, any_value(),
    "backward computes each layer again from its input: less memory, one more forward pass")
      .absent(before.recompute)
      .resume(Resume::free);
}

void Blocks::check(const char* op, Index d, int heads) const {
  const AttentionKind& kind = attentions().at(attention);
  check_argument(kind.of_layers, op, "attention", attention, "of {}",
                 fmt::join(layer_attentions(), ", "));
  const PositionKind& scheme = position_kind();
  const std::string_view by_recipe = recipe == Recipe::modern ? " (recipe = modern)" : "";
  const bool by_distance = scheme.distances != Distances::none;
  check_argument(kind.has_scores || !by_distance, op, "positions", positions,
                 "of {} beside attention = {}, which has no score of a query and a key that a "
                 "distance could change{}",
                 fmt::join(schemes_beside(kind), ", "), attention, by_recipe);
  check_argument(scheme.added != Added::sinusoids || d % 2 == 0, op, "d", d, "of an even number");
  check_argument(scheme.distances != Distances::rotary || d % (2 * heads) == 0, op, "heads", heads,
                 "of a number whose double divides d = {}, for positions = rotary{}", d, by_recipe);
  AttentionOptions o = options;
  o.heads = heads;
  const int shared = kind.choose ? kind.choose(o).kv_heads : 0;
  check_argument(shared == 0 || (shared > 0 && heads % shared == 0), op, "kv_heads", shared,
                 "of a divisor of heads = {}", heads);
  check_argument(softcap >= 0, op, "softcap", softcap, "of at least 0");
  check_argument(span_penalty >= 0, op, "span_penalty", span_penalty, "of at least 0");
}

LayerOptions Blocks::layers(LayerOptions o) const {
  if (o.ff == 0) o.ff = activation == FeedForwardKind::swiglu ? (8 * o.d + 2) / 3 : 4 * o.d;
  o.activation = activation;
  o.norm_kind = norm;
  o.zero_init = zero_init;
  o.attention = options;
  o.attention.heads = o.heads;
  const AttentionKind& kind = attentions().at(attention);
  if (kind.choose) o.attention = kind.choose(o.attention);
  o.attention.distances = position_kind().distances;
  o.attention.qk_norm = qk_norm;
  return o;
}

OutputLayer::OutputLayer(const Blocks& blocks, Index vocabulary, Index d, Random& random)
    : softcap(blocks.softcap) {
  if (!blocks.tied) weight = Parameter(xavier_uniform({vocabulary, d}, random));
}

Variable OutputLayer::capped(const Variable& products) const {
  return softcap > 0 ? tanh(products * (1 / softcap)) * softcap : products;
}

Variable OutputLayer::logits(const Variable& y, const Parameter& embedding) const {
  return capped(linear(y, matrix(embedding)));
}

Variable OutputLayer::loss(const Variable& y, const Parameter& embedding, const Ids& gold,
                           const CrossEntropy& options) const {
  if (softcap > 0) return cross_entropy(logits(y, embedding), gold, options);
  return linear_cross_entropy(y, matrix(embedding), gold, options);
}

}  // namespace heed
