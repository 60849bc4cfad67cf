// A run is opened only with the settings and tokenizers that its checkpoint was trained with, and
// is evaluated on the right text.

#include <cmath>
#include <functional>

#include <nlohmann/json.hpp>

#include "framework/checkpoint.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

const Args small = {"--threads", "1",
                    "--set",     "model.d=16",
                    "--set",     "model.layers=1",
                    "--set",     "model.heads=2",
                    "--set",     "data.min_count=1",
                    "--set",     "optim.warmup=2",
                    "--set",     "train.save_every=0"};

std::string times(int count, const std::string& line) {
  std::string text;
  for (int i = 0; i < count; ++i)
    text += line + "\n";
  return text;
}

std::string pairs_run(const TemporaryFolder& folder, const std::string& out,
                      const Args& more = {}) {
  folder.write("s", times(40, "red cat blue") + times(10, "a dog"));
  folder.write("t", times(40, "RED CAT BLUE") + times(10, "A DOG"));
  const Ran ran = run(folder, Args{"train", "--train", "s", "t", "--model", "transformer",
                                   "--steps", "3", "--out", out} +
                                  small + more);
  EXPECT_EQ(ran.code, 0) << ran.err;
  return out;
}

/// Replaces the lines of a setting; removes them where `line` is empty.
void replace_line(const std::string& path, const std::string& key, const std::string& line) {
  std::string changed;
  for (const std::string& old : lines_of(read_file(path))) {
    const std::string& now = old.starts_with(key + " = ") ? line : old;
    if (!now.empty() || old.empty()) changed += now + "\n";
  }
  std::ofstream(path) << changed;
}

void copy_run(const TemporaryFolder& folder, const std::string& from, const std::string& to) {
  fs::remove_all(folder.path(to));
  fs::copy(folder.path(from), folder.path(to), fs::copy_options::recursive);
}

/// Each way of opening a run of pairs.
const std::vector<Args>& openers() {
  static const std::vector<Args> all{
      {"translate", "--run", "e"},
      {"summarize", "--run", "e"},
      {"translate", "--run", "e", "--checkpoint", "last"},
      {"translate", "--run", "e", "--attention", "a.html"},
      {"evaluate", "--run", "e", "--data", "s", "t"},
      {"export", "--run", "e", "--out", "e.safetensors"},
      {"train", "--resume", "--steps", "4", "--threads", "1", "--out", "e"}};
  return all;
}

/// Expects one line of error with all of `parts` in it.
void expect_refused(const Ran& ran, const std::vector<std::string>& parts,
                    const std::string& what) {
  EXPECT_EQ(ran.code, 1) << what << ": " << ran.err;
  EXPECT_EQ(ran.out, "") << what;
  EXPECT_EQ(lines_of(ran.err).size(), 1u) << what << ": " << ran.err;
  for (const std::string& part : parts)
    EXPECT_NE(ran.err.find(part), std::string::npos)
        << what << ": expected '" << part << "' in " << ran.err;
}

TEST(OpenedRun, HasTheSettingsOfItsCheckpoint) {
  const TemporaryFolder folder;
  pairs_run(folder, "run");
  const struct {
    const char* key;
    const char* line;
    std::vector<std::string> parts;  // of the error; none: it may change
  } rows[] = {
      {"norm",
       "norm = 'post'",
       {"e/config.toml", "model.norm = 'post' (was 'pre')", "set it back"}},
      {"heads", "heads = 8", {"model.heads = 8 (was 2)"}},
      {"heads", "", {"model.heads = 4 (was 2)"}},
      {"d", "d = 32", {"model.d = 32 (was 16)"}},
      {"layers", "layers = 2", {"model.layers = 2 (was 1)"}},
      {"lr", "lr = 0.5", {"optim.lr = 0.5 (was 0.002)"}},
      {"label_smoothing", "label_smoothing = 0.0", {"train.label_smoothing = 0.0 (was 0.1)"}},
      {"tokenizer", "tokenizer = 'characters'", {"data.tokenizer = 'characters' (was 'words')"}},
      {"name", "name = 'adamw'", {"model.name"}},
      {"batch_tokens", "batch_tokens = 64", {"data.batch_tokens = 64 (was 2048)"}},
      {"valid", "valid = ['s', 't']", {"data.valid = ['", " (was [])"}},
      {"beam", "beam = 2", {}},
      {"log_every", "log_every = 1", {}},
      {"keep", "keep = 1", {}},
      {"steps", "steps = 9", {}},
  };
  for (const auto& row : rows)
    for (const Args& opener : openers()) {
      copy_run(folder, "run", "e");
      replace_line(folder.path("e/config.toml"), row.key, row.line);
      const Ran ran = run(folder, opener, "red cat\n");
      const std::string what = fmt::format("{}: heed {}", row.line, fmt::join(opener, " "));
      if (row.parts.empty())
        EXPECT_EQ(ran.code, 0) << what << ": " << ran.err;
      else if (std::string(row.key) != "name")
        expect_refused(ran, row.parts, what);
      else
        EXPECT_EQ(ran.code, 1) << what;  // two sections have such a key
    }
}

