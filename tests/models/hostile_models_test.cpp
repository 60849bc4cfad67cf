// Models refuse what would make them read or write outside their tensors.

#include <functional>
#include <limits>
#include <memory>

#include <gtest/gtest.h>

#include "layers/positions.h"
#include "models/convolutional.h"
#include "models/decode/decode.h"
#include "models/language_model.h"
#include "models/recurrent_seq2seq.h"
#include "models/transformer.h"
#include "tests/models/batch_model.h"

namespace heed {
namespace {

struct Family {
  const char* name;
  std::function<std::unique_ptr<BatchModel>(Random&)> make;
};

template <class Model, class Options>
std::unique_ptr<BatchModel> made(const Options& options, Random& random) {
  return of_batches<Model>(options, random);
}

const std::vector<Family> families = {
    {"transformer",
     [](Random& r) {
       return made<Transformer>(
           TransformerOptions{.vocabulary = 20, .d = 8, .layers = 1, .heads = 2}, r);
     }},
    {"lm",
     [](Random& r) {
       return made<LanguageModel>(
           LanguageModelOptions{.vocabulary = 20, .d = 8, .layers = 1, .heads = 2, .context = 9},
           r);
     }},
    {"rnn",
     [](Random& r) {
       return made<RecurrentSeq2Seq>(RecurrentSeq2SeqOptions{.vocabulary = 20, .d = 8}, r);
     }},
    {"rnn+additive",
     [](Random& r) {
       return made<RecurrentSeq2Seq>(
           RecurrentSeq2SeqOptions{.vocabulary = 20, .d = 8, .attention = "additive"}, r);
     }},
    {"conv",
     [](Random& r) {
       return made<ConvS2S>(ConvS2SOptions{.vocabulary = 20, .d = 8, .layers = 1, .positions = 20},
                            r);
     }},
};

TEST(HostileModels, EmptyVocabulariesAreRefused) {
  Random random(1);
  EXPECT_THROW(
      LanguageModel({.vocabulary = 0, .d = 8, .layers = 1, .heads = 2, .context = 4}, random),
      Error);
  EXPECT_THROW(Transformer({.vocabulary = 0, .d = 8, .layers = 1, .heads = 2}, random), Error);
  EXPECT_THROW(RecurrentSeq2Seq({.vocabulary = 0, .d = 8}, random), Error);
  EXPECT_THROW(ConvS2S({.vocabulary = 0, .d = 8, .layers = 1}, random), Error);
  EXPECT_THROW(
      LanguageModel({.vocabulary = 9, .d = 8, .layers = 1, .heads = 2, .context = 0}, random),
      Error);
  EXPECT_THROW(Transformer({.vocabulary = 9, .d = 8, .layers = 1, .heads = 2, .ff = -1}, random),
               Error);
}

TEST(HostileModels, IdsThatDoNotFitTheirSpansAreRefused) {
  const std::vector<Index> lengths{2, 1};
  const Spans spans = Spans::packed(lengths);
  const Sequences right{Ids({3}, {5, 6, 7}), spans};
  const std::vector<Ids> wrong_ids = {Ids(), Ids({1}, {5}), Ids({4}, {5, 6, 7, 8})};
  for (const Family& family : families) {
    Random random(1);
    const auto model = family.make(random);
    for (const Ids& ids : wrong_ids) {
      const Sequences wrong{ids, spans};
      const Sequences source = model->reads_source() ? right : Sequences{};
      EXPECT_THROW(model->decoder()->start(wrong), Error) << family.name;
      EXPECT_THROW(model->loss({source, wrong, right.ids, {}}, {}), Error) << family.name;
      EXPECT_THROW(model->loss({source, right, ids, {}}, {}), Error) << family.name << ", gold";
      EXPECT_THROW(model->logits({source, wrong, right.ids, {}}), Error) << family.name;
      if (model->reads_source()) {
        EXPECT_THROW(model->logits({wrong, right, right.ids, {}}), Error) << family.name;
      }
    }
  }
}

TEST(HostileModels, RowsThatAreNotThereAreRefused) {
  const std::vector<std::vector<Id>> lines{{5, 6, 7}, {8}};
  for (const Family& family : families) {
    Random random(1);
    const auto model = family.make(random);
    const auto decoder = model->decoder();
    const auto state = decoder->start(pack(lines));
    for (const Index row : {Index{-1}, Index{2}, Index{1} << 40}) {
      const std::vector<Index> rows{0, row};
      EXPECT_THROW(state->select(rows), Error) << family.name << ", row " << row;
    }
    EXPECT_EQ(state->rows(), 2) << family.name;
  }
}

TEST(HostileModels, PositionsBelowZeroAreRefused) {
  const std::vector<Index> lengths{2};
  EXPECT_THROW(position_ids(Spans::packed(lengths), -5), Error);
  EXPECT_THROW(position_ids(Spans::packed(lengths), std::numeric_limits<Index>::max()), Error);
}

}  // namespace
}  // namespace heed
