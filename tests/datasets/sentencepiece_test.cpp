#include "datasets/text/tokenizers/sentencepiece.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sentencepiece_processor.h>

#include "datasets/text/special_ids.h"
#include "datasets/text/text_file.h"
#include "datasets/text/tokenizer_kinds.h"
#include "datasets/text/tokenizers/internal/training_text.h"
#include "datasets/text/utf8.h"
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

// Lines of a small vocabulary. Some hold characters that are likely to cause errors.
Pieces corpus(int lines = 400) {
  const Pieces words{"the",      "dog",     "dogs",    "cat",    "sleeps", "slept",
                     "sleeping", "runs",    "running", "ran",    "never",  "always",
                     "l'été",    "déjà-vu", "où",      "3,14",   "1999",   "Straße",
                     "Kätzchen", "日本語",  "の",      "猫",     "(well)", "well-known",
                     "don't",    "!",       "?",       "Привет", "мир"};
  Pieces out;
  Random random(3);
  for (int i = 0; i < lines; ++i) {
    std::string line;
    for (std::uint64_t n = 2 + random.below(9); n > 0; --n)
      line += (line.empty() ? "" : " ") + words[random.below(words.size())];
    out.push_back(line + (i % 3 ? "." : ""));
  }
  return out;
}

const Pieces kinds{"unigram", "bpe"};

const Pieces& troublesome() {
  // clang-format off
  static const Pieces texts{
      "", " ", "  ", "a", " a", "a ", "  a   b  ", "\t", "a\tb", "\ta", "a\t", " \t ", "\n",
      "\n\n", "a\nb", "a\n b", " \n ", "\r\n", "a\r\nb\r\n", "▁", "▁▁", "▁a", "a▁", "a▁b",
      "a ▁ b", " ▁", "▁ ", "\n▁", "▁\n", "▅", "the▅dog", "<unk>", "<s></s><pad>", "<0x41>",
      "<0x0A><0xE2>", "a<0x41>b", "￭ ％ffed", "😀👍🏽 👩‍👩‍👧 !?", "e\u0301 vs é", "\u0301",
      "\u200B\u00A0\u2028\u0085\uFEFF", "\u0001\u007F", "\uFFFD", "\U0010FFFF\uFFFE", "日本語の猫 です。",
      "Привет, мир!", "the dogs  sleep", "Straße ΩΩΩ ﷺ", "unseen: ĸ ŧ þ ð ⁂",
      "don't (well-known)",
  };
  // clang-format on
  return texts;
}

TEST(SentencePiece, GivesBackEveryText) {
  for (const std::string& kind : kinds) {
    for (const auto& lines : {corpus(), Pieces{"a"}}) {
      const auto tokenizer = train(kind, lines);
      Random random(5);
      for (const std::string& text : troublesome()) {
        EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << kind;
        EXPECT_EQ(tokenizer->join(tokenizer->tokens(text)), text) << kind;
        for (const double strength : {0.1, 0.9})
          EXPECT_EQ(tokenizer->decode(tokenizer->sample(text, strength, random)), text) << kind;
        for (const Id id : tokenizer->encode(text))
          EXPECT_TRUE(id > unk_id && id < tokenizer->size());
      }
      std::string all;
      for (const std::string& text : troublesome())
        all += text + "\n";
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(all)), all);
      EXPECT_THROW(tokenizer->encode("a\xFF"), Error);
    }
  }
}

TEST(SentencePiece, GivesBackRandomText) {
  const Pieces alphabet{" ", " ",     "\t",  "\n",     "▁",         "a",  "d",
                        "o", "g",     "the", "é",      "\u0301",    "日", "😀",
                        "<", "0x41>", "<s>", "\u2585", "\U0010FFFF"};
  for (const std::string& kind : kinds) {
    const auto tokenizer = train(kind, corpus());
    Random random(11);
    for (int i = 0; i < 3000; ++i) {
      std::string text;
      for (std::uint64_t n = random.below(12); n > 0; --n)
        text += alphabet[random.below(alphabet.size())];
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << kind;
      ASSERT_EQ(tokenizer->decode(tokenizer->sample(text, 0.3, random)), text) << kind;
    }
  }
}

