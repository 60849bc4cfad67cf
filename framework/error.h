#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/core.h>

namespace heed {

/// The base of all exceptions that Heed throws. `what()` is one line for the user: what is wrong,
/// where, and what to do.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// An argument is out of its range. The fields let a caller name the setting from which the value
/// came.
struct ArgumentError : Error {
  std::string where;     // the part of Heed that refuses it: "adam"
  std::string argument;  // its name in that part: "beta1"
  std::string value;     // "1.5"
  std::string range;     // as in "expected beta1 within [0, 1)": "within [0, 1)"

  ArgumentError(const std::string& message, std::string part, std::string name, std::string got,
                std::string expected)
      : Error(message),
        where(std::move(part)),
        argument(std::move(name)),
        value(std::move(got)),
        range(std::move(expected)) {}
};

/// Throws Error with a formatted message.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> message, Args&&... args) {
  throw Error(fmt::format(message, std::forward<Args>(args)...));
}

/// Throws Error, `[op] message`, unless `condition` is true. The message is formatted only then.
template <class... Args>
void check(bool condition, const char* op, fmt::format_string<Args...> message, Args&&... args) {
  if (!condition) [[unlikely]]
    throw Error(fmt::format("[{}] {}", op, fmt::format(message, std::forward<Args>(args)...)));
}

/// Throws ArgumentError, `[where] expected ARGUMENT RANGE; got VALUE`, unless `condition` is true.
template <class Value, class... Args>
void check_argument(bool condition, const char* where, const char* argument, const Value& value,
                    fmt::format_string<Args...> range, Args&&... args) {
  if (condition) [[likely]]
    return;
  const std::string expected = fmt::format(range, std::forward<Args>(args)...);
  const std::string got = fmt::format("{}", value);
  throw ArgumentError(fmt::format("[{}] expected {} {}; got {}", where, argument, expected, got),
                      where, argument, got, expected);
}

}  // namespace heed
