#include "datasets/corpora/scan.h"

#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "framework/error.h"

namespace heed::toy {
namespace {

std::map<std::string, std::string> by_command(const std::vector<Pair>& pairs) {
  std::map<std::string, std::string> result;
  for (const Pair& pair : pairs)
    result[pair.source] = pair.target;
  return result;
}
Index words(const std::string& text) { return 1 + std::count(text.begin(), text.end(), ' '); }

TEST(Scan, HasEveryCommandOnce) {
  // 4 verbs alone, and 5 (with `turn`) with 3 manners in 2 directions: 34. Alone, twice and thrice:
  // 102. Two joined in 2 ways: 102^2 x 2.
  const auto all = scan();
  EXPECT_EQ(all.size(), 102u + 2 * 102 * 102);
  EXPECT_EQ(all.size(), 20910u);
  EXPECT_EQ(by_command(all).size(), all.size());
  std::set<std::string> in;
  std::set<std::string> out;
  Index longest_command = 0;
  Index longest = 0;
  for (const Pair& pair : all) {
    longest_command = std::max(longest_command, words(pair.source));
    longest = std::max(longest, words(pair.target));
    for (auto [text, set] : {std::pair(&pair.source, &in), std::pair(&pair.target, &out)})
      for (std::size_t at = 0; at <= text->size();) {
        const std::size_t end = std::min(text->find(' ', at), text->size());
        set->insert(text->substr(at, end - at));
        at = end + 1;
      }
  }
  EXPECT_EQ(in, (std::set<std::string>{"walk", "look", "run", "jump", "turn", "left", "right",
                                       "opposite", "around", "twice", "thrice", "and", "after"}));
  EXPECT_EQ(out, (std::set<std::string>{"I_WALK", "I_LOOK", "I_RUN", "I_JUMP", "I_TURN_LEFT",
                                        "I_TURN_RIGHT"}));
  EXPECT_EQ(longest_command, 9);
  EXPECT_EQ(longest, 48);
}

TEST(Scan, MeansWhatTheInterpretationSays) {
  const auto all = by_command(scan());
  for (const Pair& row : std::vector<Pair>{
           {"jump", "I_JUMP"},
           {"walk left", "I_TURN_LEFT I_WALK"},
           {"turn right", "I_TURN_RIGHT"},
           {"turn opposite left", "I_TURN_LEFT I_TURN_LEFT"},
           {"look opposite right", "I_TURN_RIGHT I_TURN_RIGHT I_LOOK"},
           {"turn around left", "I_TURN_LEFT I_TURN_LEFT I_TURN_LEFT I_TURN_LEFT"},
           {"run around right",
            "I_TURN_RIGHT I_RUN I_TURN_RIGHT I_RUN I_TURN_RIGHT I_RUN I_TURN_RIGHT I_RUN"},
           {"jump thrice", "I_JUMP I_JUMP I_JUMP"},
           {"walk opposite left twice",
            "I_TURN_LEFT I_TURN_LEFT I_WALK I_TURN_LEFT I_TURN_LEFT I_WALK"},
           {"walk and run", "I_WALK I_RUN"},
           {"walk after run", "I_RUN I_WALK"},
           {"jump left twice after turn opposite right",
            "I_TURN_RIGHT I_TURN_RIGHT I_TURN_LEFT I_JUMP I_TURN_LEFT I_JUMP"},
           {"look right and jump twice", "I_TURN_RIGHT I_LOOK I_JUMP I_JUMP"}}) {
    ASSERT_TRUE(all.contains(row.source)) << row.source;
    EXPECT_EQ(all.at(row.source), row.target) << row.source;
  }
  for (const char* none : {"turn", "turn twice", "walk and turn", "walk twice thrice",
                           "walk and run and look", "walk left opposite"})
    EXPECT_FALSE(all.contains(none)) << none;
}

TEST(Scan, SplitsAsThePaperDoes) {
  struct Row {
    const char* split;
    std::size_t train;
    std::size_t test;
  };
  for (const Row& row :
       {Row{"simple", 16728, 4182}, Row{"length", 16990, 3920}, Row{"add_jump", 14670, 7706}}) {
    const ScanSplit s = scan(row.split);
    EXPECT_EQ(s.train.size(), row.train) << row.split;
    EXPECT_EQ(s.test.size(), row.test) << row.split;
    auto all = by_command(s.train);
    for (const Pair& pair : s.test)
      EXPECT_FALSE(all.contains(pair.source)) << row.split << ": " << pair.source;
    all.merge(by_command(s.test));
    EXPECT_EQ(all, by_command(scan())) << row.split;
  }
  for (const Pair& pair : scan("length").train)
    EXPECT_LE(words(pair.target), 22);
  for (const Pair& pair : scan("length").test)
    EXPECT_GT(words(pair.target), 22);
  for (const Pair& pair : scan("add_jump").train)
    EXPECT_TRUE(pair.source == "jump" || pair.source.find("jump") == std::string::npos);
  EXPECT_EQ(scan("simple", 1).train, scan("simple", 1).train);
  EXPECT_NE(scan("simple", 1).train, scan("simple", 2).train);
  try {
    scan("around");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "SCAN has the splits simple, length and add_jump; got 'around'");
  }
}

}  // namespace
}  // namespace heed::toy
