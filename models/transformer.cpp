#include "models/transformer.h"

#include <cmath>

#include "layers/attention/attentions.h"
#include "models/decode/internal/step_decoder.h"
#include "models/internal/checks.h"
#include "models/internal/common_fields.h"
#include "models/internal/row_state.h"

namespace heed {

namespace {

LayerOptions sizes_of(const TransformerOptions& o) {
  return {.d = o.d, .heads = o.heads, .ff = o.ff, .dropout = o.dropout, .norm = o.norm};
}

/// What an encoder alone needs too.
void check_layers(const TransformerOptions& o) {
  detail::check_depths("transformer", o);
  check_argument(o.ff >= 0, "transformer", "ff", o.ff, "of at least 1, or 0 for 4 d");
  check_argument(o.max_positions >= 1, "transformer", "max_positions", o.max_positions,
                 "of at least 1");
  o.blocks.check("transformer", o.d, o.heads);
}

/// What a recurrent decoder lacks.
void check_decoder(const TransformerOptions& o) {
  const bool recurrent = o.decoder == DecoderKind::rnn;
  check_argument(!recurrent || !o.copy, "transformer", "copy", o.copy,
                 "of false beside decoder = rnn, which copies in the family rnn alone");
  check_argument(!recurrent || o.blocks.softcap == 0, "transformer", "softcap", o.blocks.softcap,
                 "of 0 beside decoder = rnn, which caps no logits");
}

/// A pointer mixes its own distribution with that of logits as they are.
void check_copy(const TransformerOptions& o) {
  check_argument(!o.copy || o.blocks.softcap == 0, "transformer", "softcap", o.blocks.softcap,
                 "of 0 beside copy = true");
}

const TransformerOptions& checked(const TransformerOptions& o) {
  check_argument(o.vocabulary >= 1, "transformer", "vocabulary", o.vocabulary, "of at least 1");
  check_layers(o);
  check_copy(o);
  check(o.decoder == DecoderKind::transformer, "transformer",
        "expected the decoder of a Transformer; RecurrentSeq2Seq has a recurrent one");
  check(!o.copy || o.source_vocabulary == 0, "transformer",
        "expected one vocabulary for both sides, so that words can be copied");
  return o;
}

/// The attentions that a recurrent decoder can have: none that counts distances.
std::vector<std::string> decoder_attentions() {
  std::vector<std::string> names;
  for (const AttentionKind& kind : attentions().rows())
    if (!kind.by_distance) names.push_back(kind.name);
  return names;
}

void list_decoder(Fields& f, TransformerOptions& o) {
  f("decoder", o.decoder, {{"transformer", DecoderKind::transformer}, {"rnn", DecoderKind::rnn}},
    "transformer, or rnn: that of a recurrent model, which reads the Transformer's encoder")
      .selects()
      .absent(std::string("transformer"))
      .used_by(detail::decoder_part);
  if (o.decoder != DecoderKind::rnn) return;
  detail::list_cell(f, o.cell).used_by(detail::decoder_part);
  f("decoder_attention", o.decoder_attention, one_of(decoder_attentions()),
    "of the recurrent decoder, to the encoder's output")
      .used_by(detail::decoder_part);
}

std::optional<Embedding> source_table(const TransformerOptions& o, Random& random) {
  if (o.source_vocabulary == 0) return std::nullopt;
  return Embedding(o.source_vocabulary, o.d, random);
}

}  // namespace

void TransformerOptions::list(Fields& f) {
  detail::list_width(f, d);
  detail::list_depths(f, *this);
  detail::list_heads(f, heads);
  detail::list_feed_forward(f, ff);
  detail::list_dropout(f, dropout);
  f("norm", norm, {{"pre", NormPlace::pre}, {"post", NormPlace::post}},
    "pre (before each sublayer) or post (after it, as in the paper)");
  blocks.list(f, {});
  if (blocks.positions == "learned")
    f("max_positions", max_positions, between(Index{1}, detail::largest_width),
      "learned positions: tokens of a source, and of an output, at most");
  detail::list_copy(f, copy);
  list_decoder(f, *this);
}

void TransformerOptions::check() const {
  check_argument(heads >= 1 && d % heads == 0, "transformer", "heads", heads,
                 "of a divisor of d = {}", d);
  blocks.check("transformer", d, heads);
  check_copy(*this);
  check_decoder(*this);
}

Transformer::Transformer(const TransformerOptions& o, Random& random)
    : options_(checked(o)),
      embedding_(o.vocabulary, o.d, random),
      source_embedding_(source_table(o, random)),
      dropout_(o.dropout),
      encoder_(encoder_options(o), random),
      decoder_(stack_of<DecoderLayer>(o.blocks.layers(sizes_of(o)), o.decoder_depth(),
                                      o.blocks.tied_layers, random)),
      decoder_norm_(o.d, o.blocks.norm) {
  if (o.copy) pointer_.emplace(o.d, random);
  // Last: the same seed gives the rest the same weights, whatever is chosen of these.
  if (o.blocks.limits_positions())
    decoder_positions_ = make_positions(o.blocks.position_kind(), o.max_positions, o.d, random);
  else
    decoder_positions_ = encoder_.positions;  // has no weights
  output_ = OutputLayer(o.blocks, o.vocabulary, o.d, random);
}

void Transformer::visit(Visitor& v) {
  v("embedding", embedding_);
  if (source_embedding_) v("source_embedding", *source_embedding_);
  v("dropout", dropout_);
  encoder_.visit(v);
  v("decoder_positions", decoder_positions_);
  v("decoder", decoder_);
  v("decoder_norm", decoder_norm_);
  v("output", output_);
  if (pointer_) v("decoder.pointer", *pointer_);
}

VocabularyParameters Transformer::vocabulary_parameters() const {
  VocabularyParameters result{{}, {embedding_.weight}};
  if (output_.weight.defined()) result.target.push_back(output_.weight);
  if (source_embedding_) result.source = {source_embedding_->weight};
  return result;
}

Variable Transformer::penalty() const {
  const Variable of_encoder = encoder_.penalty();
  const Variable of_decoder = options_.blocks.penalty(decoder_);
  return of_encoder.defined() ? of_encoder + of_decoder : of_decoder;
}

Variable Transformer::embed(const Embedding& table, const Ids& ids) const {
  return table(known(ids), std::sqrt(static_cast<Real>(options_.d)));
}

Variable Transformer::embed_target(const Ids& ids, const Spans& spans, Index offset) const {
  return dropout_(decoder_positions_(embed(embedding_, ids), spans, offset));
}

Encoded Transformer::encode(const Sequences& source) const {
  detail::check_sequences("encode", source);
  Encoded encoded = encoder_(embed(source_embedding(), source.ids), source.spans);
  encoded.ids = source.ids;
  return encoded;
}

Variable Transformer::decode(const Sequences& target, const Encoded& source,
                             std::vector<AttentionMap>* attention) const {
  detail::check_sequences("decode", target);
  if (attention) attention->resize(decoder_.size());
  Variable y = embed_target(target.ids, target.spans);
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    if (options_.blocks.recompute && !attention) {
      y = recomputed(decoder_[i], y, target.spans, source.values, source.spans);
      continue;
    }
    if (attention) (*attention)[i].layer = fmt::format("decoder.{}.cross", i);
    y = decoder_[i](y, target.spans, source.values, source.spans,
                    attention ? &(*attention)[i].weights : nullptr);
  }
  return decoder_norm_(y);
}

