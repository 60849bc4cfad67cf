#include "models/transformer.h"

#include <cmath>
#include <numeric>

#include "models/decode/internal/step_decoder.h"
#include "models/internal/checks.h"
#include "models/internal/common_fields.h"

namespace heed {

namespace {

LayerOptions layer_options(const TransformerOptions& o) {
  return {.d = o.d,
          .heads = o.heads,
          .ff = o.ff > 0 ? o.ff : 4 * o.d,
          .dropout = o.dropout,
          .norm = o.norm};
}

struct PackedTransformer : Prepared {
  PackedTransformer(const std::vector<EncoderLayer>& encoder_layers, const LayerNorm& encoder_norm,
                    const std::vector<DecoderLayer>& layers, const LayerNorm& norm,
                    const Tensor& output)
      : encoder(encoder_layers, encoder_norm), decoder(layers, norm, output) {}
  PackedEncoder encoder;
  StepWeights decoder;
};

struct State : DecoderState {
  State(const std::shared_ptr<const PackedTransformer>& weights, Spans spans)
      : packed(weights),
        decoder(weights->decoder, spans.count()),
        memory_spans(std::move(spans)),
        sentence(memory_spans.count()) {
    std::iota(sentence.begin(), sentence.end(), Index{0});
  }
  Index rows() const override { return static_cast<Index>(sentence.size()); }
  void select(std::span<const Index> chosen) override {
    decoder.cache.select(chosen);
    std::vector<Index> sentences;
    for (Index row : chosen)
      sentences.push_back(sentence[row]);
    sentence = std::move(sentences);
  }

  std::shared_ptr<const PackedTransformer> packed;
  StepDecoder decoder;
  std::vector<Tensor> memory;  // keys and values of each layer, (source rows, 2 d)
  Spans memory_spans;
  std::vector<Index> sentence;  // of each row: which source
  // Of a model that copies:
  Ids tokens;           // of the sources
  Tensor pointed;       // what the pointer points to, (source rows, d)
  Tensor pointer_keys;  // (source rows, d)
  Index columns = 0;
};

}  // namespace

void TransformerOptions::list(Fields& f) {
  detail::list_width(f, d);
  detail::list_layers(f, layers, "layers of the encoder, and of the decoder");
  detail::list_heads(f, heads);
  detail::list_feed_forward(f, ff);
  detail::list_dropout(f, dropout);
  f("norm", norm, {{"pre", NormPlace::pre}, {"post", NormPlace::post}},
    "pre (before each sublayer) or post (after it, as in the paper)");
  detail::list_copy(f, copy);
}

void TransformerOptions::check() const {
  check_argument(d % 2 == 0, "transformer", "d", d, "of an even number");
  check_argument(heads >= 1 && d % heads == 0, "transformer", "heads", heads,
                 "of a divisor of d = {}", d);
}

Transformer::Transformer(const TransformerOptions& o, Random& random)
    : options_(o),
      embedding_(o.vocabulary, o.d, random),
      positions_(o.d),
      dropout_(o.dropout),
      encoder_norm_(o.d),
      decoder_norm_(o.d) {
  check_argument(o.vocabulary >= first_free_id, "transformer", "vocabulary", o.vocabulary,
                 "of at least {}, the marks among them", first_free_id);
  check_argument(o.layers >= 1, "transformer", "layers", o.layers, "of at least 1");
  check_argument(o.ff >= 0, "transformer", "ff", o.ff, "of at least 1, or 0 for 4 d");
  if (o.source_vocabulary > 0) source_embedding_.emplace(o.source_vocabulary, o.d, random);
  for (int i = 0; i < o.layers; ++i)
    encoder_.emplace_back(layer_options(o), random);
  for (int i = 0; i < o.layers; ++i)
    decoder_.emplace_back(layer_options(o), random);
  check(!o.copy || o.source_vocabulary == 0, "transformer",
        "expected one vocabulary for both sides, so that words can be copied");
  if (o.copy) pointer_.emplace(o.d, random);
}

void Transformer::visit(Visitor& v) {
  v("embedding", embedding_);
  if (source_embedding_) v("source_embedding", *source_embedding_);
  v("dropout", dropout_);
  v("encoder", encoder_);
  v("encoder_norm", encoder_norm_);
  v("decoder", decoder_);
  v("decoder_norm", decoder_norm_);
  if (pointer_) v("decoder.pointer", *pointer_);
}

VocabularyParameters Transformer::vocabulary_parameters() const {
  VocabularyParameters result{{}, {embedding_.weight}};
  if (source_embedding_) result.source = {source_embedding_->weight};
  return result;
}

Variable Transformer::embed(const Embedding& table, const Ids& ids, const Spans& spans,
                            Index offset) const {
  return dropout_(table(ids, std::sqrt(static_cast<Real>(options_.d))) + positions_(spans, offset));
}

Variable Transformer::encode(const Sequences& source) const {
  detail::check_sequences("encode", source);
  Variable x =
      embed(source_embedding_ ? *source_embedding_ : embedding_, known(source.ids), source.spans);
  for (const EncoderLayer& layer : encoder_)
    x = layer(x, source.spans);
  return encoder_norm_(x);
}

Variable Transformer::decode(const Sequences& target, const Variable& memory,
                             const Spans& memory_spans,
                             std::vector<AttentionMap>* attention) const {
  detail::check_sequences("decode", target);
  if (attention) attention->resize(decoder_.size());
  Variable y = embed(embedding_, known(target.ids), target.spans);
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    if (attention) (*attention)[i].layer = fmt::format("decoder.{}.cross", i);
    y = decoder_[i](y, target.spans, memory, memory_spans,
                    attention ? &(*attention)[i].weights : nullptr);
  }
  return decoder_norm_(y);
}

