#include "datasets/tokenizer.h"

#include <gtest/gtest.h>

#include <set>

#include "framework/sequences.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Pieces = std::vector<std::string>;

std::shared_ptr<const Tokenizer> train(const std::string& kind, const Pieces& lines, const VocabularyOptions& options = {}) {
  return train_tokenizer(kind, options, [&](const TakeLine& take) {
    for (const std::string& line : lines) take(line);
  });
}

TEST(Vocabulary, OrdersByCountThenBytes) {
  const StringMap<Index> counts{{"b", 3}, {"a", 3}, {"z", 9}, {"é", 3}, {"rare", 1}, {"</s>", 50}};
  const Pieces marks{"<pad>", "<s>", "</s>", "<unk>"};
  const std::tuple<VocabularyOptions, Pieces> rows[]{
      {{}, {"z", "a", "b", "é", "rare"}},
      {{.min_count = 2}, {"z", "a", "b", "é"}},
      {{.max_size = 6}, {"z", "a"}},
      {{.max_size = 4}, {}},
      {{.min_count = 10}, {}},
  };
  for (const auto& [options, expected] : rows) {
    const Vocabulary vocabulary(counts, options);
    Pieces all = marks;
    all.insert(all.end(), expected.begin(), expected.end());
    EXPECT_EQ(vocabulary.tokens(), all);
    for (Id id = 0; id < vocabulary.size(); ++id) EXPECT_EQ(vocabulary.id(vocabulary.token(id)), id);
    EXPECT_EQ(vocabulary.id("unheard"), unk_id);
  }
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([&] { Vocabulary(counts, {.max_size = 3}); }),
            "[vocabulary] max_size counts the 4 marks: expected 0 (no limit) or at least 4; got 3");
  EXPECT_EQ(folder.message([] { (void)Vocabulary(Pieces{"a", "a"}); }), "[vocabulary] expected distinct tokens; got 'a' twice");
  EXPECT_EQ(folder.message([] { (void)Vocabulary(Pieces{"<s>"}); }), "[vocabulary] expected distinct tokens; got '<s>' twice");
  for (Id id : {-1, 4})
    EXPECT_EQ(folder.message([&] { Vocabulary().token(id); }), fmt::format("[vocabulary] expected an id in [0, 4); got {}", id));
}

TEST(Words, Splits) {
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
      {"a￭b ％", {"a％ffedb", "％ff05"}},
      {"￭", {"％ffed"}},
      {"<unk> <s>", {"<￭", "unk", "￭>", "<￭", "s", "￭>"}},
      {"a\tb\nc", {"a", "￭\t￭", "b", "￭\n￭", "c"}},
      {"  a   b ", {"a", "b"}},
  };
  const auto words = train("words", {});
  for (const auto& [text, pieces] : rows) EXPECT_EQ(words->tokens(text), pieces) << text;
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
      "lines\nof\n\ntext\n",
      std::string(10'000, '!'),
  };
  for (const char* kind : {"words", "characters"}) {
    const auto tokenizer = train(kind, texts);
    for (const std::string& text : texts) EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << kind;
  }
  const auto characters = train("characters", {"  a  b é "});
  EXPECT_EQ(characters->decode(characters->encode("  b  a")), "  b  a");
  EXPECT_EQ(characters->tokens("é b"), (Pieces{"é", " ", "b"}));
}

