#include "datasets/text/tokenizer.h"

#include <set>

#include <gtest/gtest.h>

#include "datasets/text/special_ids.h"
#include "datasets/text/text_file.h"
#include "datasets/text/tokenizer_kinds.h"
#include "datasets/text/unicode.h"
#include "datasets/text/utf8.h"
#include "framework/sequences.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Pieces = std::vector<std::string>;

std::shared_ptr<const Tokenizer> train(const std::string& kind, const Pieces& lines,
                                       const VocabularyOptions& options = {}) {
  return train_tokenizer(kind, options, [&](const TakeLine& take) {
    for (const std::string& line : lines)
      take(line);
  });
}

TEST(Vocabulary, OrdersByCountThenBytes) {
  const StringMap<Index> counts{{"b", 3}, {"a", 3}, {"z", 9}, {"é", 3}, {"rare", 1}, {"</s>", 50}};
  const Pieces marks{"<pad>", "<s>", "</s>", "<unk>"};
  const std::tuple<VocabularyOptions, Pieces> rows[]{
      {{}, {"z", "a", "b", "é", "rare"}},
      {{.min_count = 2}, {"z", "a", "b", "é"}},
      {{.vocab_size = 6}, {"z", "a"}},
      {{.vocab_size = 4}, {}},
      {{.min_count = 10}, {}},
  };
  for (const auto& [options, expected] : rows) {
    const Vocabulary vocabulary(counts, options);
    Pieces all = marks;
    all.insert(all.end(), expected.begin(), expected.end());
    EXPECT_EQ(vocabulary.tokens(), all);
    for (Id id = 0; id < vocabulary.size(); ++id)
      EXPECT_EQ(vocabulary.id(vocabulary.token(id)), id);
    EXPECT_EQ(vocabulary.id("unheard"), unk_id);
  }
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([&] { Vocabulary(counts, {.vocab_size = 3}); }),
            "[vocabulary] expected vocab_size of 0 (no limit) or at least 4, the marks that it "
            "counts; got 3");
  EXPECT_EQ(folder.message([] {
    (void)Vocabulary(Pieces{"a", "a"});
  }),
            "[vocabulary] expected distinct tokens; got 'a' twice");
  EXPECT_EQ(folder.message([] { (void)Vocabulary(Pieces{"<s>"}); }),
            "[vocabulary] expected distinct tokens; got '<s>' twice");
  for (Id id : {-1, 4})
    EXPECT_EQ(folder.message([&] { Vocabulary().token(id); }),
              fmt::format("[vocabulary] expected an id in [0, 4); got {}", id));
}

TEST(Words, Splits) {  // ASCII, and French's apostrophe
  const std::pair<std::string, Pieces> rows[]{
      {"", {}},
      {"Go!", {"Go", "￭!"}},
      {"l'homme", {"l'￭", "homme"}},
      {"Qu’est-ce", {"Qu’￭", "est-ce"}},
      {"aujourd'hui, d'accord", {"aujourd'￭", "hui", "￭,", "d'￭", "accord"}},
      {"don't", {"don't"}},
      {"Anna's dogs' We'LL", {"Anna's", "dogs", "￭'", "We'LL"}},
      {"'tis", {"'￭", "tis"}},
      {"(a) [b]", {"(￭", "a", "￭)", "[￭", "b", "￭]"}},
      {"a(b", {"a", "￭(￭", "b"}},
      {"well-known -x y- a--b", {"well-known", "-￭", "x", "y", "￭-", "a", "￭-", "￭-￭", "b"}},
      {"3.14", {"3", "￭.￭", "14"}},
      {"?!", {"?", "￭!"}},
      {"a , b", {"a", ",", "b"}},
      {"Ça va, été?", {"Ça", "va", "￭,", "été", "￭?"}},
      {"😀!", {"😀", "￭!"}},
      {"a￭b ％", {"a", "￭％ffed￭", "b", "％ff05"}},
      {"￭", {"％ffed"}},
      {"<unk> <s>", {"<￭", "unk", "￭>", "<￭", "s", "￭>"}},
      {"a\tb\nc", {"a", "￭\t￭", "b", "￭\n￭", "c"}},
      {"  a   b ", {"a", "b"}},
  };
  const auto words = train("words", {});
  for (const auto& [text, pieces] : rows)
    EXPECT_EQ(words->tokens(text), pieces) << text;
}

