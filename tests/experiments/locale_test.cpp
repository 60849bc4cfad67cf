#include <clocale>
#include <locale>

#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "datasets/metrics/bleu.h"
#include "datasets/metrics/chrf.h"
#include "datasets/text/tokenizer_kinds.h"
#include "experiments/comparison/internal/settings_file.h"
#include "experiments/comparison/result.h"
#include "experiments/defaults/chosen_defaults.h"
#include "experiments/inference/toml.h"
#include "experiments/internal/run_log.h"
#include "experiments/report/attention.h"
#include "experiments/report/chart.h"
#include "experiments/report/page.h"
#include "experiments/settings.h"
#include "framework/checkpoint.h"
#include "tests/datasets/temporary.h"
#include "tests/experiments/report.h"
#include "tests/text_files.h"
#include "training/metrics_log.h"

// A program that uses Heed as a library may have set a locale that writes 1.234,5 for 1234.5.
// Files, and what is read from them, must not change.

namespace heed {
namespace {

/// A decimal comma, and dots between thousands.
struct Commas : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
  std::string do_truename() const override { return "wahr"; }
  std::string do_falsename() const override { return "falsch"; }
};

/// Files and texts that hold numbers, by name.
using Texts = std::map<std::string, std::string>;

void add_settings(const TemporaryFolder& folder, Texts& all) {
  Settings s = default_settings("transformer", {"toy:translation"});
  for (const auto& [key, text] :
       std::vector<std::pair<const char*, const char*>>{{"optim.lr", "0.00125"},
                                                        {"train.steps", "1234567"},
                                                        {"optim.epsilon", "1.5e-9"},
                                                        {"data.fields", "1,2"},
                                                        {"model.copy", "true"},
                                                        {"optim.clip", "1234.5"}})
    s.set(key, text);
  all["settings"] = to_toml(s.fields());
  Settings read = default_settings("rnn");
  read.read(folder.write("config.toml", all["settings"]));
  all["settings, read"] = to_toml(read.fields());
  for (const char* line :
       {"d = 1234567.5", "d = true", "d = [1234.5, 2]", "d = 2026-11-21", "dropout = 'a'"})
    all[std::string("message ") + line] = folder.message(
        [&] { read.read(folder.write("wrong.toml", fmt::format("[model]\n{}\n", line))); });
  all["range"] = folder.message([&] { s.set("model.d", "1234567890"); });
  all["range of reals"] = folder.message([&] { s.set("decode.length_penalty", "1234.5"); });
  all["duration"] = fmt::format("{}", parse_duration("1.5h"));
  all["chosen rate"] = fmt::format("{}", learning_rate(2e-3, 128, 500));
}

void add_comparison(Texts& all) {
  const ComparisonSettings comparison{.models = {"rnn", "conv"},
                                      .data = {"toy:copy"},
                                      .assignments = {"optim.lr=0.5"},
                                      .time = "1.5m",
                                      .steps = 12345};
  all["comparison"] = to_json(comparison).dump();
  const auto json = nlohmann::ordered_json::parse(all["comparison"]);
  all["comparison, read"] = to_json(comparison_settings_from_json(json)).dump();
}

void add_logs(const TemporaryFolder& folder, Texts& all) {
  MetricsLog(folder.path("metrics.jsonl"), 0, 0)
      .write(12345, "train", {{"loss", 1234.5678}, {"lr", 1e-5}}, {{"more", 0.25}});
  MetricsLog(folder.path("metrics.jsonl"), 12345, 12345).write(12346, "valid", {{"loss", 0.5}});
  all["metrics"] = read_file(folder.path("metrics.jsonl"));
  const StepReport report{.step = 12345,
                          .steps = 1234567,
                          .done = 0.5,
                          .loss = 1234.5,
                          .perplexity = 12.5,
                          .lr = 0.5,
                          .gradient_norm = 1.5,
                          .tokens_per_s = 12345.6,
                          .seconds = 1234.5,
                          .seconds_left = 1234.5};
  RunLog(folder.path("log.txt"), {}).line(progress_text(report));
  all["log"] = read_file(folder.path("log.txt"));
}

void add_tokenizers(const TemporaryFolder& folder, Texts& all) {
  for (const std::string& kind : tokenizer_kinds().names()) {
    const auto tokenizer = train_tokenizer(
        kind, {.min_count = 1, .vocab_size = has_subwords(kind) ? 1100 : 0},
        [](const TakeLine& take) {
          for (int i = 0; i < 1500; ++i)
            take(fmt::format("word{} and {} others, 1,{} of 3.5", i * i % 977, i * 7 % 1013, i));
        });
    tokenizer->save(folder.path("tokenizer.json"));
    all[kind] = read_file(folder.path("tokenizer.json")) + tokenizer->model();
    const auto ids =
        Tokenizer::load(folder.path("tokenizer.json"))->encode("word1234 and 3.5 others, word16");
    all[kind + ", read"] = fmt::format("{}", fmt::join(ids, " "));
  }
}

void add_checkpoint(const TemporaryFolder& folder, Texts& all) {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"weight", Tensor({3}, {Real(0.5), Real(-1234.5), Real(1e-7)})}};
  checkpoint.numbers = {{"step", 1234567}};
  checkpoint.reals = {{"best", 1234.5}};
  checkpoint.text = {{"config", "lr = 0.00125"}};
  checkpoint.lists = {{"at", {123456, 2}}};
  save(checkpoint, folder.path("a.heed"));
  all["checkpoint"] = read_file(folder.path("a.heed"));
  Checkpoint other = load(folder.path("a.heed"));
  EXPECT_EQ(difference(other, checkpoint), "");
  other.reals["best"] = 1235.5;
  all["difference"] = difference(other, checkpoint);
  other.reals["best"] = 1234.5;
  other.tensors[0].tensor = Tensor({3}, {Real(0.5), Real(1234.5), Real(1e-7)});
  all["difference of tensors"] = difference(other, checkpoint);
}

