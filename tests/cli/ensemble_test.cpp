// Several runs that decode together, and the choice of beam and length penalty.

#include "experiments/inference/ensemble.h"

#include <nlohmann/json.hpp>

#include "framework/files.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

std::string kept(const std::string& name) { return HEED_SOURCE_DIR "/tests/data/kept/" + name; }

constexpr const char* lines = "the cat sees the bird\n\na small dog sees a cat\nthe bird\n";

TEST(Ensembles, OfOneRunTwiceAreTheRun) {
  const TemporaryFolder folder;
  for (const char* name : {"transformer", "rnn", "copy"})
    for (const Args& options : {Args{}, Args{"--nbest", "2"}, Args{"--sample", "--seed", "3"}}) {
      const Ran one = run(folder, Args{"translate", "--run", kept(name)} + options, lines);
      const Ran two =
          run(folder, Args{"translate", "--run", kept(name), "--run", kept(name)} + options, lines);
      EXPECT_EQ(two.code, 0) << two.err;
      if (options.size() != 2) {
        EXPECT_EQ(two.out, one.out) << name;
      }
      EXPECT_EQ(lines_of(two.out).size(), lines_of(one.out).size()) << name;
    }
}

// The command, the library and two families; evaluating gives the loss of the mean.
TEST(Ensembles, OfTwoFamilies) {
  const TemporaryFolder folder;
  const Args runs = {"--run", kept("transformer"), "--run", kept("rnn-additive")};
  const heed::Run both = open_ensemble({kept("transformer"), kept("rnn-additive")});
  std::string expected;
  for (const std::string& line : lines_of(lines))
    expected += both.translate(line).text + "\n";
  EXPECT_EQ(run(folder, Args{"translate"} + runs, lines).out, expected);
  EXPECT_EQ(run(folder, Args{"summarize"} + runs, lines).out, expected);
  EXPECT_FALSE(both.attention("the cat").layers.empty());

  const Args data = {"--data", kept("train.src"), kept("train.tgt"), "--json"};
  const auto figures = [&](const Args& of) {
    const Ran ran = run(folder, Args{"evaluate"} + of + data);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return nlohmann::json::parse(ran.out);
  };
  const auto together = figures(runs);
  const Ran scored = run(folder, Args{"translate"} + runs + Args{"--score", kept("train.tgt")},
                         read_file(kept("train.src")));
  double nats = 0;
  double tokens = 0;
  for (const std::string& line : lines_of(scored.out)) {
    nats -= std::stod(line);
    tokens += std::stod(line.substr(line.find('\t') + 1));
  }
  ASSERT_GT(tokens, 0) << scored.err;
  EXPECT_NEAR(together["loss"].get<double>(), nats / tokens, 1e-4);
  // The mean of two probabilities is at least the smaller, and at least half of the larger.
  const double a = figures({"--run", kept("transformer")})["loss"];
  const double b = figures({"--run", kept("rnn-additive")})["loss"];
  EXPECT_LE(together["loss"].get<double>(), (a + b) / 2 + 1e-6);
  EXPECT_GE(together["loss"].get<double>(), std::min(a, b) - std::log(2));
}

TEST(Ensembles, SayWhyTheyCannotBe) {
  const TemporaryFolder folder;
  const auto with = [](const char* command, const char* a, const char* b, const Args& more = {}) {
    return Args{command, "--run", kept(a), "--run", kept(b)} + more;
  };
  const Args data = {"--data", kept("train.src"), kept("train.tgt")};
  const struct {
    Args args;
    std::vector<std::string> parts;
  } rows[] = {
      {with("translate", "transformer", "copy"),
       {kept("transformer") + " and " + kept("copy") + " have different vocabularies (words, "}},
      {with("evaluate", "rnn", "transformer-bpe", data),
       {kept("rnn") + " and " + kept("transformer-bpe") + " have different vocabularies", "bpe"}},
      {with("evaluate", "lm-words", "lm-words"), {"its task is lm", "give one run"}},
      {with("translate", "transformer", "lm-words"), {kept("lm-words") + ": a language model"}},
      {with("translate", "transformer", "nothing"), {"nothing: no such folder"}},
      {with("translate", "transformer", "rnn", {"--attention", "a.html"}),
       {kept("transformer") + " and " + kept("rnn") +
        ": not all of these models attend to their source; there is nothing for --attention to "
        "show"}},
      {with("translate", "transformer", "rnn", {"--replace-unk"}), {"--replace-unk has no word"}},
      {with("translate", "transformer", "rnn", {"--coverage-penalty", "1"}),
       {"--coverage-penalty has nothing"}},
  };
  for (const auto& row : rows) {
    const Ran ran = run(folder, row.args, lines);
    EXPECT_EQ(ran.code, 1) << fmt::format("{}", fmt::join(row.args, " "));
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    for (const std::string& part : row.parts)
      EXPECT_NE(ran.err.find(part), std::string::npos) << part << " in " << ran.err;
  }
  for (const char* command : {"predict", "generate"}) {
    const Ran ran = run(folder, with(command, "lm-words", "lm-words"));
    EXPECT_EQ(ran.code, 2) << command;
    EXPECT_NE(ran.err.find("--run"), std::string::npos) << ran.err;
  }
}

