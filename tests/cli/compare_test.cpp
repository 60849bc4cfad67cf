#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

#include "experiments/comparison/result.h"
#include "experiments/comparison/settings.h"
#include "framework/error.h"
#include "tests/cli/program.h"

namespace heed::cli {
namespace {

using Json = nlohmann::ordered_json;

// What a comparison computes

TEST(Comparison, SpreadOverSeeds) {
  struct Row {
    std::vector<double> values;
    double mean;
    double deviation;  // below 0: none
    const char* text;
  };
  for (const Row& row :
       std::vector<Row>{{{}, 0, -1, "0.0"},
                        {{3}, 3, -1, "3.0"},
                        {{1, 3}, 2, std::sqrt(2.0), "2.0 ± 1.4"},
                        {{2, 4, 9}, 5, std::sqrt((9.0 + 1 + 16) / 2), "5.0 ± 3.6"}}) {
    EXPECT_DOUBLE_EQ(spread_of(row.values).mean, row.mean);
    EXPECT_DOUBLE_EQ(spread_of(row.values).deviation.value_or(-1), row.deviation);
    EXPECT_EQ(to_text(spread_of(row.values), 1), row.text);
  }
}

TEST(Comparison, LengthBucketsHoldEveryLineOnce) {
  struct Row {
    std::vector<int> lengths;
    std::vector<std::pair<Index, Index>> buckets;
  };
  for (const Row& row : std::vector<Row>{
           {{3}, {{3, 3}}},
           {{4, 4, 4, 4, 4, 4}, {{4, 4}}},
           {{5, 4, 3, 2, 1}, {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}}},
           {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}}},
           {{2, 2, 2, 2, 2, 2, 2, 3, 4, 9}, {{2, 2}, {3, 3}, {4, 9}}},
           {{0, 7}, {{0, 0}, {7, 7}}}}) {
    std::vector<std::string> sources;
    for (int n : row.lengths) {
      std::string line;
      for (int i = 0; i < n; ++i)
        line += i > 0 ? "  w" : "w";
      sources.push_back(line);
    }
    std::vector<std::pair<Index, Index>> found;
    std::multiset<std::size_t> lines;
    for (const LengthBucket& bucket : length_buckets(sources)) {
      found.emplace_back(bucket.low, bucket.high);
      for (std::size_t i : bucket.lines) {
        lines.insert(i);
        EXPECT_GE(row.lengths[i], bucket.low);
        EXPECT_LE(row.lengths[i], bucket.high);
      }
    }
    EXPECT_EQ(found, row.buckets);
    EXPECT_EQ(lines.size(), sources.size());
    EXPECT_EQ(std::set<std::size_t>(lines.begin(), lines.end()).size(), sources.size());
  }
}