Variable Transformer::loss(const Sequences& sources, const Sequences& targets, const Ids& gold,
                           const CrossEntropy& options) const {
  const Encoded source = encode(sources);
  const Variable y = decode(targets, source);
  if (!pointer_) return output_.loss(y, embedding_.weight, gold, options);
  const Pairing pairing{.queries = targets.spans, .keys = source.spans};
  const Pointer::Output pointer =
      (*pointer_)(y, pointer_->key(source.values), source.values, pairing);
  const Variable copied = copy_probability(pointer.weights, source.ids, gold, pairing);
  return copy_cross_entropy(y, output_.matrix(embedding_.weight), Variable(), pointer.gate, copied,
                            gold, options);
}

Variable Transformer::logits(const Sequences& sources, const Sequences& targets,
                             std::vector<AttentionMap>* attention) const {
  const Encoded source = encode(sources);
  const Variable y = decode(targets, source, attention);
  const Variable scores = output_.logits(y, embedding_.weight);
  if (!pointer_) return scores;
  const Pairing pairing{.queries = targets.spans, .keys = source.spans};
  const Pointer::Output pointer =
      (*pointer_)(y, pointer_->key(source.values), source.values, pairing);
  if (attention) attention->push_back({"decoder.pointer", split(pointer.weights.value(), pairing)});
  return Variable(copy_log_probabilities(scores.value(), pointer.gate.value(),
                                         pointer.weights.value(), pairing, source.ids,
                                         copy_columns(options_.vocabulary, source.ids)));
}

