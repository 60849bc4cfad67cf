// What decoders promise beyond decoding: they begin from what any encoder hands over.

#include "models/decoder.h"

#include <limits>

#include "datasets/text/batch.h"
#include "models/decode/generate.h"
#include "tests/message_of.h"
#include "tests/models/decoding.h"

namespace heed {
namespace {

/// A model that reads a source, and what its encoder hands over.
struct Reader {
  std::string name;
  std::unique_ptr<BatchModel> model;
  std::function<Encoded(const Sequences&)> encode;
};

template <class M>
Reader reader(const std::string& name, const M& model) {
  return {name, of_batches(model), [model](const Sequences& source) {
            const NoDropout evaluate;
            return model.encode(source);
          }};
}

std::vector<Reader> readers() {
  std::vector<Reader> all;
  const Real p = Real(0.3);  // decoders never drop
  all.push_back(reader("transformer", tiny_transformer(NormPlace::pre, p)));
  all.push_back(reader("transformer, post-norm", tiny_transformer(NormPlace::post, p)));
  all.push_back(
      reader("transformer, copying", tiny_transformer(NormPlace::pre, p, tiny_vocabulary, true)));
  all.push_back(reader("conv", tiny_convolutional(true, p)));
  for (const TinyRecurrent& row : tiny_recurrents())
    all.push_back(reader(row.name, tiny_recurrent(row, p)));
  return all;
}

TEST(Decoder, BeginsFromWhatAnEncoderHandsOver) {
  const Sequences sources = pack(random_lines({5, 1, 0, 3}, 3));
  const std::vector<std::vector<Id>> tokens = {{1, 1, 1, 1}, {7, 9, 4, 12}, {5, 5}};
  const std::vector<std::vector<Index>> selections = {{3, 1, 0, 0}, {2, 1}, {0}};
  for (const Reader& row : readers()) {
    const auto decoder = row.model->decoder();
    const auto read = decoder->start(sources);
    const auto handed = decoder->start(row.encode(sources));
    ASSERT_EQ(read->rows(), 4) << row.name;
    ASSERT_EQ(handed->rows(), 4) << row.name;
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      expect_close(handed->step(tokens[t]), read->step(tokens[t]), row.name);
      read->select(selections[t]);
      handed->select(selections[t]);
    }
  }
}

TEST(Decoder, GivesTheLogitsOfItsModel) {
  const Batch batch = make_batch(random_lines({5, 1, 3}, 3), random_lines({2, 6, 0}, 4));
  for (const Reader& row : readers()) {
    std::vector<AttentionMap> got;
    std::vector<AttentionMap> expected;
    const auto decoder = row.model->decoder();
    const auto logits = decoder->logits(batch.source, batch.target, &got).value().to_vector();
    set_training(*row.model, false);  // the model drops before, and its decoder does not
    EXPECT_EQ(logits, row.model->logits(batch, &expected).value().to_vector()) << row.name;
    EXPECT_EQ(decoder->vocabulary(), tiny_vocabulary) << row.name;
    EXPECT_EQ(decoder->copies(), row.model->copies()) << row.name;
    EXPECT_FALSE(decoder->continues()) << row.name;
    ASSERT_EQ(got.size(), expected.size()) << row.name;
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_EQ(got[i].layer, expected[i].layer) << row.name;
  }
  LanguageModel lm = tiny_language_model();
  EXPECT_EQ(lm.decoder()->logits({}, batch.target).value().to_vector(),
            lm.logits(batch.target).value().to_vector());
  EXPECT_TRUE(lm.decoder()->continues());
}

TEST(Decoder, OfALanguageModelReadsIdsAlone) {
  const LanguageModel lm = tiny_language_model();
  EXPECT_EQ(message_of([&] { lm.decoder()->start(Encoded{}); }),
            "[start] this decoder reads ids alone, and no encoder's rows");
}

TEST(Decoder, RefusesWhatDoesNotFit) {
  const Sequences sources = pack(random_lines({3, 2}, 3));
  const struct {
    const char* name;
    std::function<void(Encoded&)> change;
  } rows[] = {
      {"no values", [](Encoded& e) { e.values = {}; }},
      {"no keys", [](Encoded& e) { e.keys = {}; }},
      {"a row too few", [](Encoded& e) { e.values = e.values.value().slice(0, 4); }},
      {"keys of a row too few", [](Encoded& e) { e.keys = e.keys.value().slice(0, 4); }},
      {"values too narrow",
       [](Encoded& e) {
         e.values = Tensor::zeros({5, 3});
       }},
      {"keys too wide",
       [](Encoded& e) {
         e.keys = Tensor::zeros({5, 64});
       }},
      {"of another shape", [](Encoded& e) { e.values = Tensor::zeros({80}); }},
  };
  for (const Reader& reader : readers()) {
    const auto decoder = reader.model->decoder();
    for (const auto& row : rows) {
      Encoded encoded = reader.encode(sources);
      row.change(encoded);
      EXPECT_NE(message_of([&] { decoder->start(encoded); }), "")
          << reader.name << ": " << row.name;
    }
    Encoded stateless = reader.encode(sources);
    if (!stateless.states.empty()) {
      stateless.states.back().h = Tensor::zeros({1, 16});
      EXPECT_NE(message_of([&] { decoder->start(stateless); }), "") << reader.name;
    }
    if (!decoder->copies()) continue;
    for (const Ids& ids : {Ids(), Ids({5}, {4, 5, -1, 6, 7})}) {
      Encoded encoded = reader.encode(sources);
      encoded.ids = ids;
      EXPECT_NE(message_of([&] { decoder->start(encoded); }), "") << reader.name;
    }
  }
}

TEST(Decode, BeginsFromAnyState) {
  const Lines lines = random_lines({3, 1, 4}, 8);
  const DecodeOptions rows[] = {{.beam = 3, .nbest = 2}, {.nbest = 2, .sample = true, .seed = 4}};
  for (const Reader& row : readers())
    for (const DecodeOptions& o : rows) {
      const auto decoder = row.model->decoder();
      const auto expected = decode(*decoder, lines, o);
      // A source of n tokens gets 2 n + 20 at most.
      const auto got = decode(
          DecodingStart{decoder->start(pack(lines)), std::vector<Id>(3, bos_id), {26, 22, 28}}, o);
      ASSERT_EQ(got.size(), 3u);
      for (std::size_t i = 0; i < 3; ++i)
        expect_same(got[i], expected[i], row.name);
    }
  const auto decoder = readers()[0].model->decoder();
  const auto start = [&](std::vector<Id> tokens, std::vector<Index> longest) {
    return DecodingStart{nullptr, std::move(tokens), std::move(longest)};
  };
  EXPECT_EQ(message_of([&] { decode(start({}, {}), {}); }),
            "[decode] expected a state to begin from; got none");
}

/// A vocabulary need not hold the special ids. Nothing outside of it is ruled out.
TEST(Decode, KeepsToAVocabularyWithoutTheSpecialIds) {
  Random random(3);
  LanguageModel lm({.vocabulary = 3, .d = 8, .layers = 1, .heads = 2, .context = 8}, random);
  randomize(lm);
  const SpecialIds none{.pad = -1, .bos = -2, .eos = 70, .unk = 3};
  const Lines texts = {{0, 1}, {2}};
  for (const bool sample : {false, true}) {
    std::vector<std::vector<std::vector<Hypothesis>>> both;
    for (const bool forbid_unk : {false, true})
      both.push_back(decode(lm, texts,
                            {.beam = 2,
                             .min_length = 6,
                             .max_length = 6,
                             .forbid_unk = forbid_unk,
                             .special = none,
                             .sample = sample}));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(both[0][i][0].ids.size(), 6u);
      expect_same(both[1][i], both[0][i], sample ? "sampled" : "searched");
    }
  }
  EXPECT_EQ(generate(lm, texts[0], {.count = 9, .special = none}).size(), 9u);
}

}  // namespace
}  // namespace heed
