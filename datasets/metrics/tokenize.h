#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// Splits a line into the words a metric counts.
using MetricTokenizer = std::vector<std::string> (*)(std::string_view line);

const std::vector<std::string>& bleu_tokenizers();

/// By name: "13a" (mteval-v13a, the default of WMT), "none" (at white space). Throws Error on another.
MetricTokenizer bleu_tokenizer(std::string_view name);

/// Python's str.lower, code point by code point, with its two special cases (dotted capital I, final sigma).
std::string lowercase(std::string_view text);

}  // namespace heed
