#include "framework/nearest.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace heed {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// The Levenshtein distance. `row` holds the distances of a[0, i) to every prefix of b.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));
      diagonal = std::exchange(row[j], std::min({replace, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t fewest = ~std::size_t{0};
  for (const std::string& candidate : candidates) {
    const std::size_t edits = distance(word, candidate);
    const std::size_t most =
        std::max<std::size_t>(1, (std::max(word.size(), candidate.size()) + 1) / 3);
    if (edits <= most && edits < fewest && edits < candidate.size()) {
      best = candidate;
      fewest = edits;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string name = nearest(word, candidates);
  return name.empty() ? "" : "; did you mean " + name + "?";
}

}  // namespace heed
