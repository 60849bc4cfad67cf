// The choice of beam and length penalty, and where it is kept.

#include "experiments/tune_decode.h"

#include <gtest/gtest.h>

#include "datasets/metrics/metrics.h"
#include "experiments/internal/changed_toml.h"
#include "experiments/training.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

TEST(BestCandidate, IsTheBestAndOfEqualOnesTheCheapestAndNearest) {
  const struct {
    const char* name;
    std::vector<DecodingCandidate> candidates;
    double present;
    Index beam;
    double penalty;
  } rows[] = {
      {"one", {{4, 0.6, 10}}, 0, 4, 0.6},
      {"the highest score", {{1, 0, 10}, {5, 2, 10.001}, {2, 1, 9}}, 0, 5, 2},
      {"not the last", {{8, 1, 30}, {1, 0, 20}}, 0, 8, 1},
      {"the smaller beam", {{5, 0.6, 30}, {2, 2, 30}, {4, 0.6, 30}}, 0.6, 2, 2},
      {"the nearest penalty", {{2, 0, 30}, {2, 1, 30}, {2, 2, 30}}, 1.2, 2, 1},
      {"equally near", {{2, 0.8, 30}, {2, 0.4, 30}}, 0.6, 2, 0.4},
      {"equally near a float", {{2, 0.8, 30}, {2, 0.4, 30}}, double{0.6F}, 2, 0.4},
      {"the present one", {{1, 0, 7}, {1, 0.6, 7}, {1, 0.8, 7}}, 0.6, 1, 0.6},
      {"nothing right", {{5, 1, 0}, {1, 2, 0}}, 0.6, 1, 2},
  };
  for (const auto& row : rows) {
    const DecodingCandidate best = best_candidate(row.candidates, row.present);
    EXPECT_EQ(best.beam, row.beam) << row.name;
    EXPECT_EQ(best.length_penalty, row.penalty) << row.name;
  }
  EXPECT_EQ(message_of([] { best_candidate({}, 0); }),
            "[best_candidate] expected at least one candidate; got none");
}

TEST(ChangedToml, ChangesTheValuesAlone) {
  const std::vector<TomlChange> changes = {{"decode.beam", Index{12}},
                                           {"decode.length_penalty", 1.4}};
  const struct {
    const char* name;
    const char* before;
    const char* after;
  } rows[] = {
      {"as Heed writes it",
       "# head\n\n[model]\nbeam = 3\n\n[decode]\nbeam = 5                         # beam width\n"
       "length_penalty = 0.6             # alpha\nmin_length = 0 # n\n",
       "# head\n\n[model]\nbeam = 3\n\n[decode]\nbeam = 12                        # beam width\n"
       "length_penalty = 1.4             # alpha\nmin_length = 0 # n\n"},
      {"without room", "[decode]\nbeam=5#w\nlength_penalty =0.25# a",
       "[decode]\nbeam=12 #w\nlength_penalty =1.4 # a"},
      {"carriage returns", "[decode]\r\nbeam = 5\r\nlength_penalty = 0.0 # a\r\n",
       "[decode]\r\nbeam = 12\r\nlength_penalty = 1.4 # a\r\n"},
      {"without the keys", "[decode] # how\nmin_length = 2\n[train]\nseed = 1",
       "[decode] # how\nlength_penalty = 1.4\nbeam = 12\nmin_length = 2\n[train]\nseed = 1"},
      {"without the section", "[train]\nseed = 1",
       "[train]\nseed = 1\n\n[decode]\nlength_penalty = 1.4\nbeam = 12\n"},
      {"dotted keys", "decode.beam = 5 # b\ndecode.length_penalty = 1e0\n",
       "decode.beam = 12 # b\ndecode.length_penalty = 1.4\n"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(changed_toml(row.before, "c.toml", changes), row.after) << row.name;
  EXPECT_EQ(message_of([&] {
              changed_toml("decode = {beam = 5, length_penalty = 0.6}\n", "c.toml", changes);
            }),
            "c.toml: decode.beam has no line of its own; write it as a line `beam = ...` below "
            "[decode]");
  EXPECT_EQ(changed_toml("[decode]\nbeam = 5\n", "c", {{"decode.beam", Index{5}}}),
            "[decode]\nbeam = 5\n");
}

/// Pairs to learn to spell backwards, of some lengths.
std::string reversed_pairs(int count, int from) {
  const std::vector<std::string> words = {"a", "b", "c", "d", "e"};
  std::string tsv;
  for (int i = from; i < from + count; ++i) {
    std::string source;
    std::string target;
    for (int j = 0; j <= i % 5; ++j) {
      const std::string& word = words[static_cast<std::size_t>((i / 3 + j * j) % 5)];
      source += (j > 0 ? " " : "") + word;
      target = word + (j > 0 ? " " : "") + target;
    }
    tsv += source + "\t" + target + "\n";
  }
  return tsv;
}

/// Trains a model for some steps in folder/NAME.
std::string trained(const TemporaryFolder& folder, const std::string& name,
                    const std::vector<std::pair<std::string, std::string>>& values = {}) {
  const std::string data = folder.write("train.tsv", reversed_pairs(200, 0));
  Settings settings = default_settings("transformer", {data});
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"model.d", "16"},
                                                        {"model.layers", "1"},
                                                        {"model.heads", "2"},
                                                        {"data.min_count", "1"},
                                                        {"data.batch_tokens", "256"},
                                                        {"train.steps", "40"},
                                                        {"train.eval_every", "20"},
                                                        {"train.save_every", "20"},
                                                        {"optim.warmup", "5"},
                                                        {"optim.lr", "0.01"},
                                                        {"model.dropout", "0"},
                                                        {"data.valid_fraction", "0.2"}})
    settings.set(key, value);
  for (const auto& [key, value] : values)
    settings.set(key, value);
  Training(settings, folder.path(name)).run({});
  return folder.path(name);
}

