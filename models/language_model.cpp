#include "models/language_model.h"

#include <algorithm>

#include "models/decode/internal/step_decoder.h"
#include "models/internal/checks.h"
#include "models/internal/common_fields.h"

namespace heed {

namespace {

LayerOptions layer_options(const LanguageModelOptions& o) {
  return {.d = o.d,
          .heads = o.heads,
          .ff = o.ff > 0 ? o.ff : 4 * o.d,
          .dropout = o.dropout,
          .norm = NormPlace::pre,
          .activation = Activation::gelu};
}

struct PackedModel : Prepared {
  PackedModel(const std::vector<EncoderLayer>& layers, const LayerNorm& norm, const Tensor& output)
      : decoder(layers, norm, output) {}
  StepWeights decoder;
};

/// The last tokens that a row has read, as many as the context holds.
struct Text {
  std::vector<Id> ids;
  bool longer = false;  // it has read more

  void add(Id id, Index context) {
    ids.push_back(id);
    if (static_cast<Index>(ids.size()) <= context) return;
    ids.erase(ids.begin());
    longer = true;
  }
};

struct State : DecoderState {
  State(const std::shared_ptr<const PackedModel>& weights, Index rows)
      : packed(weights), decoder(weights->decoder, rows) {}
  Index rows() const override { return decoder.cache.rows(); }
  void select(std::span<const Index> rows) override {
    decoder.cache.select(rows);
    std::vector<Text> chosen;
    for (Index row : rows)
      chosen.push_back(texts[static_cast<std::size_t>(row)]);
    texts = std::move(chosen);
  }
  std::shared_ptr<const PackedModel> packed;
  StepDecoder decoder;
  std::vector<Text> texts;  // of each row
};

constexpr Index most_window_rows = Index{1} << 14;  // tokens that the layers read at once

Text last_tokens(const Sequences& source, Index i, Index context) {
  const Index length = source.spans.length(i);
  const Id* const begin = source.ids.data() + source.spans.begin(i);
  return {{begin + std::max<Index>(0, length - context), begin + length}, length > context};
}

}  // namespace

void LanguageModelOptions::list(Fields& f) {
  detail::list_width(f, d);
  detail::list_layers(f, layers, "layers");
  detail::list_heads(f, heads);
  detail::list_feed_forward(f, ff);
  f("context", context, between(Index{1}, detail::largest_width), "tokens that it sees at once");
  detail::list_dropout(f, dropout);
}

void LanguageModelOptions::check() const {
  check_argument(heads >= 1 && d % heads == 0, "lm", "heads", heads, "of a divisor of d = {}", d);
}

LanguageModel::LanguageModel(const LanguageModelOptions& o, Random& random)
    : options_(o),
      embedding_(o.vocabulary, o.d, random),
      positions_(o.context, o.d, random),
      dropout_(o.dropout),
      norm_(o.d) {
  check_argument(o.vocabulary >= first_free_id, "lm", "vocabulary", o.vocabulary,
                 "of at least {}, the marks among them", first_free_id);
  check_argument(o.layers >= 1, "lm", "layers", o.layers, "of at least 1");
  check_argument(o.context >= 1, "lm", "context", o.context, "of at least 1");
  check_argument(o.ff >= 0, "lm", "ff", o.ff, "of at least 1, or 0 for 4 d");
  for (int i = 0; i < o.layers; ++i)
    layers_.emplace_back(layer_options(o), random);
}

VocabularyParameters LanguageModel::vocabulary_parameters() const {
  return {{}, {embedding_.weight}};
}

void LanguageModel::visit(Visitor& v) {
  v("embedding", embedding_);
  v("positions", positions_);
  v("dropout", dropout_);
  v("layers", layers_);
  v("norm", norm_);
}

Variable LanguageModel::body(const Sequences& text, std::vector<AttentionMap>* attention) const {
  detail::check_sequences("lm", text);
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

std::unique_ptr<DecoderState> LanguageModel::start_prepared(
    const Sequences& source, const std::shared_ptr<const Prepared>& prepared) const {
  const auto packed = std::dynamic_pointer_cast<const PackedModel>(prepared);
  check(packed != nullptr, "start_prepared", "expected what a language model prepared");
  const Tape::Pause pause;
  const NoDropout evaluate;
  detail::check_sequences("start", source);
  auto state = std::make_unique<State>(packed, source.spans.count());
  std::vector<std::vector<Id>> cached;  // nothing of a text that fills the context
  for (Index i = 0; i < source.spans.count(); ++i) {
    const Text& text = state->texts.emplace_back(last_tokens(source, i, options_.context));
    const bool fits = source.spans.length(i) < options_.context;
    cached.push_back(fits ? text.ids : std::vector<Id>());
  }
  fill_cache(state->decoder, pack(cached));
  return state;
}

void LanguageModel::fill_cache(StepDecoder& decoder, const Sequences& texts) const {
  if (texts.spans.rows() == 0) return;
  decoder.prompt(layers_, embedding_(texts.ids) + positions_(texts.spans), texts.spans);
}

Tensor LanguageModel::logits_after(std::span<const std::vector<Id>> texts) const {
  const Index n = static_cast<Index>(texts.size());
  const Index vocabulary = options_.vocabulary;
  const auto together =
      static_cast<std::size_t>(std::max<Index>(1, most_window_rows / options_.context));
  Tensor logits({n, vocabulary});
  Real* to = logits.data();
  for (std::size_t begin = 0; begin < texts.size(); begin += together) {
    const Sequences windows = pack(texts.subspan(begin, std::min(together, texts.size() - begin)));
    Ids last({windows.spans.count()});
    for (Index i = 0; i < last.size(); ++i)
      last[i] = static_cast<Id>(windows.spans.begin(i) + windows.spans.length(i) - 1);
    const Tensor some = linear(gather(body(windows), last), embedding_.weight).value();
    to = std::copy_n(some.data(), some.size(), to);
  }
  return logits;
}

Tensor LanguageModel::step(DecoderState& decoder_state, std::span<const Id> tokens) const {
  const Tape::Pause pause;
  const NoDropout evaluate;
  auto& state = dynamic_cast<State&>(decoder_state);
  const Index rows = state.rows();
  detail::check_tokens(tokens, rows);
  if (rows == 0) return Tensor({0, options_.vocabulary});
  std::vector<std::vector<Id>> windows;  // of the rows that have read more than the context
  std::vector<Index> whose;
  for (Index r = 0; r < rows; ++r) {
    Text& text = state.texts[static_cast<std::size_t>(r)];
    text.add(tokens[static_cast<std::size_t>(r)], options_.context);
    if (!text.longer) continue;
    windows.push_back(text.ids);
    whose.push_back(r);
  }
  if (static_cast<Index>(whose.size()) == rows) return logits_after(windows);
  // A row that has read more than the context takes part too; its result is not used.
  Ids positions({rows});
  for (Index r = 0; r < rows; ++r)
    positions[r] = static_cast<Id>(std::min(state.decoder.cache.position(r), options_.context - 1));
  Tensor x = (embedding_(Ids({rows}, tokens)) + embedding(positions, positions_.weight)).value();
  Tensor logits = state.decoder.step(x);
  const Tensor computed = logits_after(windows);
  for (std::size_t i = 0; i < whose.size(); ++i)
    std::copy_n(computed.data() + static_cast<Index>(i) * options_.vocabulary, options_.vocabulary,
                logits.data() + whose[i] * options_.vocabulary);
  return logits;
}

}  // namespace heed
