// The commands on models that read pictures.

#include <nlohmann/json.hpp>

#include "datasets/images/picture_file.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

const Args small = {"--set", "model.d=16",           "--set", "model.layers=1",
                    "--set", "data.batch_tokens=64", "--set", "optim.warmup=2"};

/// Twenty pictures of 8 x 8: bright above or below.
void write_halves(const TemporaryFolder& folder) {
  for (const std::string label : {"above", "below"})
    for (int i = 0; i < 10; ++i) {
      Picture picture{.height = 8, .width = 8};
      for (Index at = 0; at < 64; ++at) {
        const bool bright = (at < 32) == (label == "above");
        picture.bytes.push_back(static_cast<std::uint8_t>((bright ? 200 : 20) + i));
      }
      std::filesystem::create_directories(folder.path("halves/" + label));
      folder.write(fmt::format("halves/{}/{}.png", label, i), png_of(picture));
    }
}

Ran train(const TemporaryFolder& folder, const Args& more) {
  return run(folder, Args{"train", "--model", "transformer", "--out", "run"} + small + more);
}

TEST(PictureCommands, TrainPredictAndEvaluate) {
  const TemporaryFolder folder;
  write_halves(folder);
  const Ran trained = train(folder, {"--train", "halves", "--steps", "150", "--set",
                                     "optim.lr=0.02", "--set", "source.rows=convolutions"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(trained.err.find("halves: 19 pictures; validation: 1 pictures (held out"),
            std::string::npos)
      << trained.err;
  EXPECT_NE(trained.err.find("\nsource    8 x 8 pixels in grey, in 4 rows\n"), std::string::npos)
      << trained.err;
  EXPECT_NE(trained.err.find("\nlabels    2 classes: above, below\n"), std::string::npos);

  const Ran predicted =
      run(folder, {"predict", "--run", "run"}, "halves/above/3.png\n\nhalves/below/9.png\n");
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  const std::vector<std::string> lines = lines_of(predicted.out);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(lines[0].starts_with("above\t0.9")) << lines[0];
  EXPECT_EQ(lines[1], "");
  EXPECT_TRUE(lines[2].starts_with("below\t0.9")) << lines[2];

  const Ran evaluated = run(folder, {"evaluate", "--run", "run", "--data", "halves", "--json"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  const auto json = nlohmann::json::parse(evaluated.out);
  EXPECT_EQ(json["pictures"], 20);
  EXPECT_EQ(json["accuracy"], 1);
}

TEST(PictureCommands, ShowWhichPartsWerePooled) {
  const TemporaryFolder folder;
  write_halves(folder);
  const Ran trained =
      train(folder, {"--train", "halves", "--steps", "2", "--set", "task.pool=attention"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const std::string names = "halves/above/3.png\n\nnone.png\nhalves/below/3.png\n";
  for (const char* file : {"a.jsonl", "a.html", "a.svg"}) {
    const Ran ran = run(folder, {"predict", "--run", "run", "--attention", file}, names);
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "heed: error: standard input:3: none.png: no such file\n");
  }
  // What stands before the name that cannot be read is drawn.
  const std::vector<std::string> lines = lines_of(read_file(folder.path("a.jsonl")));
  ASSERT_EQ(lines.size(), 2u);
  const auto json = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(json["source"], (nlohmann::json{"0-3,0-3", "0-3,4-7", "4-7,0-3", "4-7,4-7"}));
  double sum = 0;
  for (const auto& weight : json["layers"][0]["heads"][0][0])
    sum += weight.get<double>();
  EXPECT_NEAR(sum, 1, 1e-5);
  EXPECT_TRUE(nlohmann::json::parse(lines[1])["layers"].empty());
  for (const char* file : {"a.html", "a.svg"})
    EXPECT_NE(read_file(folder.path(file)).find("href=\"data:image/png;base64,iVBORw0KGgo"),
              std::string::npos)
        << file;
}

/// The halves, a run on them, one without its labels, and a file that is no picture.
void make_runs(const TemporaryFolder& folder) {
  write_halves(folder);
  ASSERT_EQ(train(folder, {"--train", "halves", "--steps", "2"}).code, 0);
  folder.write("halves/above/3.png", "no picture");
  std::filesystem::create_directories(folder.path("empty"));
  std::filesystem::copy(folder.path("run"), folder.path("bare"),
                        std::filesystem::copy_options::recursive);
  std::filesystem::remove(folder.path("bare/labels.txt"));
}

TEST(PictureCommands, RefuseInOneLine) {
  const TemporaryFolder folder;
  make_runs(folder);
  struct Row {
    Args args;
    std::string input;
    int code;
    std::string message;
  };
  for (const Row& row : std::vector<Row>{
           {{"predict", "--run", "run"},
            "none.png\n",
            1,
            "heed: error: standard input:1: none.png: no such file\n"},
           {{"predict", "--run", "run"},
            "halves/above/3.png\n",
            1,
            "heed: error: standard input:1: halves/above/3.png: is no picture that can be read; "
            "expected PNG or "
            "JPEG\n"},
           {{"tokenize", "--run", "run"},
            "a\n",
            1,
            "heed: error: run: holds no tokenizer.json; a model that reads no texts has none\n"},
           {{"predict", "--run", "bare"},
            "a\n",
            1,
            "heed: error: bare: labels.txt is missing; copy it again from where the run comes "
            "from\n"},
           {{"translate", "--run", "run"},
            "a\n",
            1,
            "heed: error: run: a model that gives labels; it has nothing to translate; see `heed "
            "predict`\n"},
           {{"train", "--model", "rnn", "--train", "none", "--out", "other"},
            "",
            1,
            "heed: error: none: no such file or folder; expected two line-aligned files, one "
            ".tsv, one .jsonl or toy:NAME\n"},
           {{"train", "--model", "lm", "--train", "halves", "--out", "other"},
            "",
            1,
            "heed: error: source.name = image needs task.name = classify; got lm, which reads "
            "texts\n"}}) {
    const Ran ran = run(folder, row.args, row.input);
    EXPECT_EQ(ran.code, row.code) << ran.err;
    EXPECT_EQ(ran.err, row.message);
    EXPECT_EQ(ran.out, "");
  }
}

TEST(PictureCommands, TellWhichPictureIsWrong) {
  const TemporaryFolder folder;
  write_halves(folder);
  ASSERT_EQ(train(folder, {"--train", "halves", "--steps", "2"}).code, 0);
  folder.write("halves/above/3.png", "no picture");
  // What stands before a name that cannot be read is answered.
  const Ran partly = run(folder, {"predict", "--run", "run"}, "halves/above/1.png\nnone.png\n");
  EXPECT_EQ(partly.code, 1);
  EXPECT_EQ(partly.err, "heed: error: standard input:2: none.png: no such file\n");
  EXPECT_EQ(lines_of(partly.out).size(), 1u);
  const Ran broken = run(folder, Args{"train", "--model", "rnn", "--train", "halves", "--steps",
                                      "20", "--out", "other"} +
                                     small);
  EXPECT_EQ(broken.code, 1);
  EXPECT_NE(broken.err.find("halves/above/3.png: is no picture that can be read; expected PNG or "
                            "JPEG\n"),
            std::string::npos)
      << broken.err;
}

TEST(PictureCommands, NameThePictureWhoseLabelIsUnknown) {
  const TemporaryFolder folder;
  write_halves(folder);
  std::filesystem::create_directories(folder.path("more/besides"));
  std::filesystem::copy_file(folder.path("halves/above/3.png"), folder.path("more/besides/1.png"));
  const Ran ran = train(folder, {"--train", "halves", "--valid", "more", "--steps", "2"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err,
            "heed: error: more/besides/1.png: unknown label 'besides': expected above, "
            "below\n");
}

TEST(PictureCommands, ResumeToTheSameBytes) {
  const TemporaryFolder folder;
  const Ran ran = run(folder, Args{"verify-resume", "--train", "toy:shapes", "--model",
                                   "transformer", "--steps", "6", "--set", "source.shift=2"} +
                                  small);
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
}

}  // namespace
}  // namespace heed
