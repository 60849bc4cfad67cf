#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// The candidate with the smallest edit distance to `word` (Levenshtein 1966, in bytes, ASCII case
/// ignored; the first of equals). Empty when none is near: more than a third of the longer word
/// would have to change.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean NAME?", or nothing: the end of a message about an unknown word.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace heed
