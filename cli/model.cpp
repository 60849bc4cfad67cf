#include "cli/model.h"

#include "models/convolutional.h"
#include "models/language_model.h"
#include "models/recurrent_seq2seq.h"
#include "models/transformer.h"

namespace heed::cli {

namespace {

/// The sizes of the embeddings.
struct VocabularySizes {
  Index target;
  Index source;  // 0: both sides have one vocabulary
};

VocabularySizes sizes_of(const Tokenizers& tokenizers) {
  return {.target = tokenizers.target->size(),
          .source = tokenizers.joint() ? 0 : tokenizers.source->size()};
}

LanguageModelOptions language_model_options(const Settings& settings, VocabularySizes sizes) {
  const auto& m = settings.model;
  return {.vocabulary = sizes.target,
          .d = m.d,
          .layers = static_cast<int>(m.layers),
          .heads = static_cast<int>(m.heads),
          .ff = m.ff,
          .context = m.context,
          .dropout = static_cast<Real>(m.dropout)};
}

ConvS2SOptions conv_options(const Settings& settings, VocabularySizes sizes) {
  const auto& m = settings.model;
  return {.vocabulary = sizes.target,
          .source_vocabulary = sizes.source,
          .d = m.d,
          .layers = static_cast<int>(m.layers),
          .kernel = m.kernel,
          .positions = m.positions,
          .dropout = static_cast<Real>(m.dropout),
          .weight_norm = m.weight_norm,
          .tied = m.tied};
}

RecurrentSeq2SeqOptions recurrent_options(const Settings& settings, VocabularySizes sizes) {
  const auto& m = settings.model;
  const std::string prefix = "rnn+";
  return {.vocabulary = sizes.target,
          .source_vocabulary = sizes.source,
          .d = m.d,
          .hidden = m.hidden,
          .layers = static_cast<int>(m.layers),
          .cell = cell_kind(m.cell),
          .attention = m.name == "rnn" ? "" : m.name.substr(prefix.size()),
          .heads = static_cast<int>(m.heads),
          .bidirectional = m.bidirectional,
          .dropout = static_cast<Real>(m.dropout),
          .recurrent_dropout = static_cast<Real>(m.recurrent_dropout),
          .copy = m.copy,
          .coverage = static_cast<Real>(m.coverage),
          .tied = m.tied};
}

TransformerOptions transformer_options(const Settings& settings, VocabularySizes sizes) {
  const auto& m = settings.model;
  return {.vocabulary = sizes.target,
          .source_vocabulary = sizes.source,
          .d = m.d,
          .layers = static_cast<int>(m.layers),
          .heads = static_cast<int>(m.heads),
          .ff = m.ff,
          .dropout = static_cast<Real>(m.dropout),
          .norm = m.norm == "pre" ? NormPlace::pre : NormPlace::post,
          .copy = m.copy};
}

std::unique_ptr<Seq2Seq> build_model(const Settings& settings, const Tokenizers& tokenizers,
                                     Random& random) {
  const std::string& name = settings.model.name;
  const VocabularySizes sizes = sizes_of(tokenizers);
  if (name == "lm")
    return std::make_unique<LanguageModel>(language_model_options(settings, sizes), random);
  if (name == "conv") return std::make_unique<ConvS2S>(conv_options(settings, sizes), random);
  if (name.starts_with("rnn"))
    return std::make_unique<RecurrentSeq2Seq>(recurrent_options(settings, sizes), random);
  return std::make_unique<Transformer>(transformer_options(settings, sizes), random);
}

std::unique_ptr<Optimizer> build_optimizer(const Settings& settings, Seq2Seq& model) {
  const auto& o = settings.optim;
  if (o.name == "sgd")
    return std::make_unique<Sgd>(
        model, SgdOptions{.lr = o.lr, .momentum = o.momentum, .weight_decay = o.weight_decay});
  if (o.name == "adamw")
    return std::make_unique<AdamW>(model, AdamWOptions{.lr = o.lr,
                                                       .beta1 = o.beta1,
                                                       .beta2 = o.beta2,
                                                       .epsilon = o.epsilon,
                                                       .weight_decay = o.weight_decay});
  return std::make_unique<Adam>(model, AdamOptions{.lr = o.lr,
                                                   .beta1 = o.beta1,
                                                   .beta2 = o.beta2,
                                                   .epsilon = o.epsilon,
                                                   .weight_decay = o.weight_decay});
}

}  // namespace

Index longest_side(const Settings& settings) {
  return settings.model.name == "conv" ? settings.model.positions - 1 : 0;
}

std::unique_ptr<Seq2Seq> make_model(const Settings& settings, const Tokenizers& tokenizers,
                                    Random& random) {
  return naming_settings([&] { return build_model(settings, tokenizers, random); });
}

std::unique_ptr<Optimizer> make_optimizer(const Settings& settings, Seq2Seq& model) {
  return naming_settings([&] { return build_optimizer(settings, model); });
}

}  // namespace heed::cli
