#include "benchmarks/cases.h"

#include "layers/seq2seq/convolutional.h"
#include "layers/seq2seq/language_model.h"
#include "layers/seq2seq/recurrent.h"
#include "layers/seq2seq/transformer.h"

namespace heed::bench {

namespace {

constexpr Index vocabulary = 8000, symbols = 65;

std::function<std::unique_ptr<Seq2Seq>(Random&)> transformer(Index d, int heads, Index ff, int layers) {
  return [=](Random& random) {
    return std::make_unique<Transformer>(
        TransformerOptions{.vocabulary = vocabulary, .d = d, .layers = layers, .heads = heads, .ff = ff, .norm = NormPlace::post}, random);
  };
}

std::function<std::unique_ptr<Seq2Seq>(Random&)> language_model(Index d, int heads, int layers, Index context) {
  return [=](Random& random) {
    return std::make_unique<LanguageModel>(
        LanguageModelOptions{.vocabulary = symbols, .d = d, .layers = layers, .heads = heads, .context = context}, random);
  };
}

/// Bidirectional LSTM encoder of `d` per direction, LSTM decoder, additive attention (Bahdanau et al. 2015).
std::function<std::unique_ptr<Seq2Seq>(Random&)> recurrent(Index d) {
  return [=](Random& random) {
    return std::make_unique<RecurrentSeq2Seq>(
        RecurrentSeq2SeqOptions{.vocabulary = vocabulary, .d = d, .attention = "additive", .encoder_hidden = d}, random);
  };
}

std::function<std::unique_ptr<Seq2Seq>(Random&)> convolutional(Index d, int layers) {
  return [=](Random& random) {
    return std::make_unique<ConvS2S>(ConvS2SOptions{.vocabulary = vocabulary, .d = d, .layers = layers, .weight_norm = false}, random);
  };
}

std::function<Batch(Random&)> pairs(Index count, Index source, Index target) {
  return [=](Random& random) {
    Batch batch{.source = pack(random_lines(count, source, random)), .target = pack(random_lines(count, target, random)), .gold = {}, .lines = {}};
    batch.gold = Ids(batch.target.ids.shape());
    for (Id& id : batch.gold.span()) id = first_free_id + static_cast<Id>(random.below(vocabulary - first_free_id));
    return batch;
  };
}

std::function<Batch(Random&)> characters(Index count, Index context) {
  return [=](Random& random) {
    const std::vector<Index> lengths(static_cast<std::size_t>(count), context);
    Batch batch;
    batch.target = {Ids({count * context}), Spans::packed(lengths)};
    batch.gold = Ids({count * context});
    for (Id& id : batch.target.ids.span()) id = static_cast<Id>(random.below(symbols));
    for (Id& id : batch.gold.span()) id = 1 + static_cast<Id>(random.below(symbols - 1));  // 0 would be ignored
    return batch;
  };
}

}  // namespace

std::vector<std::vector<Id>> random_lines(Index count, Index n, Random& random) {
  std::vector<std::vector<Id>> lines(static_cast<std::size_t>(count));
  for (auto& line : lines) {
    line.resize(static_cast<std::size_t>(n / 2) + random.below(static_cast<std::uint64_t>(n - n / 2) + 1));
    for (Id& id : line) id = first_free_id + static_cast<Id>(random.below(vocabulary - first_free_id));
  }
  return lines;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"tiny", 64 * 40, Real(0.1), transformer(128, 4, 512, 2), pairs(64, 20, 20)},
      {"small", 64 * 40, Real(0.1), transformer(256, 4, 1024, 3), pairs(64, 20, 20)},
      {"base", 32 * 64, Real(0.1), transformer(512, 8, 2048, 6), pairs(32, 32, 32)},
      {"summ", 16 * 430, Real(0.1), transformer(256, 4, 1024, 3), pairs(16, 400, 30)},
      {"rnn", 64 * 40, Real(0.1), recurrent(256), pairs(64, 20, 20)},
      {"conv", 64 * 40, Real(0.1), convolutional(256, 4), pairs(64, 20, 20)},
      {"chargpt", 12 * 64, 0, language_model(128, 4, 4, 64), characters(12, 64)},
      {"gptlong", 4 * 1024, 0, language_model(256, 4, 4, 1024), characters(4, 1024)},
  };
  return all;
}

}  // namespace heed::bench
