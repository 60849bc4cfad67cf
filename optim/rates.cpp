#include "optim/rates.h"

#include <charconv>

#include <fmt/ranges.h>

#include "framework/error.h"
#include "framework/parameter_patterns.h"

namespace heed {

RateFactor parse_rate_factor(std::string_view text) {
  constexpr Index most = 1000000;
  const std::size_t equals = text.rfind('=');
  const std::string_view number = equals == text.npos ? "" : text.substr(equals + 1);
  RateFactor result{.pattern = std::string(text.substr(0, equals))};
  const char* const end = number.data() + number.size();
  const auto [stopped, error] = std::from_chars(number.data(), end, result.factor);
  const bool is_number = error == std::errc() && stopped == end && !number.empty();
  const bool is_pattern = !result.pattern.empty() && result.pattern != "!";
  if (!is_number || !is_pattern ||
      !(0 <= result.factor && result.factor <= static_cast<double>(most)))
    fail("expected PATTERN=FACTOR, such as 'embedding*=0.1', with a factor from 0 to {}; got '{}'",
         most, text);
  return result;
}

std::vector<double> rate_factors(AnyModule model, const std::vector<RateFactor>& factors) {
  const std::vector<ParameterNames> all = parameter_names(model);
  std::vector<double> result(all.size(), 1);
  for (const auto& [pattern, factor] : factors) {
    const ParameterPatterns patterns({pattern});
    check(unmatched(all, patterns).empty(), "rates", "expected a pattern that matches; got {}",
          pattern);
    for (std::size_t i = 0; i < all.size(); ++i)
      if (patterns.chooses(all[i].names)) result[i] *= factor;
  }
  return result;
}

}  // namespace heed