// Texts and their pieces by Unicode's general categories. Version 1 takes all characters beyond
// ASCII for letters.
const std::pair<std::string, Pieces> unicode_pieces[]{
    // Punctuation and symbols, of any script, are pieces of their own.
    {"“hello” there", {"“￭", "hello", "￭”", "there"}},
    {"‘hello’ there", {"‘￭", "hello", "￭’", "there"}},
    {"hello — there…", {"hello", "—", "there", "￭…"}},
    {"hello—there", {"hello", "￭—￭", "there"}},
    {"1990–2000", {"1990", "￭–￭", "2000"}},
    {"¿Cómo estás? ¡Sí!", {"¿￭", "Cómo", "estás", "￭?", "¡￭", "Sí", "￭!"}},
    {"«bonjour»", {"«￭", "bonjour", "￭»"}},
    {"„Tag“, ‚so‘", {"„￭", "Tag", "￭“", "￭,", "‚￭", "so", "￭‘"}},
    {"你好，世界。", {"你好", "￭，￭", "世界", "￭。"}},
    {"「猫」・『犬』", {"「￭", "猫", "￭」", "￭・", "￭『￭", "犬", "￭』"}},
    {"नमस्ते। مرحبا؟", {"नमस्ते", "￭।", "مرحبا", "￭؟"}},
    {"שלום־עולם", {"שלום", "￭־￭", "עולם"}},
    {"5€ £7 ±3 20°C", {"5", "￭€", "£￭", "7", "±￭", "3", "20", "￭°￭", "C"}},
    {"§4 ©", {"§￭", "4", "©"}},
    {"x² ½ Ⅻ n°", {"x²", "½", "Ⅻ", "n", "￭°"}},
    // Blanks other than the space are pieces and do not join words.
    {"bonjour\u00A0!", {"bonjour", "￭\u00A0", "￭!"}},
    {"«\u202Fbonjour\u202F»", {"«", "￭\u202F￭", "bonjour", "￭\u202F", "￭»"}},
    {"hello\u2003there\u3000you", {"hello", "￭\u2003￭", "there", "￭\u3000￭", "you"}},
    {"a\u2028b\u2029c\u0085d", {"a", "￭\u2028￭", "b", "￭\u2029￭", "c", "￭\u0085￭", "d"}},
    // So are invisible characters.
    {"\u200Bhello\u200Bthere\u200B", {"\u200B￭", "hello", "￭\u200B￭", "there", "￭\u200B"}},
    {"\uFEFFhello\u2060there", {"\uFEFF￭", "hello", "￭\u2060￭", "there"}},
    {"\u200Fשלום\u200E", {"\u200F￭", "שלום", "￭\u200E"}},
    {"\u202Bab\u202C", {"\u202B￭", "ab", "￭\u202C"}},
    {"hello\u200D \u200Chello", {"hello", "￭\u200D", "\u200C￭", "hello"}},
    {"\u00ADhello\u00AD", {"\u00AD￭", "hello", "￭\u00AD"}},
    // Except those that may stand between two letters of a word, as a hyphen does.
    {"می\u200Cخواهم", {"می\u200Cخواهم"}},
    {"क्\u200Dष ക്\u200D", {"क्\u200Dष", "ക്\u200D"}},
    {"Sil\u00ADbe well\u2011known", {"Sil\u00ADbe", "well\u2011known"}},
    {"\u2011a b\u2010", {"\u2011￭", "a", "b", "￭\u2010"}},
    {"c\u2011\u2011d", {"c", "￭\u2011", "￭\u2011￭", "d"}},
    // An accent belongs to its letter, however the accented letter was typed.
    {"e\u0301te\u0301 E\u0302tre", {"\u00E9t\u00E9", "\u00CAtre"}},
    {"\u212Bngstro\u0308m", {"\u00C5ngstr\u00F6m"}},
    {"\u1112\u1161\u11AB\u1100\u1173\u11AF", {"\uD55C\uAE00"}},
    {"q\u0323\u0307x", {"q\u0323\u0307x"}},
    {"q\u0307\u0323x", {"q\u0323\u0307x"}},
    {"\u0301hello -\u0301 =\u0338x", {"\u0301￭", "hello", "-\u0301", "\u2260￭", "x"}},
    {"\u037E \u2126", {";", "\u03A9"}},
    // A grapheme cluster of marks is one piece.
    {"👩\u200D👩\u200D👧!", {"👩\u200D👩\u200D👧", "￭!"}},
    {"👍🏽👍 ❤\uFE0F hi😀", {"👍🏽", "￭👍", "❤\uFE0F", "hi", "￭😀"}},
    {"🇫🇷🇩🇪🇮", {"🇫🇷", "￭🇩🇪", "￭🇮"}},
    {"1\uFE0F\u20E3 #\uFE0F\u20E3", {"1\uFE0F\u20E3", "#\uFE0F\u20E3"}},
    {"🏴\U000E0067\U000E007F", {"🏴\U000E0067\U000E007F"}},
    // A code point without a category counts as a letter: it may be one of a future script.
    {"\U0001C000a\uE000 \u0378", {"\U0001C000a\uE000", "\u0378"}},
};

