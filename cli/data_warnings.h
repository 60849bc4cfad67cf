#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cli/settings.h"
#include "datasets/batching.h"
#include "datasets/tokenizer.h"

// What a user should know of the data before training on them. Each gives one line, "" where all is
// well.
namespace heed::cli {

/// How much of what is validated on is trained on too, known by 64-bit hashes.
class Overlap {
 public:
  void validate_on(const PairSource& pairs);
  // its lines of 20 characters and more: shorter ones recur by chance
  void validate_on(std::string_view text);
  void train_on(const Pair& pair);
  void train_on(std::string_view text);
  /// From a hundredth of the pairs on, or a twentieth of the lines, of which texts repeat some.
  /// `held_out`: they come from the training data.
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

/// From a quarter of the tokens of a side on. Ids that widen the vocabulary of a model that copies
/// are known.
std::string unknown_warning(const std::vector<Batch>& batches, const Settings& settings,
                            const Tokenizers& tokenizers);
std::string unknown_warning(std::span<const Id> text, const Settings& settings,
                            const Tokenizers& tokenizers);

/// Where words are to be cut and a quarter or more of the letters that a side begins with are of
/// scripts that set no blanks between words.
std::string uncut_warning(const PairSource& pairs, const Settings& settings);
std::string uncut_warning(std::string_view text, const Settings& settings);

}  // namespace heed::cli
