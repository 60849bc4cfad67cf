#include "cli/attend.h"

#include <csignal>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "cli/run.h"
#include "tests/cli/program.h"

namespace heed::cli {
namespace {

/// A run of two layers with two heads each, trained a little: what it attends to is not even.
void train(const TemporaryFolder& folder) {
  std::string pairs;
  for (int i = 0; i < 40; ++i)
    pairs += fmt::format("{0} {1} {2}\t{2} {1} {0}\n", "abcdefgh"[i % 8], "abcdefgh"[i / 2 % 8],
                         "abcdefgh"[i * 3 % 8]);
  folder.write("train.tsv", pairs);
  const Ran ran = run(folder, {"train",
                               "--train",
                               "train.tsv",
                               "--model",
                               "transformer",
                               "--steps",
                               "60",
                               "--out",
                               "run",
                               "--set",
                               "model.d=16",
                               "--set",
                               "model.layers=2",
                               "--set",
                               "model.heads=2",
                               "--set",
                               "data.batch_tokens=64",
                               "--set",
                               "data.min_count=1",
                               "--set",
                               "optim.warmup=2",
                               "--set",
                               "optim.lr=0.01"});
  ASSERT_EQ(ran.code, 0) << ran.err;
}

std::vector<std::string> tokens_of(const Tokenizer& tokenizer, const std::vector<Id>& ids) {
  std::vector<std::string> tokens;
  for (Id id : ids)
    tokens.push_back(tokenizer.vocabulary().token(id));
  return tokens;
}

TEST(Attend, WritesTheMapsOfTheModel) {
  const TemporaryFolder folder;
  train(folder);
  const std::vector<std::string> sources = {"a b c", "", "h", "c c zebra d a b c d e f", "  "};
  const Ran plain =
      run(folder, {"translate", "--run", "run"}, fmt::format("{}\n", fmt::join(sources, "\n")));
  const Ran ran = run(folder, {"translate", "--run", "run", "--attention", "a.jsonl"},
                      fmt::format("{}\n", fmt::join(sources, "\n")));
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, plain.out) << "the translations stay as they are";
  const auto outputs = lines_of(ran.out);
  const auto lines = lines_of(read_file(folder.path("a.jsonl")));
  ASSERT_EQ(lines.size(), sources.size());
  const cli::Run opened = open_run(folder.path("run"));
  double most = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const nlohmann::json json = nlohmann::json::parse(lines[i], nullptr, false);
    ASSERT_TRUE(json.is_object()) << lines[i];
    EXPECT_EQ(json["line"], i + 1);
    std::vector<Id> source = opened.tokenizers.source->encode(sources[i]);
    if (source.empty()) {
      EXPECT_EQ(json, (nlohmann::json{{"line", i + 1},
                                      {"source", nlohmann::json::array()},
                                      {"target", nlohmann::json::array()},
                                      {"layers", nlohmann::json::array()}}));
      continue;
    }
    source.push_back(eos_id);
    // The same sentence alone, straight from the library.
    const auto best = decode(*opened.model, std::vector<std::vector<Id>>{source},
                             decode_options(opened.settings));
    std::vector<Id> target = {bos_id};
    std::vector<Id> gold = best[0][0].ids;
    target.insert(target.end(), gold.begin(), gold.end());
    gold.push_back(eos_id);
    EXPECT_EQ(json["source"], tokens_of(*opened.tokenizers.source, source));
    EXPECT_EQ(json["target"], tokens_of(*opened.tokenizers.source, gold));
    EXPECT_EQ(opened.tokenizers.target->decode(best[0][0].ids), outputs[i]);
    const std::vector<std::vector<Id>> s = {source};
    const std::vector<std::vector<Id>> t = {target};
    const std::vector<std::vector<Id>> g = {gold};
    std::vector<AttentionMap> maps;
    opened.model->logits(
        Batch{.source = pack(s), .target = pack(t), .gold = pack(g).ids, .lines = {}}, &maps);
    ASSERT_EQ(maps.size(), 2u);
    ASSERT_EQ(json["layers"].size(), maps.size());
    for (std::size_t k = 0; k < maps.size(); ++k) {
      EXPECT_EQ(json["layers"][k]["layer"], maps[k].layer);
      const Tensor& weights = maps[k].weights[0];
      std::size_t n = 0;
      for (const auto& head : json["layers"][k]["heads"])
        for (const auto& row : head) {
          double sum = 0;
          EXPECT_EQ(row.size(), source.size());
          for (const auto& weight : row) {
            ASSERT_LT(n, weights.span().size());
            ASSERT_NEAR(weight.get<double>(), static_cast<double>(weights.span()[n++]), 1e-6);
            sum += weight.get<double>();
            most = std::max(most, weight.get<double>());
          }
          EXPECT_NEAR(sum, 1, 1e-5);
        }
      EXPECT_EQ(n, weights.span().size());
    }
  }
  EXPECT_GT(most, 0.5) << "else anything would look like it";
  for (const char* name : {"a.html", "a.svg"}) {
    const Ran drawn = run(
        folder, {"translate", "--run", "run", "--beam", "2", "--nbest", "2", "--attention", name},
        "a b\nc\n");
    EXPECT_EQ(drawn.code, 0) << drawn.err;
    EXPECT_NE(read_file(folder.path(name)).find(" ← a: "), std::string::npos) << name;
  }
}