TEST(Words, FollowUnicodesCategories) {
  const auto words = train("words", {});
  for (const auto& [text, pieces] : unicode_pieces) {
    EXPECT_EQ(words->tokens(text), pieces) << text;
    EXPECT_EQ(words->join(pieces), unicode::nfc(text));
  }
}

std::string utf8_of(char32_t code) {
  std::string text;
  utf8::append(text, code);
  return text;
}

// Every code point that is no letter, number or accent: before, after and between letters.
TEST(Words, AreOneEntryWhateverStandsAroundThem) {
  using unicode::Category;
  const auto words = train("words", {});
  int seen = 0;
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xD800 && code < 0xE000) continue;
    const Category category = unicode::category(code);
    if (category == Category::letter || category == Category::number) continue;
    if (category == Category::mark || category == Category::other) continue;
    ++seen;
    const std::string c = utf8_of(code);
    const std::string text = c + "hello" + c + " hello " + c + c + "hello";
    int found = 0;
    for (std::string piece : words->tokens(text)) {
      if (piece.ends_with("￭")) piece.resize(piece.size() - std::string_view("￭").size());
      found += piece == "hello";
    }
    EXPECT_EQ(found, 3) << text;
  }
  EXPECT_GT(seen, 8000);
}

// The pieces of version 1. They must not change, since that would break existing runs.
TEST(Words, OfVersion1CutAsTheyAlwaysDid) {
  const std::string path = HEED_SOURCE_DIR "/tests/data/tokenizers/words-1.json";
  const auto words = Tokenizer::load(path);
  EXPECT_EQ(words->version(), 1);
  EXPECT_EQ(words->fingerprint(), 0x27c990f2b3831174u);
  const std::pair<std::string, Pieces> rows[]{
      {"“hello” there…", {"“hello”", "there…"}},
      {"l'été, l’homme don't", {"l'￭", "été", "￭,", "l’￭", "homme", "don't"}},
      {"‘hello’ hello’s", {"‘hello", "￭’", "hello’s"}},
      {"¿Cómo estás?", {"¿Cómo", "estás", "￭?"}},
      {"bonjour\u00A0!", {"bonjour\u00A0", "￭!"}},
      {"你好，世界。", {"你好，世界。"}},
      {"e\u0301te\u0301", {"e\u0301te\u0301"}},
      {"\u200Bzero\u200Bwidth\uFEFF", {"\u200Bzero\u200Bwidth\uFEFF"}},
      {"well-known well\u2011known - -a", {"well-known", "well\u2011known", "-", "-￭", "a"}},
      {"a￭b ％ 3.14 5€", {"a％ffedb", "％ff05", "3", "￭.￭", "14", "5€"}},
      {"😀👍🏽!", {"😀👍🏽", "￭!"}},
      {"a\tb\u0085c", {"a", "￭\t￭", "b\u0085c"}},
  };
  for (const auto& [text, pieces] : rows) {
    EXPECT_EQ(words->tokens(text), pieces) << text;
    EXPECT_EQ(words->join(pieces), text);
  }
  EXPECT_EQ(words->encode("“hello” l’homme 你好，世界。 5€"),
            (std::vector<Id>{31, 21, 20, 32, 12}));
  const TemporaryFolder folder;
  words->save(folder.path("again.json"));
  EXPECT_EQ(read_text(folder.path("again.json")), read_text(path)) << "copied as it is";
}

