#pragma once

#include <span>

/// Sorted ranges of code points, of Unicode 15.0, which `regex` (of sacrebleu's intl tokenizer) and Python 3.12 know too.
namespace heed::unicode {

struct Range {
  char32_t first, last;
};
struct Lower {  // first, first + step ... last: each becomes itself + delta
  char32_t first, last, step;
  int delta;
};

// General categories N*, P* and S*; the properties Cased and Case_Ignorable; simple lower case mappings.
extern const std::span<const Range> numbers, punctuation, symbols, cased, case_ignorable;
extern const std::span<const Lower> lower;

}  // namespace heed::unicode