TEST(Ensembles, DrawTheMeanOfTheirAttention) {
  const TemporaryFolder folder;
  const Ran ran = run(folder,
                      {"translate", "--run", kept("transformer"), "--run", kept("rnn-additive"),
                       "--attention", "a.jsonl"},
                      "the cat sees the bird\n");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(read_file(folder.path("a.jsonl")).find("ensemble"), std::string::npos);
}

/// A copy of a kept run, which tuning may change, and data to tune it on.
struct Tuned {
  TemporaryFolder folder;
  Args data;
  std::string config;
  std::string before;

  Tuned() {
    fs::copy(kept("transformer"), folder.path("run"), fs::copy_options::recursive);
    for (const char* side : {"src", "tgt"}) {
      std::string some;
      const std::vector<std::string> all = lines_of(read_file(kept(std::string("train.") + side)));
      for (std::size_t i = 0; i < 30; ++i)
        some += all[i * 7 % all.size()] + "\n";
      folder.write(std::string("valid.") + side, some);
    }
    data = {"--data", "valid.src", "valid.tgt"};
    config = folder.path("run/config.toml");
    before = read_file(config);
    for (std::size_t at; (at = before.find("'/kept/")) != std::string::npos;)
      before.replace(at, 7, "'/gone/");
    std::ofstream(config) << before;
  }
  Ran tune(const Args& more) const {
    return run(folder, Args{"evaluate", "--run", "run", "--tune-decode"} + more);
  }
};

