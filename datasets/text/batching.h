#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "datasets/text/batch.h"
#include "datasets/text/pairs.h"
#include "datasets/text/tokenizer.h"
#include "framework/error.h"

namespace heed {

struct BatchOptions {
  // The budget: the most rows of source and target together, <s> and </s> included. A label is no
  // row.
  Index batch_tokens = 4096;
  // The most tokens of a side, <s> and </s> not counted. 0: no limit. A pair with a longer side is
  // dropped, or cut if `cut` is set.
  Index max_length = 256;
  bool cut = false;
  Index window = 8192;  // the number of pairs that are sorted by length together
  std::uint64_t seed = 1;
  bool shuffle = true;
  // For models that copy: unknown words of the source get ids from the vocabulary's size on. Needs
  // a joint tokenizer.
  bool widen = false;
  // Above 0: each epoch draws a new segmentation of each line from (seed, epoch, line, side). The
  // value is the `strength` of Tokenizer::sample.
  double subword_sampling = 0;
};

/// Every pair was dropped.
struct NothingLeft : Error {
  using Error::Error;
};

/// How many pairs were read, and what happened to them.
struct BatchCounts {
  Index read = 0;
  Index dropped = 0;  // a side is longer than max_length, or the pair alone exceeds the budget
  Index cut = 0;      // a side was cut to max_length
  // The dropped pairs whose sides are short enough, but which alone exceed the budget.
  Index over_budget = 0;
  // The lowest number of a pair with a side that is too long; -1: there is none.
  Index first_long = -1;
};

/// An endless stream of batches for training. The next batch depends on the pairs, the options and
/// the position alone.
///
/// Order of the pairs:
/// - Each epoch visits every pair once, in an order drawn from (seed, epoch).
/// - An endless corpus is read in the order of its numbers, and its epoch is always 0.
/// - `window` pairs at a time are sorted by length and cut into batches within the budget. The
///   batches of a window are shuffled.
/// - A corpus on disk is shuffled by blocks (PairSource::block). A window holds as many blocks as
///   fit, at least one, and its pairs are shuffled together.
///
/// Memory: one window of pairs and the order of the blocks.
///
/// Layout of a batch, packed:
/// - source = tokens </s>, target = <s> tokens, gold = tokens </s>;
/// - if the tokenizers have labels, so that the target of a pair is the name of its class: source =
///   tokens </s>, no target, gold = the id of the class, one for each text. All of them count, 0
///   too;
/// - `lines` holds the numbers of the pairs, for PairSource::at.
class PairBatches final : public BatchStream {
 public:
  /// Keeps a reference to `pairs`. Throws Error when an option is out of range or there are no
  /// pairs.
  PairBatches(const PairSource& pairs, Tokenizers tokenizers, const BatchOptions& options);
  PairBatches(PairBatches&&) noexcept;
  ~PairBatches() override;

  /// Throws NothingLeft when every pair is dropped: of a whole epoch, or of 16 windows in a row of
  /// an endless corpus. Throws UnknownLabel (labels.h), `FILE:LINE: ...`.
  Batch next() override;
  /// The position of the batch that next() returns: {epoch, window, batch in the window}.
  std::vector<std::int64_t> position() const override {
    return {position_.epoch, position_.window, position_.batch};
  }
  void seek(std::span<const std::int64_t> position) override;
  std::string describe(std::span<const Index> lines) const override;
  Index epoch() const { return position_.epoch; }
  double epochs() const override { return static_cast<double>(position_.epoch); }
  /// The counts of this epoch so far. They grow by a window at a time.
  const BatchCounts& counts() const { return counts_; }
  /// The number of batches in an epoch. Reads and tokenizes every pair once, and fills `counts`.
  /// Throws Error when
  /// - the corpus is endless;
  /// - every pair is dropped.
  Index count_epoch(BatchCounts* counts = nullptr);
  /// Whether every epoch has as many batches as count_epoch() finds: all pairs fit into one window
  /// and no segmentations are drawn.
  bool epochs_are_alike() const;

 private:
  struct Position {
    Index epoch = 0;
    Index window = 0;
    Index batch = 0;
    friend bool operator==(const Position&, const Position&) = default;
  };
  struct Window;
  // Numbers of blocks in an epoch, of blocks in a window, and of windows in an epoch.
  Index blocks() const;
  Index window_blocks() const;
  Index windows() const;
  void advance();                      // to the first batch of the next window
  void prepare();                      // makes window_ the window at position_
  void read_window();                  // fills window_->lines for the window at position_
  void order_blocks();                 // fills order_ for the epoch at position_
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

/// Counts how many pairs of a finite corpus would be dropped or cut. Tokenizes only the pairs that
/// have enough bytes to be too long.
BatchCounts count_pairs(const PairSource& pairs, const Tokenizers& tokenizers,
                        const BatchOptions& options);

/// Batches for evaluation: every pair once, the shortest first, without randomness. `lines` holds
/// the number of each pair.
/// - A pair that alone exceeds the budget is a batch of its own.
/// - A pair with a side over max_length is dropped or cut, and counted.
///
/// Throws UnknownLabel (labels.h), `FILE:LINE: ...`; and Error when
/// - the corpus is endless;
/// - every pair is dropped.
std::vector<Batch> all_batches(const PairSource& pairs, const Tokenizers& tokenizers,
                               const BatchOptions& options, BatchCounts* counts = nullptr);

}  // namespace heed
