#include <cmath>
#include <set>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace heed {
namespace {

using Json = nlohmann::ordered_json;

const Args small = {"--set", "model.d=64",       "--set", "model.layers=1",
                    "--set", "model.heads=2",    "--set", "data.batch_tokens=64",
                    "--set", "data.min_count=1", "--set", "optim.warmup=2",
                    "--set", "train.log_every=2"};

Args compare_args(const Args& more) {
  return Args{"compare", "--train", "train.src", "train.tgt"} + small + more;
}

void write_pairs(const TemporaryFolder& folder) {
  std::string source;
  std::string target;
  for (int i = 0; i < 60; ++i) {
    std::string a;
    std::string b;
    for (int j = 0; j < 2 + i % 5; ++j) {
      const char letter = static_cast<char>('a' + (i * 7 + j * 3) % 8);
      a += fmt::format("{}{}", j > 0 ? " " : "", letter);
      b = fmt::format("{}{}{}", letter, j > 0 ? " " : "", b);
    }
    source += a + "\n";
    target += b + "\n";
  }
  folder.write("train.src", source);
  folder.write("train.tgt", target);
}

TEST(Compare, TrainsEveryModelWithEverySeedAndReports) {
  const TemporaryFolder folder;
  write_pairs(folder);
  const Ran ran = run(folder, compare_args({"--models", "transformer,rnn+dot", "--seeds", "2",
                                            "--steps", "8", "--out", "comparison"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* part :
       {"transformer", "rnn+dot", "valid ppl", "BLEU by source words", "better on"})
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << ran.out;
  EXPECT_EQ(ran.out, read_file(folder.path("comparison/comparison.txt")));
  EXPECT_EQ(lines_of(read_file(folder.path("comparison/comparison.csv"))).size(), 5u);
  EXPECT_TRUE(std::filesystem::exists(folder.path("comparison/duel.json")))
      << "the name that comparisons of earlier versions have";
  const Json json = Json::parse(read_file(folder.path("comparison/comparison.json")));
  ASSERT_EQ(json["runs"].size(), 4u);
  ASSERT_EQ(json["models"].size(), 2u);
  const double first = json["models"][0]["parameters"];
  const double second = json["models"][1]["parameters"];
  EXPECT_LE(std::abs(first - second), 0.05 * first);
  for (const Json& r : json["runs"]) {
    EXPECT_EQ(r["steps"], 8);
    const std::string where = "comparison/" + r["folder"].get<std::string>();
    EXPECT_EQ(lines_of(read_file(folder.path(where + "/test.hyp"))).size(),
              json["test"]["lines"].get<std::size_t>());
    // Each is a run like any other.
    const Ran evaluated =
        run(folder, {"evaluate", "--run", where, "--data", "train.src", "train.tgt", "--json"});
    EXPECT_EQ(evaluated.code, 0) << evaluated.err;
  }
  // All runs have the same vocabulary.
  EXPECT_EQ(read_file(folder.path("comparison/runs/transformer-seed1/tokenizer.json")),
            read_file(folder.path("comparison/runs/rnn+dot-seed2/tokenizer.json")));

  // A run whose outputs are damaged is tested again, with the same result.
  std::filesystem::resize_file(folder.path("comparison/runs/transformer-seed1/test.hyp"), 3);
  const Ran mended = run(folder, {"compare", "--resume", "--out", "comparison"});
  ASSERT_EQ(mended.code, 0) << mended.err;

  // Nothing is left to do: it prints the same table, and changes no run.
  const auto before = contents(folder);
  const Ran again = run(folder, {"compare", "--resume", "--out", "comparison"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(again.out, mended.out);
  EXPECT_EQ(contents(folder), before);
}

TEST(Compare, EveryModelReadsTheSameEpochs) {
  const TemporaryFolder folder;
  write_pairs(folder);
  const Ran ran = run(
      folder, compare_args({"--models", "transformer,rnn", "--seeds", "1", "--epochs", "5",
                            "--match", "none", "--lines", "9", "--set", "data.batch_tokens=100000",
                            "--set", "rnn:optim.accumulate=3", "--out", "comparison"}));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Json json = Json::parse(read_file(folder.path("comparison/comparison.json")));
  EXPECT_EQ(json["runs"][0]["steps"], 5);
  EXPECT_EQ(json["runs"][1]["steps"], 2) << "a batch an epoch: 6 of 5";
  EXPECT_NE(ran.err.find(": 57 pairs; validation: 3 pairs"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("warning: lines = 9 has no effect: the test set is no built-in corpus\n"),
            std::string::npos)
      << ran.err;
}

TEST(Compare, ResumesWhereItWasInterrupted) {
  const TemporaryFolder folder;
  write_pairs(folder);
  const Args args = compare_args(
      {"--models", "rnn,transformer", "--seeds", "1", "--steps", "400", "--out", "comparison"});
  {
    Program program(folder, args);
    const std::string metrics = folder.path("comparison/runs/rnn-seed1/metrics.jsonl");
    for (int i = 0; i < 6000 && lines_of(read_file(metrics)).size() < 3; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    program.interrupt();
    const Ran ran = program.wait();
    EXPECT_EQ(ran.code, 130) << ran.err;
    EXPECT_NE(ran.err.find("heed compare --resume --out comparison"), std::string::npos) << ran.err;
  }
  const Ran refused = run(folder, args);
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("--resume"), std::string::npos) << refused.err;
  const Ran resumed = run(folder, {"compare", "--resume", "--out", "comparison"});
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  std::filesystem::rename(folder.path("comparison"), folder.path("other"));
  const Ran whole = run(folder, args);
  ASSERT_EQ(whole.code, 0) << whole.err;
  for (const char* name : {"rnn", "transformer"})
    EXPECT_EQ(read_file(folder.path(fmt::format("other/runs/{}-seed1/test.hyp", name))),
              read_file(folder.path(fmt::format("comparison/runs/{}-seed1/test.hyp", name))));
}

TEST(Compare, ReportsErrorsInOneLine) {
  const TemporaryFolder folder;
  write_pairs(folder);
  std::filesystem::create_directory(folder.path("full"));
  folder.write("full/file", "x");
  struct Row {
    Args args;
    std::vector<std::string> parts;
  };
  const auto with = [](const Args& more) {
    return Args{"compare", "--train", "train.src", "train.tgt"} + more;
  };
  for (const Row& row : std::vector<Row>{
           {{"compare", "--models", "rnn", "--out", "d"}, {"--train"}},
           {with({"--out", "d"}), {"--models", "transformer"}},
           {with({"--models", "rnn"}), {"--out"}},
           {with({"--models", "rnn,transfomer", "--out", "d"}), {"transformer"}},
           {with({"--models", "rnn,rnn", "--out", "d"}), {"twice"}},
           {with({"--models", "rnn,lm", "--out", "d"}), {"lm"}},
           {with({"--models", "rnn", "--out", "full"}), {"full", "not empty"}},
           {with({"--models", "rnn", "--out", "train.src"}), {"train.src", "is a file"}},
           {with({"--models", "rnn", "--out", "d", "--match", "half"}), {"--match", "half"}},
           {with({"--models", "rnn", "--out", "d", "--set", "model.e=3"}), {"model.e", "model.d"}},
           {with({"--models", "rnn,conv", "--out", "d", "--set", "con:model.d=3"}),
            {"con ", "conv"}},
           {with({"--models", "rnn,conv", "--out", "d", "--set", "conv:data.min_count=3"}),
            {"data.min_count", "rnn", "conv"}},
           {with({"--models", "rnn,conv", "--out", "d", "--set", "rnn:model.kernel=3"}),
            {"--set rnn:model.kernel=3: rnn has no setting model.kernel", "conv"}},
           {with({"--models", "rnn", "--out", "d", "--match", "900000000000"}),
            {"--match", "500000000"}},
           {with({"--models", "rnn", "--out", "d", "--set", "model.name=conv"}),
            {"model.name", "--models"}},
           {with({"--models", "rnn", "--out", "d", "--set", "rnn:train.steps=3"}),
            {"train.steps", "--steps"}},
           {with({"--models", "rnn", "--out", "d", "--steps", "3", "--time", "9s"}),
            {"--steps", "--time"}},
           {with({"--models", "rnn", "--out", "d", "--set", "data.valid_fraction=0"}), {"--valid"}},
           {with({"--models", "rnn", "--out", "none", "--resume"}), {"none", "--resume"}}}) {
    const Ran ran = run(folder, row.args);
    EXPECT_NE(ran.code, 0);
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    for (const std::string& part : row.parts)
      EXPECT_NE(ran.err.find(part), std::string::npos) << part << ": " << ran.err;
    EXPECT_FALSE(std::filesystem::exists(folder.path("d")));
  }
}

TEST(Compare, ResumesWithTheSameDataInOtherFiles) {
  const TemporaryFolder folder;
  ASSERT_EQ(run(folder, {"corpus", "toy:copy", "--lines", "60", "--out", "a"}).code, 0);
  ASSERT_EQ(run(folder, {"corpus", "toy:copy", "--lines", "20", "--seed", "9", "--out", "t"}).code,
            0);
  const Ran first = run(
      folder,
      {"compare",  "--train",     "a.src",     "a.tgt", "--test",           "t.src", "t.tgt",
       "--models", "rnn,rnn+dot", "--seeds",   "1",     "--steps",          "2",     "--match",
       "none",     "--set",       "model.d=8", "--set", "data.min_count=1", "--out", "comparison"});
  ASSERT_EQ(first.code, 0) << first.err;
  const Ran other = run(folder, {"compare", "--resume", "--out", "comparison", "--seeds", "2"});
  EXPECT_EQ(other.err,
            "heed: error: --seeds cannot change: a comparison that is resumed goes on as it is; "
            "start a new one in another folder\n");
  for (const char* end : {"src", "tgt"})
    std::filesystem::rename(folder.path(fmt::format("t.{}", end)),
                            folder.path(fmt::format("moved.{}", end)));
  const Args again = {"compare", "--resume",  "--out",    "comparison",
                      "--test",  "moved.src", "moved.tgt"};
  const Ran moved = run(folder, again);
  EXPECT_EQ(moved.code, 0) << moved.err;
  EXPECT_EQ(moved.out, first.out);
  std::ofstream(folder.path("moved.tgt"), std::ios::trunc)
      << std::string(read_file(folder.path("moved.src"))).replace(0, 1, "#");
  const Ran edited = run(folder, again);
  EXPECT_EQ(edited.code, 1);
  EXPECT_EQ(edited.err,
            "heed: error: --test: its data have changed since the comparison in comparison began; "
            "give what it began with, or start a new one in another folder\n");
}

}  // namespace
}  // namespace heed
