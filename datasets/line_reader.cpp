#include "datasets/line_reader.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "datasets/foreign_text.h"
#include "datasets/text_file.h"
#include "framework/error.h"

namespace heed {

namespace {
constexpr std::size_t chunk = 1 << 16;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
}  // namespace

// More bytes behind those at hand, which move to the front; false at the end of the file.
bool LineReader::fill() {
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= begin_;
  begin_ = 0;
  if (buffer_.size() < end_ + chunk)
    buffer_.resize(std::max(end_ + chunk, buffer_.size() + buffer_.size() / 2));
  const std::size_t n =
      file_->read(offset_ + static_cast<std::int64_t>(end_), std::span(buffer_).subspan(end_));
  end_ += n;
  return n > 0;
}

// Reads the start of the file, looks what it is, and goes behind a byte order mark.
void LineReader::begin() {
  if (!fill()) return;
  const std::string_view start(buffer_.data(), end_);
  check_start(start, file_->path());
  if (!start.starts_with(byte_order_mark)) return;
  begin_ = byte_order_mark.size();
  offset_ = static_cast<std::int64_t>(begin_);
}

bool LineReader::next(std::string_view& line) {
  if (offset_ == 0 && begin_ == end_) begin();
  std::size_t seen = 0;  // bytes of the line without \n
  const void* found = nullptr;
  for (;;) {
    if (begin_ + seen < end_)
      found = std::memchr(buffer_.data() + begin_ + seen, '\n', end_ - begin_ - seen);
    seen = found
               ? static_cast<std::size_t>(static_cast<const char*>(found) - buffer_.data()) - begin_
               : end_ - begin_;
    if (seen > longest_)
      fail(
          "{}:{}: is longer than {} MiB; is this a text with a pair a line? break it up or leave "
          "it out",
          file_->path(), number_ + 1, longest_ >> 20);
    if (found || !fill()) break;
  }
  if (!found && seen == 0) {
    if (number_ == 0) fail("{}: is empty; expected at least one line of text", file_->path());
    return false;
  }
  line = {buffer_.data() + begin_, seen};
  ended_ = found != nullptr;
  begin_ += seen + ended_;
  offset_ += static_cast<std::int64_t>(seen + ended_);
  check_line(line, file_->path(), static_cast<std::size_t>(++number_));
  if (ended_ && line.ends_with('\r')) line.remove_suffix(1);
  return true;
}

void LineReader::seek(std::int64_t offset, Index lines_before) {
  const std::int64_t within = offset - offset_ + static_cast<std::int64_t>(begin_);
  if (within >= 0 && within <= static_cast<std::int64_t>(end_) && offset > 0)
    begin_ = static_cast<std::size_t>(within);
  else
    begin_ = end_ = 0;
  offset_ = offset;
  number_ = lines_before;
}

}  // namespace heed
