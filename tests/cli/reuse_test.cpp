#include <set>

#include "experiments/inference/tokenizer_files.h"
#include "experiments/settings.h"
#include "framework/checkpoint.h"
#include "framework/partial_loading.h"
#include "framework/safetensors.h"
#include "tests/cli/program.h"

// Weights of one run in another: --init, --init-only and --freeze.

namespace heed {
namespace {

const Args tiny = {"--set", "model.d=16",       "--set", "model.layers=1",
                   "--set", "model.heads=2",    "--set", "data.batch_tokens=64",
                   "--set", "data.min_count=1", "--set", "optim.warmup=2",
                   "--set", "train.log_every=5"};
// With these, last.heed holds the weights that training began with.
const Args unmoved = {"--steps", "1", "--set", "optim.lr=0"};

/// Writes 40 pairs of letters from `first` on. The target is the source in reverse.
void write_pairs(const TemporaryFolder& folder, const std::string& name, char first) {
  std::string source;
  std::string target;
  for (int i = 0; i < 40; ++i) {
    std::string a;
    std::string b;
    for (int j = 0; j < 2 + i % 5; ++j) {
      const char letter = static_cast<char>(first + (i * 7 + j * 3) % 8);
      a += fmt::format("{}{}", j > 0 ? " " : "", letter);
      b = fmt::format("{}{}{}", letter, j > 0 ? " " : "", b);
    }
    source += a + "\n";
    target += b + "\n";
  }
  folder.write(name + ".src", source);
  folder.write(name + ".tgt", target);
}

Args train(const std::string& data, const std::string& model, const std::string& out,
           const Args& more = {}) {
  return Args{"train", "--train", data + ".src", data + ".tgt", "--model", model, "--out", out} +
         tiny + more;
}

/// A folder with two corpora that share half of their letters, and a run on the first.
struct Reuse : testing::Test {
  const TemporaryFolder folder;
  void SetUp() override {
    write_pairs(folder, "old", 'a');
    write_pairs(folder, "new", 'e');
    done(train("old", "transformer", "a", {"--steps", "6", "--seed", "2"}));
  }
  Ran done(const Args& args) {
    const Ran ran = run(folder, args);
    EXPECT_EQ(ran.code, 0) << fmt::format("{}: {}", fmt::join(args, " "), ran.err);
    return ran;
  }
  std::vector<NamedTensor> weights(const std::string& out, const std::string& name = "last") {
    return tensors_under(load(folder.path(out + "/checkpoints/" + name + ".heed")), "model.");
  }
  std::vector<NamedTensor> tensors(const std::string& out) {
    return load(folder.path(out + "/checkpoints/last.heed")).tensors;
  }
  /// The names of the parameters that are equal to the last bit.
  static std::set<std::string> same(const std::vector<NamedTensor>& a,
                                    const std::vector<NamedTensor>& b) {
    std::set<std::string> names;
    for (const NamedTensor& x : a)
      for (const NamedTensor& y : b)
        if (x.name == y.name && x.tensor.shape() == y.tensor.shape() &&
            x.tensor.to_vector() == y.tensor.to_vector())
          names.insert(x.name);
    return names;
  }
  static std::set<std::string> chosen(const std::vector<NamedTensor>& all, const Args& patterns) {
    std::set<std::string> names;
    for (const NamedTensor& x : all)
      if (ParameterPatterns(patterns).chooses(x.name)) names.insert(x.name);
    return names;
  }
};

struct SourceRow {
  Args from;      // the value of --init
  Args patterns;  // of --init-only
  std::string checkpoint;
  std::string file = "a/checkpoints/" + checkpoint + ".heed";
};

const SourceRow source_rows[] = {
    {{"a"}, {}, "best"},
    {{"a/"}, {"encoder*"}, "best"},
    {{"a/checkpoints/last.heed"}, {"!decoder*", "!*.gain"}, "last"},
    {{"a/checkpoints/best.heed"}, {"*.weight", "!encoder*"}, "best"},
    {{"a.safetensors"}, {"*coder*"}, "best", "a.safetensors"},
};

TEST_F(Reuse, LoadsWhatIsChosenFromEveryKindOfSource) {
  done(train("old", "transformer", "fresh", unmoved));
  const auto fresh = weights("fresh");
  save_safetensors(folder.path("a.safetensors"), weights("a", "best"), {});
  int number = 0;
  for (const SourceRow& row : source_rows) {
    const std::string out = fmt::format("b{}", number++);
    Args options = Args{"--init"} + row.from;
    if (!row.patterns.empty()) options = options + Args{"--init-only"} + row.patterns;
    const Ran ran = done(train("old", "transformer", out, unmoved + options));
    const auto found = weights(out);
    const auto theirs = weights("a", row.checkpoint);
    const std::set<std::string> expected = chosen(found, row.patterns);
    const std::set<std::string> loaded = same(found, theirs);
    for (const auto& [name, tensor] : found) {
      EXPECT_TRUE(!expected.contains(name) || loaded.contains(name))
          << out << ": " << name << " was to be loaded";
      EXPECT_TRUE(expected.contains(name) || same(found, fresh).contains(name))
          << out << ": " << name << " was to be fresh";
    }
    EXPECT_NE(ran.err.find(fmt::format("init      {}: {} of {} parameters, ", folder.path(row.file),
                                       expected.size(), found.size())),
              std::string::npos)
        << ran.err;
    EXPECT_EQ(ran.err.find("(left out by train.init_only)") != std::string::npos,
              !row.patterns.empty())
        << ran.err;
    const std::string log = read_file(folder.path(out + "/log.txt"));
    for (const auto& [name, tensor] : found)
      EXPECT_NE(log.find(name), std::string::npos) << out << ": the log names " << name;
    const Settings settings = read_run_settings(folder.path(out));
    EXPECT_EQ(settings.train.init, folder.path(row.from[0]));
    EXPECT_EQ(settings.train.init_only, row.patterns);
  }
}

TEST_F(Reuse, LoadsTheLastCheckpointWhereThereIsNoBest) {
  std::filesystem::remove(folder.path("a/checkpoints/best.heed"));
  done(train("old", "transformer", "last", unmoved + Args{"--init", "a"}));
  EXPECT_EQ(same(weights("last"), weights("a", "last")).size(), weights("a", "last").size());
}

TEST_F(Reuse, FindsTheRowsOfTokensThatBothVocabulariesHold) {
  for (const std::string model : {"transformer", "rnn+dot", "conv"}) {
    const Args whole = model == "transformer" ? Args{} : Args{"--set", "model.tied=false"};
    const std::string a = "a-" + model;
    const std::string b = "b-" + model;
    const std::string fresh = "fresh-" + model;
    done(train("old", model, a, Args{"--steps", "2", "--seed", "2"} + whole));
    done(train("new", model, fresh, unmoved + whole));
    const Ran ran = done(train("new", model, b, unmoved + whole + Args{"--init", a}));
    const Vocabulary theirs = load_tokenizers(folder.path(a)).target->vocabulary();
    const Vocabulary ours = load_tokenizers(folder.path(b)).target->vocabulary();
    EXPECT_EQ(ours.size(), theirs.size()) << "the shapes alone would not tell them apart";
    const auto from = weights(a, "best");
    const auto to = weights(b);
    const auto untouched = weights(fresh);
    int by_token = 0;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const Tensor& x = to[i].tensor;
      const Tensor& old = from[i].tensor;
      const Tensor& drawn = untouched[i].tensor;
      if (x.shape()[0] != ours.size()) {
        EXPECT_EQ(x.to_vector(), old.to_vector()) << model << ": " << to[i].name;
        continue;
      }
      ++by_token;
      for (Id row = 0; row < ours.size(); ++row) {
        const std::string& token = ours.token(row);
        const bool shared = std::count(theirs.tokens().begin(), theirs.tokens().end(), token) > 0;
        EXPECT_EQ(x.slice(row, row + 1).to_vector(),
                  shared ? old.slice(theirs.id(token), theirs.id(token) + 1).to_vector()
                         : drawn.slice(row, row + 1).to_vector())
            << model << ": " << to[i].name << ", row of " << token;
      }
    }
    EXPECT_GE(by_token, model == "transformer" ? 1 : 3) << model;
    // 4 special tokens, and the letters e to h
    EXPECT_NE(ran.err.find("by token: embedding.weight, 8 of 12 rows; the others stay fresh\n"),
              std::string::npos)
        << ran.err;
  }
  // A checkpoint without its run does not say which token each row is for.
  std::filesystem::copy_file(folder.path("a/checkpoints/best.heed"), folder.path("alone.heed"));
  const Ran alone =
      done(train("new", "transformer", "alone", unmoved + Args{"--init", "alone.heed"}));
  EXPECT_NE(alone.err.find("by position: embedding.weight (no tokenizer beside the file"),
            std::string::npos)
      << alone.err;
  EXPECT_EQ(same(weights("alone"), weights("a", "best")).size(), weights("a").size());
}

const Args frozen_options = {"--init",
                             "a",
                             "--freeze",
                             "encoder*",
                             "embedding*",
                             "--set",
                             "optim.schedule=constant",
                             "--set",
                             "train.eval_every=7",
                             "--set",
                             "train.average=3",
                             "--set",
                             "train.save_every=4",
                             "--set",
                             "optim.accumulate=2",
                             "--set",
                             "model.dropout=0.2"};

TEST_F(Reuse, LeavesFrozenParametersAsTheyWere) {
  const Ran ran =
      done(train("old", "transformer", "whole", frozen_options + Args{"--steps", "20"}));
  const auto before = weights("a", "best");
  const auto after = weights("whole");
  const std::set<std::string> frozen = chosen(after, {"encoder*", "embedding*"});
  EXPECT_EQ(same(before, after), frozen) << "only these are unchanged after 20 steps";
  EXPECT_EQ(same(before, weights("whole", "best")), frozen) << "in averaged weights too";
  Index total = 0;
  Index still = 0;
  for (const auto& [name, tensor] : after) {
    total += tensor.size();
    still += frozen.contains(name) ? tensor.size() : 0;
  }
  EXPECT_NE(
      ran.err.find(fmt::format("model     transformer, {} parameters, {} frozen\n", total, still)),
      std::string::npos)
      << ran.err;
  EXPECT_NE(ran.err.find(fmt::format(
                "frozen    {} of {} parameters, {} of {} numbers: embedding.weight, encoder.* (",
                frozen.size(), after.size(), still, total)),
            std::string::npos)
      << ran.err;
  const Ran table = done({"inspect", "whole"});
  for (const std::string& line : lines_of(table.out))
    for (const auto& [name, tensor] : after) {
      if (!line.starts_with(name + " ")) continue;
      EXPECT_EQ(line.ends_with("  frozen"), frozen.contains(name)) << line;
    }
}

TEST_F(Reuse, ResumesExactlyWithFrozenParameters) {
  done(train("old", "transformer", "whole", frozen_options + Args{"--steps", "20"}));
  const auto whole = tensors("whole");
  for (const int first : {1, 7, 12}) {
    const std::string out = fmt::format("half{}", first);
    done(train("old", "transformer", out, frozen_options + Args{"--steps", std::to_string(first)}));
    std::filesystem::rename(folder.path("a"), folder.path("gone"));  // it is not needed again
    const Ran resumed = done({"train", "--resume", "--out", out, "--steps", "20"});
    std::filesystem::rename(folder.path("gone"), folder.path("a"));
    EXPECT_EQ(resumed.err.find("init      "), std::string::npos) << resumed.err;
    EXPECT_NE(resumed.err.find("frozen    "), std::string::npos) << resumed.err;
    const auto halves = tensors(out);
    ASSERT_EQ(whole.size(), halves.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      EXPECT_EQ(whole[i].name, halves[i].name);
      EXPECT_EQ(whole[i].tensor.to_vector(), halves[i].tensor.to_vector())
          << "from step " << first << ": " << whole[i].name;
    }
  }
}

TEST_F(Reuse, LoadsTheWeightsAgainWhereARunHasNoCheckpointYet) {
  done(train("old", "transformer", "whole", frozen_options + Args{"--steps", "20"}));
  done(train("old", "transformer", "early", frozen_options + Args{"--steps", "20"}));
  std::filesystem::remove_all(folder.path("early/checkpoints"));
  std::filesystem::remove(folder.path("early/metrics.jsonl"));
  const Ran again = done({"train", "--resume", "--out", "early"});
  EXPECT_NE(again.err.find("init      "), std::string::npos) << again.err;
  EXPECT_EQ(same(tensors("whole"), tensors("early")).size(), tensors("whole").size());
}

struct RefusedRow {
  Args args;
  std::vector<std::string> parts;  // of the error
};

/// A new run "b" with these options.
Args from(const Args& options) {
  return train("old", "transformer", "b", Args{"--steps", "1"} + options);
}

Args resume(const Args& options) { return Args{"train", "--resume", "--out", "a"} + options; }

/// Expects one line of error from each command, and that no file changes.
void expect_refused(const TemporaryFolder& folder, const std::vector<RefusedRow>& rows) {
  const auto before = contents(folder);
  for (const RefusedRow& row : rows) {
    const std::string what = fmt::format("heed {}", fmt::join(row.args, " "));
    const Ran ran = run(folder, row.args);
    EXPECT_EQ(ran.code, 1) << what << ": " << ran.err;
    EXPECT_EQ(ran.out, "") << what;
    EXPECT_TRUE(ran.err.starts_with("heed: error: ")) << what << ": " << ran.err;
    EXPECT_EQ(lines_of(ran.err).size(), 1u) << what << ": " << ran.err;
    for (const std::string& part : row.parts)
      EXPECT_NE(ran.err.find(part), std::string::npos)
          << what << ": expected '" << part << "' in " << ran.err;
    EXPECT_TRUE(contents(folder) == before) << what << " changed a file";
  }
}

TEST_F(Reuse, RefusesSourcesAndPatternsThatAreNone) {
  std::filesystem::create_directory(folder.path("empty"));
  std::filesystem::copy(folder.path("a"), folder.path("bare"),
                        std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(folder.path("bare/checkpoints"));
  Checkpoint other;
  other.tensors = {{"something", Tensor({1}, {1})}};
  save(other, folder.path("other.heed"));
  const std::string bytes = read_file(folder.path("a/checkpoints/best.heed"));
  folder.write("cut.heed", bytes.substr(0, bytes.size() / 2));
  expect_refused(
      folder,
      {
          {from({"--init", "nowhere"}),
           {"nowhere: no such file or folder", "a run's folder, a .heed checkpoint"}},
          {from({"--init", "empty"}), {"not a run: it holds no config.toml"}},
          {from({"--init", "bare"}), {"bare: no checkpoint yet", "give another --init"}},
          {from({"--init", "old.src"}), {"old.src", "is not a Heed checkpoint"}},
          {from({"--init", "cut.heed"}), {"cut.heed: truncated"}},
          {from({"--init", "other.heed"}), {"other.heed: holds no parameters of a model"}},
          {from({"--init-only", "encoder*"}),
           {"train.init_only chooses what train.init loads; give --init too"}},
          {from({"--set", "train.init_only=encoder*"}), {"give --init too"}},
          {from({"--init", "a", "--init-only", "encodr.*"}),
           {"train.init_only encodr.*: no parameter of this model matches; did you mean "
            "'encoder.*'?"}},
          {from({"--init", "a", "--init-only", "encoder*", "!embeding*"}),
           {"train.init_only !embeding*", "did you mean '!embedding.*'?"}},
          {from({"--init", "a", "--init-only", "frobnicate"}),
           {"train.init_only frobnicate",
            "the names begin with embedding, encoder, encoder_norm, decoder, decoder_norm"}},
          {from({"--init", "a", "--init-only", "encoder*", "--init-only", "!*"}),
           {"train.init_only chooses nothing"}},
          {from({"--init", "a", "--init-only", ""}), {"train.init_only: an empty pattern"}},
          {from({"--freeze", "*"}), {"train.freeze leaves nothing to train"}},
          {from({"--freeze", "!"}), {"train.freeze: an empty pattern"}},
          {from({"--freeze", "encoder*", "!encoder*"}), {"train.freeze chooses nothing"}},
          {from({"--freeze", "*.wieght"}),
           {"train.freeze *.wieght: no parameter of this model matches; did you mean '*.weight'?"}},
          {from({"--set", "optim.rates=*=2,*.wieght=3"}),
           {"optim.rates *.wieght: no parameter of this model matches; did you mean '*.weight'?"}},
          {from({"--set", "optim.rates=*.weight"}),
           {"optim.rates: expected PATTERN=FACTOR, such as embedding*=0.1"}},
          {from({"--set", "optim.name=muon", "--set", "optim.hidden=!frobnicate"}),
           {"optim.hidden !frobnicate: no parameter of this model matches",
            "the names begin with embedding, encoder, encoder_norm, decoder, decoder_norm"}},
      });
}

TEST_F(Reuse, RefusesWeightsThatDoNotFit) {
  done(train("old", "rnn+dot", "rnn", {"--steps", "1"}));
  done(train("old", "transformer", "wide",
             {"--steps", "1", "--set", "model.d=24", "--set", "model.layers=2"}));
  expect_refused(
      folder,
      {
          {from({"--init", "wide"}),
           {"wide/checkpoints/best.heed: does not fit the model: of another shape: "
            "embedding.weight is "
            "(12, 24) and should be (12, 16), encoder.0.attention",
            " more; it has nothing for this model\n"}},
          {from({"--init", "rnn"}),
           {"rnn/checkpoints/best.heed: does not fit the model: missing: encoder.0.",
            " more; leave them out with train.init_only =",
            " '!encoder.*' '!encoder_norm.*' '!decoder.*' '!decoder_norm.*'"}},
          {from({"--init", "a", "--set", "model.layers=2"}),
           {"missing: encoder.1.attention",
            " more; leave them out with train.init_only = '!encoder.1.*' '!decoder.1.*'\n"}},
          {from({"--init", "a", "--set", "model.ff=8", "--init-only", "encoder*"}),
           {"of another shape: encoder.0.feed_forward.up.weight is (64, 16) and should be (8, 16), "
            "encoder.0.feed_forward.up.bias is (64,) and should be (8,), "
            "encoder.0.feed_forward.down.weight is (16, 64) and should be (16, 8); leave them out "
            "by "
            "adding to --init-only: "
            "'!encoder.0.feed_forward.up.*' '!encoder.0.feed_forward.down.weight'"}},
      });
}

TEST_F(Reuse, RefusesToChangeWhatARunBeganWith) {
  expect_refused(
      folder, {
                  {resume({"--init", "wide"}),
                   {"train.init cannot change; start a new run with another --out"}},
                  {resume({"--init-only", "encoder*"}), {"train.init_only cannot change"}},
                  {resume({"--freeze", "encoder*"}), {"train.freeze cannot change"}},
                  {resume({"--set", "train.freeze=encoder*"}), {"train.freeze cannot change"}},
                  {{"compare", "--train", "old.src", "old.tgt", "--models", "rnn,conv", "--steps",
                    "1", "--out", "comparison", "--set", "rnn:train.init=a"},
                   {"--set rnn:train.init=a: the models of a comparison start afresh",
                    "weights are reused in single trainings alone"}},
                  {{"compare", "--train", "old.src", "old.tgt", "--models", "rnn,conv", "--steps",
                    "1", "--out", "comparison", "--set", "train.freeze=encoder*"},
                   {"--set train.freeze=encoder*: the models of a comparison start afresh"}},
              });
  // The same settings again are no change.
  EXPECT_EQ(run(folder, resume({"--set", "train.init="})).code, 0);
}

}  // namespace
}  // namespace heed
