#include "framework/internal/first_three.h"

#include <algorithm>
#include <span>

#include <fmt/ranges.h>

namespace heed {

std::string first_three(const std::vector<std::string>& items) {
  constexpr std::size_t most = 3;
  const std::size_t named = std::min(items.size(), most);
  const std::string text = fmt::format("{}", fmt::join(std::span(items).first(named), ", "));
  if (items.size() == named) return text;
  return fmt::format("{} and {} more", text, items.size() - named);
}

}  // namespace heed
