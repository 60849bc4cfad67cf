#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <CLI/CLI.hpp>

#include "experiments/report/number_text.h"
#include "framework/threads.h"
#include "framework/types.h"

// What CLI11 checks of the values of options.

namespace heed::cli {

/// Checks that an option's value is a whole number from `least` to `most`. Use it with transform(),
/// not with check(): it passes on plain decimal digits, because CLI11 reads "010" as eight.
template <class T = Index>
CLI::Validator whole(std::type_identity_t<T> least,
                     std::type_identity_t<T> most = std::numeric_limits<T>::max()) {
  const bool open = most == std::numeric_limits<T>::max();
  const std::string low = std::to_string(least);
  const std::string high = std::to_string(most);
  const auto check = [=](std::string& text) -> std::string {
    const std::string_view digits = without_plus(text);
    const char* const end = digits.data() + digits.size();
    T value{};
    const auto [stopped, error] = std::from_chars(digits.data(), end, value);
    const bool number = !digits.empty() && stopped == end;
    const bool fits = error == std::errc();
    if (number && fits && value >= least && value <= most) {
      text = std::to_string(value);
      return "";
    }
    const bool too_large = number && !fits && digits.front() != '-';
    return wrong_number(range_text("a whole number", low, open && !too_large ? "" : high), text);
  };
  return CLI::Validator(check, open ? low + ".." : low + ".." + high, "whole");
}

/// Checks that an option's value is a finite number from `least` to `most`.
CLI::Validator number(double least, double most = std::numeric_limits<double>::infinity());

/// Checks that an option's value is one of `names`; the error for a misspelt one names the nearest.
CLI::Validator one_of(std::vector<std::string> names);

/// An error where the value is empty, as from a shell variable that is not set; else "".
std::string not_empty(const std::string& value);

/// The range and the help of --threads.
inline constexpr const char* threads_help =
    "number of threads (0: one per core); it does not change the results";
inline CLI::Validator thread_count() { return whole<Index>(0, most_threads); }

}  // namespace heed::cli
