#include "datasets/text/unicode.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include <utf8proc.h>

#include "datasets/text/utf8.h"
#include "framework/error.h"

namespace heed::unicode {

namespace {

const utf8proc_property_t& properties(char32_t code) {
  return *utf8proc_get_property(static_cast<utf8proc_int32_t>(code));
}

using Codes = std::vector<utf8proc_int32_t>;

// Appends the canonical decomposition of a code point.
void decompose(char32_t code, Codes& codes) {
  utf8proc_int32_t parts[8];
  int boundary = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(code), parts,
                                             std::size(parts), UTF8PROC_DECOMPOSE, &boundary);
  check(count > 0 && count <= static_cast<utf8proc_ssize_t>(std::size(parts)), "nfc",
        "U+{:04X} cannot be decomposed", static_cast<unsigned>(code));
  codes.insert(codes.end(), parts, parts + count);
}

int combining_class(utf8proc_int32_t code) { return utf8proc_get_property(code)->combining_class; }

// Puts combining marks into canonical order. utf8proc's own sort is quadratic in their number: a
// line of accents alone would take minutes.
void order(Codes& codes) {
  const auto starts = [](utf8proc_int32_t code) { return combining_class(code) == 0; };
  for (auto begin = codes.begin(); begin != codes.end();) {
    begin = std::find_if_not(begin, codes.end(), starts);
    const auto end = std::find_if(begin, codes.end(), starts);
    std::ranges::stable_sort(begin, end, {}, combining_class);
    begin = end;
  }
}

void compose(Codes& codes) {
  const auto options = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  const auto size = static_cast<utf8proc_ssize_t>(codes.size());
  const utf8proc_ssize_t left = utf8proc_normalize_utf32(codes.data(), size, options);
  check(left >= 0, "nfc", "a text cannot be composed ({})", utf8proc_errmsg(left));
  codes.resize(static_cast<std::size_t>(left));
}

// Whether the canonical decomposition of a code point composes to that code point again. It does
// not when the code point is an alias of another one or is excluded from composition.
bool composes_again(char32_t code) {
  Codes codes;
  decompose(code, codes);
  compose(codes);
  return codes.size() == 1 && static_cast<char32_t>(codes[0]) == code;
}

// Indexed by utf8proc's number of a general category.
constexpr auto category_table = [] {
  std::array<Category, UTF8PROC_CATEGORY_CO + 1> table{};
  const auto fill = [&](int first, int last, Category category) {
    for (int i = first; i <= last; ++i)
      table[static_cast<std::size_t>(i)] = category;
  };
  fill(0, UTF8PROC_CATEGORY_CO, Category::other);
  fill(UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO, Category::letter);
  fill(UTF8PROC_CATEGORY_MN, UTF8PROC_CATEGORY_ME, Category::mark);
  fill(UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_NO, Category::number);
  fill(UTF8PROC_CATEGORY_PC, UTF8PROC_CATEGORY_PO, Category::punctuation);
  fill(UTF8PROC_CATEGORY_SM, UTF8PROC_CATEGORY_SO, Category::symbol);
  fill(UTF8PROC_CATEGORY_ZS, UTF8PROC_CATEGORY_ZP, Category::separator);
  fill(UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CC, Category::control);
  fill(UTF8PROC_CATEGORY_CF, UTF8PROC_CATEGORY_CF, Category::format);
  return table;
}();

Category category_of(const utf8proc_property_t& p) {
  return category_table[static_cast<std::size_t>(p.category)];
}

struct Range {
  char32_t first;
  char32_t last;
};

// Whether one of the sorted ranges holds the code point.
template <std::size_t n>
bool holds(const Range (&ranges)[n], char32_t code) {
  const auto after =
      std::upper_bound(std::begin(ranges), std::end(ranges), code,
                       [](char32_t c, const Range& range) { return c < range.first; });
  return after != std::begin(ranges) && code <= std::prev(after)->last;
}

// Two properties that utf8proc does not have and that no category implies.
//
// Other_Lowercase and Other_Uppercase.
constexpr Range other_cased[] = {
    {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2B0, 0x2B8},     {0x2C0, 0x2C1},
    {0x2E0, 0x2E4},     {0x345, 0x345},     {0x37A, 0x37A},     {0x10FC, 0x10FC},
    {0x1D2C, 0x1D6A},   {0x1D78, 0x1D78},   {0x1D9B, 0x1DBF},   {0x2071, 0x2071},
    {0x207F, 0x207F},   {0x2090, 0x209C},   {0x2160, 0x217F},   {0x24B6, 0x24E9},
    {0x2C7C, 0x2C7D},   {0xA69C, 0xA69D},   {0xA770, 0xA770},   {0xA7F2, 0xA7F4},
    {0xA7F8, 0xA7F9},   {0xAB5C, 0xAB5F},   {0xAB69, 0xAB69},   {0x10780, 0x10780},
    {0x10783, 0x10785}, {0x10787, 0x107B0}, {0x107B2, 0x107BA}, {0x1E030, 0x1E06D},
    {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189},
};
// Word_Break MidLetter, MidNumLet and Single_Quote.
constexpr Range within_words[] = {
    {0x27, 0x27},     {0x2E, 0x2E},     {0x3A, 0x3A},     {0xB7, 0xB7},
    {0x387, 0x387},   {0x55F, 0x55F},   {0x5F4, 0x5F4},   {0x2018, 0x2019},
    {0x2024, 0x2024}, {0x2027, 0x2027}, {0xFE13, 0xFE13}, {0xFE52, 0xFE52},
    {0xFE55, 0xFE55}, {0xFF07, 0xFF07}, {0xFF0E, 0xFF0E}, {0xFF1A, 0xFF1A},
};

}  // namespace

