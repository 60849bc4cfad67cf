// Runs with subwords, from the text to a translation.

#include "tests/cli/program.h"

namespace heed {
namespace {

void write_corpus(const TemporaryFolder& folder) {
  std::string en;
  std::string fr;
  for (int i = 0; i < 40; ++i)
    for (const auto& [a, b] : {std::pair{"the cat sleeps.", "le chat dort."},
                               std::pair{"the dogs are sleeping!", "les chiens dorment !"},
                               std::pair{"a cat's 2 dogs", "les 2 chiens d'un chat"}}) {
      en += std::string(a) + "\n";
      fr += std::string(b) + "\n";
    }
  folder.write("t.en", en);
  folder.write("t.fr", fr);
}

const Args tiny{"train",     "--train",
                "t.en",      "t.fr",
                "--model",   "transformer",
                "--threads", "1",
                "--set",     "model.d=16",
                "--set",     "model.layers=1",
                "--set",     "model.heads=2",
                "--set",     "data.batch_tokens=128",
                "--set",     "optim.schedule=constant"};

Args with(const Args& settings) {
  Args args = tiny;
  for (const std::string& setting : settings)
    args.insert(args.end(), {"--set", setting});
  return args;
}

struct SubwordRow {
  std::string name;
  Args settings;
  Args files;
  std::string vocabularies;
};

const SubwordRow subword_rows[]{
    {"joint",
     {"data.tokenizer=bpe"},
     {"tokenizer.json", "tokenizer.model"},
     " in the vocabulary (bpe)\n"},
    {"asked",
     {"data.tokenizer=bpe", "data.vocab_size=9000"},
     {"tokenizer.json", "tokenizer.model"},
     "; the text has too few words for data.vocab_size = 9000"},
    {"marked",
     {"data.tokenizer=bpe", "data.case=mark", "data.subword_sampling=0.1"},
     {"tokenizer.json", "tokenizer.model"},
     " in the vocabulary (bpe)\n"},
    {"separate",
     {"data.tokenizer=unigram", "data.joint_vocabulary=false", "data.subword_sampling=0.2"},
     {"tokenizer.source.json", "tokenizer.source.model", "tokenizer.target.json",
      "tokenizer.target.model"},
     " in the vocabulary (unigram)\n"},
    {"words",
     {"data.joint_vocabulary=false"},
     {"tokenizer.source.json", "tokenizer.target.json"},
     "15 and 15 in the vocabulary (words)"},
};

TEST(Subwords, FromTextToTranslation) {
  const TemporaryFolder folder;
  write_corpus(folder);
  for (const SubwordRow& row : subword_rows) {
    const Ran trained = run(folder, with(row.settings) + Args{"--steps", "4", "--out", row.name});
    ASSERT_EQ(trained.code, 0) << trained.err;
    EXPECT_NE(trained.err.find(row.vocabularies), std::string::npos) << trained.err;
    Args files;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path(row.name)))
      if (const std::string name = entry.path().filename(); name.starts_with("tokenizer"))
        files.push_back(name);
    std::sort(files.begin(), files.end());
    EXPECT_EQ(files, row.files);
    const Ran translated =
        run(folder, {"translate", "--run", row.name}, "the cat sleeps.\n\n▁ 😀 unseen\n");
    EXPECT_EQ(translated.code, 0) << translated.err;
    EXPECT_EQ(std::count(translated.out.begin(), translated.out.end(), '\n'), 3) << translated.out;
    const Ran evaluated = run(folder, {"evaluate", "--run", row.name, "--data", "t.en", "t.fr"});
    EXPECT_EQ(evaluated.code, 0) << evaluated.err;
  }
  // The library's log stays silent.
  EXPECT_EQ(read_file(folder.path("joint/log.txt")).find("LOG("), std::string::npos);
}

/// Trains the model of a row.
void train_row(const TemporaryFolder& folder, const SubwordRow& row) {
  const Ran ran = run(folder, with(row.settings) + Args{"--steps", "4", "--out", row.name});
  ASSERT_EQ(ran.code, 0) << ran.err;
}

TEST(Subwords, LinesAreReadWithoutTheSpacesAroundThem) {
  const TemporaryFolder folder;
  write_corpus(folder);
  train_row(folder, subword_rows[0]);
  EXPECT_EQ(run(folder, {"translate", "--run", "joint"}, " \t the cat sleeps.  \n").out,
            run(folder, {"translate", "--run", "joint"}, "the cat sleeps.\n").out);
}

