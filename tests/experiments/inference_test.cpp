#include <algorithm>

#include <gtest/gtest.h>

#include "datasets/text/special_ids.h"
#include "experiments/inference/attention.h"
#include "experiments/inference/replace_unknown.h"
#include "experiments/inference/run.h"
#include "experiments/inference/text_generation.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

std::string kept(const std::string& name) { return HEED_SOURCE_DIR "/tests/data/kept/" + name; }

/// All files of a run, by their names in its folder.
RunFiles files_of(const std::string& folder) {
  namespace fs = std::filesystem;
  RunFiles files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files.files[fs::relative(entry.path(), folder).string()] = read_file(entry.path());
  return files;
}

TEST(Run, IsTheSameFromAFolderAndFromMemory) {
  for (const char* name : {"transformer-bpe", "rnn-additive", "conv-characters"}) {
    const heed::Run folder = open_run(kept(name));
    const heed::Run memory = open_run(files_of(kept(name)));
    const std::vector<std::string> lines = {"the cat sat", "", "a bird"};
    const auto expected = folder.translate(lines);
    const auto found = memory.translate(lines);
    ASSERT_EQ(found.size(), lines.size()) << name;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      EXPECT_EQ(found[i].text, expected[i].text) << name;
      EXPECT_EQ(found[i].score, expected[i].score) << name;
    }
    EXPECT_EQ(folder.translate("").text, "") << "a blank line";
  }
}

TEST(Run, SaysWhichOfItsFilesIsMissing) {
  const RunFiles whole = files_of(kept("rnn"));
  struct Row {
    const char* without;
    const char* message;
  };
  for (const Row& row : std::vector<Row>{
           {"config.toml", "config.toml: no such file among those of the run"},
           {"tokenizer.json",
            "the run: tokenizer.json is missing; copy it again from where the run comes from"}}) {
    RunFiles files = whole;
    files.files.erase(row.without);
    EXPECT_EQ(message_of([&] { open_run(files); }), row.message);
  }
  EXPECT_EQ(message_of([&] { open_run(whole, "step-000007"); }),
            "checkpoints/step-000007.heed: no such file among those of the run");
}

/// The place of the source's piece that a row attends to most: the definition, in double.
std::size_t attended(const AttendedLine& line, Index row) {
  std::vector<double> means(line.source.size() - 1);  // without </s>
  for (const AttentionLayerMap& map : line.layers)
    for (Index h = 0; h < map.heads; ++h)
      for (std::size_t c = 0; c < means.size(); ++c)
        means[c] += static_cast<double>(
            map.weights[static_cast<std::size_t>((h * map.rows + row) * map.columns) + c]);
  return static_cast<std::size_t>(std::max_element(means.begin(), means.end()) - means.begin());
}

TEST(ReplaceUnknown, TakesTheWordThatIsAttendedToMost) {
  for (const char* name : {"rnn-additive", "transformer"}) {
    const heed::Run run = open_run(kept(name));
    const std::vector<std::string> lines = {"the cat sees the bird", "the cat"};
    const Tokenizer& words = *run.tokenizers.target;
    const std::vector<Id> known = words.encode("chat oiseau");
    std::vector<std::vector<Translation>> results(2);
    results[0].resize(1);
    results[0][0].ids = {known[0], unk_id, unk_id};
    results[0][0].ended = true;
    results[1].resize(1);
    results[1][0].ids = known;
    results[1][0].text = "as it was";
    const AttendedLine line =
        attend(run.decoder(), run.tokenizers, std::span(lines).first(1), {{results[0]}}).front();
    const std::vector<std::string> read = {"the", "cat", "sees", "the", "bird"};
    const std::vector<std::string> pieces = {words.token(known[0]), read[attended(line, 1)],
                                             read[attended(line, 2)]};
    replace_unknown(run.decoder(), run.tokenizers, lines, results);
    EXPECT_EQ(results[0][0].text, words.join(pieces)) << name;
    EXPECT_EQ(results[0][0].text.find("<unk>"), std::string::npos) << name;
    EXPECT_EQ(results[1][0].text, "as it was") << name << ": it has no <unk>";
  }
}

TEST(ReplaceUnknown, CarriesOverWordsThatTheVocabularyLacks) {
  const heed::Run run = open_run(kept("rnn-additive"));
  const std::vector<std::string> lines = {"zzzq"};  // one word, so it is attended to most
  std::vector<std::vector<Translation>> results(1);
  results[0].resize(1);
  results[0][0].ids = {unk_id};
  replace_unknown(run.decoder(), run.tokenizers, lines, results);
  EXPECT_EQ(results[0][0].text, "zzzq");
}

TEST(ReplaceUnknown, NeedsAttention) {
  const heed::Run run = open_run(kept("rnn"));
  std::vector<std::vector<Translation>> none;
  EXPECT_EQ(message_of([&] { replace_unknown(run.decoder(), run.tokenizers, {}, none); }),
            "the model does not attend to its source: no word of it can be taken");
}

TEST(GenerateText, HandsOverWhatItReturns) {
  for (const char* name : {"lm-characters", "lm-words"}) {
    const heed::Run run = open_run(kept(name));
    std::string pieces;
    const GenerateOptions options{.count = 300, .seed = 4};
    const std::string text = generate_text(run, "the cat", options, [&](std::string_view piece) {
      EXPECT_FALSE(piece.empty());
      pieces += piece;
    });
    EXPECT_EQ(pieces, text) << name;
    EXPECT_EQ(generate_text(run, "the cat", options), text) << name << ": the same seed";
    EXPECT_NE(generate_text(run, "the cat", {.count = 300, .seed = 5}), text) << name;
    // The text of all tokens at once, decoded without a stream.
    const Tokenizer& tokenizer = *run.tokenizers.target;
    std::vector<Id> ids = tokenizer.encode("the cat");
    const std::size_t before = tokenizer.decode(ids).size();
    for (const Id id : generate(run.decoder(), tokenizer.encode("the cat"), options))
      ids.push_back(id);
    EXPECT_EQ(tokenizer.decode(ids).substr(before), text) << name;
  }
}

TEST(GenerateText, SaysWhatItCannotContinue) {
  EXPECT_EQ(message_of([] { generate_text(open_run(kept("rnn")), "x"); }),
            "rnn is no language model: it translates lines, and continues no text");
  const heed::Run run = open_run(kept("lm-words"));
  EXPECT_EQ(message_of([&] { generate_text(run, "  "); }),
            "the prompt '  ' has no tokens; give another");
  EXPECT_EQ(message_of([&] { run.translate("x"); }),
            "lm is a language model: it continues texts, and translates nothing");
}

}  // namespace
}  // namespace heed
