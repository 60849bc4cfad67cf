#include "cli/values.h"

#include <algorithm>
#include <cmath>

#include <fmt/ranges.h>

#include "datasets/nearest.h"

namespace heed::cli {

namespace {

bool is_zero(std::string_view text) {
  return text.find_first_not_of("+-0.") == std::string_view::npos;
}

bool looks_like_a_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("+-.0123456789") == std::string_view::npos;
}

}  // namespace

std::string fixed(double value, int digits) {
  std::string text = fmt::format("{:.{}f}", value, digits);
  if (text.starts_with('-') && is_zero(text)) text.erase(0, 1);
  return text;
}

std::string signed_fixed(double value, int digits) {
  std::string text = fmt::format("{:+.{}f}", value, digits);
  if (is_zero(text)) text.front() = '+';
  return text;
}

std::string wrong_number(const std::string& expected, const std::string& given) {
  const std::string quoted = looks_like_a_number(given) ? given : "'" + given + "'";
  return fmt::format("expected {}; got {}", expected, quoted);
}

std::string range_text(const std::string& kind, const std::string& least, const std::string& most) {
  if (!most.empty()) return fmt::format("{} from {} to {}", kind, least, most);
  if (least == "1") return kind + " above 0";
  return fmt::format("{} of at least {}", kind, least);
}

std::string_view without_plus(std::string_view text) {
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-';
  return plus ? text.substr(1) : text;
}

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
