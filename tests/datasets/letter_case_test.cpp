// Case that is marked: what is marked, what stays, and that every text comes back.

#include "datasets/text/tokenizers/internal/letter_case.h"

#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "datasets/text/special_ids.h"
#include "datasets/text/tokenizer.h"
#include "datasets/text/utf8.h"
#include "tests/datasets/temporary.h"
#include "tests/text_files.h"

namespace heed {
namespace {

using Pieces = std::vector<std::string>;

std::shared_ptr<const Tokenizer> train(const std::string& kind, bool mark_case) {
  return train_tokenizer(kind, {.vocab_size = 330, .mark_case = mark_case},
                         [](const TakeLine& take) {
                           for (int i = 0; i < 50; ++i) {
                             take("Ein Haus und ein Baum. EIN HAUS");
                             take("das Haus (Ein ⇧ Baum) ist McDonald ⇪ Über über");
                           }
                         });
}

/// The parts of a text, each with its mark before it.
std::string marked(const std::string& text) {
  std::string all;
  for (const CasedPart& part : cased_parts(text)) {
    if (part.written == WordCase::capital) all += "[1]";
    if (part.written == WordCase::all_capitals) all += "[A]";
    all += part.text;
  }
  return all;
}

TEST(LetterCase, IsMarkedWhereItComesBack) {
  struct Row {
    const char* text;
    const char* marked;
  };
  for (const Row& row : {
           Row{"Ein Haus, ein HAUS", "[1]ein [1]haus, ein [A]haus"},
           {"A I U.S.", "[1]a [1]i [1]u.[1]s."},
           {"(Ein) \"Ein\" B2B", "([1]ein) \"[1]ein\" [1]b2[1]b"},
           {"Don't DON'T", "[1]don't [A]don'[1]t"},
           {"McDonald iPhone GmbH aB", "McDonald iPhone GmbH aB"},
           {"Über ÜBER Straße STRASSE", "[1]über [A]über [1]straße [A]strasse"},
           {"STRAßE", "STRAßE"},                                    // small letters within
           {"\u01C5em \u01C4em", "\u01C5em [1]\u01C6em"},           // title case; upper case
           {"\u0130n \u0131n \u212Am", "\u0130n \u0131n \u212Am"},  // dotted I, dotless i, kelvin
           {"E\u0301n Ein\u0301", "E\u0301n Ein\u0301"},            // combining marks
           {"ΟΔΟΣ Οδός Привет", "[A]οδοσ [1]οδός [1]привет"},
           {"日本 Ⅷ Ⓐ", "日本 Ⅷ Ⓐ"},  // no case, and cased characters that are no letters
           {"", ""},
       })
    EXPECT_EQ(marked(row.text), row.marked);
}

TEST(LetterCase, TheTokensOfAWordAreThoseOfLowerCase) {
  for (const char* kind : {"unigram", "bpe"}) {
    const auto tokenizer = train(kind, true);
    const Pieces small = tokenizer->tokens("ein haus");
    const auto with = [&](const char* mark, std::size_t at, const std::string& text) {
      Pieces expected = small;
      expected.insert(expected.begin() + static_cast<std::ptrdiff_t>(at), mark);
      EXPECT_EQ(tokenizer->tokens(text), expected) << text;
    };
    with("⇧", 0, "Ein haus");
    with("⇪", 0, "EIN haus");
    const std::size_t haus = tokenizer->tokens("ein").size();
    with("⇧", haus, "ein Haus");
    with("⇪", haus, "ein HAUS");
    EXPECT_EQ(tokenizer->size(), tokenizer->vocabulary().id("⇪") + 1);
    EXPECT_EQ(tokenizer->size(), tokenizer->vocabulary().id("⇧") + 2);
    EXPECT_LE(tokenizer->size(), 330);
    for (const std::string& piece : tokenizer->vocabulary().tokens())
      if (piece != "⇧" && piece != "⇪") {
        EXPECT_EQ(piece.find("⇧"), std::string::npos);
        EXPECT_EQ(piece.find("⇪"), std::string::npos);
      }
    const auto keeps = train(kind, false);
    EXPECT_FALSE(keeps->marks_case());
    EXPECT_NE(keeps->fingerprint(), tokenizer->fingerprint());
  }
}

/// Characters that are likely to go wrong, and any others. No NUL and no surrogate.
std::string random_text(Random& random) {
  // clang-format off
  static const Pieces likely{
      "A", "a", "B", "b", " ", " ", "\n", "▁", "⇧", "⇪", "<0x41>", "'", "-", "1", "ß", "ẞ", "İ",
      "ı", "K", "ǅ", "ǆ", "Ǆ", "\u0301", "\u0345", "Σ", "ς", "σ", "Ω", "É", "é", "Ⅷ", "Ⓐ", "ⓐ",
      "日", "Ა", "ა", "Ꭰ", "ꭰ", "𐐀", "𐐨", "ﬁ", "ŉ", "ᾈ", "ᾀ", "µ", "Ein", "EIN", "ein", "haus",
  };
  // clang-format on
  std::string text;
  for (std::uint64_t n = random.below(12); n > 0; --n) {
    if (random.chance(0.8)) {
      text += likely[random.below(likely.size())];
      continue;
    }
    auto code = static_cast<char32_t>(1 + random.below(random.chance(0.5) ? 0x2FFF : 0x10FFFF));
    if (code >= 0xD800 && code < 0xE000) code -= 0x1000;
    utf8::append(text, code);
  }
  return text;
}

TEST(LetterCase, EveryTextComesBack) {
  for (const char* kind : {"unigram", "bpe"}) {
    const auto tokenizer = train(kind, true);
    Random random(11);
    Random draws(5);
    for (int i = 0; i < 20000; ++i) {
      const std::string text = random_text(random);
      const std::vector<Id> ids = tokenizer->encode(text);
      ASSERT_EQ(tokenizer->decode(ids), text) << kind << " " << i;
      ASSERT_EQ(tokenizer->join(tokenizer->tokens(text)), text) << kind << " " << i;
      const std::vector<Id> drawn = tokenizer->sample(text, 0.3, draws);
      ASSERT_EQ(tokenizer->decode(drawn), text) << kind << " " << i;
      const auto marks = [&](const std::vector<Id>& all) {
        return std::ranges::count_if(all, [&](Id id) { return id >= tokenizer->size() - 2; });
      };
      ASSERT_EQ(marks(drawn), marks(ids)) << "marks are not drawn";
    }
  }
}

TEST(LetterCase, EveryLetterComesBack) {
  const auto tokenizer = train("bpe", true);
  for (char32_t code = 1; code < 0x20000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    std::string letter;
    utf8::append(letter, code);
    for (const std::string& text : {letter, letter + "a", letter + letter, "a " + letter + "B"})
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text)
          << std::hex << static_cast<unsigned>(code);
  }
}

TEST(LetterCase, AMarkBeforeNoWordIsNoText) {
  const auto tokenizer = train("bpe", true);
  struct Row {
    Pieces pieces;
    const char* text;
  };
  for (const Row& row : {
           Row{{"⇧"}, ""},
           {{"▁ein", "⇧"}, "ein"},
           {{"⇧", "⇪", "▁ein"}, "EIN"},
           {{"a", "⇧", "▁", "▁ein"}, "a  ein"},
           {{"⇪", "▁e", "in", ".", "a"}, "EIN.a"},
           {{"⇧", "<0xC3>", "<0xBC>", "ber"}, "Über"},
           {{"⇧", "<0xC3>", "⇧", "a"}, "\uFFFDA"},
           {{"<0xE2>", "<0x87>", "<0xA7>", "ein"}, "⇧ein"},
       })
    EXPECT_EQ(tokenizer->join(row.pieces), row.text);
}

TEST(LetterCase, IsInTheFile) {
  const TemporaryFolder folder;
  const std::string path = folder.path("tokenizer.json");
  for (const bool mark : {false, true}) {
    const auto tokenizer = train("bpe", mark);
    tokenizer->save(path);
    const auto json = nlohmann::json::parse(read_file(path));
    EXPECT_EQ(json.value("case", "keep"), mark ? "mark" : "keep");
    const auto loaded = Tokenizer::load(path);
    EXPECT_EQ(loaded->marks_case(), mark);
    EXPECT_EQ(loaded->fingerprint(), tokenizer->fingerprint());
    EXPECT_EQ(loaded->encode("Ein HAUS"), tokenizer->encode("Ein HAUS"));
  }
  auto json = nlohmann::json::parse(read_file(path));
  json["case"] = "title";
  folder.write("tokenizer.json", json.dump());
  EXPECT_EQ(folder.message([&] { Tokenizer::load(path); }),
            "tokenizer.json: is a tokenizer of another version of Heed; its case is neither keep "
            "nor mark");
  folder.write(
      "words.json",
      R"({"format":"heed tokenizer","kind":"words","case":"mark","size":5,"tokens":["a"]})");
  EXPECT_EQ(folder.message([&] { Tokenizer::load(folder.path("words.json")); }),
            "words.json: is a damaged tokenizer (words does not mark case); copy it again from the "
            "run that wrote it");
}

}  // namespace
}  // namespace heed
