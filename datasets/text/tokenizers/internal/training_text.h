#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "framework/types.h"

namespace heed {

/// The text that a subword model is trained on: a sample, small enough for memory, of a text of any
/// size. The text is cut into parts that are short enough for SentencePiece, which skips long lines
/// and fails on long words.
///
/// The sample depends on the text alone: part i has the hash mix(seed, i), and the parts with the
/// smallest hashes are kept.
class TrainingText {
 public:
  explicit TrainingText(std::size_t most_parts = 1'000'000, std::size_t most_bytes = 8 << 20)
      : most_parts_(most_parts), most_bytes_(most_bytes) {}
  /// Adds a text. It is cut
  /// - at each \n;
  /// - at a space, once a part has 4000 bytes;
  /// - within a word, after 250 characters.
  ///
  /// U+2581 and U+2585, which SentencePiece reserves, and NUL become tabs. SentencePiece does not
  /// learn a tab, and no piece contains one. Throws Error when the text is malformed UTF-8.
  void take(std::string_view text);
  /// Replaces rare characters by tabs and returns the number of distinct characters left. Kept are
  /// the most frequent ones that make up 99.95 % of the text, but at least `most` / 8 and at most
  /// `most`.
  Index choose_alphabet(Index most);
  Index distinct_words() const;  // words are separated by spaces
  const std::vector<std::string>& parts() const { return parts_; }

 private:
  using Alphabet = std::unordered_set<char32_t>;
  void keep(std::string part);
  void halve_sample();  // lowers limit_ by half and removes parts with larger hashes
  Alphabet frequent_characters(Index most, std::size_t& distinct) const;
  std::size_t most_parts_;
  std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t seen_ = 0;
  std::uint64_t limit_ = ~std::uint64_t{0};  // the largest hash of a part that is kept
  std::vector<std::string> parts_;
  std::vector<std::uint64_t> hashes_;
};

}  // namespace heed