TEST(Subwords, RefuseFilesThatAreMissingOrOfAnotherTokenizer) {
  const TemporaryFolder folder;
  write_corpus(folder);
  for (const SubwordRow& row : subword_rows)
    train_row(folder, row);
  std::filesystem::remove(folder.path("words/tokenizer.source.json"));
  EXPECT_EQ(run(folder, {"translate", "--run", "words"}, "a\n").err,
            "heed: error: words/tokenizer.source.json: no such file; check the name\n");
  std::filesystem::copy_file(folder.path("separate/tokenizer.source.model"),
                             folder.path("joint/tokenizer.model"),
                             std::filesystem::copy_options::overwrite_existing);
  const Ran swapped = run(folder, {"translate", "--run", "joint"}, "a\n");
  EXPECT_EQ(swapped.code, 1);
  EXPECT_EQ(swapped.err,
            "heed: error: joint/tokenizer.model: is damaged, or belongs to another tokenizer; copy "
            "it again from the run that wrote it\n");
}

TEST(Subwords, SampledTrainingResumes) {
  const TemporaryFolder folder;
  write_corpus(folder);
  const Args sampled =
      with({"data.tokenizer=bpe", "data.subword_sampling=0.3", "train.log_every=1"});
  ASSERT_EQ(run(folder, sampled + Args{"--steps", "12", "--out", "whole"}).code, 0);
  ASSERT_EQ(run(folder, sampled + Args{"--steps", "7", "--out", "half"}).code, 0);
  ASSERT_EQ(
      run(folder, {"train", "--resume", "--steps", "12", "--threads", "1", "--out", "half"}).code,
      0);
  const auto weights = [&](const std::string& name) {  // their shapes and norms
    std::string table;
    for (const std::string& line : lines_of(run(folder, {"inspect", name}).out))
      if (line.find("coder") != std::string::npos || line.find("embedding") != std::string::npos)
        table += line + "\n";
    return table;
  };
  EXPECT_FALSE(weights("whole").empty());
  EXPECT_EQ(weights("half"), weights("whole"));
}

TEST(Subwords, RefusesWhatHasNoMeaning) {
  const TemporaryFolder folder;
  write_corpus(folder);
  const std::pair<Args, std::string> rows[]{
      {{"data.tokenizer=words", "data.subword_sampling=0.1"},
       "data.subword_sampling needs data.tokenizer = unigram or bpe; got words, which cuts a text "
       "in one way"},
      {{"data.case=mark", "data.tokenizer=words"},
       "data.case = mark needs data.tokenizer = unigram or bpe; got words, which keeps the case"},
      {{"data.tokenizer=bpe", "data.case=lower"},
       "data.case: expected one of keep, mark; got 'lower'"},
      {{"data.tokenizer=bpe", "data.subword_sampling=0.95"},
       "data.subword_sampling: expected a number from 0 to 0.9; got 0.95"},
      {{"data.tokenizer=bpe", "data.vocab_size=100"},
       "data.vocab_size: expected a whole number from 300 to 1000000 for subwords, or 0; got 100"},
      {{"data.tokenizer=sentencepiece"},
       "data.tokenizer: expected one of words, characters, unigram, bpe; got 'sentencepiece'"},
  };
  for (const auto& [settings, message] : rows) {
    const Ran ran = run(folder, with(settings) + Args{"--steps", "2", "--out", "run"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "heed: error: " + message + "\n");
    EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
  }
}

TEST(Subwords, LanguageModels) {
  const TemporaryFolder folder;
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += "To be, or not to be:\n  that is the question.\n\n";
  folder.write("t.txt", text);
  const Args lm{"train",
                "--train",
                "t.txt",
                "--model",
                "lm",
                "--threads",
                "1",
                "--set",
                "model.d=16",
                "--set",
                "model.layers=1",
                "--set",
                "model.context=16",
                "--set",
                "data.batch_tokens=64",
                "--steps",
                "3",
                "--out",
                "run"};
  EXPECT_EQ(
      run(folder, lm + Args{"--set", "data.tokenizer=bpe", "--set", "data.subword_sampling=0.1"})
          .err,
      "heed: error: data.subword_sampling and data.joint_vocabulary are for pairs; a language "
      "model "
      "reads one text\n");
  const Ran ran = run(folder, lm + Args{"--set", "data.tokenizer=unigram"});
  EXPECT_EQ(ran.code, 0) << ran.err;
}

}  // namespace
}  // namespace heed
