#include "experiments/comparison/line_groups.h"

#include <algorithm>
#include <array>
#include <limits>
#include <sstream>

#include <fmt/format.h>

namespace heed {

namespace {

std::vector<Index> lengths_of(const std::vector<std::string>& sources) {
  std::vector<Index> lengths;
  for (const std::string& source : sources)
    lengths.push_back(std::ssize(words_of(source)));
  return lengths;
}

std::string range_text(Index low, Index high) {
  return low == high ? fmt::format("{}", low) : fmt::format("{}-{}", low, high);
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;)
    words.push_back(std::move(word));
  return words;
}

std::vector<LineGroup> fifths_of(const std::vector<Index>& numbers) {
  std::vector<std::pair<Index, std::size_t>> sorted;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    sorted.emplace_back(numbers[i], i);
  std::sort(sorted.begin(), sorted.end());
  constexpr std::size_t parts = 5;
  std::vector<LineGroup> groups;
  for (std::size_t begin = 0; begin < sorted.size();) {
    // A group reaches to the end of the next fifth of the lines.
    const std::size_t fifth = std::min(parts, parts * begin / sorted.size() + 1);
    std::size_t end = std::max(begin + 1, sorted.size() * fifth / parts);
    while (end < sorted.size() && sorted[end].first == sorted[end - 1].first)
      ++end;
    LineGroup group{sorted[begin].first, sorted[end - 1].first, {}};
    group.title = range_text(group.low, group.high);
    for (std::size_t i = begin; i < end; ++i)
      group.lines.push_back(sorted[i].second);
    groups.push_back(std::move(group));
    begin = end;
  }
  return groups;
}

Grouping by_length(const std::vector<std::string>& sources) {
  return {.key = "length",
          .title = "by source words",
          .axis = "words",
          .groups = fifths_of(lengths_of(sources))};
}

SeenSources::SeenSources(const PairSource& training,
                         const std::function<bool(const Pair&)>& trains) {
  constexpr Index most = 100'000;
  constexpr Index of_endless = 20'000;
  const Index size = training.size();
  const Index count = size < 0 ? of_endless : std::min(size, most);
  for (Index i = 0; i < count; ++i) {
    const Pair pair = training.at(size > most ? i * size / count : i);
    if (!trains || trains(pair)) add(pair.source);
  }
}

void SeenSources::add(std::string_view source) {
  const std::vector<std::string> words = words_of(source);
  ++sources_;
  ++lengths_[std::ssize(words)];
  for (const std::string& word : words)
    ++counts_[word];
}

Grouping SeenSources::by_rarity(const std::vector<std::string>& sources) const {
  std::vector<Index> rarest;
  for (const std::string& source : sources) {
    Index fewest = std::numeric_limits<Index>::max();
    for (const std::string& word : words_of(source)) {
      const auto found = counts_.find(word);
      fewest = std::min(fewest, found == counts_.end() ? 0 : found->second);
    }
    rarest.push_back(fewest == std::numeric_limits<Index>::max() ? 0 : fewest);
  }
  return {.key = "rarity",
          .title = "by how often training has the rarest source word",
          .axis = "times in training",
          .groups = fifths_of(rarest)};
}

Index SeenSources::percentile(Index percent) const {
  Index within = 0;
  for (const auto& [length, sources] : lengths_) {
    within += sources;
    if (100 * within >= percent * sources_) return length;
  }
  return 0;
}

Grouping SeenSources::by_percentile(const std::vector<std::string>& sources) const {
  Grouping grouping{.key = "percentile",
                    .title = "by percentile of the training lengths",
                    .axis = "percentile of the source words in training",
                    .groups = {}};
  if (sources_ == 0) return grouping;
  const std::vector<Index> lengths = lengths_of(sources);
  constexpr std::array<Index, 4> edges{50, 90, 99, 100};
  Index low = 0;
  const auto add = [&](Index high, const std::string& name) {
    LineGroup group{low, high, {}};
    for (std::size_t i = 0; i < lengths.size(); ++i)
      if (lengths[i] >= low && lengths[i] <= high) group.lines.push_back(i);
    group.title = fmt::format("{} ({})", name, range_text(low, high));
    low = high + 1;
    if (!group.lines.empty()) grouping.groups.push_back(std::move(group));
  };
  for (const Index edge : edges)
    if (const Index high = percentile(edge); high >= low) add(high, fmt::format("to {} %", edge));
  const Index longest = lengths.empty() ? 0 : std::ranges::max(lengths);
  if (longest >= low) add(longest, "longer");
  return grouping;
}

}  // namespace heed
