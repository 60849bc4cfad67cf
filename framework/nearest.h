#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// The candidate with the smallest edit distance to `word` (Levenshtein 1966), the first one if
/// several are equally near. The distance counts bytes and ignores ASCII case. Returns "" when more
/// than a third of the longer word would have to change for every candidate.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// The end of a message about an unknown word: "; did you mean NAME?", or "" if no name is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace heed