void add_metrics(Texts& all) {
  const std::vector<std::string> hypotheses = {"a cat sat on 1,234.5 mats", "the end"};
  const std::vector<std::vector<std::string>> references = {
      {"the cat sat on 1,234.5 mats", "an end"}};
  const BleuScore bleu =
      corpus_bleu(hypotheses, references, {.smooth = "floor", .smooth_value = 0.25});
  all["bleu"] =
      nlohmann::ordered_json{{"score", bleu.score}, {"signature", bleu.signature()}}.dump();
  const ChrfScore chrf = corpus_chrf(hypotheses, references);
  all["chrf"] =
      nlohmann::ordered_json{{"score", chrf.score}, {"signature", chrf.signature()}}.dump();
  all["spread"] = to_text(spread_of({1234.5, 1236.25}), 2);
}

void add_plots(const TemporaryFolder& folder, Texts& all) {
  for (const char* name : {"a.html", "a.svg", "a.jsonl"}) {
    report::AttentionWriter writer(folder.path(name));
    writer.add(attended({"the", "cat", "</s>"}, {"le", "chat", "</s>"}, 2, 3));
    writer.close();
    all[name] = read_file(folder.path(name));
  }
  report::Page page("Numbers");
  page.table({.caption = "1234.5", .header = {"a"}, .rows = {{"1234.5"}, {"0.25"}}});
  page.figure(report::line_chart(
      {.title = "loss",
       .x_label = "step",
       .y_label = "loss",
       .series = {{.name = "a", .xs = {0, 5000, 12345.5}, .ys = {0.125, 1.5, 1234.5}}}}));
  all["page"] = page.text();
}

Texts written() {
  const TemporaryFolder folder;
  Texts all;
  add_settings(folder, all);
  add_comparison(all);
  add_logs(folder, all);
  add_tokenizers(folder, all);
  add_checkpoint(folder, all);
  add_metrics(all);
  add_plots(folder, all);
  return all;
}

void expect_same(const Texts& expected, const std::string& where) {
  const auto got = written();
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [name, text] : expected)
    EXPECT_TRUE(got.at(name) == text) << name << " under " << where << ":\n"
                                      << got.at(name).substr(0, 2000) << "\ninstead of\n"
                                      << text.substr(0, 2000);
}

TEST(Locale, ACommaInNumbersChangesNoFile) {
  const auto expected = written();
  EXPECT_NE(expected.at("settings").find("lr = 0.00125 "), std::string::npos)
      << expected.at("settings");
  EXPECT_NE(expected.at("metrics").find("\"step\":12345,"), std::string::npos)
      << expected.at("metrics");
  struct Restored {
    std::locale before = std::locale::global(std::locale(std::locale::classic(), new Commas));
    ~Restored() { std::locale::global(before); }
  } restored;
  EXPECT_EQ((std::ostringstream() << 1234.5).str(), "1.234,5");
  expect_same(expected, "std::numpunct");
}

TEST(Locale, ThatOfTheCLibraryChangesNoFile) {
  const auto expected = written();
  const TemporaryFolder folder;  // a locale of our own: few are installed on a small machine
  std::string source =
      "comment_char %\nescape_char /\nLC_NUMERIC\ndecimal_point \",\"\nthousands_sep "
      "\".\"\ngrouping 3;3\nEND LC_NUMERIC\n";
  for (const char* part : {"LC_CTYPE", "LC_COLLATE", "LC_MONETARY", "LC_TIME", "LC_MESSAGES"})
    source += fmt::format("{0}\ncopy \"POSIX\"\nEND {0}\n", part);
  folder.write("source", source);
  [[maybe_unused]] const int warned = std::system(
      fmt::format("cd '{}' && localedef -c -i ./source -f ANSI_X3.4-1968 ./commas > /dev/null 2>&1",
                  folder.path(""))
          .c_str());
  setenv("LOCPATH", folder.path("").c_str(), 1);
  struct Restored {
    ~Restored() {
      std::setlocale(LC_ALL, "C");
      unsetenv("LOCPATH");
    }
  } restored;
  if (!std::setlocale(LC_ALL, "commas")) GTEST_SKIP() << "localedef makes no locale here";
  ASSERT_EQ(std::to_string(0.5), "0,500000");
  expect_same(expected, "setlocale");
}

}  // namespace
}  // namespace heed
