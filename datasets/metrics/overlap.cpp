#include "datasets/metrics/overlap.h"

#include <algorithm>
#include <array>

#include "framework/error.h"

namespace heed {

namespace {

struct Suffix {
  std::array<std::uint32_t, max_overlap_order> words;  // 1 + the word's number; 0 past the end
  bool of_reference;
};

void append(std::vector<Suffix>& suffixes, std::span<const std::uint32_t> words, std::size_t orders,
            bool of_reference) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    Suffix suffix{{}, of_reference};
    for (std::size_t n = 0; n < orders && i + n < words.size(); ++n)
      suffix.words[n] = words[i + n] + 1;
    suffixes.push_back(suffix);
  }
}

}  // namespace

std::vector<Overlap> ngram_overlap(std::span<const std::uint32_t> hypothesis,
                                   std::span<const std::uint32_t> reference, std::size_t orders) {
  check(orders <= max_overlap_order, "ngram_overlap", "expected at most {} orders; got {}",
        max_overlap_order, orders);
  std::vector<Overlap> result(orders);
  std::vector<Suffix> suffixes;
  suffixes.reserve(hypothesis.size() + reference.size());
  append(suffixes, hypothesis, orders, false);
  append(suffixes, reference, orders, true);
  std::sort(suffixes.begin(), suffixes.end(),
            [](const Suffix& a, const Suffix& b) { return a.words < b.words; });

  // Suffixes that begin with the same n-gram are neighbours. runs[n] counts the current run of
  // equal n-grams of order n + 1.
  std::array<Overlap, max_overlap_order> runs{};
  const auto close = [&](std::size_t n) {
    result[n].hypothesis += runs[n].hypothesis;
    result[n].reference += runs[n].reference;
    result[n].matches += std::min(runs[n].hypothesis, runs[n].reference);
    runs[n] = {};
  };
  for (std::size_t i = 0; i < suffixes.size(); ++i) {
    bool same = i > 0;
    for (std::size_t n = 0; n < orders; ++n) {
      same = same && suffixes[i].words[n] == suffixes[i - 1].words[n];
      if (!same) close(n);
      if (suffixes[i].words[n] != 0)
        ++(suffixes[i].of_reference ? runs[n].reference : runs[n].hypothesis);
    }
  }
  for (std::size_t n = 0; n < orders; ++n)
    close(n);
  return result;
}

}  // namespace heed