/// Two models, two seeds, four lines. `a` makes no mistake; `b` gets two of the four lines right.
TEST(Comparison, SummarisesTheRuns) {
  const TestSet test{"four",
                     {"1 2 3 4", "1 2 3 4", "1 2 3 4 5 6", "1 2 3 4 5 6"},
                     {"a b c d", "a b c e", "a b c d e f", "f e d c b a"}};
  const std::vector<std::string> poor{"a b c d", "x x x x", "a b c d e f", "x x x x x x"};
  ComparisonSettings comparison;
  comparison.models = {"b", "a"};
  comparison.seeds = 2;
  std::vector<RunResult> results;
  for (Index seed : {1, 2})
    for (const char* model : {"b", "a"})
      results.push_back({.model = model,
                         .seed = seed,
                         .d = 8,
                         .parameters = 100,
                         .steps = 10 * seed,
                         .best_step = 5,
                         .seconds = 2,
                         .tokens_per_s = 50,
                         .peak_mb = 7,
                         .valid_loss = std::log(2.0 * static_cast<double>(seed)),
                         .hypotheses = *model == 'a' ? test.references : poor});
  const ComparisonResult c = compare(comparison, test, results);
  ASSERT_EQ(c.models.size(), 2u);
  EXPECT_EQ(c.models[0].model, "b");
  EXPECT_DOUBLE_EQ(c.models[0].steps.mean, 15);
  EXPECT_NEAR(c.models[0].perplexity.mean, 3, 1e-12);
  EXPECT_NEAR(*c.models[0].perplexity.deviation, std::sqrt(2.0), 1e-12);
  EXPECT_DOUBLE_EQ(c.models[0].exact.mean, 0.5);
  EXPECT_NEAR(c.models[1].bleu.mean, 100, 1e-9);
  EXPECT_EQ(*c.models[1].bleu.deviation, 0);
  // b: 10 of 20 words, 8 of 16 pairs, 6 of 12, 4 of 8.
  EXPECT_NEAR(c.models[0].bleu.mean, 50, 1e-9);
  ASSERT_EQ(c.buckets.size(), 2u);
  EXPECT_NEAR(c.models[0].by_length[0].mean, 50, 1e-9);
  ASSERT_EQ(c.pairs.size(), 1u);
  EXPECT_EQ(c.pairs[0].better, "a");
  EXPECT_EQ(c.pairs[0].worse, "b");
  EXPECT_GT(c.pairs[0].difference.mean, 0);
  const Json json = to_json(c);
  EXPECT_EQ(json["models"][1]["test_bleu"]["mean"].get<double>(), c.models[1].bleu.mean);
  EXPECT_EQ(json["differences"][0]["significant"].get<bool>(), c.pairs[0].difference.significant());
  EXPECT_THROW(compare(comparison, test, {results[0]}), Error);
}

TEST(Comparison, ShortLinesAreScoredByTheOrdersThatExist) {
  const TestSet test{"short", {"1", "2", "3 4"}, {"a", "b", "c d"}};
  ComparisonSettings comparison;
  comparison.models = {"rnn"};
  comparison.seeds = 1;
  RunResult right;
  right.model = "rnn";
  right.hypotheses = test.references;
  const ComparisonResult c = compare(comparison, test, {right});
  EXPECT_NEAR(c.models[0].bleu.mean, 100, 1e-9);
  for (const Spread& s : c.models[0].by_length)
    EXPECT_NEAR(s.mean, 100, 1e-9);
}

TEST(Comparison, ResultsAreReadBackFromTheirFile) {
  const RunResult r{.model = "rnn",
                    .seed = 3,
                    .d = 12,
                    .parameters = 99,
                    .steps = 7,
                    .best_step = 5,
                    .seconds = 1.5,
                    .tokens_per_s = 2.5,
                    .peak_mb = 3.25,
                    .valid_loss = 0.125,
                    .hypotheses = {}};
  EXPECT_EQ(to_json(result_from_json(to_json(r))), to_json(r));
  ComparisonSettings comparison;
  comparison.models = {"rnn", "conv"};
  comparison.train = {"a", "b"};
  comparison.assignments = {"model.d=3"};
  comparison.match = "none";
  comparison.time = "9s";
  comparison.seeds = 4;
  EXPECT_EQ(to_json(comparison_settings_from_json(to_json(comparison))), to_json(comparison));
}

TEST(ComparisonSettings, MatchesCountsOfParameters) {
  ComparisonSettings comparison;
  comparison.train = {"toy:reverse"};
  comparison.models = {"transformer", "rnn"};
  const auto count = [](const Settings& s) {
    return s.model.name == "rnn" ? 50 * s.model.d : s.model.d * s.model.d + 7;
  };
  struct Row {
    std::string match;
    Index first;
    Index second;
  };
  // The larger model has 16,391 parameters with its width of 128. 50 d is nearest to that at d =
  // 328 (16,400). Widths are multiples of four heads.
  for (const Row& row : std::vector<Row>{
           {"none", 128, 128}, {"largest", 128, 328}, {"10000", 100, 200}, {"1000", 32, 20}}) {
    comparison.match = row.match;
    std::vector<Settings> models{trial_settings(comparison, "transformer"),
                                 trial_settings(comparison, "rnn")};
    for (Settings& s : models) {
      s.model.d = 128;
      s.model.heads = 4;
    }
    match_parameters(comparison, models, count);
    EXPECT_EQ(models[0].model.d, row.first) << row.match;
    EXPECT_EQ(models[1].model.d, row.second) << row.match;
  }
  comparison.match = "290";  // 50 d is 200 or 400
  std::vector<Settings> models{trial_settings(comparison, "rnn")};
  models[0].model.heads = 4;
  EXPECT_EQ(match_parameters(comparison, models, count),
            std::vector<std::string>{"rnn has 200 parameters, -31.0 % of the 290 wanted: model.d = "
                                     "4 is the nearest of its widths"});
  EXPECT_EQ(models[0].model.d, 4);
}

