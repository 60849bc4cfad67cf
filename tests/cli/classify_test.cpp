// The commands on models from a text to a label.

#include <nlohmann/json.hpp>

#include "experiments/inference/run.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

using Json = nlohmann::ordered_json;

const Args small = {"--set",          "model.d=16",    "--set",
                    "model.layers=1", "--set",         "data.batch_tokens=128",
                    "--set",          "optim.warmup=2"};

std::string kept(const std::string& name) { return HEED_SOURCE_DIR "/tests/data/kept/" + name; }

void write_reviews(const TemporaryFolder& folder) {
  std::string tsv = "text\tlabel\n";
  std::string plain;
  for (int i = 0; i < 60; ++i) {
    const bool good = i % 2 == 0;
    const std::string line = fmt::format("the film was {} {}\t{}\n", good ? "fine" : "bad",
                                         i % 3 == 0 ? "today" : "again", good ? "yes" : "no");
    tsv += line;
    plain += line;
  }
  folder.write("reviews.tsv", tsv);
  folder.write("plain.tsv", plain);
}

/// Trains until the model knows what was fine.
void train(const TemporaryFolder& folder, const std::string& name, const Args& more = {}) {
  const Ran ran = run(folder, Args{"train", "--model", "rnn", "--train", "reviews.tsv", "--steps",
                                   "60", "--out", name, "--set", "optim.lr=0.02"} +
                                  small + more);
  ASSERT_EQ(ran.code, 0) << ran.err;
}

TEST(ClassifyCommand, TrainsOnDataThatNameLabels) {
  const TemporaryFolder folder;
  write_reviews(folder);
  train(folder, "named");
  const Ran asked = run(folder, Args{"train", "--model", "conv", "--train", "plain.tsv", "--task",
                                     "classify", "--steps", "4", "--out", "asked"} +
                                    small);
  ASSERT_EQ(asked.code, 0) << asked.err;
  const Ran plain = run(folder, Args{"train", "--model", "conv", "--train", "plain.tsv", "--steps",
                                     "4", "--out", "plain"} +
                                    small);
  ASSERT_EQ(plain.code, 0) << plain.err;
  for (const char* name : {"named", "asked"}) {
    EXPECT_EQ(open_run(folder.path(name)).settings.task.name, "classify");
    EXPECT_EQ(read_file(folder.path(std::string(name) + "/labels.txt")), "no\nyes\n");
  }
  EXPECT_EQ(open_run(folder.path("plain")).settings.task.name, "translate");
  // What it gives for a validation text is shown: the label and its probability.
  EXPECT_NE(read_file(folder.path("named/log.txt")).find("\n  > yes (0."), std::string::npos)
      << read_file(folder.path("named/log.txt"));
}

TEST(ClassifyCommand, BeginsWithTheEncoderOfATranslator) {
  for (const char* model : {"rnn", "rnn+additive", "conv", "transformer"}) {
    const TemporaryFolder folder;
    write_reviews(folder);
    const Args train = Args{"train", "--model", model, "--steps", "2"} + small;
    const Ran first = run(folder, train + Args{"--train", "plain.tsv", "--out", "translator"});
    ASSERT_EQ(first.code, 0) << first.err;
    const Ran ran =
        run(folder, train + Args{"--train", "reviews.tsv", "--out", "classifier", "--init",
                                 "translator", "--set", "train.init_only=!head.*"});
    ASSERT_EQ(ran.code, 0) << model << ran.err;
    EXPECT_NE(ran.err.find("\n          fresh: head."), std::string::npos) << model << ran.err;
    EXPECT_NE(ran.err.find("loaded: embedding.weight, "), std::string::npos) << model << ran.err;
    EXPECT_NE(ran.err.find(", encoder.* ("), std::string::npos) << model << ran.err;
  }
}

TEST(ClassifyCommand, BeginsWithAHeadForTheSameLabelsAlone) {
  const TemporaryFolder folder;
  write_reviews(folder);
  train(folder, "run");
  folder.write("other.tsv", "text\tlabel\nfine\tgood\nbad\tpoor\nfine day\tgood\n");
  const Args again = Args{"train", "--model", "rnn", "--steps", "2", "--init", "run"} + small;
  const Ran same = run(folder, again + Args{"--train", "reviews.tsv", "--out", "same"});
  EXPECT_EQ(same.code, 0) << same.err;
  const Ran other = run(folder, again + Args{"--train", "other.tsv", "--out", "other"});
  EXPECT_EQ(other.code, 1);
  EXPECT_NE(other.err.find(": its labels are others; leave out what gives them with "
                           "train.init_only = '!head.*'\n"),
            std::string::npos)
      << other.err;
}