TEST(Tokenizer, HasAVersion) {
  const TemporaryFolder folder;
  const std::string file =
      R"("format": "heed tokenizer", "kind": "words", "size": 5, "tokens": ["a"])";
  const std::pair<std::string, int> rows[]{
      {"", 1}, {R"("version": 1, )", 1}, {R"("version": 2, )", 2}};
  std::set<std::uint64_t> prints;
  for (const auto& [key, version] : rows) {
    const auto words = Tokenizer::load(folder.write("f", "{" + key + file + "}"));
    EXPECT_EQ(words->version(), version) << key;
    EXPECT_EQ(words->tokens("“a”").size(), version == 1 ? 1u : 3u) << key;
    prints.insert(words->fingerprint());
    words->save(folder.path("again"));
    EXPECT_EQ(Tokenizer::load(folder.path("again"))->version(), version) << key;
  }
  EXPECT_EQ(prints.size(), 2u) << "a hash of all that decides how text becomes ids";
  for (const char* kind : {"words", "characters"})
    EXPECT_EQ(train(kind, {"a"})->version(), 2) << kind;
  for (const std::string version : {"0", "3", "-1", "1.5", "\"2\"", "null", "1e30"}) {
    const std::string path = folder.write("f", "{\"version\": " + version + ", " + file + "}");
    EXPECT_EQ(folder.message([&] { Tokenizer::load(path); }),
              "f: is a tokenizer of another version of Heed; expected version 1 to 2")
        << version;
  }
}

TEST(Tokenizer, RoundTrips) {
  const Pieces texts{
      "",
      "Hello, world!",
      "L'été, c'est l'heure d'aller à l'école; n'est-ce pas ?",
      "« Qu’est-ce que c’est ? » dit-elle…",
      "He said \"don't!\" (twice) -- and left: 3.14 + 1,000 = $5_00/x\\y.",
      "😀👍🏽 👩‍👩‍👧 !?",
      "日本語 です。",
      "￭ a￭ ￭b a￭b ％ffed ％ ％％ff05 ￭￭",
      "<unk> </s> <pad> &amp; <s>",
      "' '' a' 'b a'b' rock'n'roll y'all's o'",
      "- -- a- -b a-b- -",
      "a\tb\r\v\x01 c",
      "\u00A0x\u2028y\u0085",
      "e\u0301te\u0301 \u00E9t\u00E9 q\u0307\u0323 \u212B \u1112\u1161\u11AB",
      "\uFEFFbom \u200Bzero\u200Bwidth\u200B no\u00A0break\u2060 soft\u00ADhyphen\u00AD",
      "\u200Fשלום\u200E \u202Bab\u202C \u2067x\u2069",
      "می\u200Cخواهم क्\u200Dष \u200D \u200D\u0301 \u0301",
      "🇫🇷🇩🇪 1\uFE0F\u20E3 ❤\uFE0F￭\uFE0F％\u0301",
      "lines\nof\n\ntext\n",
      std::string(10'000, '!'),
  };
  for (const char* kind : {"words", "characters"}) {
    const auto tokenizer = train(kind, texts);
    const bool words = tokenizer->kind() == "words";
    for (const std::string& text : texts)
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), words ? unicode::nfc(text) : text);
  }
  const auto characters = train("characters", {"  a  b é "});
  EXPECT_EQ(characters->decode(characters->encode("  b  a")), "  b  a");
  EXPECT_EQ(characters->tokens("é b"), (Pieces{"é", " ", "b"}));
}

