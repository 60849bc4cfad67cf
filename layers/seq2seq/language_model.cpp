#include "layers/seq2seq/language_model.h"

#include "layers/step_decoder.h"

namespace heed {

namespace {

LayerOptions layer_options(const LanguageModelOptions& o) {
  return {.d = o.d, .heads = o.heads, .ff = o.ff > 0 ? o.ff : 4 * o.d, .dropout = o.dropout, .norm = NormPlace::pre, .activation = Activation::gelu};
}

struct PackedModel : Prepared {
  PackedModel(const std::vector<EncoderLayer>& layers, const LayerNorm& norm, const Tensor& output) : decoder(layers, norm, output) {}
  StepWeights decoder;
};

struct State : DecoderState {
  State(const std::shared_ptr<const PackedModel>& weights, Index rows) : packed(weights), decoder(weights->decoder, rows) {}
  Index rows() const override { return decoder.cache.rows(); }
  void select(std::span<const Index> rows) override { decoder.cache.select(rows); }
  std::shared_ptr<const PackedModel> packed;
  StepDecoder decoder;
};

}  // namespace

LanguageModel::LanguageModel(const LanguageModelOptions& o, Random& random)
    : options_(o), embedding_(o.vocabulary, o.d, random), positions_(o.context, o.d, random), dropout_(o.dropout), norm_(o.d) {
  check(o.vocabulary > 0 && o.layers >= 1, "lm", "expected a vocabulary and at least one layer; got {} and {}", o.vocabulary, o.layers);
  for (int i = 0; i < o.layers; ++i) layers_.emplace_back(layer_options(o), random);
}

VocabularyParameters LanguageModel::vocabulary_parameters() const { return {{}, {embedding_.weight}}; }

void LanguageModel::visit(Visitor& v) {
  v("embedding", embedding_), v("positions", positions_), v("dropout", dropout_), v("layers", layers_), v("norm", norm_);
}

Variable LanguageModel::body(const Sequences& text, std::vector<AttentionMap>* attention) const {
  if (attention) attention->resize(layers_.size());
  Variable x = dropout_(embedding_(text.ids) + positions_(text.spans));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (attention) (*attention)[i].layer = fmt::format("layers.{}.attention", i);
    x = layers_[i](x, text.spans, true, attention ? &(*attention)[i].weights : nullptr);
  }
  return norm_(x);
}

Variable LanguageModel::loss(const Batch& batch, const CrossEntropy& options) const {
  return linear_cross_entropy(body(batch.target), embedding_.weight, batch.gold, options);
}

Variable LanguageModel::logits(const Batch& batch, std::vector<AttentionMap>* attention) const {
  return linear(body(batch.target, attention), embedding_.weight);
}

std::shared_ptr<const Prepared> LanguageModel::prepare() const {
  return std::make_shared<PackedModel>(layers_, norm_, embedding_.weight.value());
}

std::unique_ptr<DecoderState> LanguageModel::start_prepared(const Sequences& source, const std::shared_ptr<const Prepared>& prepared) const {
  const auto packed = std::dynamic_pointer_cast<const PackedModel>(prepared);
  check(packed != nullptr, "start_prepared", "expected what a language model prepared");
  check(source.spans.longest() < options_.context, "lm", "expected a text of at most {} tokens; got {}", options_.context, source.spans.longest() + 1);
  auto state = std::make_unique<State>(packed, source.spans.count());
  if (source.spans.rows() > 0) {
    const Tape::Pause pause;
    Variable x = embedding_(source.ids) + positions_(source.spans);
    state->decoder.cache.extend(source.spans);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const EncoderLayer& layer = layers_[i];
      x = layer.around_attention(x, [&](const Variable& z) { return state->decoder.cache.prompt(i, layer.attention, z, source.spans); });
      x = layer.around_feed_forward(x, layer.feed_forward);
    }
  }
  return state;
}

Tensor LanguageModel::step(DecoderState& decoder_state, std::span<const Id> tokens) const {
  const Tape::Pause pause;
  auto& state = dynamic_cast<State&>(decoder_state);
  const Index rows = state.rows();
  check(static_cast<Index>(tokens.size()) == rows, "step", "expected a token for each of {} rows; got {}", rows, tokens.size());
  if (rows == 0) return Tensor({0, options_.vocabulary});
  Ids positions({rows});
  for (Index r = 0; r < rows; ++r) positions[r] = static_cast<Id>(state.decoder.cache.position(r));
  Tensor x = (embedding_(Ids({rows}, tokens)) + embedding(positions, positions_.weight)).value();
  return state.decoder.step(x);
}

}  // namespace heed
