// `heed export` and `heed import`: an exported run is imported unchanged, and a file that does not
// fit is refused before anything is written.

#include <algorithm>
#include <bit>
#include <limits>

#include "framework/safetensors.h"
#include "tests/cli/program.h"

namespace heed {
namespace {

const Args tiny{"train",
                "--threads",
                "1",
                "--steps",
                "2",
                "--set",
                "model.d=16",
                "--set",
                "model.layers=1",
                "--set",
                "model.heads=2",
                "--set",
                "data.batch_tokens=128"};

void train(const TemporaryFolder& folder, const std::string& name, const Args& more) {
  const Ran ran = run(folder, tiny + Args{"--out", name} + more);
  ASSERT_EQ(ran.code, 0) << ran.err;
}

std::string bytes(const TemporaryFolder& folder, const std::string& name) {
  return read_file(folder.path(name));
}

void write_corpus(const TemporaryFolder& folder) {
  std::string en;
  std::string fr;
  for (int i = 0; i < 40; ++i) {
    en += "the cat sleeps.\nthe dogs are sleeping!\na cat's 2 dogs\n";
    fr += "le chat dort.\nles chiens dorment !\nles 2 chiens\n";
  }
  folder.write("t.en", en);
  folder.write("t.fr", fr);
}

struct ExportedRow {
  std::string name;
  Args more;
  std::string input;  // none: a model that does not translate
};

const std::vector<ExportedRow> exported_rows = {
    {"words", {"--train", "toy:dates", "--model", "transformer"}, "April 5, 1994\n"},
    {"conv",
     {"--train", "t.en", "t.fr", "--model", "conv", "--set", "data.joint_vocabulary=false", "--set",
      "data.tokenizer=unigram"},
     "the cat sleeps.\n"},
    {"bpe",
     {"--train", "t.en", "t.fr", "--model", "rnn+additive", "--set", "data.tokenizer=bpe"},
     "the dogs\n"},
    {"lm", {"--train", "t.en", "--model", "lm", "--set", "model.context=16"}, ""},
};

TEST(Export, IsImportedUnchanged) {
  const TemporaryFolder folder;
  write_corpus(folder);
  for (const ExportedRow& row : exported_rows) {
    train(folder, row.name, row.more);
    const std::string first = row.name + ".safetensors";
    const std::string second = row.name + "-2.safetensors";
    const std::string again = row.name + "-again";
    const Ran exported = run(folder, {"export", "--run", row.name, "--out", first});
    ASSERT_EQ(exported.code, 0) << exported.err;
    EXPECT_EQ(exported.out, "");
    const Ran imported = run(folder, {"import", first, "--out", again});
    ASSERT_EQ(imported.code, 0) << imported.err;
    EXPECT_EQ(imported.out, "");
    EXPECT_FALSE(std::filesystem::exists(folder.path(again + ".partial")));
    const Ran re_exported = run(folder, {"export", "--run", again, "--out", second});
    ASSERT_EQ(re_exported.code, 0) << re_exported.err;
    EXPECT_TRUE(bytes(folder, first) == bytes(folder, second)) << row.name;
    if (row.input.empty()) continue;
    const Ran before = run(folder, {"translate", "--run", row.name}, row.input);
    const Ran after = run(folder, {"translate", "--run", again}, row.input);
    EXPECT_EQ(after.code, 0) << after.err;
    EXPECT_EQ(after.out, before.out);
  }
}

/// Trains "words", and exports it to words.safetensors.
void export_words(const TemporaryFolder& folder) {
  train(folder, "words", {"--train", "toy:dates", "--model", "transformer"});
  ASSERT_EQ(run(folder, {"export", "--run", "words", "--out", "words.safetensors"}).code, 0);
}

TEST(Export, IsARunLikeAnyOtherOnceImported) {
  const TemporaryFolder folder;
  export_words(folder);
  ASSERT_EQ(run(folder, {"import", "words.safetensors", "--out", "words-again"}).code, 0);
  EXPECT_NE(run(folder, {"inspect", "words-again"}).out.find("embedding.weight"),
            std::string::npos);
  EXPECT_EQ(run(folder, {"evaluate", "--run", "words-again", "--data", "toy:dates"}).out,
            run(folder, {"evaluate", "--run", "words", "--data", "toy:dates"}).out);
  // An empty folder, with the slash that a shell appends.
  std::filesystem::create_directory(folder.path("there"));
  EXPECT_EQ(run(folder, {"import", "words.safetensors", "--out", "there/"}).code, 0);
  EXPECT_EQ(run(folder, {"translate", "--run", "there"}, "May 1, 2001\n").code, 0);
}

TEST(Export, RefusesToReplaceOrToResume) {
  const TemporaryFolder folder;
  export_words(folder);
  ASSERT_EQ(run(folder, {"import", "words.safetensors", "--out", "there"}).code, 0);
  const Ran twice = run(folder, {"import", "words.safetensors", "--out", "there"});
  EXPECT_EQ(twice.code, 1);
  EXPECT_EQ(twice.err, "heed: error: there: holds something already; give a new folder\n");
  const Ran resumed = run(folder, {"train", "--resume", "--out", "there"});
  EXPECT_EQ(resumed.code, 1);
  EXPECT_EQ(resumed.err,
            "heed: error: there: was imported, and holds weights without what else a training "
            "needs to go on; begin a new run in another folder with train.init = there (--init "
            "begins with its weights)\n");
  EXPECT_EQ(run(folder, {"export", "--run", "words", "--out", "there"}).err,
            "heed: error: there: is a folder; expected a file\n");
}

TEST(Export, TakesANamedCheckpoint) {
  const TemporaryFolder folder;
  export_words(folder);
  EXPECT_EQ(
      run(folder, {"export", "--run", "words", "--checkpoint", "last", "--out", "last.safetensors"})
          .code,
      0);
  const Ran none =
      run(folder, {"export", "--run", "words", "--checkpoint", "lost", "--out", "no.safetensors"});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("lost"), std::string::npos) << none.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path("no.safetensors")));
}