TEST(Tokenizer, ShowsTheUnknown) {
  const auto words = train("words", {"a b, c"});
  EXPECT_EQ(words->encode("a x"), (std::vector<Id>{words->vocabulary().id("a"), unk_id}));
  EXPECT_EQ(words->decode(words->encode("a x, c!")), "a <unk>, c <unk>");
  EXPECT_EQ(words->decode(std::vector<Id>{bos_id, words->vocabulary().id("c"), eos_id, pad_id}), "c");
  EXPECT_EQ(words->decode(std::vector<Id>{}), "");
  const auto characters = train("characters", {"ab"});
  EXPECT_EQ(characters->decode(characters->encode("axb")), "a<unk>b");
  EXPECT_THROW(words->decode(std::vector<Id>{999}), Error);
  EXPECT_THROW(words->encode("\xFF"), Error);
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([] { train("word", {}); }),
            "unknown tokenizer 'word': expected words, characters, unigram, bpe; did you mean words?");
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
  const std::pair<std::string, std::string> rows[]{
      {"hello\n", "f:1: is damaged or not a tokenizer (not valid JSON)" + again},
      {"{\n\"format\": \"heed tok", "f:2: is damaged or not a tokenizer (not valid JSON)" + again},
      {"[]", "f: is not a tokenizer of Heed; name the tokenizer file of a run"},
      {"{\"format\": \"bert\"}", "f: is not a tokenizer of Heed; name the tokenizer file of a run"},
      {R"({"format": "heed tokenizer", "version": 9})", "f: is a tokenizer of another version of Heed; expected version 1"},
      {R"({"format": "heed tokenizer", "version": 1, "kind": "words", "size": 5})",
       "f: is a damaged tokenizer (kind, size, model or tokens missing or of the wrong type)" + again},
      {R"({"format": "heed tokenizer", "version": 1, "kind": "words", "size": "5", "tokens": ["a"]})",
       "f: is a damaged tokenizer (kind, size, model or tokens missing or of the wrong type)" + again},
      {R"({"format": "heed tokenizer", "version": 1, "kind": "words", "size": 7, "tokens": ["a"]})",
       "f: is a damaged tokenizer (it says 7 entries and holds 5)" + again},
      {R"({"format": "heed tokenizer", "version": 1, "kind": "words", "size": 6, "tokens": ["a", "a"]})",
       "f: is a damaged tokenizer ([vocabulary] expected distinct tokens; got 'a' twice)" + again},
      {R"({"format": "heed tokenizer", "version": 1, "kind": "pieces", "size": 5, "tokens": ["a"]})",
       "f: is a damaged tokenizer (unknown tokenizer 'pieces': expected words, characters, unigram, bpe)" + again},
  };
  const TemporaryFolder folder;
  for (const auto& [bytes, message] : rows)
    EXPECT_EQ(folder.message([&] { Tokenizer::load(folder.write("f", bytes)); }), message) << bytes;
  EXPECT_EQ(folder.message([&] { Tokenizer::load(folder.path("none")); }), "none: no such file; check the name");
}

TEST(Tokenizer, CountsInBoundedMemory) {  // many words that occur once must not push out those that do not
  const auto words = train_tokenizer("words", {.min_count = 5}, [](const TakeLine& take) {
    for (int i = 0; i < 700'000; ++i) take(fmt::format("w{}{}", i, i % 1000 == 0 ? " often" : i % 10'000 == 1 ? " now" : ""));
  });
  EXPECT_EQ(words->vocabulary().tokens(), (std::vector<std::string>{"<pad>", "<s>", "</s>", "<unk>", "often", "now"}));
}

}  // namespace
// See et al. 2017, section 2.2: the unknown words of a source get ids of their own, for that pair alone.
TEST(Tokenizer, WidensTheVocabularyByTheUnknownWordsOfASource) {
  const auto tokenizer = train("words", {"the fire in , ."});
  const Id size = static_cast<Id>(tokenizer->size());
  const auto id = [&](std::string_view token) { return tokenizer->vocabulary().id(token); };
  std::vector<std::string> extra;
  EXPECT_EQ(tokenizer->encode_widening("the fire in Torvik, Brana in Torvik", extra),
            (std::vector<Id>{id("the"), id("fire"), id("in"), size, size + 1, size + 2, id("in"), size}));
  EXPECT_EQ(extra, (Pieces{"Torvik", "￭,", "Brana"}));
  const std::vector<Id> target = tokenizer->encode("Brana the Maslow fire Torvik", extra);
  EXPECT_EQ(target, (std::vector<Id>{size + 2, id("the"), unk_id, id("fire"), size}));
  EXPECT_EQ(tokenizer->decode(target, extra), "Brana the <unk> fire Torvik");
  EXPECT_EQ(tokenizer->encode("Brana"), std::vector<Id>{unk_id}) << "widened for that pair alone";
  EXPECT_THROW(tokenizer->decode(std::vector<Id>{size + 3}, extra), Error);
  EXPECT_EQ(tokenizer->encode_widening("Zed Brana", extra), (std::vector<Id>{size + 3, size + 2})) << "appends to what is there";
}

TEST(Tokenizer, AFingerprintIsOfAllThatDecidesItsIds) {
  const TemporaryFolder folder;
  std::set<std::uint64_t> prints;
  Pieces text;
  for (int i = 0; i < 400; ++i) text.push_back(fmt::format("word{} is not word{}", i * 7 % 90, i * 11 % 70));
  Pieces more = text;
  more.push_back("anöther");
  for (const std::string& kind : tokenizer_kinds())
    for (const Pieces& lines : {text, more}) {
      const auto tokenizer = train(kind, lines);
      EXPECT_TRUE(prints.insert(tokenizer->fingerprint()).second) << kind << lines.size();
      tokenizer->save(folder.path(kind + ".json"));
      EXPECT_EQ(Tokenizer::load(folder.path(kind + ".json"))->fingerprint(), tokenizer->fingerprint()) << kind;
    }
}

}  // namespace heed