TEST(SentencePiece, BeginsWithMarksAndBytes) {
  for (const std::string& kind : kinds) {
    const auto tokenizer = train(kind, corpus());
    EXPECT_EQ(tokenizer->kind(), kind);
    const auto& tokens = tokenizer->vocabulary().tokens();
    EXPECT_EQ(Pieces(tokens.begin(), tokens.begin() + 6),
              (Pieces{"<pad>", "<s>", "</s>", "<unk>", "<0x00>", "<0x01>"}));
    EXPECT_EQ(tokens[first_piece_id - 1], "<0xFF>");
    std::vector<Id> ids = tokenizer->encode("the dog");
    ids.insert(ids.begin(), bos_id);
    ids.insert(ids.end(), {eos_id, pad_id, unk_id});
    EXPECT_EQ(tokenizer->decode(ids), "the dog<unk>");
    // Ids that no text encodes to: half a character, a NUL.
    const Id byte = first_byte_id;
    EXPECT_EQ(tokenizer->decode(std::vector<Id>{byte + 0xE2, byte + 0x96, byte + 'x', byte + 0}),
              "\uFFFD\uFFFDx\uFFFD");
    EXPECT_EQ(tokenizer->decode(std::vector<Id>{}), "");
    EXPECT_THROW(tokenizer->decode(std::vector<Id>{1'000'000}), Error);
    std::vector<std::string> extra;
    EXPECT_EQ(tokenizer->encode_widening("the ΩΩ", extra), tokenizer->encode("the ΩΩ"));
    EXPECT_TRUE(extra.empty());  // nothing is unknown
  }
}

TEST(SentencePiece, CutsAsSentencePieceDoes) {
  for (const std::string& kind : kinds) {
    const Pieces lines = corpus();
    const auto tokenizer = train(kind, lines);
    sentencepiece::SentencePieceProcessor processor;
    ASSERT_TRUE(processor.LoadFromSerializedProto(tokenizer->model()).ok());
    Pieces texts = lines;
    for (const char* more : {" the  dogs ", "unheard words: sleeper, catdog, 日本の猫", "ĸ x😀y",
                             "<0x41> <s>", "thethethe runrunning"})
      texts.emplace_back(more);
    for (const std::string& text : texts) {
      std::vector<int> ids;
      ASSERT_TRUE(processor.Encode(text, &ids).ok());
      EXPECT_EQ(tokenizer->encode(text), std::vector<Id>(ids.begin(), ids.end()))
          << kind << ": " << text;
      std::string back;
      ASSERT_TRUE(processor.Decode(ids, &back).ok());
      EXPECT_EQ(back, text);
    }
  }
}

TEST(SentencePiece, IsAFunctionOfTheText) {
  for (const std::string& kind : kinds)
    EXPECT_EQ(train(kind, corpus())->model(), train(kind, corpus())->model());
}

TEST(SentencePiece, SamplesByTheSeedAlone) {
  for (const std::string& kind : kinds) {
    const auto tokenizer = train(kind, corpus());
    const std::string text = "the sleeping dogs never slept";
    Random a(1);
    Random b(1);
    Random c(2);
    bool varied = false;
    bool differ = false;
    for (int i = 0; i < 20; ++i) {
      const auto drawn = tokenizer->sample(text, 0.4, a);
      EXPECT_EQ(drawn, tokenizer->sample(text, 0.4, b));
      varied |= drawn != tokenizer->encode(text);
      differ |= drawn != tokenizer->sample(text, 0.4, c);
    }
    EXPECT_TRUE(varied && differ);
    if (kind == "bpe") {
      EXPECT_EQ(tokenizer->sample(text, 0, a), tokenizer->encode(text));
    }
  }
  const auto words = train("words", {"a b"});
  Random random(1);
  EXPECT_EQ(words->sample("a b", 0.5, random), words->encode("a b"));
  EXPECT_EQ(random.position(), 0u);
}