/// Trains "run" and "other", and exports "run" to good.safetensors.
void export_run(const TemporaryFolder& folder) {
  train(folder, "run", {"--train", "toy:dates", "--model", "transformer"});
  train(folder, "other", {"--train", "toy:sort", "--model", "rnn"});
  ASSERT_EQ(run(folder, {"export", "--run", "run", "--out", "good.safetensors"}).code, 0);
}

Safetensors load_good(const TemporaryFolder& folder) {
  return load_safetensors(folder.path("good.safetensors"));
}

NamedTensor& named(Safetensors& s, const std::string& name) {
  const auto has_name = [&](const NamedTensor& x) { return x.name == name; };
  return *std::find_if(s.tensors.begin(), s.tensors.end(), has_name);
}

void replace(Safetensors& s, const std::string& key, const std::string& from,
             const std::string& to) {
  std::string& text = s.metadata.at(key);
  ASSERT_NE(text.find(from), std::string::npos) << from;
  text.replace(text.find(from), from.size(), to);
}

const std::string config = "heed.config.toml";
const std::string tokenizer = "heed.tokenizer.json";

/// A change to an exported file, and a part of the line that `heed import` prints then.
struct ChangedRow {
  std::string what;
  std::function<void(Safetensors&)> change;
  std::string message;
};

const std::vector<ChangedRow> changed_rows = {
    {"several names",
     [](Safetensors& s) {
       named(s, "encoder_norm.bias").name = "encoder_norm.offset";
       Tensor& x = named(s, "decoder_norm.gain").tensor;
       x = x.reshape({4, 4});
     },
     "m: does not fit the model of its configuration: missing: encoder_norm.bias; of another "
     "shape: decoder_norm.gain is (4, 4) and should be (16,); not expected: encoder_norm.offset"},
    {"no tensors", [](Safetensors& s) { s.tensors.clear(); }, "missing: embedding.weight, "},
    {"no metadata", [](Safetensors& s) { s.metadata.clear(); },
     "m: its metadata holds no config.toml; was it saved elsewhere? name a run"},
    {"no tokenizer", [](Safetensors& s) { s.metadata.erase(tokenizer); },
     "m: tokenizer.json is missing; "},
    {"no TOML", [](Safetensors& s) { s.metadata[config] = "\n{{{"; }, "m/config.toml:2: "},
    {"NULs", [](Safetensors& s) { s.metadata[config] = std::string("a\0b", 3); }, "m/config.toml"},
    {"an unknown setting", [](Safetensors& s) { replace(s, config, "heads = ", "haeds = "); },
     "m/config.toml:"},
    {"a setting out of range", [](Safetensors& s) { replace(s, config, "d = 16", "d = 17"); },
     ": model.d: expected an even number from 2 to 1048576; got 17"},
    {"another width", [](Safetensors& s) { replace(s, config, "d = 16", "d = 18"); },
     "of another shape: embedding.weight is ("},
    {"a giant",
     [](Safetensors& s) {
       replace(s, config, "d = 16", "d = 1048576");
       replace(s, config, "layers = 1", "layers = 1000");
     },
     "m: its configuration describes a model of more parameters than the "},
    {"a tokenizer that lies",
     [](Safetensors& s) { replace(s, tokenizer, "\"size\": ", "\"size\": 1"); },
     "m/tokenizer.json: is a damaged tokenizer (it says "},
    {"no JSON", [](Safetensors& s) { s.metadata[tokenizer] = "{"; }, "m/tokenizer.json:1: "},
    {"half a byte", [](Safetensors& s) { s.metadata["heed.tokenizer.model"] = "0"; },
     "m: its metadata heed.tokenizer.model has an odd number of hexadecimal digits"},
    {"no digits", [](Safetensors& s) { s.metadata["heed.tokenizer.model"] = "0g"; },
     "m: its metadata heed.tokenizer.model is not written in hexadecimal digits"},
};