TEST(Attend, LeavesAWholePageWhenInterrupted) {
  const TemporaryFolder folder;
  train(folder);
  const std::string command = fmt::format(
      "cd '{}' && echo $$ > pid && exec '{}' translate --run run --attention a.html > out",
      folder.path(""), HEED_PROGRAM);
  FILE* pipe = popen(command.c_str(), "w");
  ASSERT_NE(pipe, nullptr);
  std::fputs("a b c\n", pipe);
  std::fflush(pipe);
  const auto page = [&] { return read_file(folder.path("a.html")); };
  for (int i = 0; i < 3000 && page().find("id=\"line-1\"") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_NE(page().find("id=\"line-1\""), std::string::npos) << "written while more lines may come";
  EXPECT_EQ(lines_of(read_file(folder.path("out"))).size(), 1u);
  kill(std::stoi(read_file(folder.path("pid"))), SIGINT);
  const int status = pclose(pipe);
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_TRUE(page().ends_with("</details>\n</body>\n</html>\n"));
}

TEST(Attend, RefusesBeforeAnythingIsTranslated) {
  const TemporaryFolder folder;
  train(folder);
  struct Row {
    std::string file;
    std::vector<std::string> parts;
  };
  for (const Row& row : std::vector<Row>{{"a.png", {"a.png: ", ".html", ".svg", ".jsonl"}},
                                         {"nowhere/a.html", {"nowhere/a.html: cannot write"}},
                                         {"run", {"run: "}}}) {
    const Ran ran = run(folder, {"translate", "--run", "run", "--attention", row.file}, "a\n");
    EXPECT_EQ(ran.code, 1) << row.file;
    EXPECT_EQ(ran.out, "") << row.file;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    for (const std::string& part : row.parts)
      EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  }
}

TEST(Attend, WorksForEveryFamilyThatAttends) {
  const TemporaryFolder folder;
  folder.write("train.tsv", "a b\tb a\nc d\td c\n");
  for (const std::string model : {"rnn", "rnn+additive"}) {
    const Ran trained =
        run(folder, {"train", "--train", "train.tsv", "--model", model, "--steps", "2", "--out",
                     model, "--set", "model.d=8", "--set", "model.layers=1", "--set",
                     "data.min_count=1", "--set", "data.valid_fraction=0.5"});
    ASSERT_EQ(trained.code, 0) << trained.err;
    const Ran ran = run(
        folder, {"translate", "--run", model, "--max-length", "3", "--attention", model + ".html"},
        "a b\n");
    EXPECT_EQ(ran.code, model == "rnn" ? 1 : 0) << ran.err;
    EXPECT_EQ(std::filesystem::exists(folder.path(model + ".html")), model != "rnn");
    if (model == "rnn") {
      EXPECT_EQ(ran.err,
                "heed: error: rnn: model.name = rnn does not attend to its source; there is "
                "nothing for --attention to show\n");
    }
    EXPECT_EQ(ran.out.empty(), model == "rnn");
  }
}

/// Says always the same, and looks at nothing.
struct Blind final : Seq2Seq {
  void visit(Visitor&) override {}
  Index vocabulary() const override { return 4; }
  Variable loss(const Batch&, const CrossEntropy&) const override { fail("not asked for"); }
  Variable logits(const Batch& batch, std::vector<AttentionMap>*) const override {
    return Variable(Tensor(Shape{batch.target.spans.rows(), 4}));
  }
  std::unique_ptr<DecoderState> start(const Sequences&) const override { fail("not asked for"); }
  Tensor step(DecoderState&, std::span<const Id>) const override { fail("not asked for"); }
};

TEST(Attend, TellsWhoDoesNotAttend) {
  EXPECT_FALSE(attends(Blind()));
  const TemporaryFolder folder;
  train(folder);
  EXPECT_TRUE(attends(*open_run(folder.path("run")).model));
}

}  // namespace
}  // namespace heed::cli