/// The model with its weights packed for decoding.
class Transformer::Packed final : public Decoder {
 public:
  explicit Packed(const Transformer& model)
      : model_(model),
        encoder_(model.encoder_.layers, model.encoder_.norm),
        decoder_(model.decoder_, model.decoder_norm_,
                 model.output_.matrix(model.embedding_.weight).value()) {}
  Index vocabulary() const override { return model_.vocabulary(); }
  bool copies() const override { return model_.copies(); }
  Index longest_output(Index /*source*/) const override { return model_.longest(); }
  Index longest_source() const override { return model_.longest(); }
  std::unique_ptr<DecoderState> start(const Sequences& sources) const override;
  std::unique_ptr<DecoderState> start(const Encoded& encoded) const override;
  Variable logits(const Sequences& sources, const Sequences& targets,
                  std::vector<AttentionMap>* attention) const override {
    const NoDropout evaluate;
    return model_.logits(sources, targets, attention);
  }

 private:
  struct State;
  const Transformer& model_;
  PackedEncoder encoder_;
  StepWeights decoder_;
};

struct Transformer::Packed::State final : RowState {
  State(const Packed& packed, const Encoded& encoded);
  Tensor step(std::span<const Id> tokens) override;
  Index state_size() const override;

 private:
  const Transformer& model_;
  StepDecoder decoder_;
  std::vector<StepMemory> memory_;  // of each layer
  Spans memory_spans_;
  // Of a model that copies:
  Ids tokens_;           // of the sources
  Tensor pointed_;       // what the pointer points to, (source rows, d)
  Tensor pointer_keys_;  // (source rows, d)
  Index columns_ = 0;
};

std::unique_ptr<DecoderState> Transformer::Packed::start(const Sequences& sources) const {
  const Tape::Pause pause;
  detail::check_sequences("start", sources);
  const Variable x = model_.encoder_.positions(model_.embed(model_.source_embedding(), sources.ids),
                                               sources.spans);
  const Variable memory(encoder_(x.value(), sources.spans));
  return start(
      Encoded{.keys = memory, .values = memory, .spans = sources.spans, .ids = sources.ids});
}

std::unique_ptr<DecoderState> Transformer::Packed::start(const Encoded& encoded) const {
  // Packed products read as many columns as they have, whatever there is.
  detail::check_encoded(encoded, model_.options_.d);
  if (copies()) detail::check_copied(encoded);
  return std::make_unique<State>(*this, encoded);
}

Transformer::Packed::State::State(const Packed& packed, const Encoded& encoded)
    : RowState(encoded.spans.count()),
      model_(packed.model_),
      decoder_(packed.decoder_, encoded.spans.count()),
      memory_(packed.decoder_.remember(encoded.values.value(), encoded.spans)),
      memory_spans_(encoded.spans) {
  const Tape::Pause pause;
  follow([this](std::span<const Index> rows) { decoder_.select(rows); });
  if (!model_.pointer_) return;
  tokens_ = encoded.ids;
  columns_ = copy_columns(model_.options_.vocabulary, tokens_);
  pointed_ = encoded.values.value();
  pointer_keys_ = model_.pointer_->key(encoded.values).value();
}

Tensor Transformer::Packed::State::step(std::span<const Id> tokens) {
  const Tape::Pause pause;
  const NoDropout evaluate;
  detail::check_tokens(tokens, rows());
  if (rows() == 0) return Tensor({0, model_.options_.vocabulary});
  const std::vector<Index> ones(tokens.size(), 1);
  const Spans spans = Spans::packed(ones);
  Tensor y = model_.embed_target(Ids({rows()}, tokens), spans, decoder_.position(0)).value();
  const Tensor scores = decoder_.step(y, memory_, memory_spans_, source());
  if (!model_.pointer_) return model_.output_.capped(Variable(scores)).value();
  const Pairing pairing{.queries = spans, .keys = memory_spans_.select(source())};
  const Pointer::Output pointer =
      (*model_.pointer_)(Variable(y), Variable(pointer_keys_), Variable(pointed_), pairing);
  return copy_log_probabilities(scores, pointer.gate.value(), pointer.weights.value(), pairing,
                                tokens_, columns_);
}

Index Transformer::Packed::State::state_size() const {
  Index size = decoder_.state_size();
  for (const StepMemory& memory : memory_)
    size += memory.size();
  return size;
}

std::unique_ptr<const Decoder> Transformer::decoder() const {
  return std::make_unique<Packed>(*this);
}

TransformerEncoderOptions encoder_options(const TransformerOptions& o) {
  check_layers(o);
  return {.blocks = o.blocks,
          .sizes = sizes_of(o),
          .layers = o.encoder_depth(),
          .max_positions = o.max_positions};
}

std::unique_ptr<Encoder> make_encoder(const TransformerOptions& o, Random& random) {
  return std::make_unique<TransformerEncoder>(encoder_options(o), random);
}

}  // namespace heed