Category category(char32_t code) { return category_of(properties(code)); }

Traits traits(char32_t code) {
  const utf8proc_property_t& p = properties(code);
  const Category category = category_of(p);
  if (code < 0x300) return {category, false};
  const bool hangul_letter = code >= 0x1100 && code < 0x1200;  // these compose to syllables
  if (category == Category::mark || hangul_letter) return {category, true};
  const bool canonical = p.decomp_seqindex != UINT16_MAX && p.decomp_type == 0;
  return {category, canonical && !composes_again(code)};
}

bool is_number(char32_t code) { return category(code) == Category::number; }
bool is_punctuation(char32_t code) { return category(code) == Category::punctuation; }
bool is_symbol(char32_t code) { return category(code) == Category::symbol; }

bool is_cased(char32_t code) {
  const auto kind = properties(code).category;
  return kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LL ||
         kind == UTF8PROC_CATEGORY_LT || holds(other_cased, code);
}

bool is_case_ignorable(char32_t code) {
  const auto kind = properties(code).category;
  return kind == UTF8PROC_CATEGORY_MN || kind == UTF8PROC_CATEGORY_ME ||
         kind == UTF8PROC_CATEGORY_CF || kind == UTF8PROC_CATEGORY_LM ||
         kind == UTF8PROC_CATEGORY_SK || holds(within_words, code);
}

bool is_space(char32_t code) {
  const utf8proc_property_t& p = properties(code);
  return p.category == UTF8PROC_CATEGORY_ZS || p.bidi_class == UTF8PROC_BIDI_CLASS_WS ||
         p.bidi_class == UTF8PROC_BIDI_CLASS_B || p.bidi_class == UTF8PROC_BIDI_CLASS_S;
}

char32_t to_lower(char32_t code) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(code)));
}

char32_t to_upper(char32_t code) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(code)));
}

bool ends_cluster(char32_t before, char32_t code, std::int32_t& state) {
  return utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(before),
                                          static_cast<utf8proc_int32_t>(code), &state);
}

std::string nfc(std::string_view text) {
  Codes codes;
  codes.reserve(text.size());
  utf8::for_each(text, [&](char32_t code, std::string_view) { decompose(code, codes); });
  order(codes);
  compose(codes);
  std::string composed;
  composed.reserve(text.size());
  for (const utf8proc_int32_t code : codes)
    utf8::append(composed, static_cast<char32_t>(code));
  return composed;
}

}  // namespace heed::unicode
