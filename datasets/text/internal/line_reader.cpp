#include "datasets/text/internal/line_reader.h"

#include <algorithm>
#include <span>

#include "datasets/text/foreign_text.h"
#include "datasets/text/text_file.h"
#include "framework/error.h"

namespace heed {

namespace {
constexpr std::size_t chunk = 1 << 16;
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
}  // namespace

// Moves the bytes in the buffer to its front and reads more after them. False at the end of the
// file.
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

// Reads the start of the file, checks it, and skips a byte order mark.
void LineReader::begin() {
  if (!fill()) return;
  const std::string_view start(buffer_.data(), end_);
  check_start(start, file_->path());
  if (!start.starts_with(byte_order_mark)) return;
  begin_ = byte_order_mark.size();
  offset_ = static_cast<std::int64_t>(begin_);
}

// Finds the end of the line that begins at begin_, and reads as much of the file as that takes.
// `length` is the number of bytes before \n. False when the file ends before a \n.
bool LineReader::find_end(std::size_t& length) {
  length = 0;
  for (;;) {
    const std::size_t at = std::string_view(buffer_.data(), end_).find('\n', begin_ + length);
    const bool found = at != std::string_view::npos;
    length = (found ? at : end_) - begin_;
    if (length > longest_)
      fail(
          "{}:{}: is longer than {} MiB; is this a text with a pair a line? break it up or leave "
          "it out",
          file_->path(), number_ + 1, longest_ >> 20);
    if (found) return true;
    if (!fill()) return false;
  }
}

bool LineReader::next(std::string_view& line) {
  if (offset_ == 0 && begin_ == end_) begin();
  std::size_t length = 0;
  const bool found = find_end(length);
  if (!found && length == 0) {
    if (number_ == 0) fail("{}: is empty; expected at least one line of text", file_->path());
    return false;
  }
  line = {buffer_.data() + begin_, length};
  ended_ = found;
  begin_ += length + ended_;
  offset_ += static_cast<std::int64_t>(length + ended_);
  check_line(line, file_->path(), static_cast<std::size_t>(++number_));
  if (ended_ && line.ends_with('\r')) line.remove_suffix(1);
  return true;
}

void LineReader::seek(std::int64_t offset, Index lines_before) {
  const std::int64_t within = offset - offset_ + static_cast<std::int64_t>(begin_);
  if (within >= 0 && within <= static_cast<std::int64_t>(end_) && offset > 0) {
    begin_ = static_cast<std::size_t>(within);
  } else {
    begin_ = 0;
    end_ = 0;
  }
  offset_ = offset;
  number_ = lines_before;
}

}  // namespace heed