TEST(ClassifyCommand, RefusesInOneLine) {
  const TemporaryFolder folder;
  write_reviews(folder);
  std::string names = "word\tname\n";
  for (int i = 0; i < 40; ++i)
    names += fmt::format("w{}\tn{}\n", i, i);
  folder.write("names.tsv", names);
  struct Row {
    Args args;
    int code;
    std::string message;
  };
  for (const Row& row : std::vector<Row>{
           {{"--task", "nonsense", "--train", "reviews.tsv"},
            2,
            "--task: expected one of translate, classify, lm; got 'nonsense'; see `heed train "
            "--help`"},
           {{"--task", "classify", "--train", "toy:copy"},
            1,
            "toy:copy: its pairs have no labels; expected toy:reviews, toy:babi1, toy:babi2, or "
            "files of texts and labels"},
           {{"--task", "lm", "--train", "reviews.tsv"},
            1,
            "model.name = rnn is not for task.name = lm; choose one of lm"},
           {{"--train", "reviews.tsv", "--set", "task.pool=lats"},
            1,
            "task.pool: expected one of auto, mean, max, first, last, attention; got 'lats'"}}) {
    const Ran ran = run(folder, Args{"train", "--model", "rnn", "--out", "run"} + row.args);
    EXPECT_EQ(ran.code, row.code) << ran.err;
    EXPECT_EQ(ran.err, "heed: error: " + row.message + "\n");
    EXPECT_FALSE(std::filesystem::exists(folder.path("run")));
  }
  const Ran none = run(folder, {"train", "--model", "rnn", "--out", "run", "--train", "names.tsv",
                                "--task", "classify"});
  EXPECT_EQ(none.code, 1);
  EXPECT_EQ(lines_of(none.err).size(), 1u) << none.err;
  EXPECT_NE(none.err.find("names.tsv: has 41 labels in 41 lines; "), std::string::npos) << none.err;
}

TEST(Predict, PrintsLabelTabProbability) {
  const TemporaryFolder folder;
  write_reviews(folder);
  train(folder, "run");
  const std::string input = "the film was fine\n\nzzzq bad\nbad\n";
  const Ran ran = run(folder, {"predict", "--run", "run"}, input);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  const std::vector<std::string> lines = lines_of(ran.out);
  ASSERT_EQ(lines.size(), 4u) << ran.out;
  const char* const labels[] = {"yes", "", "no", "no"};
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t tab = lines[i].find('\t');
    EXPECT_EQ(lines[i].substr(0, tab), labels[i]) << lines[i];
    if (i == 1) continue;
    const std::string probability = lines[i].substr(tab + 1);
    EXPECT_EQ(probability.size(), 8u) << "0. and six digits: " << lines[i];
    EXPECT_GE(std::stod(probability), 0.5);
  }
}

TEST(Predict, RanksLabels) {
  const TemporaryFolder folder;
  write_reviews(folder);
  train(folder, "run");
  const Ran ran = run(folder, {"predict", "--run", "run", "--nbest", "9"}, "bad\n\nfine\n");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::vector<std::string> lines = lines_of(ran.out);
  ASSERT_EQ(lines.size(), 7u) << ran.out;
  EXPECT_TRUE(lines[0].starts_with("1\tno\t0.")) << lines[0];
  EXPECT_TRUE(lines[1].starts_with("2\tyes\t0.")) << lines[1];
  EXPECT_EQ(lines[2], "") << "the end of a line's labels";
  EXPECT_EQ(lines[3], "") << "a blank line has none";
  EXPECT_TRUE(lines[4].starts_with("1\tyes\t0.")) << lines[4];
  const auto probability = [&](std::size_t i) {
    return std::stod(lines[i].substr(lines[i].rfind('\t')));
  };
  EXPECT_NEAR(probability(0) + probability(1), 1, 2e-6);
  const Ran one = run(folder, {"predict", "--run", "run", "--nbest", "1"}, "bad\n");
  EXPECT_EQ(one.out, lines[0] + "\n\n");
  EXPECT_EQ(run(folder, {"predict", "--run", "run", "--nbest", "0"}, "bad\n").code, 2);
}

