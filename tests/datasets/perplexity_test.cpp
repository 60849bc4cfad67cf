// The end of the first tokens of a text, which gives the number of characters that were predicted.

#include "datasets/metrics/perplexity.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace heed {
namespace {

std::shared_ptr<const Tokenizer> trained(const std::string& kind) {
  return train_tokenizer(kind, {.min_count = 1}, [](const TakeLine& take) {
    for (int i = 0; i < 50; ++i)
      take("the cat sings and the dog runs");
  });
}

TEST(EndOfTokens, IsThatOfTheTextItself) {
  const struct {
    const char* kind;
    const char* text;
    std::vector<std::string> ends;  // what lies before the end of 0, 1, 2 ... tokens
  } rows[] = {
      {"characters", "кот\n a", {"", "к", "ко", "кот", "кот\n", "кот\n ", "кот\n a", "кот\n a"}},
      {"characters", "", {"", ""}},
      {"words", "кот и dog", {"", "кот", "кот и", "кот и dog", "кот и dog"}},
      {"words",
       "the  cat, кот\n",
       {"", "the", "the  cat", "the  cat,", "the  cat, кот", "the  cat, кот\n"}},
      {"words",
       "l'homme ￭a\n\nb",
       {"", "l'", "l'homme", "l'homme ￭", "l'homme ￭a", "l'homme ￭a\n", "l'homme ￭a\n\n"}},
      {"words",
       " two  lines\nfor  two",
       {"", " two", " two  lines", " two  lines\n", " two  lines\nfor", " two  lines\nfor  two"}},
  };
  for (const auto& row : rows) {
    const auto tokenizer = trained(row.kind);
    const std::string text = row.text;
    for (std::size_t count = 0; count < row.ends.size(); ++count)
      EXPECT_EQ(text.substr(0, end_of_tokens(*tokenizer, text, static_cast<Index>(count))),
                row.ends[count])
          << row.kind << ": " << count << " tokens of " << text;
  }
}

TEST(EndOfTokens, OfSubwordsComesToTheWholeText) {
  const std::string text = "the dog sings\nкрасный  кот ▁ \n";
  for (const char* kind : {"bpe", "unigram"}) {
    const auto tokenizer = trained(kind);
    const Index tokens = std::ssize(tokenizer->encode(text));
    std::size_t before = 0;
    for (Index count = 0; count <= tokens; ++count) {
      const std::size_t end = end_of_tokens(*tokenizer, text, count);
      EXPECT_GE(end, before) << kind << ": " << count;
      before = end;
    }
    EXPECT_EQ(before, text.size()) << kind;
  }
}

}  // namespace
}  // namespace heed
