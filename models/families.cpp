#include "models/families.h"

#include "layers/attention/attentions.h"
#include "models/convolutional.h"
#include "models/hybrid.h"
#include "models/language_model.h"

namespace heed {

namespace {

/// Makes a model that has one vocabulary for each side, or one for both.
template <class Model, class Options>
std::unique_ptr<Seq2Seq> make(const AnyOptions& any, VocabularySizes sizes, Random& random) {
  Options options = any.as<Options>();
  options.vocabulary = sizes.target;
  options.source_vocabulary = sizes.source;
  return std::make_unique<Model>(options, random);
}

/// With the decoder that is chosen.
std::unique_ptr<Seq2Seq> make_transformer(const AnyOptions& any, VocabularySizes sizes,
                                          Random& random) {
  const auto& chosen = any.as<TransformerOptions>();
  if (chosen.decoder == DecoderKind::rnn)
    return make<RecurrentSeq2Seq, RecurrentSeq2SeqOptions>(hybrid_options(chosen), sizes, random);
  return make<Transformer, TransformerOptions>(any, sizes, random);
}

ModelFamily transformer() {
  return {.name = "transformer",
          .help = "a Transformer",
          .paper = "Vaswani et al. 2017",
          .options = TransformerOptions{},
          .make = make_transformer,
          .make_encoder =
              [](const AnyOptions& o, Random& random) {
                return make_encoder(o.as<TransformerOptions>(), random);
              },
          .longest_side =
              [](const AnyOptions& any) {
                const auto& o = any.as<TransformerOptions>();
                return o.blocks.limits_positions() ? o.max_positions - 1 : Index{0};
              }};
}

ModelFamily convolutional() {
  return {
      .name = "conv",
      .help = "ConvS2S, a convolutional model with attention",
      .paper = "Gehring et al. 2017",
      .options = ConvS2SOptions{},
      // Weight normalisation bears a higher rate: at the 2e-3 of the others it learns far
      // slower.
      .defaults = {{"optim.lr", 6e-3}},
      .make = make<ConvS2S, ConvS2SOptions>,
      .make_encoder = [](const AnyOptions& o,
                         Random& random) { return make_encoder(o.as<ConvS2SOptions>(), random); },
      .longest_side = [](const AnyOptions& o) { return o.as<ConvS2SOptions>().positions - 1; }};
}

std::unique_ptr<LanguageModel> make_language_model(const AnyOptions& any, Index vocabulary,
                                                   Random& random) {
  auto options = any.as<LanguageModelOptions>();
  options.vocabulary = vocabulary;
  return std::make_unique<LanguageModel>(options, random);
}

ModelFamily language_model() {
  return {.name = "lm",
          .help = "a language model, a decoder-only Transformer",
          .paper = "Radford et al. 2019",
          .options = LanguageModelOptions{},
          .attends = false,
          .defaults = {{"data.tokenizer", "characters"},
                       {"data.min_count", Index{1}},
                       {"data.batch_tokens", Index{768}},
                       {"data.valid_fraction", 0.1},
                       {"optim.name", "adamw"},
                       {"optim.lr", 1e-3},
                       {"optim.weight_decay", 0.1},
                       {"optim.beta2", 0.99},
                       {"optim.epsilon", 1e-8},
                       {"optim.warmup", Index{100}},
                       {"optim.final_lr", 0.1},
                       {"train.steps", Index{2000}},
                       {"train.eval_every", Index{500}},
                       {"train.save_every", Index{500}},
                       {"train.label_smoothing", 0.0}},
          .make_language_model = make_language_model};
}

/// `attention`: null for a model without.
ModelFamily recurrent(const AttentionKind* attention) {
  RecurrentSeq2SeqOptions options;
  if (attention) options.attention = attention->name;
  // As in the papers of these two, and better. Models that feed the attentional vector back do
  // better with an LSTM.
  if (!attention || attention->covers) options.cell = CellKind::gru;
  return {.name = attention ? "rnn+" + attention->name : "rnn",
          .help = attention ? "a recurrent model with attention" : "a recurrent model",
          .paper = attention ? attention->paper : "Sutskever et al. 2014",
          .options = options,
          .attends = attention != nullptr,
          // With few steps 1e-2 learns fastest; with more, half of it does better.
          .defaults = {{"optim.lr", 5e-3}, {"optim.warmup", Index{50}}},
          .make = make<RecurrentSeq2Seq, RecurrentSeq2SeqOptions>,
          .make_encoder =
              [](const AnyOptions& o, Random& random) {
                return make_encoder(o.as<RecurrentSeq2SeqOptions>(), random);
              },
          // Attention over the rows takes the place of attention from a decoder.
          .pool = attention ? "attention" : "last"};
}

std::vector<ModelFamily> built_in() {
  std::vector<ModelFamily> rows = {transformer(), convolutional(), language_model(),
                                   recurrent(nullptr)};
  // Attentions by distance would count from the end of the source, however long the output is by
  // then.
  for (const AttentionKind& attention : attentions().rows())
    if (!attention.by_distance) rows.push_back(recurrent(&attention));
  return rows;
}

}  // namespace

Registry<ModelFamily>& model_families() {
  static Registry<ModelFamily> table("model", built_in());
  return table;
}

}  // namespace heed