TEST(Predict, WritesTheWeightsOfThePooling) {
  const TemporaryFolder folder;
  write_reviews(folder);
  train(folder, "run", {"--set", "task.pool=attention"});
  for (const char* name : {"a.jsonl", "a.html", "a.svg"}) {
    const Ran ran = run(folder, {"predict", "--run", "run", "--attention", name}, "film bad\n\n");
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_FALSE(read_file(folder.path(name)).empty()) << name;
  }
  const std::vector<std::string> lines = lines_of(read_file(folder.path("a.jsonl")));
  ASSERT_EQ(lines.size(), 2u);
  const Json json = Json::parse(lines[0]);
  EXPECT_EQ(json["source"], (Json{"film", "bad", "</s>"}));
  EXPECT_EQ(json["target"], (Json{"no"}));
  EXPECT_EQ(json["layers"][0]["layer"], "pool");
  double sum = 0;
  for (const Json& weight : json["layers"][0]["heads"][0][0])
    sum += weight.get<double>();
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_TRUE(Json::parse(lines[1])["layers"].empty());

  train(folder, "mean", {"--set", "task.pool=mean"});
  const Ran none = run(folder, {"predict", "--run", "mean", "--attention", "no.html"}, "bad\n");
  EXPECT_EQ(none.code, 1);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err,
            "heed: error: mean: a model with task.pool = 'mean' pools without weights; train one "
            "with task.pool = attention\n");
  EXPECT_FALSE(std::filesystem::exists(folder.path("no.html")));
}

TEST(Predict, WarnsOfATextThatItCuts) {
  const TemporaryFolder folder;
  write_reviews(folder);
  const Ran trained =
      run(folder, Args{"train", "--model", "conv", "--train", "reviews.tsv", "--steps", "2",
                       "--out", "run", "--set", "model.positions=8"} +
                      small);
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Ran ran = run(folder, {"predict", "--run", "run"}, "bad\na b c d e f g h\n");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(lines_of(ran.out).size(), 2u);
  EXPECT_EQ(ran.err,
            "heed: warning: standard input:2: has 9 tokens, </s> among them; cut to 8, as is any "
            "longer line\n");
}

TEST(ClassifyCommand, EveryModelHasItsCommand) {
  const TemporaryFolder folder;
  write_reviews(folder);
  train(folder, "run");
  struct Row {
    Args args;
    std::string message;
  };
  const std::string gives_labels = "run: a model that gives labels; it has nothing to ";
  const std::string gives_text = ": a model from text to text; it has nothing to ";
  for (const Row& row : std::vector<Row>{
           {{"translate", "--run", "run"}, gives_labels + "translate; see `heed predict`"},
           {{"summarize", "--run", "run"}, gives_labels + "summarize; see `heed predict`"},
           {{"generate", "--run", "run"}, gives_labels + "continue; see `heed predict`"},
           {{"predict", "--run", kept("rnn")},
            kept("rnn") + gives_text + "label; see `heed translate`"},
           {{"predict", "--run", kept("lm-words")},
            kept("lm-words") +
                ": a language model; it has nothing to label; see `heed generate`"}}) {
    const Ran ran = run(folder, row.args, "bad\n");
    EXPECT_EQ(ran.code, 1) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err, "heed: error: " + row.message + "\n");
  }
}