// All of Unicode except the blocks that hold thousands of similar characters.
TEST(Tokenizer, RoundTripsEveryCharacter) {
  const auto words = train("words", {});
  std::string text;
  for (char32_t code = 1; code < 0x20000; ++code) {
    const bool many = (code >= 0x3400 && code < 0xA000) || (code >= 0xAC00 && code < 0xF900);
    if (many || code == ' ') continue;
    text += 'a' + utf8_of(code) + "b " + utf8_of(code) + ' ' + utf8_of(code) + utf8_of(code);
    if (code % 64 != 0) continue;
    EXPECT_EQ(words->join(words->tokens(text)), unicode::nfc(text)) << "before " << utf8_of(code);
    text.clear();
  }
}

TEST(Tokenizer, ShowsTheUnknown) {
  const auto words = train("words", {"a b, c"});
  EXPECT_EQ(words->encode("a x"), (std::vector<Id>{words->vocabulary().id("a"), unk_id}));
  EXPECT_EQ(words->decode(words->encode("a x, c!")), "a <unk>, c <unk>");
  EXPECT_EQ(words->decode(std::vector<Id>{bos_id, words->vocabulary().id("c"), eos_id, pad_id}),
            "c");
  EXPECT_EQ(words->decode(std::vector<Id>{}), "");
  const auto characters = train("characters", {"ab"});
  EXPECT_EQ(characters->decode(characters->encode("axb")), "a<unk>b");
  EXPECT_THROW(words->decode(std::vector<Id>{999}), Error);
  EXPECT_THROW(words->encode("\xFF"), Error);
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([] { train("word", {}); }),
            fmt::format("[tokenizer] expected a name of {}; got 'word'; did you mean words?",
                        fmt::join(tokenizer_kinds().names(), ", ")));
}

TEST(Tokenizer, CountsAndLimits) {
  const auto tokenizer = train("words", {"b a b", "a b c!"}, {.min_count = 2});
  EXPECT_EQ(tokenizer->vocabulary().tokens(), (Pieces{"<pad>", "<s>", "</s>", "<unk>", "b", "a"}));
  EXPECT_EQ(tokenizer->size(), 6);
}

TEST(Tokenizer, SavesAndLoads) {
  const TemporaryFolder folder;
  for (const char* kind : {"words", "characters"}) {
    const auto tokenizer = train(kind, {"L'été \"😀\" \\ ￭\n\x01 ", "b"});
    tokenizer->save(folder.path("tokenizer.json"));
    const auto loaded = Tokenizer::load(folder.path("tokenizer.json"));
    EXPECT_EQ(loaded->kind(), kind);
    EXPECT_EQ(loaded->vocabulary().tokens(), tokenizer->vocabulary().tokens());
    EXPECT_EQ(loaded->encode("b L'été"), tokenizer->encode("b L'été"));
  }
  EXPECT_EQ(folder.message([&] { train("words", {})->save(folder.path("no/where")); }),
            "no/where: cannot be written: No such file or directory; there is no such folder");
}

TEST(Tokenizer, RefusesDamagedFiles) {
  const std::string again = "; copy it again from the run that wrote it";
  const std::string begin = R"({"format": "heed tokenizer", "version": 1, )";
  const std::pair<std::string, std::string> rows[]{
      {"hello\n", "f:1: is damaged or not a tokenizer (not valid JSON)" + again},
      {"{\n\"format\": \"heed tok", "f:2: is damaged or not a tokenizer (not valid JSON)" + again},
      {"[]", "f: is not a tokenizer of Heed; name the tokenizer file of a run"},
      {"{\"format\": \"bert\"}", "f: is not a tokenizer of Heed; name the tokenizer file of a run"},
      {R"({"format": "heed tokenizer", "version": 9})",
       "f: is a tokenizer of another version of Heed; expected version 1 to 2"},
      {begin + R"("kind": "words", "size": 5})",
       "f: is a damaged tokenizer (kind, size, model or tokens missing or of the wrong type)" +
           again},
      {begin + R"("kind": "words", "size": "5", "tokens": ["a"]})",
       "f: is a damaged tokenizer (kind, size, model or tokens missing or of the wrong type)" +
           again},
      {begin + R"("kind": "words", "size": 7, "tokens": ["a"]})",
       "f: is a damaged tokenizer (it says 7 entries and holds 5)" + again},
      {begin + R"("kind": "words", "size": 6, "tokens": ["a", "a"]})",
       "f: is a damaged tokenizer ([vocabulary] expected distinct tokens; got 'a' twice)" + again},
      {begin + R"("kind": "pieces", "size": 5, "tokens": ["a"]})",
       fmt::format("f: is a tokenizer of the kind 'pieces', which this program lacks: it has {}; "
                   "use the program that wrote it",
                   fmt::join(tokenizer_kinds().names(), ", "))},
  };
  const TemporaryFolder folder;
  for (const auto& [bytes, message] : rows) {
    EXPECT_EQ(folder.message([&] { Tokenizer::load(folder.write("f", bytes)); }), message) << bytes;
    EXPECT_EQ(folder.message([&] { Tokenizer::load_bytes(bytes, "", "f"); }), message) << bytes;
  }
  EXPECT_EQ(folder.message([&] { Tokenizer::load(folder.path("none")); }),
            "none: no such file; check the name");
}