// Each pair decoded by itself, and scored as a user would.
TEST(TuneDecoding, ScoresWhatEachPairOfOptionsGives) {
  const TemporaryFolder folder;
  // BLEU counts <unk> as three tokens.
  const heed::Run run = open_run(trained(folder, "run", {{"decode.forbid_unk", "true"}}));
  const std::string valid = folder.write("valid.tsv", reversed_pairs(40, 500));
  std::vector<std::string> sources;
  std::vector<std::string> references;
  for (const std::string& line : lines_of(read_file(valid))) {
    sources.push_back(line.substr(0, line.find('\t')));
    references.push_back(line.substr(line.find('\t') + 1));
  }
  for (const std::string& metric : tuning_metrics()) {
    const TuneDecodingOptions options{
        .data = {valid}, .metric = metric, .beams = {3, 1}, .length_penalties = {2, 0, 0.6, 2}};
    std::vector<std::string> told;
    const TunedDecoding tuned =
        tune_decoding(run, options, {.on_line = [&](const std::string& t) { told.push_back(t); }});
    ASSERT_EQ(tuned.candidates.size(), 6u) << "each pair once";
    EXPECT_EQ(tuned.lines, 40);
    double highest = -1;
    for (std::size_t i = 0; i < 6; ++i) {
      const DecodingCandidate& candidate = tuned.candidates[i];
      EXPECT_EQ(candidate.beam, i < 3 ? 1 : 3);
      EXPECT_EQ(candidate.length_penalty, (std::vector<double>{0, 0.6, 2})[i % 3]);
      DecodeOptions decoding = run.decode_options();
      decoding.beam = static_cast<int>(candidate.beam);
      decoding.length_penalty = static_cast<Real>(candidate.length_penalty);
      std::vector<std::string> outputs;
      for (const Translation& output : run.translate(sources, decoding))
        outputs.push_back(output.text);
      const MetricScore found = score(metric, outputs, {references});
      double expected = 0;
      if (metric != "rouge")
        expected = found.at("score");
      else
        for (const char* part : {"rouge1.fmeasure", "rouge2.fmeasure", "rougeL.fmeasure"})
          expected += found.at(part) / 3;
      EXPECT_NEAR(candidate.score, expected, 1e-9) << metric << ", beam " << candidate.beam;
      double words = 0;
      double of_references = 0;
      for (std::size_t line = 0; line < outputs.size(); ++line) {
        const auto count = [](const std::string& text) {
          return text.empty()
                     ? 0.0
                     : 1.0 + static_cast<double>(std::count(text.begin(), text.end(), ' '));
        };
        words += count(outputs[line]);
        of_references += count(references[line]);
      }
      EXPECT_DOUBLE_EQ(candidate.length_ratio, words / of_references);
      highest = std::max(highest, candidate.score);
    }
    EXPECT_EQ(tuned.best.score, highest);
    ASSERT_EQ(told.size(), 3u) << "the cost before, and each decoding";
    EXPECT_NE(told[0].find("2 decodings (beam 1, 3) give all 6 pairs"), std::string::npos)
        << told[0];
    EXPECT_NE(told[1].find("about "), std::string::npos) << told[1];
    EXPECT_NE(to_text(tuned).find("best: beam "), std::string::npos);
  }
}