TEST(ClassifyCommand, IsEvaluated) {
  const TemporaryFolder folder;
  write_reviews(folder);
  train(folder, "run");
  folder.write("test.tsv", "text\tlabel\nfine\tyes\nbad\tno\nbad bad\tno\nbad film\tyes\n");
  const Args evaluate = {"evaluate", "--run", "run", "--data", "test.tsv"};
  const Ran text = run(folder, evaluate);
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(text.err, "");
  // Of yes: one of two found, nothing wrongly taken for it, F1 2/3; of no: F1 4/5.
  const std::vector<std::string> lines = lines_of(text.out);
  ASSERT_EQ(lines.size(), 8u) << text.out;
  EXPECT_EQ(lines[0], "lines        4");
  EXPECT_TRUE(lines[1].starts_with("loss         ")) << lines[1];
  EXPECT_EQ(lines[2], "accuracy     75.00 %");
  EXPECT_EQ(lines[3], "macro_f1     73.33 %");
  EXPECT_EQ(lines[4], "3 of 4 labels are right");
  const Ran ran = run(folder, evaluate + Args{"--json"});
  const Json json = Json::parse(ran.out);
  std::vector<std::string> keys;
  for (const auto& [key, value] : json.items())
    keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"lines", "loss", "accuracy", "macro_f1", "confusion"}));
  EXPECT_EQ(json["accuracy"], 0.75);
  EXPECT_NEAR(json["macro_f1"].get<double>(), (2.0 / 3 + 4.0 / 5) / 2, 1e-12);
  EXPECT_EQ(
      json["confusion"].dump(),
      R"([{"gold":"no","predicted":"no","count":2},{"gold":"yes","predicted":"no","count":1},)"
      R"({"gold":"yes","predicted":"yes","count":1}])");
  const Ran beam = run(folder, evaluate + Args{"--beam", "2"});
  EXPECT_EQ(beam.code, 0);
  EXPECT_EQ(beam.err, "heed: warning: --beam has no effect on a model that gives labels\n");
  EXPECT_EQ(run(folder, {"evaluate", "--run", "run"}).err,
            "heed: error: nothing to evaluate on; give labelled texts, or a built-in corpus such "
            "as toy:reviews\n");
}

TEST(ClassifyCommand, IsComparedExportedAndInspected) {
  const TemporaryFolder folder;
  write_reviews(folder);
  const Ran compared = run(
      folder, Args{"compare", "--task", "classify", "--train", "plain.tsv", "--models", "rnn,conv",
                   "--seeds", "1", "--steps", "4", "--match", "none", "--out", "comparison"} +
                  small);
  ASSERT_EQ(compared.code, 0) << compared.err;
  EXPECT_NE(compared.out.find("test accuracy %"), std::string::npos) << compared.out;
  EXPECT_EQ(compared.out.find("BLEU"), std::string::npos) << compared.out;
  EXPECT_EQ(run(folder, {"compare", "--resume", "--out", "comparison"}).out, compared.out);
  const Ran other =
      run(folder, {"compare", "--resume", "--out", "comparison", "--task", "translate"});
  EXPECT_EQ(other.err,
            "heed: error: --task cannot change: a comparison that is resumed goes on as it is; "
            "start a new one in another folder\n");

  train(folder, "run");
  const std::string input = "the film was fine\nbad\n";
  const std::string expected = run(folder, {"predict", "--run", "run"}, input).out;
  ASSERT_EQ(run(folder, {"export", "--run", "run", "--out", "x.safetensors"}).code, 0);
  const Ran imported = run(folder, {"import", "x.safetensors", "--out", "again"});
  ASSERT_EQ(imported.code, 0) << imported.err;
  EXPECT_EQ(run(folder, {"predict", "--run", "again"}, input).out, expected);
  EXPECT_EQ(read_file(folder.path("again/labels.txt")), read_file(folder.path("run/labels.txt")));

  const Ran inspected = run(folder, {"inspect", "run"});
  ASSERT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_EQ(inspected.err, "");
  EXPECT_NE(inspected.out.find("\nhead.output.weight "), std::string::npos) << inspected.out;
  const Json json = Json::parse(run(folder, {"inspect", "run", "--json"}).out);
  EXPECT_EQ(json["settings"]["model.d"], 16);
}

TEST(ClassifyCommand, AComparisonRefusesATestLabelThatTrainingLacks) {
  const TemporaryFolder folder;
  write_reviews(folder);
  folder.write("test.tsv", "text\tlabel\nfine\tyes\nbad\tmaybe\n");
  const Ran ran = run(folder, {"compare", "--train", "reviews.tsv", "--test", "test.tsv",
                               "--models", "rnn,conv", "--steps", "4", "--out", "comparison"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find("unknown label 'maybe': expected no, yes"), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path("comparison/runs")));
}

TEST(ClassifyCommand, ResumingIsVerified) {
  const TemporaryFolder folder;
  write_reviews(folder);
  const Ran ran = run(folder, Args{"verify-resume", "--model", "transformer", "--train",
                                   "reviews.tsv", "--steps", "8"} +
                                  small);
  EXPECT_EQ(ran.code, 0) << ran.err << ran.out;
}

}  // namespace
}  // namespace heed
