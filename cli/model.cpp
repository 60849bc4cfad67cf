#include "cli/model.h"

#include "layers/seq2seq/convolutional.h"
#include "layers/seq2seq/language_model.h"
#include "layers/seq2seq/recurrent_seq2seq.h"
#include "layers/seq2seq/transformer.h"

namespace heed::cli {

namespace {

std::unique_ptr<Seq2Seq> build_model(const Settings& settings, const Tokenizers& tokenizers,
                                     Random& random) {
  const auto& m = settings.model;
  const Index vocabulary = tokenizers.target->size();

  const Index source_vocabulary = tokenizers.joint() ? 0 : tokenizers.source->size();
  const auto i = [](Index value) { return static_cast<int>(value); };
  if (m.name == "lm")
    return std::make_unique<LanguageModel>(
        LanguageModelOptions{.vocabulary = vocabulary,
                             .d = m.d,
                             .layers = i(m.layers),
                             .heads = i(m.heads),
                             .ff = m.ff,
                             .context = m.context,
                             .dropout = static_cast<Real>(m.dropout)},
        random);
  if (m.name == "conv")
    return std::make_unique<ConvS2S>(ConvS2SOptions{.vocabulary = vocabulary,
                                                    .source_vocabulary = source_vocabulary,
                                                    .d = m.d,
                                                    .layers = i(m.layers),
                                                    .kernel = m.kernel,
                                                    .positions = m.positions,
                                                    .dropout = static_cast<Real>(m.dropout),
                                                    .weight_norm = m.weight_norm,
                                                    .tied = m.tied},
                                     random);
  if (m.name.starts_with("rnn"))
    return std::make_unique<RecurrentSeq2Seq>(
        RecurrentSeq2SeqOptions{.vocabulary = vocabulary,
                                .source_vocabulary = source_vocabulary,
                                .d = m.d,
                                .hidden = m.hidden,
                                .layers = i(m.layers),
                                .cell = cell_kind(m.cell),
                                .attention = m.name == "rnn" ? "" : m.name.substr(4),
                                .heads = i(m.heads),
                                .bidirectional = m.bidirectional,
                                .dropout = static_cast<Real>(m.dropout),
                                .recurrent_dropout = static_cast<Real>(m.recurrent_dropout),
                                .copy = m.copy,
                                .coverage = static_cast<Real>(m.coverage),
                                .tied = m.tied},
        random);
  return std::make_unique<Transformer>(
      TransformerOptions{.vocabulary = vocabulary,
                         .source_vocabulary = source_vocabulary,
                         .d = m.d,
                         .layers = i(m.layers),
                         .heads = i(m.heads),
                         .ff = m.ff,
                         .dropout = static_cast<Real>(m.dropout),
                         .norm = m.norm == "pre" ? NormPlace::pre : NormPlace::post,
                         .copy = m.copy},
      random);
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
