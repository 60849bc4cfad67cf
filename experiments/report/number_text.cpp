#include "experiments/report/number_text.h"

#include <fmt/format.h>

namespace heed::report {

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

}  // namespace heed::report
