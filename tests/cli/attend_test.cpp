#include <csignal>
#include <cstdio>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "datasets/text/special_ids.h"
#include "experiments/inference/attention.h"
#include "experiments/inference/run.h"
#include "models/seq2seq.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

/// Trains a run of two layers with two heads each until its attention is not uniform any more.
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

/// The best output for a source, from the library.
struct Expected {
  std::vector<std::string> source;
  std::vector<std::string> target;
  std::string text;
  std::vector<AttentionMap> maps;
};

Expected expected_for(const Run& run, std::vector<Id> source) {
  source.push_back(eos_id);
  const std::vector<std::vector<Id>> sources = {source};
  const auto best = decode(*run.model, sources, decode_options(run.settings));
  std::vector<Id> gold = best[0][0].ids;
  std::vector<Id> target = {bos_id};
  target.insert(target.end(), gold.begin(), gold.end());
  gold.push_back(eos_id);
  const std::vector<std::vector<Id>> targets = {target};
  Expected expected{.source = tokens_of(*run.tokenizers.source, source),
                    .target = tokens_of(*run.tokenizers.source, gold),
                    .text = run.tokenizers.target->decode(best[0][0].ids),
                    .maps = {}};
  model_as<Seq2Seq>(*run.model).logits(pack(sources), pack(targets), &expected.maps);
  return expected;
}

/// Expects the weights of the map in `layer`, rows that sum to 1. Returns the largest weight.
double expect_same_map(const nlohmann::json& layer, const AttentionMap& map,
                       std::size_t source_tokens) {
  EXPECT_EQ(layer["layer"], map.layer);
  const auto weights = map.weights[0].span();
  double largest = 0;
  std::size_t n = 0;
  for (const auto& head : layer["heads"])
    for (const auto& row : head) {
      double sum = 0;
      EXPECT_EQ(row.size(), source_tokens);
      for (const auto& weight : row) {
        if (n == weights.size()) throw std::out_of_range("more weights than the map has");
        EXPECT_NEAR(weight.get<double>(), static_cast<double>(weights[n]), 1e-6);
        ++n;
        sum += weight.get<double>();
        largest = std::max(largest, weight.get<double>());
      }
      EXPECT_NEAR(sum, 1, 1e-5);
    }
  EXPECT_EQ(n, weights.size());
  return largest;
}

TEST(Attend, WritesTheMapsOfTheModel) {
  const TemporaryFolder folder;
  train(folder);
  const std::vector<std::string> sources = {"a b c", "", "h", "c c zebra d a b c d e f", "  "};
  const std::string input = fmt::format("{}\n", fmt::join(sources, "\n"));
  const Ran plain = run(folder, {"translate", "--run", "run"}, input);
  const Ran ran = run(folder, {"translate", "--run", "run", "--attention", "a.jsonl"}, input);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, plain.out) << "the translations stay as they are";
  const auto outputs = lines_of(ran.out);
  const auto lines = lines_of(read_file(folder.path("a.jsonl")));
  ASSERT_EQ(lines.size(), sources.size());
  const heed::Run opened = open_run(folder.path("run"));
  double largest = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const nlohmann::json json = nlohmann::json::parse(lines[i], nullptr, false);
    ASSERT_TRUE(json.is_object()) << lines[i];
    EXPECT_EQ(json["line"], i + 1);
    const std::vector<Id> source = opened.tokenizers.source->encode(sources[i]);
    if (source.empty()) {
      for (const char* part : {"source", "target", "layers"})
        EXPECT_EQ(json[part], nlohmann::json::array()) << part;
      continue;
    }
    const Expected expected = expected_for(opened, source);
    EXPECT_EQ(json["source"], expected.source);
    EXPECT_EQ(json["target"], expected.target);
    EXPECT_EQ(outputs[i], expected.text);
    ASSERT_EQ(expected.maps.size(), 2u);
    ASSERT_EQ(json["layers"].size(), expected.maps.size());
    for (std::size_t k = 0; k < expected.maps.size(); ++k)
      largest = std::max(
          largest, expect_same_map(json["layers"][k], expected.maps[k], expected.source.size()));
  }
  EXPECT_GT(largest, 0.5) << "maps of uniform weights would all look the same";
}

TEST(Attend, DrawsPagesAndPictures) {
  const TemporaryFolder folder;
  train(folder);
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

/// Writes outputs that do not depend on the source.
struct Blind final : Decoder {
  using Decoder::start;
  Index vocabulary() const override { return 4; }
  std::unique_ptr<DecoderState> start(const Sequences&) const override { fail("not asked for"); }
  Variable logits(const Sequences&, const Sequences& targets,
                  std::vector<AttentionMap>*) const override {
    return Variable(Tensor(Shape{targets.spans.rows(), 4}));
  }
};

TEST(Attend, KnowsWhichModelsAttend) {
  EXPECT_FALSE(attends(Blind()));
  const TemporaryFolder folder;
  train(folder);
  EXPECT_TRUE(attends(open_run(folder.path("run")).decoder()));
}

}  // namespace
}  // namespace heed
