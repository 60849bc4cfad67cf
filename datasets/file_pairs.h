#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/input_file.h"
#include "datasets/pairs.h"

namespace heed {

/// How records become pairs. A record is a line of each file, all of one number.
class RecordFormat {
 public:
  virtual ~RecordFormat() = default;
  struct Record {
    // empty where it is blank; they last until the next read()
    std::string_view source;
    std::string_view target;
  };
  /// Messages about it begin with `file`:`line`.
  virtual Record read(std::span<const std::string_view> lines, const std::string& file,
                      Index line) = 0;
};

// two files, a side each
std::unique_ptr<RecordFormat> aligned_format();
// column numbers; none: there are two
std::unique_ptr<RecordFormat> tsv_format(const std::vector<std::string>& fields);
// keys; none: the known ones
std::unique_ptr<RecordFormat> jsonl_format(const std::vector<std::string>& fields);

/// Pairs that stay in their files, one of which may be larger than memory. Opening reads everything
/// once, checks it, and keeps where every 64th pair begins; at() reads from there on, so that pairs
/// asked for in their order cost one pass. Not for several threads at once.
class FilePairs final : public PairSource {
 public:
  FilePairs(const std::vector<std::string>& paths, std::unique_ptr<RecordFormat> format,
            const ReadOptions& options);
  ~FilePairs() override;

  Index size() const override { return size_; }
  Pair at(Index i) const override;
  std::string name() const override { return name_; }
  Index skipped() const override { return skipped_; }
  Index line(Index i) const override;
  Index block() const override { return block_pairs; }
  std::uint64_t fingerprint() const override { return fingerprint_; }
  void will_need(Index first, Index count) const override;

 private:
  static constexpr Index block_pairs = 64;
  struct Cursor;
  struct Block {
    std::int64_t offsets[2];  // in each file
    Index lines;              // before it
  };
  // the next that is not blank, trimmed; false at the end
  bool next(RecordFormat::Record& pair) const;

  std::string name_;
  bool blank_is_error_;
  std::vector<InputFile> files_;
  std::vector<Block> blocks_;
  Index size_ = 0;
  Index skipped_ = 0;
  std::uint64_t fingerprint_ = 0;
  std::unique_ptr<Cursor> cursor_;
};

}  // namespace heed
