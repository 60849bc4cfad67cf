#include "datasets/text/text_windows.h"

#include <numeric>

#include <gtest/gtest.h>

#include "datasets/text/batch.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

std::vector<Id> counting(Index n) {  // ids from 4 on, so that ids[i] == i + 4
  std::vector<Id> ids(static_cast<std::size_t>(n));
  std::iota(ids.begin(), ids.end(), first_free_id);
  return ids;
}

TEST(TextWindows, PredictTheNextToken) {
  TextWindows windows(counting(100), {}, {.context = 10, .batch = 7, .seed = 2});
  for (int step = 0; step < 50; ++step) {
    const Batch batch = windows.next();
    EXPECT_EQ(batch.source.spans.rows(), 0);
    EXPECT_EQ(batch.target.spans.count(), 7);
    for (Index w = 0; w < 7; ++w)
      for (Index i = 0; i < 10; ++i) {
        EXPECT_EQ(batch.target.ids[w * 10 + i], batch.lines[w] + i + 4);
        EXPECT_EQ(batch.gold[w * 10 + i], batch.lines[w] + i + 5);
        EXPECT_LT(batch.gold[w * 10 + i], 104);
      }
  }
}

TEST(TextWindows, ReachEveryPlace) {
  TextWindows windows(counting(14), {}, {.context = 10, .batch = 50});
  std::vector<int> seen(4);
  for (Index begin : windows.next().lines)
    ++seen.at(static_cast<std::size_t>(begin));
  for (int count : seen)
    EXPECT_GT(count, 0);
  EXPECT_EQ(TextWindows(counting(11), {}, {.context = 10, .batch = 2}).next().lines,
            (std::vector<Index>{0, 0}));
}

TEST(TextWindows, ResumeAnywhere) {
  const TextOptions options{.context = 5, .batch = 3, .seed = 9};
  TextWindows whole(counting(500), {}, options);
  TextWindows other(counting(500), {}, options);
  std::vector<std::vector<Index>> lines;
  for (int step = 0; step < 30; ++step) {
    EXPECT_EQ(whole.position(), std::vector<std::int64_t>{step});
    lines.push_back(whole.next().lines);
  }
  EXPECT_NE(lines[0], lines[1]);
  for (std::int64_t step : {29, 0, 11}) {
    other.seek(std::vector<std::int64_t>{step});
    EXPECT_EQ(other.next().lines, lines[static_cast<std::size_t>(step)]);
  }
}

TEST(TextWindows, ValidationPredictsEveryTokenButTheFirstOnce) {
  for (Index n : {0, 1, 2, 5, 6, 7, 10, 11, 12, 100})
    for (Index batch : {1, 2, 3, 100}) {
      Index next = 1;
      for (const Batch& b : consecutive_windows(counting(n), 5, batch)) {
        EXPECT_LE(b.target.spans.count(), batch);
        EXPECT_LE(b.target.spans.longest(), 5);
        for (Index i = 0; i < b.gold.size(); ++i, ++next) {
          EXPECT_EQ(b.gold[i], next + 4);
          EXPECT_EQ(b.target.ids[i], next + 3);
        }
      }
      EXPECT_EQ(next, std::max<Index>(n, 1)) << n;
    }
}

TEST(TextWindows, OpenAFile) {
  const TemporaryFolder folder;
  // 20 characters
  const std::string train = folder.write("t.txt", "abcdefghij\nlmnopqrst");
  const std::string valid = folder.write("v.txt", "tsr");
  const auto tokenizer = train_tokenizer(
      "characters", {}, [](const TakeLine& take) { take("abcdefghij\nlmnopqrst"); });
  const TextWindows split = TextWindows::open(train, "", *tokenizer, {.context = 4});
  EXPECT_EQ(tokenizer->decode(split.train()), "abcdefghij\nlmnopqr");
  EXPECT_EQ(tokenizer->decode(split.valid()), "st");
  const TextWindows separate = TextWindows::open(train, valid, *tokenizer, {.context = 4});
  EXPECT_EQ(separate.train().size(), 20u);
  EXPECT_EQ(tokenizer->decode(separate.valid()), "tsr");
  EXPECT_EQ(TextWindows::open(train, "", *tokenizer, {.context = 4, .valid_fraction = 0.5})
                .valid()
                .size(),
            10u);
}

TEST(TextWindows, CountEpochsByTokens) {
  struct Epochs {
    Index text;
    Index context;
    Index batch;
    Index epochs;
    Index batches;
  };
  for (const Epochs& row :
       {Epochs{100, 10, 5, 1, 2}, Epochs{100, 10, 5, 3, 6}, Epochs{101, 10, 5, 1, 3},
        Epochs{101, 10, 5, 2, 5}, Epochs{16550, 64, 12, 2, 44}, Epochs{16550, 512, 1, 2, 65},
        Epochs{16550, 1024, 1, 2, 33}}) {
    TextWindows windows(counting(row.text), {}, {.context = row.context, .batch = row.batch});
    EXPECT_EQ(windows.batches_in(row.epochs), row.batches);
    windows.seek(std::vector<std::int64_t>{row.batches - 1});
    EXPECT_LT(windows.epochs(), row.epochs);
    windows.next();
    EXPECT_GE(windows.epochs(), row.epochs);
  }
}

TEST(TextWindows, RefuseBadOptions) {
  const TemporaryFolder folder;
  const std::string train = folder.write("t.txt", "abcdefghij\nlmnopqrst");  // 20 characters
  const auto tokenizer = train_tokenizer(
      "characters", {}, [](const TakeLine& take) { take("abcdefghij\nlmnopqrst"); });
  const auto message = [&](const TextOptions& options) {
    return folder.message([&] { TextWindows::open(train, "", *tokenizer, options); });
  };
  EXPECT_EQ(message({.context = 18}),
            "[text] expected context below 18, the number of tokens to train on; got 18");
  EXPECT_EQ(message({.context = 0}), "[text] expected context of at least 1; got 0");
  EXPECT_EQ(message({.context = 4, .batch = 0}),
            "[text] expected batch of at least 1 window; got 0");
  EXPECT_EQ(message({.context = 4, .valid_fraction = 1}),
            "[text] expected valid_fraction within [0, 1); got 1");
  EXPECT_EQ(folder.message([&] {
    TextWindows(counting(9), {}, {.context = 3}).seek(std::vector<std::int64_t>{-1});
  }),
            "[text] expected a position of one number from 0 on; got (-1)");
}

}  // namespace
}  // namespace heed
