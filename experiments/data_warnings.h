#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "datasets/text/batch.h"
#include "datasets/text/batching.h"
#include "datasets/text/tokenizer.h"
#include "experiments/settings.h"

// Warnings about data before a model is trained on them. Each function returns one line, or ""
// where there is nothing to warn of.
namespace heed {

/// Finds how much of the validation data is training data too, by 64-bit hashes of pairs or lines.
/// Call validate_on() first, then train_on() with all training data.
class ValidationOverlap {
 public:
  void validate_on(const PairSource& pairs);
  // Only lines of 20 characters or more count: shorter ones recur by chance.
  void validate_on(std::string_view text);
  void train_on(const Pair& pair);
  void train_on(std::string_view text);
  /// Warns where a hundredth of the pairs is shared, or a twentieth of the lines (texts repeat some
  /// lines anyway). `held_out`: the validation data were taken from the training data.
  std::string warning(bool held_out) const;

 private:
  struct Entry {
    Index times = 0;  // in the validation data
    bool trained = false;
  };
  void validate_on(std::uint64_t hash);
  void train_on(std::uint64_t hash);
  std::unordered_map<std::uint64_t, Entry> entries_;
  Index size_ = 0;
  bool lines_ = false;
};

/// Warns where more than a quarter of the tokens of a side are unknown (<unk>). Words that a model
/// can copy have ids beyond the vocabulary, and count as known.
std::string unknown_warning(const std::vector<Batch>& batches, const Settings& settings,
                            const Tokenizers& tokenizers);
std::string unknown_warning(std::span<const Id> text, const Settings& settings,
                            const Tokenizers& tokenizers);

/// Warns where data.tokenizer is "words" and a quarter or more of the letters at the beginning of a
/// side belong to scripts without spaces between words.
std::string uncut_warning(const PairSource& pairs, const Settings& settings);
std::string uncut_warning(std::string_view text, const Settings& settings);

}  // namespace heed