TEST(OpenedRun, SaysEverySettingThatDiffers) {
  const TemporaryFolder folder;
  pairs_run(folder, "e");
  replace_line(folder.path("e/config.toml"), "heads", "heads = 4");
  replace_line(folder.path("e/config.toml"), "seed", "seed = 2");
  expect_refused(run(folder, {"translate", "--run", "e"}, "red\n"),
                 {"model.heads = 4 (was 2), train.seed = 2 (was 1); set them back"}, "two");
  // `heed inspect` shows what the checkpoint holds, with a warning.
  const Ran shown = run(folder, {"inspect", "e"});
  EXPECT_EQ(shown.code, 0);
  EXPECT_NE(shown.err.find("heed: warning: e/config.toml: is not what this run was trained with: "
                           "model.heads = 4 (was 2)"),
            std::string::npos)
      << shown.err;
  EXPECT_NE(shown.out.find("model.heads = 2 "), std::string::npos) << shown.out;
  EXPECT_EQ(run(folder, {"inspect", "e/checkpoints/last.heed"}).err, "")
      << "a checkpoint file without its run";
}

/// Changes the JSON of a tokenizer's file.
void edit_json(const std::string& path, const std::function<void(nlohmann::json&)>& edit) {
  nlohmann::json json = nlohmann::json::parse(read_file(path));
  edit(json);
  std::ofstream(path) << json.dump(1) << '\n';
}

struct TokenizerRow {
  const char* name;
  Args settings;
  const char* file;
  std::function<void(nlohmann::json&)> change;
};

const std::vector<TokenizerRow> tokenizer_rows = {
    {"words",
     {},
     "tokenizer.json",
     [](nlohmann::json& json) { std::swap(json["tokens"][0], json["tokens"][1]); }},
    {"words of each side",
     {"--set", "data.joint_vocabulary=false"},
     "tokenizer.target.json",
     [](nlohmann::json& json) { json["tokens"][1] = "other"; }},
    {"characters",
     {"--set", "data.tokenizer=characters"},
     "tokenizer.json",
     [](nlohmann::json& json) {
       json["tokens"].erase(0);
       json["size"] = json["size"].get<int>() - 1;
     }},
};

TEST(OpenedRun, HasTheTokenizersOfItsCheckpoint) {
  const TemporaryFolder folder;
  for (const TokenizerRow& row : tokenizer_rows) {
    copy_run(folder, pairs_run(folder, fmt::format("run of {}", row.name), row.settings), "e");
    const auto init = [&] {
      return run(folder, Args{"train", "--train", "s", "t", "--model", "transformer", "--steps",
                              "1", "--init", "e", "--out", "new"} +
                             small + row.settings);
    };
    EXPECT_EQ(init().code, 0) << row.name;
    fs::remove_all(folder.path("new"));
    edit_json(folder.path(fmt::format("e/{}", row.file)), row.change);
    const std::vector<std::string> parts{
        "e: the tokenizer here is not the one this run was trained with",
        fmt::format("({})", row.file), "copy it again"};
    for (const Args& opener : openers()) {
      const std::string what = fmt::format("{}: heed {}", row.name, fmt::join(opener, " "));
      expect_refused(run(folder, opener, "red cat\n"), parts, what);
    }
    const Ran begun = init();
    EXPECT_EQ(begun.code, 1) << row.name;
    EXPECT_NE(begun.err.find(parts[0]), std::string::npos) << begun.err;
    const Ran shown = run(folder, {"inspect", "e"});
    EXPECT_EQ(shown.code, 0);
    EXPECT_NE(shown.err.find("heed: warning: " + parts[0]), std::string::npos) << shown.err;
  }
}

TEST(OpenedRun, OfAnOlderVersionIsNotChecked) {
  const TemporaryFolder folder;
  pairs_run(folder, "e");
  for (const char* name : {"e/checkpoints/best.heed", "e/checkpoints/last.heed"}) {
    Checkpoint checkpoint = load(folder.path(name));
    checkpoint.text.clear();  // as they were before they said what they were trained with
    fs::remove(folder.path(name));
    save(checkpoint, folder.path(name));
  }
  replace_line(folder.path("e/config.toml"), "heads", "heads = 4");
  for (const Args& opener : openers())
    EXPECT_EQ(run(folder, opener, "red cat\n").code, 0)
        << fmt::format("{}", fmt::join(opener, " "));
}

