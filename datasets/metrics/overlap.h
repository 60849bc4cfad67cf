#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "datasets/text/vocabulary.h"
#include "framework/types.h"

namespace heed {

/// The number of n-grams of one order in a hypothesis, in its reference, and in both. An n-gram
/// that occurs x times in one and y times in the other adds min(x, y) matches (clipped counts).
struct Overlap {
  Index hypothesis = 0;
  Index reference = 0;
  Index matches = 0;
};

constexpr std::size_t max_overlap_order = 6;

/// The overlap for each order 1 to `orders`, at most 6. Sorts the suffixes of both sides together:
/// n log n steps, memory linear in the number of words. Throws Error when `orders` is above 6.
std::vector<Overlap> ngram_overlap(std::span<const std::uint32_t> hypothesis,
                                   std::span<const std::uint32_t> reference, std::size_t orders);

/// Gives each distinct word a number.
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