TEST(ComparisonSettings, LowersTheLengthToWhatEveryModelTakes) {
  struct Row {
    Index max_length;
    Index positions;
    Index expected;
    std::vector<std::string> said;
  };
  for (const Row& row : std::vector<Row>{
           {512, 1024, 512, {}},
           {0,
            1024,
            1023,
            {"data.max_length = 1023 for all models: conv takes no more with model.positions = "
             "1024"}},
           {10,
            10,
            9,
            {"data.max_length = 9 for all models: conv takes no more with model.positions = 10"}},
           {9, 10, 9, {}}}) {
    std::vector<Settings> models{default_settings("transformer"), default_settings("conv")};
    for (Settings& s : models) {
      s.data.max_length = row.max_length;
      s.model.positions = row.positions;
    }
    EXPECT_EQ(match_lengths(models), row.said);
    for (const Settings& s : models)
      EXPECT_EQ(s.data.max_length, row.expected);
  }
  std::vector<Settings> others{default_settings("transformer"), default_settings("rnn")};
  EXPECT_TRUE(match_lengths(others).empty());
}

TEST(ComparisonSettings, WarnsOfAssignmentsWithoutEffect) {
  struct Row {
    const char* assignment;
    std::vector<std::string> said;
  };
  for (const Row& row :
       std::vector<Row>{{"model.kernel=5", {}},
                        {"model.cell=lstm",
                         {"--set model.cell=lstm: model.cell = 'lstm' has no effect with "
                          "model.name = 'transformer'; "
                          "model.cell = 'lstm' has no effect with model.name = 'conv'"}},
                        {"transformer:model.kernel=5",
                         {"--set transformer:model.kernel=5: model.kernel = 5 has no effect with "
                          "model.name = 'transformer'"}}}) {
    ComparisonSettings comparison;
    comparison.train = {"toy:copy"};
    comparison.models = {"transformer", "conv"};
    comparison.assignments = {row.assignment};
    std::vector<Settings> models;
    for (const std::string& model : comparison.models)
      models.push_back(trial_settings(comparison, model));
    EXPECT_EQ(unused_assignments(comparison, models), row.said);
  }
}

// The program

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
  EXPECT_NE(ran.err.find("warning: --lines has no effect: the test set is no built-in corpus\n"),
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
  ASSERT_EQ(run(folder, {"generate", "toy:copy", "--lines", "60", "--out", "a"}).code, 0);
  ASSERT_EQ(
      run(folder, {"generate", "toy:copy", "--lines", "20", "--seed", "9", "--out", "t"}).code, 0);
  const Ran first = run(
      folder,
      {"compare",  "--train",     "a.src",     "a.tgt", "--test",           "t.src", "t.tgt",
       "--models", "rnn,rnn+dot", "--seeds",   "1",     "--steps",          "2",     "--match",
       "none",     "--set",       "model.d=8", "--set", "data.min_count=1", "--out", "comparison"});
  ASSERT_EQ(first.code, 0) << first.err;
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
            "heed: error: comparison: the data of --test have changed since this comparison began; "
            "give what "
            "it began with, or start a new one with another --out\n");
}

}  // namespace
}  // namespace heed::cli