/// Imports "m" with a change, and expects one line and no new file.
void expect_import_refused(const TemporaryFolder& folder, Safetensors changed,
                           const ChangedRow& row) {
  row.change(changed);
  save_safetensors(folder.path("m"), changed.tensors, changed.metadata);
  const Ran ran = run(folder, {"import", "m", "--out", "new"});
  EXPECT_EQ(ran.code, 1) << row.what;
  EXPECT_TRUE(ran.err.starts_with("heed: error: m")) << row.what << ": " << ran.err;
  EXPECT_NE(ran.err.find(row.message), std::string::npos) << row.what << ": " << ran.err;
  EXPECT_EQ(lines_of(ran.err).size(), 1u) << row.what << ": " << ran.err;
  EXPECT_FALSE(std::filesystem::exists(folder.path("new"))) << row.what;
  EXPECT_FALSE(std::filesystem::exists(folder.path("new.partial"))) << row.what;
}

TEST(Import, NamesWhatDoesNotFitBeforeItWrites) {
  const TemporaryFolder folder;
  export_run(folder);
  for (const ChangedRow& row : changed_rows)
    expect_import_refused(folder, load_good(folder), row);
  const std::string other_tokenizer = read_file(folder.path("other/tokenizer.json"));
  expect_import_refused(
      folder, load_good(folder),
      {"another tokenizer", [&](Safetensors& s) { s.metadata[tokenizer] = other_tokenizer; },
       "of another shape: embedding.weight is ("});
}

TEST(Import, RefusesWhatIsNoSafetensorsFile) {
  const TemporaryFolder folder;
  export_run(folder);
  folder.write("m", "PK\3\4");
  EXPECT_EQ(run(folder, {"import", "m", "--out", "new"}).err,
            "heed: error: m: is no valid safetensors file: it has 4 bytes, and its first 8 should "
            "say how long its header is; copy or export it again\n");
  EXPECT_EQ(run(folder, {"import", "run/checkpoints/last.heed", "--out", "new"}).code, 1);
  EXPECT_EQ(run(folder, {"import", "nowhere", "--out", "new"}).code, 1);
}

TEST(Import, TakesTheConfigurationOfAnotherRun) {
  const TemporaryFolder folder;
  export_run(folder);
  // A file of another program has no metadata.
  save_safetensors(folder.path("m"), load_good(folder).tensors, {});
  ASSERT_EQ(run(folder, {"import", "m", "--out", "liked", "--like", "run"}).code, 0);
  EXPECT_EQ(run(folder, {"export", "--run", "liked", "--out", "m2"}).code, 0);
  EXPECT_TRUE(bytes(folder, "m2") == bytes(folder, "good.safetensors"));
  const Ran unlike = run(folder, {"import", "m", "--out", "new", "--like", "other"});
  EXPECT_EQ(unlike.code, 1);
  EXPECT_NE(unlike.err.find("heed: error: m: does not fit the model of other: missing: "),
            std::string::npos)
      << unlike.err;
  EXPECT_EQ(run(folder, {"import", "m", "--out", "new", "--like", "nowhere"}).err,
            "heed: error: nowhere: no such folder; expected the folder of a run\n");
}

