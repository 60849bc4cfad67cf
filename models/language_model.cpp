#include "models/language_model.h"

#include <algorithm>

#include "models/decode/internal/step_decoder.h"
#include "models/internal/checks.h"
#include "models/internal/common_fields.h"
#include "models/internal/row_state.h"

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
  check_argument(o.vocabulary >= 1, "lm", "vocabulary", o.vocabulary, "of at least 1");
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

Variable LanguageModel::loss(const Sequences& texts, const Ids& gold,
                             const CrossEntropy& options) const {
  return linear_cross_entropy(body(texts), embedding_.weight, gold, options);
}

Variable LanguageModel::logits(const Sequences& texts, std::vector<AttentionMap>* attention) const {
  return linear(body(texts, attention), embedding_.weight);
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

/// The model with its weights packed for decoding.
class LanguageModel::Packed final : public Decoder {
 public:
  explicit Packed(const LanguageModel& model)
      : model_(model), weights_(model.layers_, model.norm_, model.embedding_.weight.value()) {}
  Index vocabulary() const override { return model_.vocabulary(); }
  bool continues() const override { return true; }
  std::unique_ptr<DecoderState> start(const Sequences& texts) const override;
  Variable logits(const Sequences& /*sources*/, const Sequences& targets,
                  std::vector<AttentionMap>* attention) const override {
    const NoDropout evaluate;
    return model_.logits(targets, attention);
  }

 private:
  struct State;
  const LanguageModel& model_;
  StepWeights weights_;
};

struct LanguageModel::Packed::State final : RowState {
  State(const Packed& packed, const Sequences& texts);
  Tensor step(std::span<const Id> tokens) override;

 private:
  /// Keeps keys and values of the texts, which are no longer than the context.
  void read(const Sequences& texts);

  const LanguageModel& model_;
  StepDecoder decoder_;
  std::vector<Text> texts_;  // of each row
};

std::unique_ptr<DecoderState> LanguageModel::Packed::start(const Sequences& texts) const {
  detail::check_sequences("start", texts);
  return std::make_unique<State>(*this, texts);
}

LanguageModel::Packed::State::State(const Packed& packed, const Sequences& texts)
    : RowState(texts.spans.count()),
      model_(packed.model_),
      decoder_(packed.weights_, texts.spans.count()) {
  const Tape::Pause pause;
  const NoDropout evaluate;
  const Index context = model_.options_.context;
  std::vector<std::vector<Id>> cached;  // nothing of a text that fills the context
  for (Index i = 0; i < rows(); ++i) {
    const Text& text = texts_.emplace_back(last_tokens(texts, i, context));
    const bool fits = texts.spans.length(i) < context;
    cached.push_back(fits ? text.ids : std::vector<Id>());
  }
  read(pack(cached));
  follow([this](std::span<const Index> chosen) { decoder_.cache.select(chosen); });
  follow(texts_);
}

void LanguageModel::Packed::State::read(const Sequences& texts) {
  if (texts.spans.rows() == 0) return;
  const Variable x = model_.embedding_(texts.ids) + model_.positions_(texts.spans);
  decoder_.prompt(model_.layers_, x, texts.spans);
}

Tensor LanguageModel::Packed::State::step(std::span<const Id> tokens) {
  const Tape::Pause pause;
  const NoDropout evaluate;
  const LanguageModelOptions& o = model_.options_;
  detail::check_tokens(tokens, rows());
  if (rows() == 0) return Tensor({0, o.vocabulary});
  std::vector<std::vector<Id>> windows;  // of the rows that have read more than the context
  std::vector<Index> whose;
  for (Index r = 0; r < rows(); ++r) {
    Text& text = texts_[static_cast<std::size_t>(r)];
    text.add(tokens[static_cast<std::size_t>(r)], o.context);
    if (!text.longer) continue;
    windows.push_back(text.ids);
    whose.push_back(r);
  }
  if (std::ssize(whose) == rows()) return model_.logits_after(windows);
  // A row that has read more than the context takes part too; its result is not used.
  Ids positions({rows()});
  for (Index r = 0; r < rows(); ++r)
    positions[r] = static_cast<Id>(std::min(decoder_.cache.position(r), o.context - 1));
  Tensor x =
      (model_.embedding_(Ids({rows()}, tokens)) + embedding(positions, model_.positions_.weight))
          .value();
  Tensor logits = decoder_.step(x);
  const Tensor computed = model_.logits_after(windows);
  for (std::size_t i = 0; i < whose.size(); ++i)
    std::copy_n(computed.data() + static_cast<Index>(i) * o.vocabulary, o.vocabulary,
                logits.data() + whose[i] * o.vocabulary);
  return logits;
}

std::unique_ptr<const Decoder> LanguageModel::decoder() const {
  return std::make_unique<Packed>(*this);
}

}  // namespace heed
