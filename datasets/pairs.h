#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/types.h"

namespace heed {

enum class Split { train, valid, test };

/// A line and what it becomes: a sentence and its translation, a document and its summary.
struct Pair {
  std::string source;
  std::string target;
  friend bool operator==(const Pair&, const Pair&) = default;
};

/// Pairs that differ in a byte, or in the side on which it stands, hash apart, as do those that
/// come after others.
std::uint64_t hash_of(std::string_view source, std::string_view target, std::uint64_t before = 0);

/// Pairs by number. at() is const and may be called in any order.
class PairSource {
 public:
  virtual ~PairSource() = default;
  virtual Index size() const = 0;  // -1: endless
  virtual Pair at(Index i) const = 0;
  virtual std::string name() const = 0;                // as the user gave it
  virtual Index skipped() const { return 0; }          // lines left out because a side was blank
  virtual Index line(Index i) const { return i + 1; }  // where pair i stands in its file, from 1
  /// Pairs that are cheap to read one after the other: random orders are drawn of whole blocks, [k
  /// block(), (k + 1) block()).
  virtual Index block() const { return 1; }
  /// A hint that the pairs [first, first + count) will be asked for soon.
  virtual void will_need(Index first, Index count) const {
    static_cast<void>(first);
    static_cast<void>(count);
  }
  /// A hash of all pairs in their order, whatever holds them: what a run was trained on is known
  /// again by it. Reads them all where that was not done before; an endless corpus is known by its
  /// name and its first 256.
  virtual std::uint64_t fingerprint() const;
};

/// fingerprint() of pairs that come one after the other.
class Fingerprint {
 public:
  void add(std::string_view source, std::string_view target) {
    hash_ = hash_of(source, target, hash_);
  }
  std::uint64_t of(Index size) const;  // -1: they have no end

 private:
  std::uint64_t hash_ = 0;
};

class MemoryPairs final : public PairSource {
 public:
  explicit MemoryPairs(std::vector<Pair> pairs, std::string name = "memory", Index skipped = 0)
      : pairs_(std::move(pairs)), name_(std::move(name)), skipped_(skipped) {}
  Index size() const override { return static_cast<Index>(pairs_.size()); }
  Pair at(Index i) const override { return pairs_.at(static_cast<std::size_t>(i)); }
  std::string name() const override { return name_; }
  Index skipped() const override { return skipped_; }

 private:
  std::vector<Pair> pairs_;
  std::string name_;
  Index skipped_;
};

/// The first `n` pairs (all, when there are fewer), read now: what validation takes of an endless
/// corpus.
std::unique_ptr<PairSource> first_pairs(const PairSource& source, Index n);

/// Takes `n` pairs at random out of a finite source: all the others, and those, read now. They
/// depend on its size, n and the seed alone.
std::pair<std::unique_ptr<PairSource>, std::unique_ptr<PairSource>> hold_out(
    std::unique_ptr<PairSource> source, Index n, std::uint64_t seed);

struct ReadOptions {
  bool blank_is_error = false;  // where a side is blank; else such lines are skipped and counted
  // told now and then what part of a file has been read, while it is opened
  std::function<void(double)> progress = {};
};

/// Opens what the user gave to --train, --valid or --data:
///   two line-aligned text files | FILE.tsv, two columns | FILE.jsonl, objects with source/target
///   or document/summary | toy:NAME.
/// Files may be packed by gzip (FILE.tsv.gz) and larger than memory (FilePairs). Sides come without
/// white space at their ends, and line ends inside those of a .jsonl become spaces. `fields` is
/// empty, or names the source and the target: 1-based column numbers of a .tsv, keys of a .jsonl.
/// `split` and `seed` matter to toy corpora alone.
/// Throws Error, one line that says what is wrong where and what to do.
std::unique_ptr<PairSource> open_pairs(const std::vector<std::string>& data,
                                       const std::vector<std::string>& fields, Split split,
                                       std::uint64_t seed, const ReadOptions& options = {});

}  // namespace heed
