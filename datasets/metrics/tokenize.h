#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// Splits a line into the words that a metric counts.
using MetricTokenizer = std::vector<std::string> (*)(std::string_view line);

const std::vector<std::string>& bleu_tokenizers();

/// The tokenizer of a name:
/// - "13a": mteval-v13a, the default of WMT;
/// - "intl": the international tokenization of mteval-v14, by Unicode punctuation and symbols;
/// - "char": each character is a word;
/// - "zh": each Chinese character is a word, the rest as "13a" splits it;
/// - "none": split at white space.
///
/// Throws Error when the name is unknown.
MetricTokenizer bleu_tokenizer(std::string_view name);

/// The text in lower case as by Python's str.lower: the default mapping of Unicode 15.0, with the
/// special cases dotted capital I and final sigma (SpecialCasing.txt).
std::string lowercase(std::string_view text);

}  // namespace heed
