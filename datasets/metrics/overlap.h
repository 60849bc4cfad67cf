#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "datasets/vocabulary.h"
#include "framework/types.h"

namespace heed {

/// N-grams of one order in a hypothesis and in its reference, and how many of the one the other
/// holds too (clipped: each counts as often as the side where it is rarer).
struct Overlap {
  Index hypothesis = 0;
  Index reference = 0;
  Index matches = 0;
};

constexpr std::size_t max_overlap_order = 6;

/// For each order 1 ... `orders` (at most 6). One sort of both sides' suffixes: n log n steps,
/// memory linear in the words.
std::vector<Overlap> ngram_overlap(std::span<const std::uint32_t> hypothesis,
                                   std::span<const std::uint32_t> reference, std::size_t orders);

/// Numbers words so that equal ones have equal numbers.
class WordNumbers {
 public:
  std::uint32_t operator()(const std::string& word) {
    return numbers_.try_emplace(word, static_cast<std::uint32_t>(numbers_.size())).first->second;
  }
  std::vector<std::uint32_t> operator()(std::span<const std::string> words) {
    std::vector<std::uint32_t> numbers;
    for (const std::string& word : words)
      numbers.push_back((*this)(word));
    return numbers;
  }

  std::size_t size() const { return numbers_.size(); }

 private:
  StringMap<std::uint32_t> numbers_;
};

}  // namespace heed
