#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/text/batch.h"
#include "datasets/text/tokenizer.h"

namespace heed {

struct TextOptions {
  Index context = 128;  // the number of tokens that a window predicts
  Index batch = 32;     // the number of windows in a batch
  // The share of the text, at its end, that is kept for validation when there is no validation
  // file; in [0, 1).
  double valid_fraction = 0.1;
  std::uint64_t seed = 1;
};

/// Training data of a language model: random windows of one long text.
///
/// A batch has no source. The window that begins at token i has target = ids[i, i + context) and
/// gold = ids[i + 1, i + context + 1); `lines` holds the i of each window. The batch of step n
/// depends on (seed, n) alone.
class TextWindows final : public BatchStream {
 public:
  /// Throws Error when
  /// - an option is out of range;
  /// - `train` has fewer than context + 1 tokens.
  TextWindows(std::vector<Id> train, std::vector<Id> valid, const TextOptions& options);
  /// Reads the .txt file `train`. Validation uses the file `valid`, or the end of `train` when
  /// `valid` is "".
  static TextWindows open(const std::string& train, const std::string& valid,
                          const Tokenizer& tokenizer, const TextOptions& options);
  /// Does the same as open() for texts that have been read already.
  static TextWindows of_texts(std::string_view train, std::string_view valid,
                              const Tokenizer& tokenizer, const TextOptions& options);

  Batch next() override { return at(step_++); }
  Batch at(Index step) const;
  std::vector<std::int64_t> position() const override { return {step_}; }
  void seek(std::span<const std::int64_t> position) override;
  /// An epoch is over when the windows have predicted as many tokens as the text has, wherever
  /// they lay.
  double epochs() const override {
    return static_cast<double>(step_ * tokens_per_batch()) / static_cast<double>(train_.size());
  }
  /// The number of batches after which epochs() is `epochs`.
  Index batches_in(Index epochs) const;
  std::string describe(std::span<const Index> lines) const override;

  const std::vector<Id>& train() const { return train_; }
  const std::vector<Id>& valid() const { return valid_; }
  /// The validation text in consecutive_windows().
  std::vector<Batch> valid_batches() const;

 private:
  Index tokens_per_batch() const { return options_.context * options_.batch; }

  std::vector<Id> train_;
  std::vector<Id> valid_;
  TextOptions options_;
  Index step_ = 0;
};

/// Batches of `batch` windows that follow one another. Each window has `context` ids, the last one
/// fewer. Every id except the first is predicted exactly once. Returns no batches when there are
/// fewer than two ids.
std::vector<Batch> consecutive_windows(std::span<const Id> ids, Index context, Index batch);

}  // namespace heed
