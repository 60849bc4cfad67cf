// Distillation: whose pairs a student reads, and that interrupting it changes nothing.

#include "experiments/distillation.h"

#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "datasets/text/utf8.h"
#include "experiments/inference/tokenizer_files.h"
#include "experiments/training.h"
#include "tests/datasets/temporary.h"
#include "tests/text_files.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

using Names = std::vector<std::string>;

RequestedSettings small(const std::string& steps = "3") {
  RequestedSettings requested;
  requested.values["model.name"] = std::string("transformer");
  requested.assignments = {
      "model.d=16",       "model.layers=1", "model.heads=2",          "train.steps=" + steps,
      "data.min_count=1", "optim.lr=0.01",  "optim.schedule=constant"};
  return requested;
}

/// Trains a run on DATA.
void train(const std::string& folder, const Names& data, const std::string& steps,
           const Names& more = {}) {
  RequestedSettings requested = small(steps);
  requested.values["data.train"] = data;
  requested.assignments.insert(requested.assignments.end(), more.begin(), more.end());
  std::string warning;
  Training(new_settings(requested, warning), folder).run();
}

/// Sources of two to four letters, and the target that names each letter twice. Line 5 of each
/// twenty is the same as line 4.
struct Letters {
  std::string sources;
  std::string targets;
  explicit Letters(int lines, int from = 0) {
    for (int i = from; i < from + lines; ++i) {
      const int n = i % 20 == 5 ? i - 1 : i;
      for (int digit = n % 997, k = 0; k < 2 + n % 3; ++k, digit = digit / 5 + 7) {
        const char letter = static_cast<char>('a' + digit % 5);
        sources += std::string(k > 0 ? " " : "") + letter;
        targets += fmt::format("{}{} {}", k > 0 ? " " : "", letter, letter);
      }
      sources += '\n';
      targets += '\n';
    }
  }
};

struct Record {
  std::string source;
  std::string target;
  Index line = 0;
};

std::vector<Record> records_of(const fs::path& path) {
  std::vector<Record> records;
  for (const std::string& line : lines_of(read_file(path))) {
    const auto json = nlohmann::json::parse(line);
    records.push_back({json.at("source"), json.at("target"), json.value("line", Index{0})});
  }
  return records;
}

/// A teacher, and a place for students.
struct Distilling : testing::Test {
  TemporaryFolder folder;
  std::string teacher = folder.path("teacher");
  std::string source;
  std::string target;

  void train_on_letters() {
    const Letters letters(600);
    source = folder.write("train.x", letters.sources);
    target = folder.write("train.y", letters.targets);
    train(teacher, {source, target}, "60");
  }
  Distillation distillation(DistillationOptions options = {}, const std::string& out = "student") {
    options.decoding.emplace("beam", Index{3});
    return {teacher, "", options, folder.path(out)};
  }
  fs::path pairs(const std::string& out = "student") const {
    return distilled_path(folder.path(out));
  }
};

TEST_F(Distilling, WritesWhatTheTeacherTranslates) {
  train_on_letters();
  const DistilledLines lines = distillation().write();
  const std::vector<Record> found = records_of(pairs());
  EXPECT_EQ(lines.translated, std::ssize(found));
  EXPECT_EQ(lines.translated + lines.without, 570) << "30 of 600 lines are held out";
  ASSERT_GT(lines.translated, 100);

  Settings settings = read_run_settings(teacher);
  const Corpus corpus = open_corpus(settings, load_tokenizers(teacher));
  const heed::Run run = open_run(teacher);
  DecodeOptions decode = run.decode_options();
  decode.beam = 3;
  std::size_t next = 0;
  for (Index i = 0; i < corpus.train_pairs->size(); ++i) {
    const std::string line = corpus.train_pairs->at(i).source;
    const Translation output = run.translate(line, decode);
    if (!output.ended || output.text.empty()) continue;
    ASSERT_LT(next, found.size());
    EXPECT_EQ(found[next].source, line);
    EXPECT_EQ(found[next].target, output.text);
    EXPECT_EQ(found[next].line, i + 1);
    ++next;
  }
  EXPECT_EQ(next, found.size());
}

TEST_F(Distilling, AStudentIsValidatedAsItsTeacher) {
  train_on_letters();
  train(folder.path("toy"), {"toy:reverse"}, "3");
  for (const char* name : {"teacher", "toy"}) {
    teacher = folder.path(name);
    const std::string student = fmt::format("student of {}", name);
    DistillationOptions options;
    options.lines = 300;
    options.mix = true;  // so that some pair is left of a teacher that has learnt little
    Distillation distilling = distillation(options, student);
    std::string warning;
    distilling.settings(small(), warning);
    distilling.write();
    const Settings settings = distilling.settings(small(), warning);
    Training training(settings, folder.path(student), {.tokenizers = distilling.tokenizers()});
    training.run();
    const Settings of_teacher = read_run_settings(teacher);
    const Corpus corpus = open_corpus(of_teacher, load_tokenizers(teacher));
    EXPECT_EQ(training.corpus.fingerprints.at("data.valid"), corpus.fingerprints.at("data.valid"));
    EXPECT_EQ(training.corpus.fingerprints.at("tokenizer"), corpus.fingerprints.at("tokenizer"));
    EXPECT_EQ(training.corpus.valid_pairs->size(), corpus.valid_pairs->size());
  }
}

