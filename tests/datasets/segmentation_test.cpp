#include "datasets/text/tokenizers/segmentation.h"

#include <cmath>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

namespace heed {
namespace {

using Cut = std::vector<std::string>;

Cut shown(const std::vector<ScoredPiece>& pieces, const std::vector<Id>& ids) {
  Cut cut;
  for (const Id id : ids)
    cut.push_back(id >= first_piece_id
                      ? pieces.at(static_cast<std::size_t>(id - first_piece_id)).text
                      : fmt::format("<{:02X}>", id - first_byte_id));
  return cut;
}

// All segmentations of `word`, with the sums of their scores, by exhaustive search.
void all_cuts(const std::vector<ScoredPiece>& pieces, std::string_view word, const Cut& before,
              double score, std::map<Cut, double>& cuts) {
  if (word.empty()) cuts[before] = score;
  for (const ScoredPiece& piece : pieces) {
    if (!word.starts_with(piece.text)) continue;
    Cut cut = before;
    cut.push_back(piece.text);
    all_cuts(pieces, word.substr(piece.text.size()), cut, score + piece.score, cuts);
  }
}

const std::vector<ScoredPiece> letters{{"a", -2.0},  {"b", -2.5},   {"c", -3.0},  {"ab", -3.2},
                                       {"bc", -2.9}, {"abc", -5.8}, {"ca", -4.5}, {"é", -6}};

TEST(Segmentation, UnigramTakesTheLikeliest) {
  const auto unigram = unigram_segmentation(letters);
  for (const std::string word : {"a", "abc", "abcabc", "cabcab", "bbacabcaabc", "éabcé"}) {
    std::map<Cut, double> cuts;
    all_cuts(letters, word, {}, 0, cuts);
    const auto best = std::max_element(
        cuts.begin(), cuts.end(), [](const auto& x, const auto& y) { return x.second < y.second; });
    std::vector<Id> ids;
    unigram->best(word, ids);
    EXPECT_EQ(shown(letters, ids), best->first) << word;
  }
}

TEST(Segmentation, MergesTheHighestScoreFirst) {
  // Learnt in the order ab, bc, abc, cd. In abcd the merge ab comes before bc, so bc never occurs.
  const std::vector<ScoredPiece> pieces{{"ab", 0}, {"bc", -1}, {"abc", -2}, {"cd", -3}, {"aa", -4},
                                        {"a", -5}, {"b", -6},  {"c", -7},   {"d", -8}};
  const auto merges = merge_segmentation(pieces);
  const std::pair<std::string, Cut> rows[]{
      {"", {}},
      {"a", {"a"}},
      {"abcd", {"abc", "d"}},
      {"bcd", {"bc", "d"}},
      {"acd", {"a", "cd"}},
      {"aaa", {"aa", "a"}},
      {"aaaa", {"aa", "aa"}},
      {"aab", {"a", "ab"}},
      {"abé", {"ab", "<C3>", "<A9>"}},
      {"xaby", {"<78>", "ab", "<79>"}},
  };
  for (const auto& [word, cut] : rows) {
    std::vector<Id> ids;
    merges->best(word, ids);
    EXPECT_EQ(shown(pieces, ids), cut) << word;
  }
}

TEST(Segmentation, SpellsTheUnknownInBytes) {
  for (const auto& kind : {unigram_segmentation(letters), merge_segmentation(letters)}) {
    const std::pair<std::string, Cut> rows[]{{"x", {"<78>"}},
                                             {"a€b", {"a", "<E2>", "<82>", "<AC>", "b"}},
                                             {"😀é", {"<F0>", "<9F>", "<98>", "<80>", "é"}}};
    Random random(1);
    for (const auto& [word, cut] : rows) {
      std::vector<Id> ids;
      std::vector<Id> drawn;
      kind->best(word, ids);
      kind->sample(word, 0.5, random, drawn);
      EXPECT_EQ(shown(letters, ids), cut);
      EXPECT_EQ(shown(letters, drawn), cut);
    }
  }
}

// Compares the observed with the expected counts of each segmentation by Pearson's statistic, which
// almost never exceeds `free + 6 sqrt(2 free)`.
void expect_distribution(const std::map<Cut, double>& probability, const std::map<Cut, int>& counts,
                         int draws, const std::string& what) {
  double statistic = 0;
  for (const auto& [cut, p] : probability) {
    const auto found = counts.find(cut);
    const double expected = p * draws;
    const double seen = found == counts.end() ? 0 : found->second;
    statistic += (seen - expected) * (seen - expected) / expected;
  }
  for (const auto& [cut, count] : counts)
    EXPECT_TRUE(probability.contains(cut))
        << what << ": " << fmt::format("{}", fmt::join(cut, " "));
  const double free = static_cast<double>(probability.size()) - 1;
  EXPECT_LT(statistic, free + 6 * std::sqrt(2 * free) + 1) << what;
}

std::map<Cut, int> draw(const Segmentation& segmentation, const std::vector<ScoredPiece>& pieces,
                        std::string_view word, double strength, int draws) {
  std::map<Cut, int> counts;
  Random random(7);
  for (int i = 0; i < draws; ++i) {
    std::vector<Id> ids;
    segmentation.sample(word, strength, random, ids);
    ++counts[shown(pieces, ids)];
  }
  return counts;
}

TEST(Segmentation, UnigramSamplesItsDistribution) {
  constexpr int draws = 40000;
  const auto unigram = unigram_segmentation(letters);
  for (const std::string word : {"abc", "abcab", "cabcé"})
    for (const double alpha : {0.1, 0.5, 1.0}) {
      std::map<Cut, double> cuts;
      all_cuts(letters, word, {}, 0, cuts);
      double sum = 0;
      for (auto& [cut, score] : cuts)
        sum += score = std::exp(alpha * score);
      for (auto& [cut, score] : cuts)
        score /= sum;
      expect_distribution(cuts, draw(*unigram, letters, word, alpha, draws), draws,
                          fmt::format("{} {}", word, alpha));
    }
}

// Algorithm 1 of BPE-dropout as the paper words it: at every step each possible merge is dropped or
// not. Follows every outcome.
void all_merges(const std::vector<ScoredPiece>& pieces, const Cut& now, double dropout, double p,
                std::map<Cut, double>& ends) {
  std::vector<std::pair<double, std::size_t>> possible;  // by rank, then place
  for (std::size_t i = 0; i + 1 < now.size(); ++i)
    for (const ScoredPiece& piece : pieces)
      if (piece.text == now[i] + now[i + 1]) possible.emplace_back(-piece.score, i);
  std::sort(possible.begin(), possible.end());
  for (std::size_t kept = 0; kept < possible.size(); ++kept) {  // the first that is not dropped
    const std::size_t at = possible[kept].second;
    Cut merged = now;
    merged[at] += merged[at + 1];
    merged.erase(merged.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    all_merges(pieces, merged, dropout,
               p * std::pow(dropout, static_cast<double>(kept)) * (1 - dropout), ends);
  }
  ends[now] += p * std::pow(dropout, static_cast<double>(possible.size()));
}

TEST(Segmentation, MergesDropOutByTheAlgorithm) {
  constexpr int draws = 40000;
  const std::vector<ScoredPiece> pieces{{"ab", 0},  {"bc", -1}, {"abc", -2}, {"ca", -3},
                                        {"aa", -4}, {"a", -5},  {"b", -6},   {"c", -7}};
  const auto merges = merge_segmentation(pieces);
  for (const std::string word : {"abc", "aabca", "abab"})
    for (const double dropout : {0.1, 0.5}) {
      Cut characters;
      for (const char c : word)
        characters.emplace_back(1, c);
      std::map<Cut, double> ends;
      all_merges(pieces, characters, dropout, 1, ends);
      expect_distribution(ends, draw(*merges, pieces, word, dropout, draws), draws,
                          fmt::format("{} {}", word, dropout));
    }
  EXPECT_EQ(draw(*merges, pieces, "abc", 1, 100), (std::map<Cut, int>{{{"a", "b", "c"}, 100}}));
  EXPECT_EQ(draw(*merges, pieces, "abc", 0, 100), (std::map<Cut, int>{{{"abc"}, 100}}));
}

TEST(Segmentation, LongWordsTakeLinearTime) {
  std::string word;
  for (int i = 0; i < 100'000; ++i)
    word += "abcab"[i % 5];
  for (const auto& kind : {unigram_segmentation(letters), merge_segmentation(letters)}) {
    std::vector<Id> ids;
    Random random(1);
    kind->best(word, ids);
    kind->sample(word, 0.3, random, ids);
    std::string back;
    for (const std::string& piece : shown(letters, ids))
      back += piece;
    EXPECT_EQ(back, word + word);
  }
}

}  // namespace
}  // namespace heed
