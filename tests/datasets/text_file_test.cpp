#include "datasets/text/text_file.h"

#include <gtest/gtest.h>

#include "datasets/text/utf8.h"
#include "framework/nearest.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using namespace std::string_literals;
using Lines = std::vector<std::string>;

struct GoodFile {
  std::string bytes;
  Lines lines;
  std::string text;
};

TEST(TextFile, ReadsLines) {
  const GoodFile rows[]{
      {"one\ntwo\n", {"one", "two"}, "one\ntwo\n"},
      {"one\ntwo", {"one", "two"}, "one\ntwo"},
      {"one\r\ntwo\r\n", {"one", "two"}, "one\ntwo\n"},
      {"\xEF\xBB\xBFone\n", {"one"}, "one\n"},
      {"\n", {""}, "\n"},
      {"a\n\nb\n", {"a", "", "b"}, "a\n\nb\n"},
      // only a \r before \n is removed
      {"a\rb\r\r\nc", {"a\rb\r", "c"}, "a\rb\r\nc"},
      // Python's splitlines would end lines there
      {"a\u0085b\u2028c\vd\n", {"a\u0085b\u2028c\vd"}, "a\u0085b\u2028c\vd\n"},
      {"a\n\xEF\xBB\xBF"
       "b\n",
       {"a",
        "\uFEFF"
        "b"},
       "a\n\uFEFF"
       "b\n"},  // a mark elsewhere is a character
      {"naïve 日本 😀\n", {"naïve 日本 😀"}, "naïve 日本 😀\n"},
  };
  const TemporaryFolder folder;
  for (const GoodFile& row : rows) {
    const std::string path = folder.write("file", row.bytes);
    EXPECT_EQ(read_lines(path), row.lines) << row.bytes;
    EXPECT_EQ(read_text(path), row.text) << row.bytes;
  }
  const std::string longest(3'000'000, 'x');
  EXPECT_EQ(read_lines(folder.write("long", longest + "\n" + longest)), (Lines{longest, longest}));
}

TEST(TextFile, RefusesWhatIsNoText) {
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([&] { read_lines(folder.path("none")); }),
            "none: no such file; check the name");
  std::filesystem::create_directory(folder.path("sub"));
  EXPECT_EQ(folder.message([&] { read_lines(folder.path("sub")); }),
            "sub: is a folder; name a text file");
  for (const char* empty : {"", "\xEF\xBB\xBF"})
    EXPECT_EQ(folder.message([&] { read_lines(folder.write("f", empty)); }),
              "f: is empty; expected at least one line of text");
  EXPECT_EQ(folder.message([&] { read_lines(folder.write("f", "ok\nab\0c\n"s)); }),
            "f:2: NUL at byte 3 of the line; is this a text file, and saved as UTF-8?");
}

// Bytes, and where the first malformed sequence begins (1-based): table 3-7 of the Unicode standard
// and the edges around it.
struct Malformed {
  std::string bytes;
  int byte;
};

TEST(TextFile, RefusesMalformedUtf8) {
  const Malformed rows[]{
      {"\x80", 1},              // a tail alone
      {"ab\xFFz", 3},           // never a byte of UTF-8
      {"\xC0\xAF", 1},          // '/' in two bytes
      {"\xC1\xBF", 1},          // U+007F in two bytes
      {"\xE0\x9F\xBF", 1},      // U+07FF in three bytes
      {"\xF0\x8F\xBF\xBF", 1},  // U+FFFF in four bytes
      {"\xED\xA0\x80", 1},      // U+D800, a surrogate
      {"x\xED\xBF\xBF", 2},     // U+DFFF
      {"\xF4\x90\x80\x80", 1},  // U+110000
      {"\xF5\x80\x80\x80", 1},  // beyond
      {"\xF8\x88\x80\x80\x80", 1},
      {"\xC3", 1},  // cut short
      {"\xE2\x82", 1},
      {"\xF0\x9F\x98", 1},
      {"é\xC3(", 3},  // a tail missing
      {"\xE2\x82(", 1},
      {"Stra\xDF"
       "e",
       5},  // Latin-1
  };
  const TemporaryFolder folder;
  for (const Malformed& row : rows) {
    const auto byte = static_cast<unsigned char>(row.bytes[row.byte - 1]);
    const std::string expected = fmt::format(
        "f:3: malformed UTF-8 at byte {} of the line (0x{:02X}); save the file as UTF-8", row.byte,
        byte);
    EXPECT_EQ(folder.message(
                  [&] { read_lines(folder.write("f", "one\ntwo\n" + row.bytes + "\nfour\n")); }),
              expected);
    EXPECT_EQ(folder.message([&] { read_text(folder.write("f", "one\r\ntwo\r\n" + row.bytes)); }),
              expected);
    EXPECT_THROW(utf8::for_each(row.bytes, [](char32_t, std::string_view) {}), Error);
  }
}

TEST(Utf8, CodePointsThereAndBack) {
  const std::pair<std::string, char32_t> rows[]{
      {"A", 0x41},        {"\x7F", 0x7F},          {"\u0080", 0x80},   {"\u07FF", 0x7FF},
      {"\u0800", 0x800},  {"\uD7FF", 0xD7FF},      {"\uE000", 0xE000}, {"\uFFFD", 0xFFFD},
      {"\uFFFF", 0xFFFF}, {"\U00010000", 0x10000}, {"😀", 0x1F600},    {"\U0010FFFF", 0x10FFFF}};
  for (const auto& [bytes, code] : rows) {
    std::size_t at = 0;
    EXPECT_EQ(utf8::next(bytes, at), code);
    EXPECT_EQ(at, bytes.size());
    std::string text;
    utf8::append(text, code);
    EXPECT_EQ(text, bytes);
    EXPECT_EQ(utf8::find_invalid(bytes), std::string::npos);
  }
  EXPECT_EQ(utf8::length("naïve 😀"), 7u);
  for (char32_t space : {0x20, 0x09, 0x1C, 0x85, 0xA0, 0x1680, 0x2003, 0x2028, 0x202F, 0x3000})
    EXPECT_TRUE(utf8::is_space(space));
  for (char32_t other : {0x200B, 0x180E, 0xFEFF, 0x41, 0x00})
    EXPECT_FALSE(utf8::is_space(other));
}

TEST(Nearest, NamesWhatWasMeant) {
  const std::vector<std::string> names{"translation", "summarization", "dates",
                                       "reverse",     "copy",          "sort"};
  const std::pair<std::string, std::string> rows[]{{"translatoin", "translation"},
                                                   {"COPY", "copy"},
                                                   {"date", "dates"},
                                                   {"revers", "reverse"},
                                                   {"sorted", "sort"},
                                                   {"x", ""},
                                                   {"", ""},
                                                   {"banana", ""}};
  for (const auto& [word, expected] : rows)
    EXPECT_EQ(nearest(word, names), expected) << word;
  EXPECT_EQ(nearest("abc", {}), "");
  EXPECT_EQ(nearest("ab", {"aa", "bb"}), "aa");  // the first of equals
  EXPECT_EQ(did_you_mean("copi", names), "; did you mean copy?");
}

}  // namespace
}  // namespace heed