TEST_F(Distilling, GoesOnToTheSameBytes) {
  train_on_letters();
  const DistilledLines whole = distillation({}, "whole").write();
  const std::string expected = read_file(pairs("whole"));
  struct Stop {};
  int blocks = 0;
  DistillationObservers observers;
  observers.should_stop = [&] { return blocks == 1; };
  observers.on_progress = [&](Index done, Index lines, double left) {
    ++blocks;
    EXPECT_EQ(done, 256);
    EXPECT_EQ(lines, 570);
    EXPECT_GE(left, 0);
  };
  EXPECT_THROW(distillation().write(observers), Interrupted);
  const std::string partial = pairs().string() + ".partial";
  const std::string begun = read_file(partial);
  ASSERT_FALSE(begun.empty());
  ASSERT_EQ(begun, expected.substr(0, begun.size()));
  ASSERT_FALSE(fs::exists(pairs()));

  // However much of it was written when it was killed, also within a line.
  for (const double part : {1.0, 0.999, 0.5, 0.0}) {
    const auto bytes = static_cast<std::size_t>(part * static_cast<double>(begun.size()));
    fs::remove(pairs());
    std::ofstream(partial, std::ios::binary) << begun.substr(0, bytes);
    const DistilledLines lines = distillation().write();
    EXPECT_EQ(read_file(pairs()), expected) << part;
    EXPECT_EQ(lines.translated, whole.translated) << part;
    EXPECT_EQ(lines.without, whole.without) << part;
  }
  std::ofstream(partial, std::ios::binary) << "{\"source\":\"a\",\"target\":\"b\"}\n";
  fs::remove(pairs());
  EXPECT_EQ(folder.message([&] { distillation().write(); }),
            "student/distilled.jsonl.partial: is damaged; remove it, and the lines are translated "
            "anew");
}

TEST_F(Distilling, MixesEachPairWithItsDistilledOne) {
  train_on_letters();
  DistillationOptions options;
  options.mix = true;
  const DistilledLines lines = distillation(options).write();
  EXPECT_EQ(lines.pairs, 570);
  const std::vector<Record> found = records_of(pairs());
  ASSERT_EQ(std::ssize(found), lines.pairs + lines.translated);
  const Corpus corpus = open_corpus(read_run_settings(teacher), load_tokenizers(teacher));
  for (Index i = 0; i < 570; ++i)
    EXPECT_EQ((Pair{found[static_cast<std::size_t>(i)].source,
                    found[static_cast<std::size_t>(i)].target}),
              corpus.train_pairs->at(i));
  EXPECT_EQ(found[570].line, 1);
}

TEST_F(Distilling, DropsAndCountsLinesWithoutAPair) {
  train_on_letters();
  std::string lines = "a b\n \na b\n";
  for (int i = 0; i < 600; ++i)
    lines += "c ";
  DistillationOptions options;
  options.sources = folder.write("lines", lines + "\nd e\n");
  const DistilledLines dropped = distillation(options).write();
  EXPECT_EQ(dropped.blank, 1);
  EXPECT_EQ(dropped.too_long, 1) << "600 tokens, where data.max_length is 512";
  EXPECT_EQ(dropped.translated + dropped.without, 3);
  for (const Record& record : records_of(pairs()))
    EXPECT_TRUE(record.line == 1 || record.line == 3 || record.line == 5) << record.line;
}

TEST_F(Distilling, TranslatesBackTheRightWayRound) {
  train_on_letters();  // from x to y; the student goes from y to x
  DistillationOptions options;
  options.back = true;
  options.sources = folder.write("mono.x", "a b\nc d e\nb b\n");
  options.train = {target, source};
  Distillation distilling = distillation(options);
  const DistilledLines lines = distilling.write();
  EXPECT_EQ(lines.pairs, 570) << "the pairs that the teacher was validated on are held out";
  const std::vector<Record> found = records_of(pairs());
  const heed::Run run = open_run(teacher);
  DecodeOptions decode = run.decode_options();
  decode.beam = 3;
  ASSERT_GT(lines.translated, 0);
  const Names mono = {"a b", "c d e", "b b"};
  for (std::size_t i = 570; i < found.size(); ++i) {
    EXPECT_EQ(found[i].target, mono.at(static_cast<std::size_t>(found[i].line) - 1));
    EXPECT_EQ(found[i].source, run.translate(found[i].target, decode).text);
  }
  // The teacher's validation data, the other way round.
  const Corpus corpus = open_corpus(read_run_settings(teacher), load_tokenizers(teacher));
  const std::vector<Record> valid = records_of(distilled_valid_path(folder.path("student")));
  ASSERT_EQ(std::ssize(valid), corpus.valid_pairs->size());
  for (Index i = 0; i < corpus.valid_pairs->size(); ++i) {
    const Pair pair = corpus.valid_pairs->at(i);
    EXPECT_EQ(valid[static_cast<std::size_t>(i)].source, pair.target);
    EXPECT_EQ(valid[static_cast<std::size_t>(i)].target, pair.source);
  }
}

