#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "datasets/text/pairs.h"
#include "framework/types.h"

namespace heed {

/// What stands between white space.
std::vector<std::string> words_of(std::string_view text);

/// Test lines for which a number is from `low` to `high`.
struct LineGroup {
  Index low = 0;
  Index high = 0;
  std::vector<std::size_t> lines;
  std::string title = {};  // "4-6"
};

/// Test lines in groups by something of their sources: where is a model good, and where is it not?
struct Grouping {
  std::string key;    // in comparison.json: "length"
  std::string title;  // "by source words"
  std::string axis;   // of a chart: "words"
  std::vector<LineGroup> groups;
};

/// About five groups of numbers, with about as many lines in each. A group takes all lines that
/// have the same number as its last one.
std::vector<LineGroup> fifths_of(const std::vector<Index>& numbers);

/// By the words of the source.
Grouping by_length(const std::vector<std::string>& sources);

/// What a model has seen of the sources of its training data.
class SeenSources {
 public:
  SeenSources() = default;
  /// Reads all pairs; of more than 100,000 so many, evenly spread; of an endless corpus the first
  /// 20,000. Pairs that `trains` (if given) refuses are left out.
  explicit SeenSources(const PairSource& training,
                       const std::function<bool(const Pair&)>& trains = {});
  void add(std::string_view source);

  /// By the word that training has least often: by how many times it has that word.
  Grouping by_rarity(const std::vector<std::string>& sources) const;
  /// By where the length lies among those of training: up to its median, its 90th and 99th
  /// percentile, its maximum, and beyond. "Trained short, tested long" is the last group.
  Grouping by_percentile(const std::vector<std::string>& sources) const;

 private:
  /// The smallest number of words that `percent` % of the sources do not exceed.
  Index percentile(Index percent) const;

  Index sources_ = 0;
  std::map<Index, Index> lengths_;                 // how many sources have so many words
  std::unordered_map<std::string, Index> counts_;  // of each word
};

}  // namespace heed