// Texts that are unlikely to be expected. The last one has more characters than a vocabulary of 300
// ids has room for.
Pieces unusual_texts() {
  std::string many;
  for (char32_t c = 0x4E00; c < 0x4E00 + 3000; ++c)
    utf8::append(many, c);
  // clang-format off
  return {
      "a", "aa", "é", "\t", "a\tb", "▅", "▁", "<s>", "<0x41><unk>", "\u0301", "😀", ".", "a b",
      "a a a a", " ", "  x  ", "\r", "ab\nab\n\nab", "\uFFFD\uFFFE\U0010FFFF",
      std::string(10'000, '!'), std::string(100'000, 'x'), std::string(5'000, ' ') + "x", many,
  };
  // clang-format on
}

std::string no_text_message(const std::string& kind) {
  return fmt::format("[{}] expected a text to learn pieces from; got none, or blanks alone", kind);
}

TEST(SentencePiece, TakesAnyTextOrSaysWhyNot) {
  const TemporaryFolder folder;
  for (const std::string& kind : kinds)
    for (const std::string& text : unusual_texts())
      for (const Index size : {0, 300, 5000}) {
        const bool blank =
            text.find_first_not_of(" \t") == std::string::npos || text == "▅" || text == "▁";
        const Pieces lines(size == 0 ? 1 : 3, text);
        std::string model;
        const std::string message =
            folder.message([&] { model = train(kind, lines, {.vocab_size = size})->model(); });
        EXPECT_EQ(message, blank ? no_text_message(kind) : "no error");
        if (blank) continue;
        const auto tokenizer = tokenizer_kinds().at(kind).open({.model = model});
        EXPECT_LE(tokenizer->size(), size == 0 ? 8000 : size);
        EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
      }
}

TEST(SentencePiece, LimitsTheSizeOfTheVocabulary) {
  const TemporaryFolder folder;
  for (const std::string& kind : kinds) {
    EXPECT_EQ(folder.message([&] { train(kind, {}); }), no_text_message(kind));
    for (const Index size : {Index{1}, Index{299}, Index{1} << 40})
      EXPECT_EQ(folder.message([&] { train(kind, corpus(), {.vocab_size = size}); }),
                fmt::format("[{}] expected a vocabulary of 0 (as the text deserves) or 300 to "
                            "1000000: 4 marks, 256 bytes, and pieces; got {}",
                            kind, size));
    EXPECT_EQ(train(kind, corpus(), {.vocab_size = 320})->size(), 320);
    EXPECT_LT(train(kind, corpus(), {.vocab_size = 100'000})->size(),
              500);  // 29 words give no more
  }
}

TEST(SentencePiece, TakesRandomTinyTexts) {
  const Pieces alphabet{" ", "a", "b", "ab", "é", "\t", "▁", "▅", "<s>", "\n", "1", "日"};
  for (const std::string& kind : kinds) {
    Random random(23);
    for (int i = 0; i < 150; ++i) {
      std::string text = "x";
      for (std::uint64_t n = random.below(20); n > 0; --n)
        text += alphabet[random.below(alphabet.size())];
      const auto tokenizer = train(kind, Pieces(1 + random.below(3), text));
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << kind;
    }
  }
}

TEST(SentencePiece, SavesAndLoads) {
  for (const std::string& kind : kinds) {
    const TemporaryFolder folder;
    const auto tokenizer = train(kind, corpus());
    tokenizer->save(folder.path("tokenizer.source.json"));
    const auto loaded = Tokenizer::load(folder.path("tokenizer.source.json"));
    EXPECT_EQ(loaded->kind(), kind);
    EXPECT_EQ(loaded->model(), tokenizer->model());
    EXPECT_EQ(loaded->vocabulary().tokens(), tokenizer->vocabulary().tokens());
    for (const std::string& text : troublesome())
      EXPECT_EQ(loaded->encode(text), tokenizer->encode(text));
    sentencepiece::SentencePieceProcessor processor;  // as any other program would
    EXPECT_TRUE(processor.Load(folder.path("tokenizer.source.model")).ok());
    EXPECT_EQ(
        folder.message([&] { tokenizer->save(folder.path("no/where.json")); }),
        "no/where.model: cannot be written: No such file or directory; there is no such folder");
  }
}

TEST(SentencePiece, RefusesDamagedFiles) {
  const TemporaryFolder folder;
  const auto tokenizer = train("bpe", corpus());
  tokenizer->save(folder.path("f.json"));
  const auto load = [&] { Tokenizer::load(folder.path("f.json")); };
  const std::string model = tokenizer->model();

  const std::string damaged =
      "f.model: is damaged, or belongs to another tokenizer; copy it again from "
      "the run that wrote it";
  EXPECT_EQ(folder.message(load), "no error");
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    std::string changed = model;
    changed[random.below(changed.size())] ^= static_cast<char>(1 << random.below(8));
    folder.write("f.model", changed);
    ASSERT_EQ(folder.message(load), damaged);
  }
  for (const std::string& bytes : {model.substr(0, model.size() / 2), model + "x",
                                   train("unigram", corpus())->model(), std::string("hello")}) {
    folder.write("f.model", bytes);
    EXPECT_EQ(folder.message(load), damaged);
  }
  folder.write("f.model", "");
  EXPECT_EQ(folder.message(load),
            "f.model: cannot be read, or is empty; copy it again from the run that wrote it");
  std::filesystem::remove(folder.path("f.model"));
  EXPECT_EQ(folder.message(load),
            "f.model: no such file; it belongs to the tokenizer beside it: copy both");
}

TEST(SentencePiece, RefusesDamagedFilesWithTheRightHash) {
  const TemporaryFolder folder;
  const auto tokenizer = train("bpe", corpus());
  tokenizer->save(folder.path("f.json"));
  const auto load = [&] { Tokenizer::load(folder.path("f.json")); };
  const auto json = nlohmann::json::parse(read_text(folder.path("f.json")));
  const std::string again = "; copy it again from the run that wrote it";
  const std::tuple<std::string, nlohmann::json, std::string> rows[]{
      {"/size", 5,
       fmt::format("f.json: is a damaged tokenizer (it says 5 entries and holds {}){}",
                   tokenizer->size(), again)},
      {"/model", 5,
       "f.json: is a damaged tokenizer (kind, size, model or tokens missing or of the wrong type)" +
           again},
      {"/model/bytes", "many",
       "f.json: is a damaged tokenizer (kind, size, model or tokens missing or of the wrong type)" +
           again},
      {"/kind", "words",
       "f.json: is a damaged tokenizer (kind, size, model or tokens missing or of the wrong type)" +
           again},
  };
  for (const auto& [where, value, message] : rows) {
    auto changed = json;
    changed[nlohmann::json::json_pointer(where)] = value;
    folder.write("f.json", changed.dump());
    EXPECT_EQ(folder.message(load), message) << where;
    EXPECT_EQ(folder.message(
                  [&] { Tokenizer::load_bytes(changed.dump(), tokenizer->model(), "f.json"); }),
              message)
        << where;
  }
  EXPECT_EQ(folder.message([] { SentencePiece(bpe_subwords, "hello"); }),
            "its model is not one of SentencePiece");
  EXPECT_EQ(folder.message([] { SentencePiece(bpe_subwords, ""); }),
            "its model is not one of SentencePiece");
}

TEST(TrainingText, KeepsAFairShare) {
  TrainingText all;
  TrainingText some(100);
  TrainingText few(1000, 2000);
  for (int i = 0; i < 1000; ++i) {
    const std::string line = fmt::format("line {:04}", i);
    for (TrainingText* text : {&all, &some, &few})
      text->take(line);
  }
  EXPECT_EQ(all.parts().size(), 1000u);
  for (const TrainingText* text : {&some, &few}) {  // spread over the whole, in order
    EXPECT_TRUE(text->parts().size() > 30 && text->parts().size() <= 222) << text->parts().size();
    EXPECT_TRUE(std::is_sorted(text->parts().begin(), text->parts().end()));
    EXPECT_LT(text->parts().front(), "line 0100");
    EXPECT_GT(text->parts().back(), "line 0900");
  }
}

TEST(TrainingText, CutsWhatIsLong) {
  TrainingText text;
  std::string line;
  for (int i = 0; i < 3000; ++i)
    line += "word ";
  text.take(line + "\n\n \t\nlast");
  text.take(std::string(600, 'x'));
  ASSERT_EQ(text.parts().size(), 8u);
  std::size_t words = 0;
  for (const std::string& part : text.parts()) {
    EXPECT_LE(part.size(), 4010u);
    for (std::size_t at = 0; (at = part.find("word", at)) != std::string::npos; ++at)
      ++words;
  }
  EXPECT_EQ(words, 3000u);
  EXPECT_EQ(text.parts()[4], "last");
  EXPECT_EQ(text.parts()[5], std::string(250, 'x'));
  EXPECT_EQ(text.distinct_words(), 4);
  EXPECT_THROW(text.take("\xC3"), Error);
}

TEST(TrainingText, ChoosesItsAlphabet) {
  TrainingText text;
  text.take("aaa bb c ▁▅\x01");
  EXPECT_EQ(text.choose_alphabet(3), 3);
  EXPECT_EQ(text.parts()[0], "aaa bb \t \t\t\x01");  // of equals the lower code point
  EXPECT_EQ(text.choose_alphabet(100), 3);
}

}  // namespace
}  // namespace heed