TEST(TuneDecoding, TakesWhatTheRunWasValidatedOn) {
  const TemporaryFolder folder;
  const TuneDecodingOptions quick{.beams = {1}, .length_penalties = {0}};
  const heed::Run held_out = open_run(trained(folder, "held-out"));
  EXPECT_EQ(tune_decoding(held_out, quick).lines, 40) << "a fifth of 200";
  const std::string valid = folder.write("valid.tsv", reversed_pairs(7, 900));
  const heed::Run named = open_run(trained(folder, "named", {{"data.valid", valid}}));
  const TunedDecoding tuned = tune_decoding(named, quick);
  EXPECT_EQ(tuned.lines, 7);
  EXPECT_EQ(tuned.data, valid);
  folder.write("valid.tsv", reversed_pairs(7, 901));
  EXPECT_EQ(message_of([&] { tune_decoding(named, quick); }),
            valid +
                ": has changed since this run began; give the data it was validated on, or "
                "name others to tune on");
  const heed::Run none = open_run(trained(folder, "none", {{"data.valid_fraction", "0"}}));
  EXPECT_EQ(message_of([&] { tune_decoding(none, quick); }),
            "the run was validated on nothing; name data to tune on, other than a test set");
}

TEST(TuneDecoding, RefusesWhatItCannotTune) {
  const heed::Run lm = open_run(HEED_SOURCE_DIR "/tests/data/kept/lm-words");
  EXPECT_EQ(message_of([&] { tune_decoding(lm); }),
            "the task of the run is lm: only a model from text to text searches, and has something "
            "to tune");
  const heed::Run run = open_run(HEED_SOURCE_DIR "/tests/data/kept/rnn");
  EXPECT_NE(message_of([&] { tune_decoding(run, {.metric = "exact"}); }).find("bleu"),
            std::string::npos);
  EXPECT_NE(message_of([&] { tune_decoding(run, {.beams = {}}); }), "");
}

TEST(TuneDecoding, StopsWhereItShould) {
  const TemporaryFolder folder;
  const heed::Run run = open_run(trained(folder, "run"));
  EXPECT_THROW(tune_decoding(run, {}, {.should_stop = [] { return true; }}), Interrupted);
}

TEST(DecodingKeeper, KeepsTheChoiceInTheRunAlone) {
  const TemporaryFolder folder;
  const std::string run = trained(folder, "run");
  const std::string config = config_path(run).string();
  const std::string before = read_file(config);
  DecodingKeeper(run).keep(7, 1.2);
  const std::string after = read_file(config);
  const std::vector<std::string> old_lines = lines_of(before);
  const std::vector<std::string> new_lines = lines_of(after);
  ASSERT_EQ(new_lines.size(), old_lines.size());
  for (std::size_t i = 0; i < new_lines.size(); ++i) {
    if (old_lines[i].starts_with("beam = "))
      EXPECT_TRUE(new_lines[i].starts_with("beam = 7  ")) << new_lines[i];
    else if (old_lines[i].starts_with("length_penalty = "))
      EXPECT_TRUE(new_lines[i].starts_with("length_penalty = 1.2  ")) << new_lines[i];
    else
      EXPECT_EQ(new_lines[i], old_lines[i]);
  }
  const heed::Run opened = open_run(run);
  EXPECT_EQ(opened.decode_options().beam, 7);
  EXPECT_EQ(opened.decode_options().length_penalty, Real(1.2));
  // A training that goes on keeps it, though its checkpoints were saved with other values.
  Settings more = read_run_settings(run);
  more.set("train.steps", "60");
  Training(more, run, {.resume = true}).run({});
  EXPECT_EQ(read_run_settings(run).decode.beam, 7);
  EXPECT_EQ(read_run_settings(run).decode.length_penalty, Real(1.2));
  EXPECT_EQ(open_run(run, "last").decode_options().beam, 7);
}

TEST(DecodingKeeper, SaysWhyItCannotKeep) {
  const TemporaryFolder folder;
  const std::string run = trained(folder, "run");
  const std::string config = config_path(run).string();
  const std::string before = read_file(config);
  {
    const FolderLock training(run);
    EXPECT_EQ(message_of([&] { DecodingKeeper keeper(run); }),
              run +
                  ": another process is training here; wait until it has ended, or choose "
                  "another folder");
  }
  fs::create_directory(config + ".partial");  // so that no file can be made here
  const std::string message = message_of([&] { DecodingKeeper keeper(run); });
  EXPECT_NE(message.find(config + ": cannot be written"), std::string::npos) << message;
  fs::remove(config + ".partial");
  EXPECT_EQ(read_file(config), before);
  EXPECT_FALSE(fs::exists(config + ".partial"));
}

}  // namespace
}  // namespace heed
