#include <algorithm>
#include <cmath>
#include <iostream>

#include <fcntl.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/values.h"
#include "datasets/metrics/bleu.h"
#include "datasets/metrics/chrf.h"
#include "datasets/metrics/rouge.h"
#include "datasets/metrics/tokenize.h"
#include "datasets/metrics/version.h"
#include "datasets/text_file.h"
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
  std::vector<Lines> references;  // references[r][i] is the r-th of hypotheses[i]
  Lines of(std::size_t i) const {
    Lines line;
    for (const Lines& reference : references)
      line.push_back(reference[i]);
    return line;
  }
};

std::string file_of(const std::string& name) { return name == "-" ? "/dev/stdin" : name; }

/// Where it was closed it can only be written: see open_standard_descriptors().
void check_standard_input() {
  const int access = fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE;
  if (access == O_WRONLY) fail("standard input: cannot be read");
}

Lines read(const std::string& name) {
  if (name == "-") check_standard_input();
  try {
    return read_lines(file_of(name));
  } catch (const Error&) {
    stop_if_interrupted();  // while it waited for input, say
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

// Of each metric: its score as JSON, as a line of text among others, and as the text for a whole
// corpus.

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

/// `score` gives the score of line i, `corpus` that of all; both know their signature.
template <class Score, class Corpus, class Signature>
void print(const Options& o, std::size_t lines, Score&& score, Corpus&& corpus,
           Signature&& signature) {
  if (!o.sentence_level) {
    const auto all = corpus();
    stop_if_interrupted();
    if (o.json)
      std::cout << json_of(all).dump() << '\n';
    else
      std::cout << text_of(all) << "signature " << signature(all) << '\n';
    return;
  }
  for (std::size_t i = 0; i < lines; ++i) {
    stop_if_interrupted();
    const auto one = score(i);
    if (o.json)
      std::cout << (i == 0 ? "[\n" : ",\n") << json_of(one).dump()
                << (i + 1 == lines ? "\n]\n" : "");
    else
      std::cout << line_of(one) << '\n';
    if (i == 0 && !o.json) std::cerr << "signature " << signature(one) << '\n';
  }
}

void run_score(const Options& o) {
  const Sides sides = read_sides(o);
  const auto& [hypotheses, references] = sides;
  const auto signature = [](const auto& score) { return score.signature(); };
  if (o.metric == "bleu") {
    print(
        o, hypotheses.size(),
        [&](std::size_t i) { return sentence_bleu(hypotheses[i], sides.of(i), o.bleu); },
        [&] { return corpus_bleu(hypotheses, references, o.bleu); }, signature);
  } else if (o.metric == "chrf") {
    print(
        o, hypotheses.size(),
        [&](std::size_t i) { return sentence_chrf(hypotheses[i], sides.of(i), o.chrf); },
        [&] { return corpus_chrf(hypotheses, references, o.chrf); }, signature);
  } else {
    print(
        o, hypotheses.size(),
        [&](std::size_t i) { return rouge(hypotheses[i], sides.of(i), o.rouge); },
        [&] { return mean_rouge(hypotheses, references, o.rouge); },
        [&](const RougeScore&) {
          return rouge_signature(static_cast<Index>(references.size()), o.rouge);
        });
  }
}

/// What CLI11 cannot know: which option belongs to which metric.
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

}  // namespace

void add_score(CLI::App& app) {
  auto* command =
      app.add_subcommand("score", "BLEU, chrF or ROUGE of lines against their references");
  auto o = std::make_shared<Options>();
  command->add_option("--metric", o->metric, "bleu, chrf or rouge")
      ->required()
      ->check(one_of({"bleu", "chrf", "rouge"}));
  command->add_option("--hyp", o->hyp, "FILE with what is scored, a line each; -: standard input")
      ->required();
  command
      ->add_option("--ref", o->refs,
                   "FILE with the references, line for line; several files: several for each")
      ->required()
      ->expected(1, -1);
  command
      ->add_option("--tokenize", o->bleu.tokenize,
                   "bleu: where words end, 13a, intl, char, zh or none")
      ->check(one_of(bleu_tokenizers()))
      ->capture_default_str();
  command->add_option("--smooth", o->bleu.smooth, "bleu: exp, floor, add-k or none")
      ->check(one_of({"exp", "floor", "add-k", "none"}))
      ->capture_default_str();
  command
      ->add_option("--smooth-value", o->smooth_value,
                   "bleu: of floor (default 0.1) and add-k (default 1)")
      ->transform(number(0));
  command->add_option("--word-order", o->chrf.word_order, "chrf: 2 for chrF++")
      ->check(word_order)
      ->capture_default_str();
  command->add_flag("--lowercase", o->lowercase, "bleu, chrf: capitals count as small letters");
  command->add_flag("--stem", o->rouge.stem,
                    "rouge: compare stems (Porter) of words longer than three letters");
  command->add_flag("--sentence-level", o->sentence_level,
                    "a score for each line (bleu: with effective order)");
  command->add_flag("--json", o->json, "JSON, full digits");
  command->footer(
      "Examples:\n  heed score --metric bleu --hyp out.txt --ref test.fr\n  heed translate --run "
      "RUN < test.en | heed score --metric chrf --hyp - --ref test.fr --json");
  command->callback([o, command] {
    check_usage(*command, *o);
    if (command->count("--smooth-value") > 0) o->bleu.smooth_value = o->smooth_value;
    o->bleu.lowercase = o->chrf.lowercase = o->lowercase;
    run_score(*o);
  });
}

}  // namespace heed::cli
