#include "cli/option_values.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "framework/nearest.h"

namespace heed::cli {

CLI::Validator one_of(std::vector<std::string> names) {
  const std::string all = fmt::format("{}", fmt::join(names, ", "));
  const auto check = [=](std::string& text) -> std::string {
    if (std::find(names.begin(), names.end(), text) != names.end()) return "";
    return fmt::format("expected one of {}; got '{}'{}", all, text, did_you_mean(text, names));
  };
  return CLI::Validator(check, "", "one_of");
}

std::string not_empty(const std::string& value) {
  return value.empty() ? "is empty; give a value" : "";
}

CLI::Validator number(double least, double most) {
  const std::string low = fmt::format("{}", least);
  const std::string high = std::isfinite(most) ? fmt::format("{}", most) : "";
  const auto check = [=](std::string& text) -> std::string {
    const std::string_view digits = without_plus(text);
    const char* const end = digits.data() + digits.size();
    double value = 0;
    const auto [stopped, error] = std::from_chars(digits.data(), end, value);
    const bool valid = !digits.empty() && stopped == end && error == std::errc();
    if (valid && std::isfinite(value) && value >= least && value <= most) {
      text = std::string(digits);
      return "";
    }
    return wrong_number(range_text("a number", low, high), text);
  };
  return CLI::Validator(check, low + ".." + high, "number");
}

}  // namespace heed::cli
