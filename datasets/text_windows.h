#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/tokenizer.h"
#include "framework/sequences.h"

namespace heed {

struct TextOptions {
  Index context = 128;  // tokens a window predicts
  Index batch = 32;     // windows a step
  // the end of the text, kept for validation when there is no file for it; in [0, 1)
  double valid_fraction = 0.1;
  std::uint64_t seed = 1;
};

/// What a language model trains on: random windows of one long text. A batch has no source; target
/// = ids[i, i + context), gold = ids[i + 1, i + context + 1), `lines` holds each i. The batch of
/// step n is a function of (seed, n) alone.
class TextWindows final : public BatchStream {
 public:
  /// Throws Error when an option is out of range or `train` has not context + 1 tokens.
  TextWindows(std::vector<Id> train, std::vector<Id> valid, const TextOptions& options);
  /// Reads the .txt file `train`; validates on the file `valid`, or, when that is "", on the end of
  /// `train`.
  static TextWindows open(const std::string& train, const std::string& valid,
                          const Tokenizer& tokenizer, const TextOptions& options);
  /// The same with the texts themselves, where they have been read already.
  static TextWindows of_texts(std::string_view train, std::string_view valid,
                              const Tokenizer& tokenizer, const TextOptions& options);

  Batch next() override { return at(step_++); }
  Batch at(Index step) const;
  std::vector<std::int64_t> position() const override { return {step_}; }
  void seek(std::span<const std::int64_t> position) override;
  /// As many tokens as the text has are a pass over it, wherever the windows lay.
  Index epochs() const override {
    return step_ * tokens_a_batch() / static_cast<Index>(train_.size());
  }
  /// The batches after which epochs() is `epochs`.
  Index batches_in(Index epochs) const;
  std::string describe(std::span<const Index> lines) const override;

  const std::vector<Id>& train() const { return train_; }
  const std::vector<Id>& valid() const { return valid_; }
  /// The validation text in windows that follow one another; see consecutive_windows.
  std::vector<Batch> valid_batches() const;

 private:
  Index tokens_a_batch() const { return options_.context * options_.batch; }

  std::vector<Id> train_;
  std::vector<Id> valid_;
  TextOptions options_;
  Index step_ = 0;
};

/// Windows of `context` ids, the last one shorter, `batch` of them together: every id but the first
/// is predicted exactly once. No batches when there are fewer than two ids.
std::vector<Batch> consecutive_windows(std::span<const Id> ids, Index context, Index batch);

}  // namespace heed
