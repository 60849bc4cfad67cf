#include "datasets/file_pairs.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "datasets/line_reader.h"
#include "datasets/utf8.h"
#include "framework/error.h"

namespace heed {

struct FilePairs::Cursor {
  std::unique_ptr<RecordFormat> format;
  std::vector<LineReader> readers;  // one a file
  std::vector<std::string_view> lines;
  Index number = -1;  // of the pair that comes next; -1: none
  Index skipped = 0;
};

FilePairs::FilePairs(const std::vector<std::string>& paths, std::unique_ptr<RecordFormat> format,
                     const ReadOptions& options)
    : name_(fmt::format("{}", fmt::join(paths, " "))),
      blank_is_error_(options.blank_is_error),
      cursor_(std::make_unique<Cursor>()) {
  files_.reserve(paths.size());  // the readers keep references
  for (const std::string& path : paths)
    files_.emplace_back(path);
  cursor_->format = std::move(format);
  for (const InputFile& file : files_)
    cursor_->readers.emplace_back(file);
  cursor_->lines.resize(files_.size());
  RecordFormat::Record pair;
  Fingerprint fingerprint;
  for (;;) {
    Block block{{}, cursor_->readers[0].number()};
    for (std::size_t i = 0; i < files_.size(); ++i)
      block.offsets[i] = cursor_->readers[i].offset();
    if (!next(pair)) break;
    fingerprint.add(pair.source, pair.target);
    if (options.progress && size_ % (64 * block_pairs) == 0)
      options.progress(static_cast<double>(block.offsets[0]) /
                       static_cast<double>(std::max<std::int64_t>(1, files_[0].bytes())));
    if (size_++ % block_pairs == 0) blocks_.push_back(block);
  }
  skipped_ = cursor_->skipped;
  fingerprint_ = fingerprint.of(size_);
  blocks_.shrink_to_fit();
  if (size_ == 0)
    fail("{}: no line has text on both sides ({} skipped); check that these are the right files",
         name_, skipped_);
}

FilePairs::~FilePairs() = default;

bool FilePairs::next(RecordFormat::Record& pair) const {
  Cursor& c = *cursor_;
  for (;;) {
    std::size_t lines = 0;
    std::size_t shorter = 0;
    for (std::size_t i = 0; i < files_.size(); ++i)
      c.readers[i].next(c.lines[i]) ? ++lines : shorter = i;
    if (lines == 0) return false;
    if (lines < files_.size()) {  // of two
      LineReader& longer = c.readers[1 - shorter];
      for (std::string_view line; longer.next(line);) {}
      fail("{}: has {} lines and {} has {}; line n of one must belong to line n of the other",
           files_[0].path(), c.readers[0].number(), files_[1].path(), c.readers[1].number());
    }
    const Index line = c.readers[0].number();
    const auto [source, target] = c.format->read(c.lines, files_[0].path(), line);
    pair = {utf8::trim(source), utf8::trim(target)};
    if (!pair.source.empty() && !pair.target.empty()) return true;
    ++c.skipped;
    if (!blank_is_error_) continue;
    const bool both = pair.source.empty() && pair.target.empty();
    fail("{}:{}: {} is blank; write it, or have such lines skipped (--set data.blank=skip)",
         files_[pair.source.empty() ? 0 : files_.size() - 1].path(), line,
         both || files_.size() == 2 ? "the line"
         : pair.source.empty()      ? "the source"
                                    : "the target");
  }
}

Pair FilePairs::at(Index i) const {
  check(i >= 0 && i < size_, "pairs", "expected a number in [0, {}); got {}", size_, i);
  Cursor& c = *cursor_;
  const Index first = i / block_pairs * block_pairs;  // of its block
  if (c.number != i || i == first)  // else it is the next of a block that is being read
    for (const InputFile& file : files_)
      file.check_unchanged();
  if (c.number < first || c.number > i) {
    const Block& block = blocks_[static_cast<std::size_t>(i / block_pairs)];
    for (std::size_t f = 0; f < files_.size(); ++f)
      c.readers[f].seek(block.offsets[f], block.lines);
    c.number = first;
  }
  RecordFormat::Record pair;
  try {
    for (Index at = std::exchange(c.number, -1); at <= i; ++at)  // -1 stays where next() throws
      if (!next(pair))
        fail(
            "{}: has fewer pairs than when it was opened; leave the data alone while they are in "
            "use",
            name_);
  } catch (const Error&) {
    // all was well when it was opened: most likely this is why
    for (const InputFile& file : files_)
      file.check_unchanged();
    throw;
  }
  c.number = i + 1;
  return {std::string(pair.source), std::string(pair.target)};
}

Index FilePairs::line(Index i) const {
  at(i);
  return cursor_->readers[0].number();
}

void FilePairs::will_need(Index first, Index count) const {
  if (count <= 0 || first < 0 || first >= size_) return;
  const auto begin = static_cast<std::size_t>(first / block_pairs);
  const auto end = static_cast<std::size_t>((std::min(first + count, size_) - 1) / block_pairs) + 1;
  for (std::size_t f = 0; f < files_.size(); ++f) {
    const std::int64_t from = blocks_[begin].offsets[f];
    // 0: to the end
    files_[f].will_need(from, end < blocks_.size() ? blocks_[end].offsets[f] - from : 0);
  }
}

}  // namespace heed
