#include "models/language_model.h"

#include <algorithm>
#include <cmath>

#include "models/decode/internal/step_decoder.h"
#include "models/internal/checks.h"
#include "models/internal/common_fields.h"
#include "models/internal/row_state.h"

namespace heed {

namespace {

LayerOptions sizes_of(const LanguageModelOptions& o) {
  return {.d = o.d, .heads = o.heads, .ff = o.ff, .dropout = o.dropout, .norm = NormPlace::pre};
}

const LanguageModelOptions& checked(const LanguageModelOptions& o) {
  check_argument(o.vocabulary >= 1, "lm", "vocabulary", o.vocabulary, "of at least 1");
  check_argument(o.layers >= 1, "lm", "layers", o.layers, "of at least 1");
  check_argument(o.context >= 1, "lm", "context", o.context, "of at least 1");
  check_argument(o.ff >= 0, "lm", "ff", o.ff, "of at least 1, or 0 for 4 d");
  o.blocks.check("lm", o.d, o.heads);
  return o;
}

/// The last tokens that a row has read, as many as the context holds. Without a limit (0) none are
/// kept.
struct Text {
  std::vector<Id> ids;
  bool longer = false;  // it has read more

  void add(Id id, Index context) {
    if (context == 0) return;
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
  blocks.list(f, LanguageModelOptions{}.blocks);
}

void LanguageModelOptions::check() const {
  check_argument(heads >= 1 && d % heads == 0, "lm", "heads", heads, "of a divisor of d = {}", d);
  blocks.check("lm", d, heads);
}

LanguageModel::LanguageModel(const LanguageModelOptions& o, Random& random)
    : options_(checked(o)),
      embedding_(o.vocabulary, o.d, random),
      positions_(make_positions(o.blocks.position_kind(), o.context, o.d, random)),
      dropout_(o.dropout),
      layers_(stack_of<EncoderLayer>(o.blocks.layers(sizes_of(o)), o.layers, o.blocks.tied_layers,
                                     random)),
      norm_(o.d, o.blocks.norm),
      output_(o.blocks, o.vocabulary, o.d, random) {}

VocabularyParameters LanguageModel::vocabulary_parameters() const {
  VocabularyParameters result{{}, {embedding_.weight}};
  if (output_.weight.defined()) result.target.push_back(output_.weight);
  return result;
}

void LanguageModel::visit(Visitor& v) {
  v("embedding", embedding_);
  v("positions", positions_);
  v("dropout", dropout_);
  v("layers", layers_);
  v("norm", norm_);
  v("output", output_);
}

Variable LanguageModel::embed(const Ids& ids) const {
  return embedding_(ids, positions_.sinusoids ? std::sqrt(static_cast<Real>(options_.d)) : Real{1});
}

Variable LanguageModel::body(const Sequences& text, std::vector<AttentionMap>* attention) const {
  detail::check_sequences("lm", text);
  if (attention) attention->resize(layers_.size());
  Variable x = dropout_(positions_(embed(text.ids), text.spans));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (options_.blocks.recompute && !attention) {
      x = recomputed(layers_[i], x, text.spans, true);
      continue;
    }
    if (attention) (*attention)[i].layer = fmt::format("layers.{}.attention", i);
    x = layers_[i](x, text.spans, true, attention ? &(*attention)[i].weights : nullptr);
  }
  return norm_(x);
}

Variable LanguageModel::loss(const Sequences& texts, const Ids& gold,
                             const CrossEntropy& options) const {
  return output_.loss(body(texts), embedding_.weight, gold, options);
}

Variable LanguageModel::logits(const Sequences& texts, std::vector<AttentionMap>* attention) const {
  return output_.logits(body(texts, attention), embedding_.weight);
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
    const Tensor some = output_.logits(gather(body(windows), last), embedding_.weight).value();
    to = std::copy_n(some.data(), some.size(), to);
  }
  return logits;
}

/// The model with its weights packed for decoding.
class LanguageModel::Packed final : public Decoder {
 public:
  explicit Packed(const LanguageModel& model)
      : model_(model),
        weights_(model.layers_, model.norm_,
                 model.output_.matrix(model.embedding_.weight).value()) {}
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
  Index state_size() const override { return decoder_.state_size(); }

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
  if (const Index context = model_.longest(); context > 0) {
    std::vector<std::vector<Id>> cached;  // nothing of a text that fills the context
    for (Index i = 0; i < rows(); ++i) {
      const Text& text = texts_.emplace_back(last_tokens(texts, i, context));
      const bool fits = texts.spans.length(i) < context;
      cached.push_back(fits ? text.ids : std::vector<Id>());
    }
    read(pack(cached));
  } else {
    texts_.resize(static_cast<std::size_t>(rows()));
    read(texts);
  }
  follow([this](std::span<const Index> chosen) { decoder_.select(chosen); });
  follow(texts_);
}

void LanguageModel::Packed::State::read(const Sequences& texts) {
  if (texts.spans.rows() == 0) return;
  const Variable x = model_.positions_(model_.embed(texts.ids), texts.spans);
  decoder_.prompt(model_.layers_, x, texts.spans);
}

Tensor LanguageModel::Packed::State::step(std::span<const Id> tokens) {
  const Tape::Pause pause;
  const NoDropout evaluate;
  const LanguageModelOptions& o = model_.options_;
  detail::check_tokens(tokens, rows());
  if (rows() == 0) return Tensor({0, o.vocabulary});
  const Index longest = model_.longest();
  std::vector<std::vector<Id>> windows;  // of the rows that have read more than the context
  std::vector<Index> whose;
  for (Index r = 0; r < rows(); ++r) {
    Text& text = texts_[static_cast<std::size_t>(r)];
    text.add(tokens[static_cast<std::size_t>(r)], longest);
    if (!text.longer) continue;
    windows.push_back(text.ids);
    whose.push_back(r);
  }
  if (std::ssize(whose) == rows()) return model_.logits_after(windows);
  // A row that has read more than the context takes part too; its result is not used.
  Ids positions({rows()});
  for (Index r = 0; r < rows(); ++r)
    positions[r] = static_cast<Id>(longest > 0 ? std::min(decoder_.position(r), longest - 1)
                                               : decoder_.position(r));
  Tensor x = model_.positions_.at(model_.embed(Ids({rows()}, tokens)), positions).value();
  Tensor logits = model_.output_.capped(Variable(decoder_.step(x))).value();
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