TEST(Import, WarnsOfWeightsThatAreNotFinite) {
  const TemporaryFolder folder;
  export_run(folder);
  Safetensors nan = load_good(folder);
  nan.tensors[1].tensor[0] = std::numeric_limits<Real>::quiet_NaN();
  save_safetensors(folder.path("m"), nan.tensors, nan.metadata);
  const Ran warned = run(folder, {"import", "m", "--out", "nan"});
  EXPECT_EQ(warned.code, 0);
  EXPECT_NE(warned.err.find("heed: warning: m: 1 of "), std::string::npos) << warned.err;
  EXPECT_NE(warned.err.find("weights are NaN or infinite, the first in " + nan.tensors[1].name),
            std::string::npos)
      << warned.err;
}

/// A safetensors file with these tensors in bfloat16, and no metadata.
std::string in_bfloat16(const std::vector<NamedTensor>& tensors) {
  std::string header = "{";
  std::string elements;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t begin = elements.size();
    for (const Real x : tensor.span()) {
      const auto bits =
          static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(x)) >> 16);
      elements += static_cast<char>(bits & 0xFF);
      elements += static_cast<char>(bits >> 8);
    }
    header += fmt::format("{}\"{}\":{{\"dtype\":\"BF16\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          header.size() > 1 ? "," : "", name,
                          fmt::join(tensor.shape().begin(), tensor.shape().end(), ","), begin,
                          elements.size());
  }
  header += "}";
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i)
    length[i] = static_cast<char>(header.size() >> (8 * i));
  return length + header + elements;
}

TEST(Import, ConvertsBfloat16AndNotesIt) {
  const TemporaryFolder folder;
  export_run(folder);
  folder.write("m", in_bfloat16(load_good(folder).tensors));
  const Ran half = run(folder, {"import", "m", "--out", "half", "--like", "run"});
  EXPECT_EQ(half.code, 0);
  EXPECT_NE(half.err.find(sizeof(Real) == 4 ? "heed: note: m: holds BF16, which is kept as F32\n"
                                            : "heed: note: m: holds BF16, which is kept as F64\n"),
            std::string::npos)
      << half.err;
  EXPECT_EQ(run(folder, {"translate", "--run", "half"}, "May 1, 2001\n").code, 0);
}

TEST(Import, RemovesOnlyWhatAKilledImportLeft) {
  const TemporaryFolder folder;
  export_run(folder);
  std::filesystem::create_directories(folder.path("new.partial/checkpoints"));
  folder.write("new.partial/tokenizer.json", "cut short");
  folder.write("new.partial/labels.txt", "cut short");
  folder.write("new.partial/letters.txt", "mine");
  EXPECT_EQ(
      run(folder, {"import", "good.safetensors", "--out", "new"}).err,
      fmt::format(
          "heed: error: {}: is in the way, and no import left it: it holds letters.txt; move it\n",
          folder.path("new.partial")));
  EXPECT_EQ(read_file(folder.path("new.partial/letters.txt")), "mine");
  std::filesystem::remove(folder.path("new.partial/letters.txt"));
  EXPECT_EQ(run(folder, {"import", "good.safetensors", "--out", "new"}).code, 0);
  EXPECT_EQ(run(folder, {"translate", "--run", "new"}, "May 1, 2001\n").code, 0);
  EXPECT_FALSE(std::filesystem::exists(folder.path("new.partial")));
}

TEST(Import, ReplacesNothing) {
  const TemporaryFolder folder;
  export_run(folder);
  const std::string inside = folder.path("run/config.toml");
  const std::string before = read_file(inside);
  EXPECT_EQ(run(folder, {"export", "--run", "run", "--out", "run/config.toml"}).err,
            "heed: error: run/config.toml: lies within the run; give a file elsewhere\n");
  std::filesystem::create_symlink("/dev/null", folder.path("link"));
  EXPECT_EQ(run(folder, {"export", "--run", "run", "--out", "link"}).err,
            "heed: error: link: is no plain file, and would be replaced by one; give another "
            "name\n");
  EXPECT_EQ(read_file(inside), before);
  EXPECT_EQ(run(folder, {"import", "good.safetensors", "--out", "good.safetensors"}).err,
            "heed: error: good.safetensors: holds something already; give a new folder\n");
}

}  // namespace
}  // namespace heed
