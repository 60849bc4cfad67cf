#include "datasets/metrics/unicode.h"

#include <algorithm>

#include "datasets/metrics/unicode_tables.h"

namespace heed::unicode {

namespace {

template <class Row>
const Row* find(std::span<const Row> rows, char32_t code) {
  const auto after = std::upper_bound(rows.begin(), rows.end(), code, [](char32_t c, const Row& row) { return c < row.first; });
  if (after == rows.begin() || code > std::prev(after)->last) return nullptr;
  return &*std::prev(after);
}

}  // namespace

bool is_number(char32_t code) { return find(numbers, code); }
bool is_punctuation(char32_t code) { return find(punctuation, code); }
bool is_symbol(char32_t code) { return find(symbols, code); }
bool is_cased(char32_t code) { return find(cased, code); }
bool is_case_ignorable(char32_t code) { return find(case_ignorable, code); }

char32_t to_lower(char32_t code) {
  const Lower* row = find(lower, code);
  if (!row || (code - row->first) % row->step != 0) return code;
  return static_cast<char32_t>(static_cast<int>(code) + row->delta);
}

}  // namespace heed::unicode
