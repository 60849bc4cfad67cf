#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// Splits a line into the words a metric counts.
using MetricTokenizer = std::vector<std::string> (*)(std::string_view line);

const std::vector<std::string>& bleu_tokenizers();

/// By name: "13a" (mteval-v13a, the default of WMT), "intl" (mteval-v14's international one:
/// Unicode punctuation and symbols), "char", "zh" (each Chinese character, 13a's marks for the
/// rest), "none" (at white space). Throws Error on another.
MetricTokenizer bleu_tokenizer(std::string_view name);

/// Python's str.lower: Unicode 15.0's default lower case, with dotted capital I and final sigma
/// (SpecialCasing.txt).
std::string lowercase(std::string_view text);

}  // namespace heed
