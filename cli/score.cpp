#include <algorithm>
#include <cmath>
#include <functional>
#include <iostream>

#include <fcntl.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/option_values.h"
#include "cli/signals.h"
#include "datasets/metrics/bleu.h"
#include "datasets/metrics/chrf.h"
#include "datasets/metrics/rouge.h"
#include "datasets/metrics/tokenize.h"
#include "datasets/metrics/version.h"
#include "datasets/text/text_file.h"
#include "framework/error.h"

namespace heed::cli {

namespace {

using Lines = std::vector<std::string>;
using Report = nlohmann::ordered_json;

struct Options {
  std::string metric;
  std::string hyp;
  Lines refs;
  BleuOptions bleu;
  double smooth_value = 0;
  ChrfOptions chrf;
  RougeOptions rouge;
  bool lowercase = false;
  bool sentence_level = false;
  bool json = false;
};

struct Sides {
  Lines hypotheses;
  std::vector<Lines> references;  // references[r][i] is the r-th reference of hypotheses[i]
  /// All references of hypotheses[i].
  Lines of(std::size_t i) const {
    Lines line;
    for (const Lines& reference : references)
      line.push_back(reference[i]);
    return line;
  }
};

std::string file_of(const std::string& name) { return name == "-" ? "/dev/stdin" : name; }

/// Throws Error where standard input is closed. It can then only be written: see
/// open_standard_descriptors().
void check_standard_input() {
  const int access = fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE;
  if (access == O_WRONLY) fail("standard input: cannot be read");
}

Lines read(const std::string& name) {
  if (name == "-") check_standard_input();
  try {
    return read_lines(file_of(name));
  } catch (const Error&) {
    stop_if_interrupted();  // a signal may have interrupted the wait for input
    throw;
  }
}

Sides read_sides(const Options& o) {
  Sides sides{read(o.hyp), {}};
  for (const std::string& name : o.refs) {
    sides.references.push_back(read(name));
    const std::size_t expected = sides.hypotheses.size();
    const std::size_t got = sides.references.back().size();
    if (got != expected)
      fail(
          "{}: has {} {} and {} has {}; each line is scored against its reference, so give as many",
          file_of(o.hyp), expected, expected == 1 ? "line" : "lines", file_of(name), got);
  }
  stop_if_interrupted();
  return sides;
}

// For each metric: the score as JSON, as one line for a sentence, and as text for a whole corpus.

Report json_of(const BleuScore& s) {
  return {{"metric", "bleu"}, {"score", s.score}, {"signature", s.signature()}};
}
Report json_of(const ChrfScore& s) {
  return {{"metric", "chrf"}, {"score", s.score}, {"signature", s.signature()}};
}

constexpr std::pair<const char*, PrecisionRecall RougeScore::*> rouges[] = {
    {"rouge1", &RougeScore::rouge1},
    {"rouge2", &RougeScore::rouge2},
    {"rouge3", &RougeScore::rouge3},
    {"rougeL", &RougeScore::rougeL},
    {"rougeLsum", &RougeScore::rougeLsum}};

Report json_of(const RougeScore& s) {
  Report report = {{"metric", "rouge"}};
  for (const auto& [name, part] : rouges)
    report[name] = {{"precision", (s.*part).precision},
                    {"recall", (s.*part).recall},
                    {"fmeasure", (s.*part).fmeasure}};
  return report;
}

std::string line_of(const BleuScore& s) { return fmt::format("{:.4f}", s.score); }
std::string line_of(const ChrfScore& s) { return fmt::format("{:.4f}", s.score); }
std::string line_of(const RougeScore& s) {
  std::string line;
  for (const auto& [name, part] : rouges)
    line += fmt::format("{}{:.4f}", line.empty() ? "" : "\t", (s.*part).fmeasure);
  return line;
}

std::string text_of(const BleuScore& s) {
  return fmt::format("BLEU {:.4f}   precisions {:.1f}, brevity penalty {:.3f}, {} words for {}\n",
                     s.score, fmt::join(s.precisions, "/"), s.bp, s.sys_len, s.ref_len);
}
std::string text_of(const ChrfScore& s) {
  return fmt::format("chrF2{} {:.4f}\n", s.options.word_order == 2 ? "++" : "", s.score);
}
std::string text_of(const RougeScore& s) {
  std::string text = fmt::format("{:<10} {:>9} {:>9} {:>9}\n", "", "precision", "recall", "F");
  for (const auto& [name, part] : rouges)
    text += fmt::format("{:<10} {:9.4f} {:9.4f} {:9.4f}\n", name, (s.*part).precision,
                        (s.*part).recall, (s.*part).fmeasure);
  return text;
}

/// How to compute a metric.
template <class Score>
struct Metric {
  std::function<Score(std::size_t i)> line;  // of line i alone
  std::function<Score()> corpus;             // of all lines
  std::function<std::string(const Score&)> signature;
};

template <class Score>
void print_corpus(const Options& o, const Metric<Score>& metric) {
  const Score score = metric.corpus();
  stop_if_interrupted();
  if (o.json)
    std::cout << json_of(score).dump() << '\n';
  else
    std::cout << text_of(score) << "signature " << metric.signature(score) << '\n';
}

template <class Score>
void print_lines(const Options& o, const Metric<Score>& metric, std::size_t lines) {
  for (std::size_t i = 0; i < lines; ++i) {
    stop_if_interrupted();
    const Score score = metric.line(i);
    if (o.json) {
      std::cout << (i == 0 ? "[\n" : ",\n") << json_of(score).dump();
    } else {
      std::cout << line_of(score) << '\n';
      if (i == 0) std::cerr << "signature " << metric.signature(score) << '\n';
    }
  }
  if (o.json && lines > 0) std::cout << "\n]\n";
}

template <class Score>
void print(const Options& o, const Metric<Score>& metric, std::size_t lines) {
  if (o.sentence_level)
    print_lines(o, metric, lines);
  else
    print_corpus(o, metric);
}

Metric<BleuScore> bleu_metric(const Options& o, const Sides& sides) {
  return {
      .line =
          [&](std::size_t i) { return sentence_bleu(sides.hypotheses[i], sides.of(i), o.bleu); },
      .corpus = [&] { return corpus_bleu(sides.hypotheses, sides.references, o.bleu); },
      .signature = [](const BleuScore& score) { return score.signature(); }};
}

Metric<ChrfScore> chrf_metric(const Options& o, const Sides& sides) {
  return {
      .line =
          [&](std::size_t i) { return sentence_chrf(sides.hypotheses[i], sides.of(i), o.chrf); },
      .corpus = [&] { return corpus_chrf(sides.hypotheses, sides.references, o.chrf); },
      .signature = [](const ChrfScore& score) { return score.signature(); }};
}

Metric<RougeScore> rouge_metric(const Options& o, const Sides& sides) {
  const auto references = static_cast<Index>(sides.references.size());
  return {.line = [&](std::size_t i) { return rouge(sides.hypotheses[i], sides.of(i), o.rouge); },
          .corpus = [&] { return mean_rouge(sides.hypotheses, sides.references, o.rouge); },
          .signature =
              [&o, references](const RougeScore&) { return rouge_signature(references, o.rouge); }};
}

void run_score(const Options& o) {
  const Sides sides = read_sides(o);
  const std::size_t lines = sides.hypotheses.size();
  if (o.metric == "bleu")
    print(o, bleu_metric(o, sides), lines);
  else if (o.metric == "chrf")
    print(o, chrf_metric(o, sides), lines);
  else
    print(o, rouge_metric(o, sides), lines);
}

/// Throws where options do not fit the metric or each other. CLI11 cannot check that.
void check_usage(const CLI::App& command, const Options& o) {
  const auto given = [&](const char* name) { return command.count(name) > 0; };
  const auto only = [&](const char* name, std::initializer_list<const char*> metrics,
                        const char* why) {
    for (const char* metric : metrics)
      if (o.metric == metric) return;
    if (given(name))
      throw CLI::ValidationError(name,
                                 fmt::format("does not go with --metric {}: {}", o.metric, why));
  };
  only("--tokenize", {"bleu"}, "it says how BLEU finds words");
  only("--smooth", {"bleu"}, "BLEU alone is smoothed");
  only("--smooth-value", {"bleu"}, "BLEU alone is smoothed");
  only("--word-order", {"chrf"}, "it makes chrF++ of chrF");
  only("--stem", {"rouge"}, "ROUGE alone compares stems");
  only("--lowercase", {"bleu", "chrf"}, "ROUGE never tells capitals from small letters");
  if (given("--smooth-value") && o.bleu.smooth != "floor" && o.bleu.smooth != "add-k")
    throw CLI::ValidationError(
        "--smooth-value",
        fmt::format("--smooth {} takes no value; only floor and add-k do", o.bleu.smooth));
  if ((o.hyp == "-") + std::count(o.refs.begin(), o.refs.end(), "-") > 1)
    throw CLI::ValidationError("-", "standard input can be read only once");
}

std::string word_order(const std::string& given) {
  if (given == "0" || given == "2") return "";
  return wrong_number("0 (chrF) or 2 (chrF++)", given);
}

/// The options that only some metrics have.
void add_metric_options(CLI::App* command, Options& o) {
  command
      ->add_option("--tokenize", o.bleu.tokenize,
                   "bleu: how to split words: 13a, intl, char, zh or none")
      ->check(one_of(bleu_tokenizers()))
      ->capture_default_str();
  command->add_option("--smooth", o.bleu.smooth, "bleu: exp, floor, add-k or none")
      ->check(one_of({"exp", "floor", "add-k", "none"}))
      ->capture_default_str();
  command
      ->add_option("--smooth-value", o.smooth_value,
                   "bleu: value of floor (default 0.1) or add-k (default 1)")
      ->transform(number(0));
  command->add_option("--word-order", o.chrf.word_order, "chrf: 2 for chrF++")
      ->check(word_order)
      ->capture_default_str();
  command->add_flag("--lowercase", o.lowercase, "bleu, chrf: ignore the case of letters");
  command->add_flag("--stem", o.rouge.stem,
                    "rouge: compare stems (Porter) of words longer than three letters");
}

}  // namespace

void add_score(CLI::App& app) {
  auto* command =
      app.add_subcommand("score", "Compute BLEU, chrF or ROUGE of lines, given their references");
  auto o = std::make_shared<Options>();
  command->add_option("--metric", o->metric, "bleu, chrf or rouge")
      ->required()
      ->check(one_of({"bleu", "chrf", "rouge"}));
  command->add_option("--hyp", o->hyp, "FILE with the lines to score; -: standard input")
      ->required();
  command
      ->add_option("--ref", o->refs,
                   "FILE with a reference for each line; several files: several references")
      ->required()
      ->expected(1, -1);
  add_metric_options(command, *o);
  command->add_flag("--sentence-level", o->sentence_level,
                    "print a score for each line (bleu: with effective order)");
  command->add_flag("--json", o->json, "print JSON with all digits");
  command->footer(
      "Examples:\n  heed score --metric bleu --hyp out.txt --ref test.fr\n  heed translate --run "
      "RUN < test.en | heed score --metric chrf --hyp - --ref test.fr --json");
  command->callback([o, command] {
    check_usage(*command, *o);
    if (command->count("--smooth-value") > 0) o->bleu.smooth_value = o->smooth_value;
    o->bleu.lowercase = o->lowercase;
    o->chrf.lowercase = o->lowercase;
    run_score(*o);
  });
}

}  // namespace heed::cli
