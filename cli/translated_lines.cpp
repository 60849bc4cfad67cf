#include "cli/translated_lines.h"

#include <iostream>

#include <fmt/ranges.h>

#include "cli/cut_warning.h"
#include "cli/signals.h"
#include "datasets/text/text_file.h"
#include "experiments/inference/attention.h"
#include "experiments/inference/nbest.h"
#include "experiments/inference/replace_unknown.h"
#include "experiments/inference/target_scores.h"
#include "experiments/report/attention.h"
#include "experiments/report/number_text.h"

namespace heed::cli {

namespace {

constexpr int score_digits = 6;

/// Throws Error where an option asks for more tokens than the model can place. The lengths of a
/// run's settings are silently cut to that, as they were in training.
void check_lengths(const TranslateOptions& o, const Run& run) {
  const Index most = run.decoder().longest_output(0);
  for (const char* key : {"max_length", "min_length"}) {
    const auto found = o.given.find(key);
    if (most == 0 || found == o.given.end() || std::get<Index>(found->second) <= most) continue;
    const std::string option = key == std::string("max_length") ? "--max-length" : "--min-length";
    fail("{} {}: the model has {} positions ({}); ask for no more tokens", option,
         to_text(found->second), most, run.settings.model.longest_key());
  }
}

/// Throws Error where an option needs a model that attends to its source.
void check_attention(const TranslateOptions& o, const Run& run, const DecodeOptions& options) {
  const bool needed = !o.attention.empty() || o.replace_unk || options.coverage_penalty > 0;
  if (!needed || attends(run.decoder())) return;
  std::string why = "--coverage-penalty has nothing to weigh";
  if (o.replace_unk) why = "--replace-unk has no word to take";
  if (!o.attention.empty()) why = "there is nothing for --attention to show";
  if (o.runs.size() > 1)
    fail("{}: not all of these models attend to their source; {}", fmt::join(o.runs, " and "), why);
  fail("{}: model.name = {} does not attend to its source; {}", o.runs[0], run.settings.model.name,
       why);
}

void print(const TranslateOptions& o, const std::vector<Translation>& outputs) {
  if (!o.nbest) {
    std::cout << (outputs.empty() ? "" : outputs[0].text) << '\n';
    return;
  }
  for (std::size_t i = 0; i < outputs.size(); ++i)
    std::cout << fmt::format("{}\t{}\t{}\n", i + 1, report::fixed(outputs[i].score, score_digits),
                             outputs[i].text);
  std::cout << '\n';
}

}  // namespace

void translate_lines(const TranslateOptions& o, const Run& run, LineInput& input) {
  check_lengths(o, run);
  const DecodeOptions options =
      decode_options(run.settings, {.values = o.given, .nbest = o.nbest, .sample = o.sample});
  check_attention(o, run, options);
  std::optional<report::AttentionWriter> attention;
  if (!o.attention.empty()) attention.emplace(o.attention);
  CutWarning warning(run.tokenizers, run.decoder().longest_source());
  std::size_t done = 0;
  for (auto lines = input.lines(); !lines.empty(); lines = input.lines()) {
    warning.check(lines, done);
    const auto results = [&] {
      const InterruptAtOnce earlier_lines_are_flushed;
      auto found = translate_nbest(run.decoder(), run.tokenizers, lines, options, done);
      if (o.replace_unk) replace_unknown(run.decoder(), run.tokenizers, lines, found);
      return found;
    }();
    for (const auto& outputs : results)
      print(o, outputs);
    done += lines.size();
    if (attention) {
      std::cout.flush();
      for (const auto& line : attend(run.decoder(), run.tokenizers, lines, results))
        attention->add(line);
    }
    flush_output();
  }
  if (attention) attention->close();
}

void score_lines(const TranslateOptions& o, const Run& run, LineInput& input) {
  const std::vector<std::string> targets = read_lines(o.score);
  CutWarning warning(run.tokenizers, run.decoder().longest_source());
  std::size_t done = 0;
  for (auto lines = input.lines(); !lines.empty(); lines = input.lines()) {
    warning.check(lines, done);
    const std::size_t count = std::min(lines.size(), targets.size() - done);
    const TargetScores found = [&] {
      const InterruptAtOnce earlier_lines_are_flushed;
      return target_scores(run, std::span(lines).first(count),
                           std::span(targets).subspan(done, count));
    }();
    for (const TargetScore& score : found.scores)
      std::cout << fmt::format("{}\t{}\n", report::fixed(score.log_probability, score_digits),
                               score.tokens);
    flush_output();
    if (!found.problem.empty())
      fail("{}:{}: {}", o.score, done + found.scores.size() + 1, found.problem);
    if (count < lines.size())
      fail(
          "{}: has {} line{} and standard input has more; give each line of one its line of the "
          "other",
          o.score, targets.size(), targets.size() == 1 ? "" : "s");
    done += lines.size();
  }
  if (done < targets.size())
    fail("{}: has {} lines and standard input has {}; give each line of one its line of the other",
         o.score, targets.size(), done);
}

}  // namespace heed::cli
