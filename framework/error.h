#pragma once

#include <stdexcept>
#include <string>

#include <fmt/core.h>

namespace heed {

/// The one exception Heed throws: `what()` is a line for the person at the keyboard, saying what, where and what to do.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> message, Args&&... args) {
  throw Error(fmt::format(message, std::forward<Args>(args)...));
}

/// Throws `[op] message` unless `condition` holds; the message is formatted only then.
template <class... Args>
void check(bool condition, const char* op, fmt::format_string<Args...> message, Args&&... args) {
  if (!condition) [[unlikely]]
    throw Error(fmt::format("[{}] {}", op, fmt::format(message, std::forward<Args>(args)...)));
}

}  // namespace heed
