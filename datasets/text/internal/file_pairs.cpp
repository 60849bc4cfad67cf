#include "datasets/text/internal/file_pairs.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "datasets/text/internal/line_reader.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"

namespace heed {

struct FilePairs::Cursor {
  std::unique_ptr<RecordFormat> format;
  std::vector<LineReader> readers;  // one for each file
  std::vector<std::string_view> lines;
  Index number = -1;  // the number of the pair that comes next; -1: unknown
  Index skipped = 0;
};

FilePairs::FilePairs(const std::vector<std::string>& paths, std::unique_ptr<RecordFormat> format,
                     const ReadOptions& options)
    : name_(fmt::format("{}", fmt::join(paths, " "))),
      blank_is_error_(options.blank_is_error),
      labelled_(options.labelled),
      cursor_(std::make_unique<Cursor>()) {
  files_.reserve(paths.size());  // the readers keep references, so the files must not move
  for (const std::string& path : paths)
    files_.emplace_back(path);
  cursor_->format = std::move(format);
  for (const InputFile& file : files_)
    cursor_->readers.emplace_back(file);
  cursor_->lines.resize(files_.size());
  read_all(options);
  if (size_ == 0)
    fail("{}: no line has text on both sides ({} skipped); check that these are the right files",
         name_, skipped_);
}

void FilePairs::read_all(const ReadOptions& options) {
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
}

FilePairs::~FilePairs() = default;

bool FilePairs::next(RecordFormat::Record& pair) const {
  Cursor& c = *cursor_;
  while (next_lines()) {
    const Index line = c.readers[0].number();
    if (line == 1 && c.format->is_header(c.lines, files_[0].path())) continue;
    const auto [source, target] = c.format->read(c.lines, files_[0].path(), line);
    pair = {utf8::trim(source), utf8::trim(target)};
    if (!pair.source.empty() && !pair.target.empty()) return true;
    ++c.skipped;
    if (blank_is_error_) fail_blank(pair, line);
  }
  return false;
}

bool FilePairs::next_lines() const {
  std::size_t found = 0;
  for (std::size_t i = 0; i < files_.size(); ++i)
    found += cursor_->readers[i].next(cursor_->lines[i]);
  if (found != 0 && found != files_.size()) fail_unequal();
  return found != 0;
}

// One of two files has ended before the other. Counts the lines of both.
void FilePairs::fail_unequal() const {
  for (LineReader& reader : cursor_->readers)
    for (std::string_view line; reader.next(line);) {}
  fail("{}: has {} lines and {} has {}; line n of one must belong to line n of the other",
       files_[0].path(), cursor_->readers[0].number(), files_[1].path(),
       cursor_->readers[1].number());
}

void FilePairs::fail_blank(const RecordFormat::Record& pair, Index line) const {
  const bool both = pair.source.empty() && pair.target.empty();
  const char* target = labelled_ ? "the label" : "the target";
  const char* source = labelled_ ? "the text" : "the source";
  const char* blank = pair.source.empty() ? source : target;
  if (both || files_.size() == 2) blank = "the line";
  fail("{}:{}: {} is blank; write it, or have such lines skipped",
       files_[pair.source.empty() ? 0 : files_.size() - 1].path(), line, blank);
}

void FilePairs::check_unchanged() const {
  for (const InputFile& file : files_)
    file.check_unchanged();
}

Pair FilePairs::at(Index i) const {
  check(i >= 0 && i < size_, "pairs", "expected a number in [0, {}); got {}", size_, i);
  Cursor& c = *cursor_;
  const Index first = i / block_pairs * block_pairs;  // the first pair of the block
  const bool continues_block = c.number == i && i != first;
  if (!continues_block) check_unchanged();
  if (c.number < first || c.number > i) {
    const Block& block = blocks_[static_cast<std::size_t>(i / block_pairs)];
    for (std::size_t f = 0; f < files_.size(); ++f)
      c.readers[f].seek(block.offsets[f], block.lines);
    c.number = first;
  }
  RecordFormat::Record pair;
  try {
    // The number stays -1 if next() throws.
    for (Index at = std::exchange(c.number, -1); at <= i; ++at)
      if (!next(pair))
        fail(
            "{}: has fewer pairs than when it was opened; leave the data alone while they are in "
            "use",
            name_);
  } catch (const Error&) {
    // The constructor read all pairs without an error, so a change of a file is the likely reason.
    check_unchanged();
    throw;
  }
  c.number = i + 1;
  return {std::string(pair.source), std::string(pair.target)};
}

Index FilePairs::line(Index i) const {
  const bool read_last = cursor_->number == i + 1;
  if (!read_last) at(i);
  return cursor_->readers[0].number();
}

void FilePairs::will_need(Index first, Index count) const {
  if (count <= 0 || first < 0 || first >= size_) return;
  const auto begin = static_cast<std::size_t>(first / block_pairs);
  const auto end = static_cast<std::size_t>((std::min(first + count, size_) - 1) / block_pairs) + 1;
  for (std::size_t f = 0; f < files_.size(); ++f) {
    const std::int64_t from = blocks_[begin].offsets[f];
    const std::int64_t to_end = 0;
    files_[f].will_need(from, end < blocks_.size() ? blocks_[end].offsets[f] - from : to_end);
  }
}

}  // namespace heed
