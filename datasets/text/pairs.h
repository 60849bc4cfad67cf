#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "framework/error.h"
#include "framework/fields.h"
#include "framework/types.h"

namespace heed {

enum class Split { train, valid, test };
/// Their names.
const std::vector<Choice<Split>>& splits();

/// The fields that name source and target are wrong, missing, or do not belong to these data.
struct FieldsError : Error {
  using Error::Error;
};

/// An input and its output: a sentence and its translation, or a document and its summary.
struct Pair {
  std::string source;
  std::string target;
  friend bool operator==(const Pair&, const Pair&) = default;
};

/// A hash of a pair. It depends on every byte, on the side each byte stands on, and on `before`,
/// the hash of the pairs before this one.
std::uint64_t hash_of(std::string_view source, std::string_view target, std::uint64_t before = 0);

/// Pairs that are accessed by number, in any order.
class PairSource {
 public:
  virtual ~PairSource() = default;
  virtual Index size() const = 0;  // -1: endless
  virtual Pair at(Index i) const = 0;
  virtual std::string name() const = 0;                // as the user gave it
  virtual Index skipped() const { return 0; }          // lines left out because a side was blank
  virtual Index line(Index i) const { return i + 1; }  // the line of pair i in its file, from 1
  /// Where the target of pair i stands, for messages: "FILE:LINE", or the name of its file.
  virtual std::string place(Index i) const { return fmt::format("{}:{}", name(), line(i)); }
  /// The number of pairs in a block. Block k holds the pairs [k block(), (k + 1) block()), which
  /// are cheap to read in order. Random orders are orders of whole blocks.
  virtual Index block() const { return 1; }
  /// A hint that the pairs [first, first + count) will be read soon.
  virtual void will_need(Index first, Index count) const {
    static_cast<void>(first);
    static_cast<void>(count);
  }
  /// What stands for the source of pair i in fingerprints: the source, or where that names a file,
  /// what does not depend on where the file is.
  virtual std::string identity(Index i) const { return at(i).source; }
  /// A hash of all pairs in their order, which identifies the data of a run whatever files hold
  /// them. Reads all pairs unless that has been done before. The hash of an endless corpus covers
  /// its name and its first 256 pairs.
  virtual std::uint64_t fingerprint() const;
};

/// Computes fingerprint() from pairs that are added in order.
class Fingerprint {
 public:
  void add(std::string_view source, std::string_view target) {
    hash_ = hash_of(source, target, hash_);
  }
  std::uint64_t of(Index size) const;  // -1: endless

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

/// The first `n` pairs, or all if there are fewer, read into memory now. They keep their lines.
/// Validation on an endless corpus uses them.
std::unique_ptr<PairSource> first_pairs(const PairSource& source, Index n);

/// Splits a finite source at random into the pairs that stay and `n` pairs that are held out, which
/// are read into memory now and keep their lines. The choice depends on the size of the source, n
/// and the seed alone. Returns {pairs that stay, pairs held out}.
std::pair<std::unique_ptr<PairSource>, std::unique_ptr<PairSource>> hold_out(
    std::unique_ptr<PairSource> source, Index n, std::uint64_t seed);

struct ReadOptions {
  // Whether a line with a blank side is an error. If not, such lines are skipped and counted.
  bool blank_is_error = false;
  // Whether the data are texts and labels: the target of a pair is the name of its class
  // (labelled.h).
  bool labelled = false;
  // Called now and then while a file is opened, with the share of it that has been read, 0 to 1.
  std::function<void(double)> progress = {};
};

/// Opens the value of --train, --valid or --data, which is one of
/// - two line-aligned text files;
/// - FILE.tsv with two columns;
/// - FILE.jsonl with the keys source and target, or document and summary;
/// - toy:NAME, a built-in corpus (datasets/corpora/corpora.h).
///
/// Files may be compressed by gzip (FILE.tsv.gz) and larger than memory (FilePairs). White space at
/// the ends of a side is removed. Line ends within a side of a .jsonl become spaces.
///
/// `fields` is empty, or names the source and the target: columns of a .tsv, or keys of a .jsonl. A
/// column is named by its number, from 1, or by its name in the first line of the file, which is a
/// header then. Only built-in corpora use `split` and `seed`.
///
/// With `options.labelled` the source is a text and the target its label (labelled.h):
/// - two line-aligned files are texts and labels;
/// - a .tsv has two columns, text and label; or a header that names `label`;
/// - a .jsonl has the key label, whose value may be a number or a boolean, and one of text_names();
///   or source and target, of which the target is the label. Equal numbers are one label: 1.0 is 1;
/// - toy:NAME must be a labelled corpus.
///
/// Throws Error with a message of one line that says what is wrong, where, and what to do.
std::unique_ptr<PairSource> open_pairs(const std::vector<std::string>& data,
                                       const std::vector<std::string>& fields, Split split,
                                       std::uint64_t seed, const ReadOptions& options = {});

}  // namespace heed
