#include "experiments/decoding_cost.h"

#include <functional>

#include <gtest/gtest.h>

#include "models/convolutional.h"
#include "models/language_model.h"
#include "models/recurrent_seq2seq.h"
#include "models/transformer.h"

namespace heed {
namespace {

struct Row {
  std::string name;
  std::function<std::unique_ptr<Model>(Random&)> make;
  ForcedText text;
  Index numbers;  // kept at the end
};

std::vector<Row> rows() {
  constexpr Index vocabulary = 11;
  const ForcedText pair{{4, 5, 6, 7, 2}, {1, 8, 9}};  // 5 and 3 tokens
  const auto transformer = [](Blocks blocks) {
    return [=](Random& random) -> std::unique_ptr<Model> {
      TransformerOptions o{.vocabulary = vocabulary, .d = 8, .layers = 2, .heads = 4};
      o.blocks = blocks;
      return std::make_unique<Transformer>(o, random);
    };
  };
  return {
      {"keys and values of both sides in two layers", transformer({}), pair, 2 * 2 * 8 * (5 + 3)},
      {"one head of four", transformer({.attention = "multi_query"}), pair, 2 * 2 * 2 * (5 + 3)},
      {"a language model's keys and values",
       [](Random& random) -> std::unique_ptr<Model> {
         return std::make_unique<LanguageModel>(
             LanguageModelOptions{
                 .vocabulary = vocabulary, .d = 8, .layers = 2, .heads = 2, .context = 6},
             random);
       },
       {{}, {4, 5, 6, 7}},
       2 * 2 * 8 * 4},
      {"an LSTM's two states in two layers",
       [](Random& random) -> std::unique_ptr<Model> {
         return std::make_unique<RecurrentSeq2Seq>(
             RecurrentSeq2SeqOptions{
                 .vocabulary = vocabulary, .d = 8, .layers = 2, .cell = CellKind::lstm},
             random);
       },
       pair, 2 * 2 * 8},
      {"what the source gives to convolutions, and their last inputs",
       [](Random& random) -> std::unique_ptr<Model> {
         return std::make_unique<ConvS2S>(
             ConvS2SOptions{
                 .vocabulary = vocabulary, .d = 8, .layers = 2, .kernel = 3, .positions = 9},
             random);
       },
       pair, 2 * 8 * 5 + 2 * 3 * 8},
  };
}

TEST(DecodingCost, CountsWhatTheStateHolds) {
  for (const Row& row : rows()) {
    Random random(1);
    const auto model = row.make(random);
    const auto decoder = model->decoder();
    const DecodingCost cost = decoding_cost(*decoder, std::vector{row.text, row.text}, {});
    EXPECT_EQ(cost.state_kib * 1024, static_cast<double>(row.numbers) * sizeof(Real)) << row.name;
    EXPECT_GT(cost.tokens_per_s, 0) << row.name;
    EXPECT_EQ(decoding_cost(*decoder, {}, {}).tokens_per_s, 0);
    EXPECT_THROW(decoding_cost(*decoder, std::vector{row.text}, [] { return true; }), Interrupted);
  }
}

}  // namespace
}  // namespace heed
