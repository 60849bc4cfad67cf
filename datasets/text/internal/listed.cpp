#include "datasets/text/internal/listed.h"

#include <algorithm>

#include <fmt/ranges.h>

namespace heed {

std::string listed(std::string_view noun, std::span<const Index> numbers) {
  constexpr std::size_t most = 10;
  const auto shown = numbers.first(std::min(numbers.size(), most));
  const char* plural = numbers.size() == 1 ? "" : "s";
  const std::string text = fmt::format("{}{} {}", noun, plural, fmt::join(shown, ", "));
  if (numbers.size() <= most) return text;
  return fmt::format("{} and {} more", text, numbers.size() - most);
}

}  // namespace heed
