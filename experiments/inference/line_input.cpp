#include "experiments/inference/line_input.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <unistd.h>

#include "datasets/text/foreign_text.h"
#include "datasets/text/text_file.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"

namespace heed {

bool LineInput::is_ready() const {
  pollfd waiting{descriptor_, POLLIN, 0};
  return poll(&waiting, 1, 0) > 0;
}

std::vector<std::string> LineInput::lines() {
  std::vector<std::string> result;
  std::size_t bytes = 0;
  try {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    std::string line;
    while (result.size() < group && bytes < group_bytes && next(line, result.empty())) {
      bytes += line.size();
      result.push_back(std::move(line));
    }
  } catch (const Error&) {
    if (result.empty()) throw;
    error_ = std::current_exception();
  }
  return result;
}

/// Reads the next line. Returns false at the end of the input and, unless `wait`, where no whole
/// line has come yet.
bool LineInput::next(std::string& line, bool wait) {
  auto end = buffer_.find('\n', begin_ + scanned_);
  while (end == std::string::npos && !ended_) {
    scanned_ = buffer_.size() - begin_;
    if (scanned_ > longest) break;
    if (!wait && !is_ready()) return false;
    fill();
    end = buffer_.find('\n', begin_ + scanned_);
  }
  scanned_ = 0;
  if (begin_ == buffer_.size()) return false;
  const bool last = end == std::string::npos;
  const std::size_t size = (last ? buffer_.size() : end) - begin_;
  const std::string_view first_line = std::string_view(buffer_).substr(0, size + 1);
  if (number_ == 0) check_start(first_line, name_);
  ++number_;
  if (size > longest) {
    ended_ = true;
    begin_ = buffer_.size();
    fail("{}:{}: longer than {} KiB; break the line up", name_, number_, longest >> 10);
  }
  line.assign(buffer_, begin_, size);
  begin_ = last ? buffer_.size() : end + 1;
  if (number_ == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
  if (line.ends_with('\r')) line.pop_back();
  check_line(line, name_, number_);
  line = std::string(utf8::trim(line));  // as the lines of corpora are
  return true;
}

void LineInput::fill() {
  buffer_.erase(0, std::exchange(begin_, 0));
  char chunk[1 << 16];
  const ssize_t got = read(descriptor_, chunk, sizeof chunk);
  stop_if(should_stop_);
  if (got < 0 && errno == EINTR) return;
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    pollfd waiting{descriptor_, POLLIN, 0};
    poll(&waiting, 1, -1);
    return;
  }
  if (got < 0) fail("{}: cannot be read: {}", name_, std::strerror(errno));
  if (got == 0) ended_ = true;
  buffer_.append(chunk, static_cast<std::size_t>(got));
}

}  // namespace heed