TEST(OpenedRun, ThatWasImportedKnowsItsSettingsAndTokenizer) {
  const TemporaryFolder folder;
  pairs_run(folder, "run");
  ASSERT_EQ(run(folder, {"export", "--run", "run", "--out", "x.safetensors"}).code, 0);
  ASSERT_EQ(run(folder, {"import", "x.safetensors", "--out", "e"}).code, 0);
  EXPECT_EQ(run(folder, {"translate", "--run", "e"}, "red\n").code, 0);
  nlohmann::json json = nlohmann::json::parse(read_file(folder.path("e/tokenizer.json")));
  std::swap(json["tokens"][0], json["tokens"][1]);
  std::ofstream(folder.path("e/tokenizer.json")) << json.dump(1) << '\n';
  expect_refused(run(folder, {"translate", "--run", "e"}, "red\n"), {"the tokenizer here is not"},
                 "imported");
}

Ran train_text(const TemporaryFolder& folder, const std::string& out, const Args& more = {}) {
  return run(folder,
             Args{"train", "--train", "lm.txt", "--model", "lm", "--steps", "3", "--out", out} +
                 small + more);
}

TEST(OpenedRun, OfALanguageModelIsEvaluatedOnItsOwnText) {
  const TemporaryFolder folder;
  const std::string text = times(120, "the cat sings and the dog runs");
  folder.write("lm.txt", text);
  folder.write("v.txt", times(9, "the dog sings"));
  ASSERT_EQ(train_text(folder, "held").code, 0);
  ASSERT_EQ(train_text(folder, "valid", {"--valid", "v.txt"}).code, 0);
  const auto evaluate = [&](const Args& args) {
    return run(folder, Args{"evaluate", "--run"} + args);
  };
  const std::string before = evaluate({"valid"}).out;
  EXPECT_EQ(evaluate({"held"}).code, 0);
  const char* changed = "lm.txt: has changed since this run began";
  for (const std::string& other : {text + "more\n", text.substr(2), std::string("x")}) {
    folder.write("lm.txt", other);
    expect_refused(evaluate({"held"}), {changed, "or name another text to evaluate on"},
                   "held out");
    EXPECT_EQ(evaluate({"held", "--data", "v.txt"}).code, 0);
    EXPECT_EQ(evaluate({"valid"}).out, before) << "it is evaluated on another file";
  }
  folder.write("lm.txt", text);
  folder.write("v.txt", times(9, "the cat sings"));
  EXPECT_EQ(evaluate({"held"}).code, 0);
  expect_refused(evaluate({"valid"}), {"v.txt: has changed since this run began"}, "valid");
}

