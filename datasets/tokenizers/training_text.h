#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "framework/types.h"

namespace heed {

/// What a subword model is trained on: of a text of any size, parts that fit into memory, none too
/// long for SentencePiece, which skips long lines and gives up on long words. Which parts are kept
/// depends on the text alone: part i has the draw mix(seed, i), and the smallest draws stay.
class TrainingText {
 public:
  explicit TrainingText(std::size_t most_parts = 1'000'000, std::size_t most_bytes = 8 << 20)
      : most_parts_(most_parts), most_bytes_(most_bytes) {}
  /// Cuts at \n, at a space where a part has 4000 bytes, and within words of 250 characters. Throws
  /// Error on malformed UTF-8.
  void take(std::string_view text);
  /// Replaces every character but the `most` frequent (the least that make up 99.95 % of the text,
  /// or an eighth of `most` where that is more) by a tab, and U+2581 and U+2585, which
  /// SentencePiece reserves. A tab is no character to it and ends a piece. Returns how many are
  /// left.
  Index choose_alphabet(Index most);
  Index distinct_words() const;  // between spaces
  const std::vector<std::string>& parts() const { return parts_; }

 private:
  void keep(std::string part);
  std::size_t most_parts_;
  std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t seen_ = 0;
  std::uint64_t limit_ = ~std::uint64_t{0};
  std::vector<std::string> parts_;
  std::vector<std::uint64_t> draws_;
};

}  // namespace heed
