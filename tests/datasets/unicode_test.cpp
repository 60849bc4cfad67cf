#include "datasets/text/unicode.h"

#include <string>

#include <gtest/gtest.h>

#include "datasets/metrics/tokenize.h"

namespace heed::unicode {
namespace {

// From UnicodeData.txt 15.0. Later versions of Unicode only add to it.
TEST(Unicode, KnowsCategories) {
  const std::pair<char32_t, Category> rows[]{
      {U'a', Category::letter},        {0x4E00, Category::letter},
      {0x1E4D0, Category::letter},     {0x0301, Category::mark},
      {0x0903, Category::mark},        {0x20DD, Category::mark},
      {U'7', Category::number},        {0x216B, Category::number},
      {0x00BD, Category::number},      {U'_', Category::punctuation},
      {0x2014, Category::punctuation}, {0x201C, Category::punctuation},
      {0x2019, Category::punctuation}, {0xFF0C, Category::punctuation},
      {U'+', Category::symbol},        {0x20AC, Category::symbol},
      {0x00B4, Category::symbol},      {0x1F600, Category::symbol},
      {U' ', Category::separator},     {0x00A0, Category::separator},
      {0x2028, Category::separator},   {0x2029, Category::separator},
      {U'\n', Category::control},      {0x0085, Category::control},
      {0x00AD, Category::format},      {0x200B, Category::format},
      {0xFEFF, Category::format},      {0x0378, Category::other},
      {0xE000, Category::other},       {0x10FFFF, Category::other},
  };
  for (const auto& [code, category] : rows)
    EXPECT_EQ(unicode::category(code), category) << static_cast<unsigned>(code);
}

// The results of Python 3.12, whose str.lower treats the end of a Greek word (SpecialCasing.txt).
TEST(Unicode, LowersAsPythonDoes) {
  const std::pair<std::string, std::string> rows[]{
      {"ΟΔΟΣ", "οδος"},
      {"ΟΔΟΣ ΣΟΦΟΣ.", "οδος σοφος."},
      {"Σ", "σ"},
      {"ΑΣ\u0301", "ας\u0301"},
      {"ΑΣ’Α", "ασ’α"},
      {"ΑΣ’ Α", "ας’ α"},
      {"ⓐΣ ªΣ ⅠΣ", "ⓐς ªς ⅰς"},
      {"1Σ", "1σ"},
      {"İ", "i\u0307"},
      {"ǅ ẞ \u212A", "ǆ ß k"},
  };
  for (const auto& [text, lower] : rows)
    EXPECT_EQ(lowercase(text), lower) << text;
}

TEST(Unicode, ComposesAccents) {
  const std::pair<std::string, std::string> rows[]{
      {"", ""},
      {"abc \u00E9", "abc \u00E9"},
      {"e\u0301", "\u00E9"},
      {"q\u0307\u0323", "q\u0323\u0307"},
      {"\u1112\u1161\u11AB", "\uD55C"},
      {"\u212B \u2126 \uF900", "\u00C5 \u03A9 \u8C48"},
      {"\uFB01 ² ％", "\uFB01 ² ％"},  // alike to the eye alone
      {"\u0958", "\u0915\u093C"},      // never composed
  };
  for (const auto& [text, composed] : rows)
    EXPECT_EQ(nfc(text), composed) << text;
}

// Sorting them must not be quadratic in their number: that would take minutes.
TEST(Unicode, ComposesManyAccents) {
  std::string text = "a";
  std::string below = "\u1EA1";
  std::string above;
  for (int i = 0; i < 100'000; ++i) {
    text += "\u0301\u0323";
    above += "\u0301";
    if (i > 0) below += "\u0323";
  }
  EXPECT_TRUE(nfc(text) == below + above);
}

}  // namespace
}  // namespace heed::unicode
