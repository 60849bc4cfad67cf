#include "datasets/text/tokenizer_kinds.h"

#include <sstream>

#include <gtest/gtest.h>

#include "framework/files.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Pieces = std::vector<std::string>;

constexpr std::uint64_t most = 1 << 20;

std::shared_ptr<const Tokenizer> train(const std::string& kind, const Pieces& lines,
                                       const VocabularyOptions& options = {}) {
  return train_tokenizer(kind, options, [&](const TakeLine& take) {
    for (const std::string& line : lines)
      take(line);
  });
}

Pieces lines() {
  Pieces all;
  for (int i = 0; i < 300; ++i)
    all.push_back(fmt::format("l'été {} is not café{}, 日本", i * 7 % 90, i * 11 % 70));
  return all;
}

TEST(TokenizerKinds, HaveARowEach) {
  const Index unlimited = std::numeric_limits<Index>::max();
  const struct {
    const char* name;
    bool subwords;
    Index smallest;
    Index largest;
    double strength;
  } rows[] = {
      {"words", false, 4, unlimited, 0},
      {"characters", false, 4, unlimited, 0},
      {"unigram", true, 300, 1'000'000, 1},
      {"bpe", true, 300, 1'000'000, 0.9},
  };
  for (const auto& row : rows) {
    const TokenizerKind& kind = tokenizer_kinds().at(row.name);
    EXPECT_EQ(kind.subwords, row.subwords) << row.name;
    EXPECT_EQ(has_subwords(row.name), row.subwords);
    EXPECT_EQ(kind.has_model, !train(row.name, lines())->model().empty()) << row.name;
    EXPECT_EQ(kind.largest_strength, row.strength) << row.name;
    EXPECT_FALSE(kind.help.empty());
    EXPECT_EQ(kind.smallest_size, row.smallest) << row.name;
    EXPECT_EQ(kind.largest_size, row.largest) << row.name;
    const auto with = [&](Index size) { train(row.name, lines(), {.vocab_size = size}); };
    EXPECT_NO_THROW(with(kind.smallest_size)) << row.name;
    EXPECT_THROW(with(kind.smallest_size - 1), Error) << row.name;
    EXPECT_NO_THROW(with(kind.largest_size)) << row.name;
    if (kind.largest_size < unlimited) {
      EXPECT_THROW(with(kind.largest_size + 1), Error) << row.name;
    }
  }
  EXPECT_FALSE(has_subwords("nowhere"));
}

TEST(TokenizerKinds, AreReadFromMemory) {
  const TemporaryFolder folder;
  for (const char* kind : {"words", "characters", "unigram", "bpe"}) {
    const auto tokenizer = train(kind, lines());
    tokenizer->save(folder.path("tokenizer.json"));
    std::string json = read_file(folder.path("tokenizer.json"), most);
    std::string model =
        tokenizer->model().empty() ? "" : read_file(folder.path("tokenizer.model"), most);
    const auto loaded = Tokenizer::load_bytes(json, model, "tokenizer.json");
    json.assign(json.size(), 'x');
    model.assign(model.size(), 'x');
    EXPECT_EQ(loaded->kind(), kind);
    EXPECT_EQ(loaded->fingerprint(), tokenizer->fingerprint()) << kind;
    EXPECT_EQ(loaded->encode("l'été 日本 café12 new"), tokenizer->encode("l'été 日本 café12 new"));
  }
}

TEST(TokenizerKinds, SayWhichBytesAreWrong) {
  const TemporaryFolder folder;
  const auto tokenizer = train("bpe", lines());
  tokenizer->save(folder.path("t.json"));
  const std::string json = read_file(folder.path("t.json"), most);
  const std::string model = tokenizer->model();
  const std::string again = "; copy it again from the run that wrote it";
  const struct {
    std::string json;
    std::string model;
    std::string message;
  } rows[] = {
      {json, "", "built in.model: has no bytes; it belongs to built in.json: pass both"},
      {json, model.substr(1),
       "built in.model: is damaged, or belongs to another tokenizer" + again},
      {json, model + '\0', "built in.model: is damaged, or belongs to another tokenizer" + again},
      {json.substr(0, json.size() / 2), model,
       "built in.json:6: is damaged or not a tokenizer (not valid JSON)" + again},
      {"", "", "built in.json:1: is damaged or not a tokenizer (not valid JSON)" + again},
      {std::string(1, '\0'), "",
       "built in.json:1: is damaged or not a tokenizer (not valid JSON)" + again},
      {"{\"format\": \"\xFF\"}", "",
       "built in.json:1: is damaged or not a tokenizer (not valid JSON)" + again},
  };
  for (const auto& row : rows)
    EXPECT_EQ(folder.message([&] { Tokenizer::load_bytes(row.json, row.model, "built in.json"); }),
              row.message);
}

/// Pieces between spaces.
class Spaced final : public Tokenizer {
 public:
  explicit Spaced(Vocabulary vocabulary, int version = newest_version)
      : Tokenizer(version), vocabulary_(std::move(vocabulary)) {}
  std::string kind() const override { return "spaced"; }
  std::vector<std::string> tokens(std::string_view text) const override {
    std::istringstream in{std::string(text)};
    return {std::istream_iterator<std::string>(in), {}};
  }
  std::string join(std::span<const std::string> pieces) const override {
    return fmt::format("{}", fmt::join(pieces, " "));
  }
  const Vocabulary& vocabulary() const override { return vocabulary_; }

 private:
  Vocabulary vocabulary_;
};

TEST(TokenizerKinds, TakeOneOfAProgram) {
  const TokenizerKind spaced{
      .name = "spaced",
      .help = "what stands between spaces",
      .train =
          [](const VocabularyOptions& options, const FeedLines& feed) {
            return std::make_shared<Spaced>(count_pieces(Spaced(Vocabulary()), options, feed));
          },
      .open =
          [](const SavedTokenizer& saved) {
            return std::make_shared<Spaced>(Vocabulary(saved.tokens), saved.version);
          }};
  const TemporaryFolder folder;
  if (!tokenizer_kinds().find("spaced")) {  // the first time, where tests are repeated
    EXPECT_NE(folder.message([] { train("spaced", {"a"}); }).find("got 'spaced'"),
              std::string::npos);
    tokenizer_kinds().add(spaced);
  }
  EXPECT_EQ(tokenizer_kinds().names().back(), "spaced");
  EXPECT_THROW(tokenizer_kinds().add(spaced), Error) << "the name is taken";

  const auto tokenizer =
      train("spaced", {"don't! stop,", "stop, don't!", "once"}, {.min_count = 2});
  EXPECT_EQ(tokenizer->vocabulary().tokens(),
            (Pieces{"<pad>", "<s>", "</s>", "<unk>", "don't!", "stop,"}));
  tokenizer->save(folder.path("t.json"));
  EXPECT_FALSE(std::filesystem::exists(folder.path("t.model")));
  const std::string json = read_file(folder.path("t.json"), most);
  for (const auto& loaded :
       {Tokenizer::load(folder.path("t.json")), Tokenizer::load_bytes(json, "", "t.json")}) {
    EXPECT_EQ(loaded->kind(), "spaced");
    EXPECT_EQ(loaded->fingerprint(), tokenizer->fingerprint());
    EXPECT_EQ(loaded->decode(loaded->encode("stop,  don't! now")), "stop, don't! <unk>");
  }
}

}  // namespace
}  // namespace heed