TEST(TuneDecode, KeepsItsChoiceAndTranslateUsesIt) {
  const Tuned t;
  const Ran ran =
      t.tune(t.data + Args{"--beams", "3,1", "--length-penalties", "0.5,1.5", "--json"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto found = nlohmann::json::parse(ran.out);
  EXPECT_EQ(found["candidates"].size(), 4u);
  EXPECT_EQ(found["kept"], true);
  EXPECT_EQ(found["metric"], "bleu");
  EXPECT_EQ(found["lines"], 30);
  const std::string beam = found["best"]["beam"].dump();
  const std::string penalty = found["best"]["length_penalty"].dump();
  const std::vector<std::string> old_lines = lines_of(t.before);
  const std::vector<std::string> new_lines = lines_of(read_file(t.config));
  ASSERT_EQ(new_lines.size(), old_lines.size());
  int changed = 0;
  for (std::size_t i = 0; i < new_lines.size(); ++i) {
    if (new_lines[i] == old_lines[i]) continue;
    ++changed;
    EXPECT_TRUE(new_lines[i].starts_with("beam = " + beam + " ") ||
                new_lines[i].starts_with("length_penalty = " + penalty + " "))
        << new_lines[i];
  }
  EXPECT_EQ(changed, 2);
  const Ran after = run(t.folder, {"translate", "--run", "run", "--nbest", "1"}, lines);
  const Ran given = run(t.folder,
                        {"translate", "--run", kept("transformer"), "--beam", beam,
                         "--length-penalty", penalty, "--nbest", "1"},
                        lines);
  EXPECT_EQ(after.out, given.out);
  EXPECT_EQ(after.code, 0) << after.err;
  // What tuning says of its choice is what evaluating says.
  const Ran evaluated = run(t.folder, Args{"evaluate", "--run", "run", "--json"} + t.data);
  EXPECT_NEAR(nlohmann::json::parse(evaluated.out)["bleu"].get<double>(),
              found["best"]["score"].get<double>(), 1e-9);
  const Ran by_options = run(t.folder, Args{"evaluate", "--run", kept("transformer"), "--beam",
                                            beam, "--length-penalty", penalty, "--json"} +
                                           t.data);
  EXPECT_EQ(by_options.out, evaluated.out);
}

TEST(TuneDecode, PrintsATableAndItsCost) {
  const Tuned t;
  const Ran ran =
      t.tune(t.data + Args{"--beams", "1,2", "--length-penalties", "0,1", "--metric", "rouge"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::vector<std::string> out = lines_of(ran.out);
  ASSERT_EQ(out.size(), 7u) << ran.out;
  EXPECT_EQ(out[0], " beam  penalty    rouge  length");
  EXPECT_TRUE(out[1].starts_with("    1        0 ")) << out[1];
  EXPECT_TRUE(out[5].starts_with("best: beam ")) << out[5];
  EXPECT_TRUE(out[6].starts_with("kept in run/config.toml")) << out[6];
  EXPECT_NE(ran.err.find("2 decodings (beam 1, 2) give all 4 pairs"), std::string::npos) << ran.err;
}

TEST(TuneDecode, OfSeveralRunsKeepsNothing) {
  const Tuned t;
  const Ran ran =
      t.tune(t.data + Args{"--run", kept("rnn"), "--beams", "2", "--length-penalties", "0.4"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(lines_of(ran.out).back(),
            "not kept, as there are several runs; give --beam 2 --length-penalty 0.4");
  EXPECT_EQ(read_file(t.config), t.before);
}

TEST(TuneDecode, LeavesTheRunAsItWasWhereItFails) {
  const Tuned t;
  const auto refused = [&](const Args& more, int code, const std::string& part) {
    const Ran ran = t.tune(more);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << ran.err;
    EXPECT_NE(ran.err.find(part), std::string::npos) << part << " in " << ran.err;
    EXPECT_EQ(read_file(t.config), t.before);
  };
  refused({}, 1, "/gone/train.src");  // the data of its training are gone
  refused({"--data", "valid.src", "nothing"}, 1, "nothing: no such file");
  refused(t.data + Args{"--beam", "2"}, 2, "--beam");
  refused(t.data + Args{"--split", "test"}, 2, "--split");
  refused(t.data + Args{"--beams", "2,0"}, 2, "--beams");
  refused(t.data + Args{"--length-penalties", "-1"}, 2, "--length-penalties");
  refused(t.data + Args{"--metric", "exact"}, 2, "--metric");
  {
    const FolderLock training(t.folder.path("run"));
    refused(t.data, 1, "run: another process is training here");
  }
  fs::create_directory(t.config + ".partial");  // so that no file can be made there
  refused(t.data, 1, "run/config.toml: cannot be written");
  fs::remove(t.config + ".partial");
  const Ran not_tuning = run(t.folder, Args{"evaluate", "--run", "run", "--beams", "2"} + t.data);
  EXPECT_EQ(not_tuning.code, 2);
  EXPECT_NE(not_tuning.err.find("--tune-decode"), std::string::npos) << not_tuning.err;
}

TEST(TuneDecode, InterruptedLeavesTheRunAsItWas) {
  const Tuned t;
  std::string source;
  for (int i = 0; i < 3000; ++i)
    source += "the cat sees the bird and the dog\n";
  t.folder.write("many.src", source);
  t.folder.write("many.tgt", source);
  Program program(t.folder, {"evaluate", "--run", "run", "--tune-decode", "--threads", "1",
                             "--data", "many.src", "many.tgt", "--beams", "300"});
  for (int i = 0; i < 600 && program.err().find("tuning on") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  program.interrupt();
  const Ran ran = program.wait();
  EXPECT_EQ(ran.code, 130) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(read_file(t.config), t.before);
  EXPECT_FALSE(fs::exists(t.config + ".partial"));
}

}  // namespace
}  // namespace heed
