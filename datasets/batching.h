#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "datasets/pairs.h"
#include "datasets/tokenizer.h"
#include "framework/error.h"
#include "framework/sequences.h"

namespace heed {

struct BatchOptions {
  Index batch_tokens = 4096;  // most rows of source and target together, <s> and </s> included
  // pairs with a longer side, in tokens without <s> and </s>, are dropped; 0: no limit
  Index max_length = 256;
  bool cut = false;     // longer sides are cut to max_length instead
  Index window = 8192;  // pairs sorted by length at a time
  std::uint64_t seed = 1;
  bool shuffle = true;
  // for models that copy: ids from the vocabulary's size on name the source's unknown words;
  // tokenizers are joint
  bool widen = false;
  // above 0: each line is cut anew in each epoch, a draw from (seed, epoch, line, side);
  // Tokenizer::sample
  double subword_sampling = 0;
};

/// Every pair was dropped.
struct NothingLeft : Error {
  using Error::Error;
};

/// What became of the pairs that were read.
struct BatchCounts {
  Index read = 0;
  Index dropped = 0;      // a side is longer than max_length, or the pair alone exceeds the budget
  Index cut = 0;          // a side was cut to max_length
  Index over_budget = 0;  // of those dropped: no side is too long, but the pair exceeds the budget
  Index first_long =
      -1;  // the lowest number of a pair with a side that is too long; -1: there is none
};

/// Batches for training, without end. What comes next is a function of the pairs, the options and
/// the position alone. Each epoch visits every pair once, in an order drawn from (seed, epoch); an
/// endless corpus is read by consecutive numbers, in epoch 0. `window` pairs at a time are sorted
/// by length and cut into batches within the budget, and those batches shuffled. Of a corpus on
/// disk the order is one of blocks (PairSource::block): a window is as many shuffled blocks as fit,
/// at least one, and its pairs are shuffled together. Only a window of pairs and an order of blocks
/// are ever held. source = tokens </s>, target = <s> tokens, gold = tokens </s>, packed. `lines`
/// are numbers for PairSource::at.
class PairBatches final : public BatchStream {
 public:
  /// Keeps a reference to `pairs`. Throws Error when an option is out of range or there are no
  /// pairs.
  PairBatches(const PairSource& pairs, Tokenizers tokenizers, const BatchOptions& options);
  PairBatches(PairBatches&&) noexcept;
  ~PairBatches() override;

  /// Throws NothingLeft when every pair of an epoch (of 16 windows of an endless corpus) is
  /// dropped.
  Batch next() override;
  /// Of the batch that next() gives: {epoch, window, batch in the window}.
  std::vector<std::int64_t> position() const override {
    return {position_.epoch, position_.window, position_.batch};
  }
  void seek(std::span<const std::int64_t> position) override;
  std::string describe(std::span<const Index> lines) const override;
  Index epoch() const { return position_.epoch; }
  Index epochs() const override { return position_.epoch; }
  /// Of this epoch so far, a window at a time.
  const BatchCounts& counts() const { return counts_; }
  /// The number of batches in an epoch, and what becomes of its pairs: reads and tokenizes them
  /// all, once. Throws Error on an endless corpus and when every pair is dropped.
  Index count_epoch(BatchCounts* counts = nullptr);
  /// Whether every epoch has as many batches as count_epoch() finds: all pairs are one window, cut
  /// alike each time.
  bool epochs_are_alike() const;

 private:
  struct Position {
    Index epoch = 0;
    Index window = 0;
    Index batch = 0;
    friend bool operator==(const Position&, const Position&) = default;
  };
  struct Window;
  Index blocks() const;         // of an epoch
  Index window_blocks() const;  // of a window
  Index windows() const;        // of an epoch
  void advance();               // to the first batch of the next window
  void prepare();               // reads the window at position_, unless it is the one at hand
  void will_need(Index window) const;  // a hint to the source

  const PairSource& pairs_;
  Tokenizers tokenizers_;
  BatchOptions options_;
  Position position_;
  BatchCounts counts_;
  std::vector<Index> order_;  // of the blocks of epoch order_epoch_
  Index order_epoch_ = -1;
  std::unique_ptr<Window> window_;
};

/// What becomes of the pairs of a finite corpus. Tokenizes only those that have bytes enough to be
/// too long.
BatchCounts count_pairs(const PairSource& pairs, const Tokenizers& tokenizers,
                        const BatchOptions& options);

/// For evaluation: every pair once, shortest first, no randomness; `lines` tells where each came
/// from. A pair that alone exceeds the budget makes a batch of its own; those beyond max_length are
/// dropped or cut, and counted. Throws Error on an endless corpus and when nothing is left.
std::vector<Batch> all_batches(const PairSource& pairs, const Tokenizers& tokenizers,
                               const BatchOptions& options, BatchCounts* counts = nullptr);

}  // namespace heed