TEST(OpenedRun, CountsTheCharactersThatArePredicted) {
  const TemporaryFolder folder;
  const std::string english = times(60, "the cat sings and the dog runs");
  folder.write("lm.txt", english);
  const std::string russian = times(5, "красный кот и синяя собака");
  const std::string mixed = times(5, "the кот, (собака) ￭ and  two blanks");
  const std::size_t five_russian = 5 * 27;
  const std::size_t five_mixed = 5 * 36;
  const struct {
    const char* tokenizer;
    const std::string& text;
    std::size_t characters;
  } rows[] = {{"characters", russian, five_russian - 1},
              {"characters", mixed, five_mixed - 1},
              {"words", russian, five_russian - 7},
              {"words", mixed, five_mixed - 3},
              {"bpe", russian, five_russian}};
  for (const char* tokenizer : {"characters", "words", "bpe"}) {
    const std::string setting = std::string("data.tokenizer=") + tokenizer;
    const Ran ran = train_text(folder, tokenizer, {"--set", setting, "--set", "model.context=8"});
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  for (const auto& row : rows) {
    folder.write("other.txt", row.text);
    const Ran ran =
        run(folder, {"evaluate", "--run", row.tokenizer, "--data", "other.txt", "--json"});
    ASSERT_EQ(ran.code, 0) << ran.err;
    const nlohmann::json report = nlohmann::json::parse(ran.out);
    const double nats = report["loss"].get<double>() * report["tokens"].get<double>();
    EXPECT_NEAR(nats / std::log(report["perplexity_per_character"].get<double>()),
                static_cast<double>(row.characters), 1e-3)
        << row.tokenizer << ": " << row.text;
  }
}

TEST(OpenedRun, CountsTheCharactersOfItsOwnValidationPart) {
  const TemporaryFolder folder;
  folder.write("lm.txt", times(60, "the cat sings and the dog runs"));  // 60 times 31 characters
  const Ran trained =
      train_text(folder, "run", {"--set", "data.tokenizer=words", "--set", "model.context=8"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  // There are 60 lines of 8 tokens, of which one is the newline. The last tenth is 6 lines.
  const nlohmann::json report =
      nlohmann::json::parse(run(folder, {"evaluate", "--run", "run", "--json"}).out);
  EXPECT_EQ(report["tokens"].get<int>(), 6 * 8 - 1);
  const double nats = report["loss"].get<double>() * report["tokens"].get<double>();
  EXPECT_NEAR(nats / std::log(report["perplexity_per_character"].get<double>()), 6 * 31 - 3, 1e-3);
}

TEST(OpenedRun, CountsTheCharactersOfReferencesThatAreCut) {
  const TemporaryFolder folder;
  folder.write("s", times(40, "a b"));
  folder.write("t", times(40, "c d"));
  const Ran trained = run(folder, Args{"train", "--train", "s", "t", "--model", "conv", "--steps",
                                       "2", "--out", "run", "--set", "model.positions=6"} +
                                      small);
  ASSERT_EQ(trained.code, 0) << trained.err;
  folder.write("long", "a b a b a b a b\n");
  folder.write("reference", "собака d c d c dd\n");
  const nlohmann::json report =
      nlohmann::json::parse(run(folder, {"evaluate", "--run", "run", "--data", "long", "reference",
                                         "--beam", "1", "--json"})
                                .out);
  // Six positions are five tokens, собака d c d c of 14 characters, and the end of the line.
  const double ratio = std::log(report["perplexity"].get<double>()) /
                       std::log(report["perplexity_per_character"].get<double>());
  EXPECT_NEAR(ratio, 15.0 / 6, 1e-6);
}

TEST(OpenedRun, TrainsToThePerplexityItIsValidatedBy) {
  const TemporaryFolder folder;
  folder.write("s", times(60, "a b c"));
  folder.write("t", times(60, "x y z"));
  for (const char* accumulate : {"1", "2"})
    for (const char* smoothing : {"0", "0.1", "0.5"}) {
      const std::string out = fmt::format("run-{}-{}", accumulate, smoothing);
      Args args = Args{"train",   "--train",     "s",       "t", "--valid", "s", "t",
                       "--model", "transformer", "--steps", "4", "--out",   out} +
                  small;
      // The rate is 0, so that every step and the validation have one loss.
      for (const std::string& setting :
           {std::string("model.dropout=0"), std::string("optim.lr=0"),
            std::string("train.log_every=4"), std::string("optim.accumulate=") + accumulate,
            std::string("train.label_smoothing=") + smoothing})
        args.insert(args.end(), {"--set", setting});
      const Ran ran = run(folder, args);
      ASSERT_EQ(ran.code, 0) << ran.err;
      std::map<std::string, nlohmann::json> rows;
      for (const std::string& line : lines_of(read_file(folder.path(out + "/metrics.jsonl")))) {
        const nlohmann::json row = nlohmann::json::parse(line);
        rows[row["split"].get<std::string>()] = row;
      }
      for (const char* column : {"loss", "perplexity"})
        EXPECT_NEAR(rows["train"][column].get<double>(), rows["valid"][column].get<double>(), 1e-4)
            << out << ": " << column;
      const bool smoothed = std::string(smoothing) != "0";
      const double apart =
          std::abs(rows["train"]["objective"].get<double>() - rows["train"]["loss"].get<double>());
      EXPECT_EQ(apart > 1e-6, smoothed) << out;
      const std::string shown =
          fmt::format("step 4/4  loss {:.4f}  ppl {:.2f}  ", rows["train"]["loss"].get<double>(),
                      rows["train"]["perplexity"].get<double>());
      EXPECT_NE(ran.err.find(shown), std::string::npos) << shown << " in " << ran.err;
    }
}

TEST(OpenedRun, ShowsASummaryWhenInspected) {
  const TemporaryFolder folder;
  pairs_run(folder, "run");
  const Ran ran = run(folder, {"inspect", "run"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "");
  std::size_t at = 0;
  for (const char* part :
       {"run/checkpoints/", "model                transformer", "step                 3",
        "best loss            ", "parameters           ", "data.train = ['", "model.d = 16",
        "default 128", "embedding.weight", "total "}) {
    const std::size_t found = ran.out.find(part, at);
    ASSERT_NE(found, std::string::npos) << part << " in its order in " << ran.out;
    at = found;
  }
  for (const char* internal : {"watch", "row_loss", "# Every setting"}) {
    EXPECT_EQ(ran.out.find(internal), std::string::npos) << internal;
    EXPECT_NE(run(folder, {"inspect", "run", "--all"}).out.find(internal), std::string::npos)
        << internal;
  }
  const nlohmann::json json = nlohmann::json::parse(run(folder, {"inspect", "run", "--json"}).out);
  EXPECT_EQ(json["step"], 3);
  EXPECT_EQ(json["settings"]["model.d"], 16);
  EXPECT_EQ(json["settings"].contains("model.kernel"), false);
  EXPECT_TRUE(json["best_loss"].is_number());
  EXPECT_GT(json["parameters"].get<int>(), 1000);
}

}  // namespace
}  // namespace heed