TEST_F(Distilling, LeavesWhatIsValidatedOnOutOfOtherData) {
  train_on_letters();
  const Letters more(700);  // the teacher's lines and others
  DistillationOptions options;
  options.train = {folder.write("more.x", more.sources), folder.write("more.y", more.targets)};
  distillation(options).write();
  const std::vector<Record> valid = records_of(distilled_valid_path(folder.path("student")));
  EXPECT_EQ(std::ssize(valid), 30);
  const Names all = lines_of(more.sources);
  for (const Record& record : records_of(pairs()))
    for (const Record& held_out : valid)
      EXPECT_NE(all.at(static_cast<std::size_t>(record.line) - 1), held_out.source);
}

TEST_F(Distilling, ExchangesTwoTokenizersForTheWayBack) {
  const Letters letters(100);
  source = folder.write("train.x", letters.sources);
  target = folder.write("train.y", letters.targets);
  train(teacher, {source, target}, "2", {"data.joint_vocabulary=false"});
  DistillationOptions options;
  options.back = true;
  options.sources = source;
  options.train = {target, source};
  const Tokenizers found = distillation(options).tokenizers();
  const Tokenizers of_teacher = load_tokenizers(teacher);
  EXPECT_EQ(found.source->fingerprint(), of_teacher.target->fingerprint());
  EXPECT_EQ(found.target->fingerprint(), of_teacher.source->fingerprint());
}

TEST_F(Distilling, MovesWithTheFolder) {
  train_on_letters();
  Distillation distilling = distillation();
  distilling.write();
  std::string warning;
  const Settings settings = distilling.settings(small("2"), warning);
  Training(settings, folder.path("student"), {.tokenizers = distilling.tokenizers()}).run();
  fs::rename(folder.path("student"), folder.path("moved"));
  Settings resumed = read_run_settings(folder.path("moved"));
  EXPECT_EQ(resumed.data.train, Names{folder.path("moved/distilled.jsonl")});
  EXPECT_EQ(resumed.data.valid, Names{folder.path("moved/distilled.valid.jsonl")});
  resumed.set("train.steps", "4");
  Training training(resumed, folder.path("moved"), {.resume = true});
  EXPECT_EQ(training.run().step, 4);
}

TEST_F(Distilling, SaysWhatIsWrong) {
  train_on_letters();
  const std::string text = folder.write("text.txt", Letters(200).sources);
  Settings lm = default_settings("lm", {text});
  for (const char* setting : {"model.d=16", "model.layers=1", "train.steps=2"}) {
    const std::string all = setting;
    lm.set(all.substr(0, all.find('=')), all.substr(all.find('=') + 1));
  }
  Training(lm, folder.path("lm")).run();
  distillation().write();

  struct Row {
    DistillationOptions options;
    const char* teacher;
    const char* message;
  };
  DistillationOptions fewer;
  fewer.lines = 10;
  DistillationOptions back;
  back.back = true;
  DistillationOptions back_alone = back;
  back_alone.sources = source;
  DistillationOptions back_mixed = back_alone;
  back_mixed.mix = true;
  back_mixed.train = {source, target};
  const Row rows[] = {
      {{}, "lm", "lm: its task is lm; a teacher is a model from text to text"},
      {fewer, "teacher",
       "student: holds pairs of another distillation (lines is 10, and was 0); give what it "
       "began with, or another folder"},
      {back, "teacher", "sources: missing; back-translation needs a file of lines"},
      {back_alone, "teacher",
       "train: missing; name the pairs to which the translated ones are added"},
      {back_mixed, "teacher", "mix: with back, the pairs are read anyway; leave it out"},
  };
  for (const Row& row : rows) {
    teacher = folder.path(row.teacher);
    EXPECT_EQ(folder.message([&] { distillation(row.options).write(); }), row.message);
  }
  std::string warning;
  RequestedSettings other = small();
  other.assignments.emplace_back("data.tokenizer=bpe");
  teacher = folder.path("teacher");
  EXPECT_EQ(folder.message([&] { distillation().settings(other, warning); }),
            "data.tokenizer = 'bpe': a student has the teacher's tokenizers, and so 'words'");
}

}  // namespace
}  // namespace heed