// Many words that occur once must not push out those that occur more often.
TEST(Tokenizer, CountsInBoundedMemory) {
  const auto frequent_word = [](int i) {
    if (i % 1000 == 0) return " often";
    return i % 10'000 == 1 ? " now" : "";
  };
  const auto words = train_tokenizer("words", {.min_count = 5}, [&](const TakeLine& take) {
    for (int i = 0; i < 700'000; ++i)
      take(fmt::format("w{}{}", i, frequent_word(i)));
  });
  EXPECT_EQ(words->vocabulary().tokens(),
            (std::vector<std::string>{"<pad>", "<s>", "</s>", "<unk>", "often", "now"}));
}

}  // namespace
// See et al. 2017, section 2.2: the unknown words of a source get ids of their own, for that pair
// alone.
TEST(Tokenizer, WidensTheVocabularyByTheUnknownWordsOfASource) {
  const auto tokenizer = train("words", {"the fire in , ."});
  const Id size = static_cast<Id>(tokenizer->size());
  const auto id = [&](std::string_view token) { return tokenizer->vocabulary().id(token); };
  std::vector<std::string> extra;
  EXPECT_EQ(
      tokenizer->encode_widening("the fire in Torvik, Brana in Torvik", extra),
      (std::vector<Id>{id("the"), id("fire"), id("in"), size, size + 1, size + 2, id("in"), size}));
  EXPECT_EQ(extra, (Pieces{"Torvik", "￭,", "Brana"}));
  const std::vector<Id> target = tokenizer->encode("Brana the Maslow fire Torvik", extra);
  EXPECT_EQ(target, (std::vector<Id>{size + 2, id("the"), unk_id, id("fire"), size}));
  EXPECT_EQ(tokenizer->decode(target, extra), "Brana the <unk> fire Torvik");
  EXPECT_EQ(tokenizer->encode("Brana"), std::vector<Id>{unk_id}) << "widened for that pair alone";
  EXPECT_THROW(tokenizer->decode(std::vector<Id>{size + 3}, extra), Error);
  EXPECT_EQ(tokenizer->encode_widening("Zed Brana", extra), (std::vector<Id>{size + 3, size + 2}))
      << "appends to what is there";
}

TEST(Tokenizer, AFingerprintIsOfAllThatDecidesItsIds) {
  const TemporaryFolder folder;
  std::set<std::uint64_t> prints;
  Pieces text;
  for (int i = 0; i < 400; ++i)
    text.push_back(fmt::format("word{} is not word{}", i * 7 % 90, i * 11 % 70));
  Pieces more = text;
  more.push_back("anöther");
  for (const std::string& kind : tokenizer_kinds().names())
    for (const Pieces& lines : {text, more}) {
      const auto tokenizer = train(kind, lines);
      EXPECT_TRUE(prints.insert(tokenizer->fingerprint()).second) << kind << lines.size();
      tokenizer->save(folder.path(kind + ".json"));
      EXPECT_EQ(Tokenizer::load(folder.path(kind + ".json"))->fingerprint(),
                tokenizer->fingerprint())
          << kind;
    }
}

}  // namespace heed