Variable Transformer::loss(const Batch& batch, const CrossEntropy& options) const {
  const Variable memory = encode(batch.source);
  const Variable y = decode(batch.target, memory, batch.source.spans);
  if (!pointer_) return linear_cross_entropy(y, embedding_.weight, batch.gold, options);
  const Pairing pairing{.queries = batch.target.spans, .keys = batch.source.spans};
  const Pointer::Output pointer = (*pointer_)(y, pointer_->key(memory), memory, pairing);
  const Variable copied = copy_probability(pointer.weights, batch.source.ids, batch.gold, pairing);
  return copy_cross_entropy(y, embedding_.weight, Variable(), pointer.gate, copied, batch.gold,
                            options);
}

Variable Transformer::logits(const Batch& batch, std::vector<AttentionMap>* attention) const {
  const Variable memory = encode(batch.source);
  const Variable y = decode(batch.target, memory, batch.source.spans, attention);
  const Variable scores = linear(y, embedding_.weight);
  if (!pointer_) return scores;
  const Pairing pairing{.queries = batch.target.spans, .keys = batch.source.spans};
  const Pointer::Output pointer = (*pointer_)(y, pointer_->key(memory), memory, pairing);
  if (attention) attention->push_back({"decoder.pointer", split(pointer.weights.value(), pairing)});
  return Variable(copy_log_probabilities(scores.value(), pointer.gate.value(),
                                         pointer.weights.value(), pairing, batch.source.ids,
                                         copy_columns(options_.vocabulary, batch.source.ids)));
}

std::shared_ptr<const Prepared> Transformer::prepare() const {
  return std::make_shared<PackedTransformer>(encoder_, encoder_norm_, decoder_, decoder_norm_,
                                             embedding_.weight.value());
}

std::unique_ptr<DecoderState> Transformer::start_prepared(
    const Sequences& source, const std::shared_ptr<const Prepared>& prepared) const {
  const Tape::Pause pause;
  const NoDropout evaluate;
  const auto packed = std::dynamic_pointer_cast<const PackedTransformer>(prepared);
  check(packed != nullptr, "start_prepared", "expected what a Transformer prepared");
  detail::check_sequences("start", source);
  auto state = std::make_unique<State>(packed, source.spans);
  const Variable x =
      embed(source_embedding_ ? *source_embedding_ : embedding_, known(source.ids), source.spans);
  const Variable memory(packed->encoder(x.value(), source.spans));
  state->memory = packed->decoder.remember(memory.value());
  if (pointer_) {
    state->tokens = source.ids;
    state->columns = copy_columns(options_.vocabulary, source.ids);
    state->pointed = memory.value();
    state->pointer_keys = pointer_->key(memory).value();
  }
  return state;
}

Tensor Transformer::step(DecoderState& decoder_state, std::span<const Id> tokens) const {
  const Tape::Pause pause;
  const NoDropout evaluate;
  auto& state = dynamic_cast<State&>(decoder_state);
  const Index rows = state.rows();
  detail::check_tokens(tokens, rows);
  if (rows == 0) return Tensor({0, options_.vocabulary});
  const std::vector<Index> ones(tokens.size(), 1);
  const Spans spans = Spans::packed(ones);
  Tensor y =
      embed(embedding_, known(Ids({rows}, tokens)), spans, state.decoder.cache.position(0)).value();
  const Tensor scores = state.decoder.step(y, state.memory, state.memory_spans, state.sentence);
  if (!pointer_) return scores;
  const Pairing pairing{.queries = spans, .keys = state.memory_spans.select(state.sentence)};
  const Pointer::Output pointer =
      (*pointer_)(Variable(y), Variable(state.pointer_keys), Variable(state.pointed), pairing);
  return copy_log_probabilities(scores, pointer.gate.value(), pointer.weights.value(), pairing,
                                state.tokens, state.columns);
}

}  // namespace heed
