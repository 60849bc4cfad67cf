// One search under several length penalties gives what a search under each alone gives.

#include "tests/message_of.h"
#include "tests/models/decoding.h"

namespace heed {
namespace {

const std::vector<Real> penalties = {0, Real(0.2), Real(0.6), 1, 2, 5};

struct Row {
  const char* name;
  DecodeOptions options;
};
const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"greedy", {.beam = 1, .max_length = 12}},
      {"beam", {.beam = 4, .max_length = 12}},
      {"short", {.beam = 3, .max_length = 3}},
      {"n best", {.beam = 5, .nbest = 5, .max_length = 9}},
      {"constraints",
       {.beam = 3, .min_length = 4, .max_length = 9, .no_repeat_ngram = 2, .forbid_unk = true}},
      {"dead ends",
       {.beam = 6, .nbest = 6, .min_length = 6, .max_length = 9, .no_repeat_ngram = 1}},
      {"coverage", {.beam = 4, .nbest = 2, .max_length = 9, .coverage_penalty = 0.5}},
  };
  return all;
}

TEST(Penalties, TogetherGiveWhatEachGivesAlone) {
  const Lines sources = {{4, 5, 2}, {5, 2}, {4, 4, 5, 5, 4, 2}, {2}};
  std::size_t different = 0;
  for (const std::uint64_t seed : {1, 2, 3, 4})
    for (const Row& row : rows()) {
      const Transformer model = opinionated(seed);
      const auto decoder = model.decoder();
      const auto together = decode_with_penalties(*decoder, sources, row.options, penalties);
      ASSERT_EQ(together.size(), penalties.size());
      for (std::size_t p = 0; p < penalties.size(); ++p) {
        DecodeOptions alone = row.options;
        alone.length_penalty = penalties[p];
        const auto expected = decode(*decoder, sources, alone);
        ASSERT_EQ(together[p].size(), sources.size());
        for (std::size_t i = 0; i < sources.size(); ++i) {
          expect_same(together[p][i], expected[i],
                      fmt::format("{}, seed {}, penalty {}", row.name, seed, penalties[p]));
          different += p > 0 && together[p][i][0].ids != together[p - 1][i][0].ids;
        }
      }
    }
  EXPECT_GT(different, 10u) << "penalties that change nothing show nothing";
}

TEST(Penalties, OfNothingAreNothing) {
  const Transformer model = opinionated(1);
  const auto decoder = model.decoder();
  EXPECT_TRUE(decode_with_penalties(*decoder, Lines{{4, 2}}, {}, {}).empty());
  const auto none = decode_with_penalties(*decoder, Lines{}, {}, penalties);
  ASSERT_EQ(none.size(), penalties.size());
  for (const auto& outputs : none)
    EXPECT_TRUE(outputs.empty());
}

TEST(Penalties, AreOfASearchAndInTheirRange) {
  const Transformer model = opinionated(1);
  const auto decoder = model.decoder();
  const std::vector<Real> negative = {1, -1};
  EXPECT_NE(message_of([&] {
              decode_with_penalties(*decoder, Lines{{4, 2}}, {}, negative);
            }).find("length_penalty"),
            std::string::npos);
  EXPECT_EQ(message_of([&] {
              decode_with_penalties(*decoder, Lines{{4, 2}}, {.sample = true}, penalties);
            }),
            "[decode] expected a search, which length penalties rank; got samples");
}

}  // namespace
}  // namespace heed
