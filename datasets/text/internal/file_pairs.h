#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/text/internal/input_file.h"
#include "datasets/text/pairs.h"

namespace heed {

/// Turns records into pairs. Record n consists of line n of each file.
class RecordFormat {
 public:
  virtual ~RecordFormat() = default;
  /// Whether the first lines of the files are a header and no record. Called for the first record
  /// of the files whenever it comes.
  virtual bool is_header(std::span<const std::string_view> lines, const std::string& file) {
    static_cast<void>(lines);
    static_cast<void>(file);
    return false;
  }
  struct Record {
    // Empty when the side is blank. Valid until the next read().
    std::string_view source;
    std::string_view target;
  };
  /// Throws Error, `file:line: ...`, when the record is malformed.
  virtual Record read(std::span<const std::string_view> lines, const std::string& file,
                      Index line) = 0;
};

/// Two files, one for each side.
std::unique_ptr<RecordFormat> aligned_format();
/// One file with tab-separated columns.
///
/// `fields` holds the columns of source and target: their numbers, or names in the first line,
/// which is a header then. Without them
/// - a line must have exactly two columns;
/// - if the data are `labelled`, a first line with a column that is named `label` is a header
///   (labelled.h). The text is the column of one of text_names(), or the only other one.
std::unique_ptr<RecordFormat> tsv_format(const std::vector<std::string>& fields, bool labelled);
/// One file with a JSON object a line. `fields` holds the keys of source and target. Without them
/// the keys are source and target, or document and summary; or, if the data are `labelled`, one of
/// text_names(), and label, or source and target. A label may be a number or a boolean.
std::unique_ptr<RecordFormat> jsonl_format(const std::vector<std::string>& fields, bool labelled);

/// Pairs that stay in their files, which may be larger than memory.
///
/// The constructor reads everything once, checks it, and stores where every 64th pair begins. at()
/// reads from there on, so that reading all pairs in order costs one pass.
///
/// Not safe for use by several threads at once.
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
  /// The last file holds the targets.
  std::string place(Index i) const override {
    return fmt::format("{}:{}", files_.back().path(), line(i));
  }
  Index block() const override { return block_pairs; }
  std::uint64_t fingerprint() const override { return fingerprint_; }
  void will_need(Index first, Index count) const override;

 private:
  static constexpr Index block_pairs = 64;
  struct Cursor;
  struct Block {
    std::int64_t offsets[2];  // where it begins in each file, in bytes
    Index lines;              // the number of lines before it
  };
  void read_all(const ReadOptions& options);  // fills blocks_, size_, skipped_ and fingerprint_
  // Reads the next pair that is not blank and trims it. False at the end.
  bool next(RecordFormat::Record& pair) const;
  bool next_lines() const;  // one line of each file; false at the end
  [[noreturn]] void fail_unequal() const;
  [[noreturn]] void fail_blank(const RecordFormat::Record& pair, Index line) const;
  void check_unchanged() const;

  std::string name_;
  bool blank_is_error_;
  bool labelled_;
  std::vector<InputFile> files_;
  std::vector<Block> blocks_;
  Index size_ = 0;
  Index skipped_ = 0;
  std::uint64_t fingerprint_ = 0;
  std::unique_ptr<Cursor> cursor_;
};

}  // namespace heed
