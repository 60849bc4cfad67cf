#include <iostream>
#include <optional>

#include <unistd.h>

#include "cli/commands.h"
#include "cli/option_values.h"
#include "cli/signals.h"
#include "datasets/text/text_file.h"
#include "datasets/text/utf8.h"
#include "experiments/inference/attention.h"
#include "experiments/inference/line_input.h"
#include "experiments/inference/nbest.h"
#include "experiments/inference/run.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

/// An option that is not given has the value of the run's settings.
struct Options {
  std::string run;
  std::string checkpoint;
  std::string attention;
  std::string score;
  std::optional<int> beam;
  std::optional<int> nbest;
  std::optional<double> length_penalty;
  std::optional<double> coverage_penalty;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<Index> min_length;
  std::optional<Index> max_length;
  std::optional<Index> no_repeat_ngram;
  std::optional<Index> top_k;
  std::optional<std::uint64_t> seed;
  bool sample = false;
  int threads = 0;
};

[[noreturn]] void wrong_usage(const std::string& message) {
  throw CLI::ParseError(message, CLI::ExitCodes::InvalidError);
}

/// Throws where options contradict each other.
void check_usage(const Options& o) {
  if (o.min_length && o.max_length && *o.min_length > *o.max_length)
    wrong_usage(
        fmt::format("--min-length {} is more than --max-length {}", *o.min_length, *o.max_length));
  if (o.nbest && o.beam && *o.nbest > *o.beam)
    wrong_usage(
        fmt::format("--nbest {} needs a --beam at least as wide; it is {}", *o.nbest, *o.beam));
}

/// The run's options, replaced by those that are given. Where one that is given contradicts one of
/// the run, the one of the run is adjusted.
DecodeOptions chosen_options(const Options& o, const Settings& settings) {
  DecodeOptions d = decode_options(settings);
  d.nbest = o.nbest.value_or(1);
  d.beam = o.beam.value_or(std::max(d.beam, d.nbest));
  if (o.length_penalty) d.length_penalty = static_cast<Real>(*o.length_penalty);
  d.coverage_penalty = o.sample ? 0 : o.coverage_penalty.value_or(d.coverage_penalty);
  d.no_repeat_ngram = o.no_repeat_ngram.value_or(d.no_repeat_ngram);
  if (o.min_length) {
    d.min_length = *o.min_length;
    d.max_length = d.max_length > 0 ? std::max(d.max_length, d.min_length) : 0;
  }
  if (o.max_length) {
    d.max_length = *o.max_length;
    d.min_length = std::min(d.min_length, d.max_length);
  }
  d.sample = o.sample;
  d.temperature = o.temperature.value_or(1);
  d.top_k = o.top_k.value_or(0);
  d.top_p = o.top_p.value_or(1);
  d.seed = o.seed.value_or(1);
  return d;
}

/// Warns of the first source that is too long for the model.
class CutWarning {
 public:
  explicit CutWarning(const Run& run) : run_(run), longest_(longest_source(*run.model)) {}
  /// `first`: the number of the first line, from 0.
  void check(std::span<const std::string> lines, std::size_t first) {
    for (std::size_t i = 0; i < lines.size() && longest_ > 0; ++i) {
      if (lines[i].size() + 2 <= longest_) continue;  // a token has at least one byte
      const std::size_t tokens = run_.tokenizers.source->tokens(lines[i]).size() + 1;
      if (tokens <= longest_) continue;
      std::cerr << fmt::format(
          "heed: warning: standard input:{}: has {} tokens, </s> among them; cut to {}, as is any "
          "longer line\n",
          first + i + 1, tokens, longest_);
      longest_ = 0;
    }
  }

 private:
  const Run& run_;
  std::size_t longest_;  // 0: the user has been warned
};

constexpr int score_digits = 6;
constexpr Index largest_length = 1 << 20;  // in tokens, of the options

void print_best(const std::vector<Translation>& outputs) {
  std::cout << (outputs.empty() ? "" : outputs[0].text) << '\n';
}

void print_list(const std::vector<Translation>& outputs) {
  Index rank = 0;
  for (const Translation& output : outputs) {
    ++rank;
    std::cout << fmt::format("{}\t{}\t{}\n", rank, fixed(output.score, score_digits), output.text);
  }
  std::cout << '\n';
}

/// Throws where standard output cannot be written, or a signal has come.
void flush() {
  std::cout.flush();
  if (!std::cout) fail("standard output: cannot write");
  stop_if_interrupted();
}

struct ScoredBatch {
  std::vector<std::vector<Id>> sources;
  std::vector<std::vector<Id>> targets;
  std::string problem;  // of the line after the last; "": there is none
};

/// Scores targets from a file, given their sources from standard input, line by line.
class TargetScorer {
 public:
  TargetScorer(const Run& run, const std::string& file)
      : run_(run), file_(file), targets_(read_lines(file)), warning_(run) {}

  /// Scores the next lines and prints their scores. Throws Error at the first line that cannot be
  /// scored, once the lines before it are printed.
  void score(std::span<const std::string> lines) {
    warning_.check(lines, done_);
    const ScoredBatch batch = encode(lines);
    for (const TargetScore& score : scores_of(batch)) {
      const std::string nats = fixed(score.log_probability, score_digits);
      std::cout << fmt::format("{}\t{}\n", nats, score.tokens);
    }
    flush();
    done_ += lines.size();
    if (!batch.problem.empty()) fail("{}", batch.problem);
  }

  /// Throws Error where targets are left.
  void finish() const {
    if (done_ < targets_.size())
      fail(
          "{}: has {} lines and standard input has {}; give each line of one its line of the other",
          file_, targets_.size(), done_);
  }

 private:
  ScoredBatch encode(std::span<const std::string> lines) const {
    ScoredBatch batch;
    const auto longest = static_cast<std::size_t>(run_.model->longest());  // 0: any length
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::size_t at = done_ + i;
      if (at == targets_.size()) {
        batch.problem = fmt::format(
            "{}: has {} line{} and standard input has more; give each line of one its line of the "
            "other",
            file_, targets_.size(), targets_.size() == 1 ? "" : "s");
        return batch;
      }
      std::vector<std::string> extra;
      std::vector<Id> source = encode_source(*run_.model, run_.tokenizers, lines[i], extra);
      std::vector<Id> target = run_.tokenizers.target->encode(utf8::trim(targets_[at]), extra);
      if (source.empty()) source.push_back(eos_id);
      if (longest > 0 && target.size() + 1 > longest) {
        batch.problem = fmt::format("{}:{}: has {} tokens; the model can place {}", file_, at + 1,
                                    target.size(), longest - 1);
        return batch;
      }
      batch.sources.push_back(std::move(source));
      batch.targets.push_back(std::move(target));
    }
    return batch;
  }

  std::vector<TargetScore> scores_of(const ScoredBatch& batch) const {
    const InterruptAtOnce earlier_lines_are_flushed;
    return score_targets(*run_.model, batch.sources, batch.targets);
  }

  const Run& run_;
  const std::string& file_;
  std::vector<std::string> targets_;
  CutWarning warning_;
  std::size_t done_ = 0;  // lines
};

void score_lines(const Options& o, const Run& run, LineInput& input) {
  TargetScorer scorer(run, o.score);
  for (auto lines = input.lines(); !lines.empty(); lines = input.lines())
    scorer.score(lines);
  scorer.finish();
}

/// Throws Error where an option asks for more tokens than the model can place. The lengths of a
/// run's settings are silently cut to that, as they were in training.
void check_lengths(const Options& o, const Run& run) {
  const Index most = run.model->longest_output(0);
  if (most == 0) return;
  if (o.max_length.value_or(0) > most)
    fail("--max-length {}: the model has {} positions (model.positions); ask for no more tokens",
         *o.max_length, most);
  if (o.min_length.value_or(0) > most)
    fail("--min-length {}: the model has {} positions (model.positions); ask for no more tokens",
         *o.min_length, most);
}

/// Throws Error where an option needs a model that attends to its source.
void check_attention(const Options& o, const Run& run, const DecodeOptions& options) {
  const bool needed = !o.attention.empty() || options.coverage_penalty > 0;
  if (!needed || attends(*run.model)) return;
  fail("{}: model.name = {} does not attend to its source; {}", o.run, run.settings.model.name,
       o.attention.empty() ? "--coverage-penalty has nothing to weigh"
                           : "there is nothing for --attention to show");
}

void print(const Options& o, const std::vector<Translation>& outputs) {
  if (o.nbest)
    print_list(outputs);
  else
    print_best(outputs);
}

void translate_lines(const Options& o, const Run& run, LineInput& input) {
  check_lengths(o, run);
  const DecodeOptions options = chosen_options(o, run.settings);
  check_attention(o, run, options);
  std::optional<plots::AttentionWriter> attention;
  if (!o.attention.empty()) attention.emplace(o.attention);
  CutWarning warning(run);
  const Decoder decoder(*run.model);
  std::size_t done = 0;
  for (auto lines = input.lines(); !lines.empty(); lines = input.lines()) {
    warning.check(lines, done);
    const auto results = [&] {
      const InterruptAtOnce earlier_lines_are_flushed;
      return translate_nbest(decoder, run.tokenizers, lines, options, done);
    }();
    for (const auto& outputs : results)
      print(o, outputs);
    done += lines.size();
    if (attention) {
      std::cout.flush();
      for (const auto& line : attend(*run.model, run.tokenizers, lines, results))
        attention->add(line);
    }
    flush();
  }
  if (attention) attention->close();
}

void run_decoder(const Options& o, const char* verb) {
  check_usage(o);
  set_threads(o.threads);
  if (!o.attention.empty()) plots::AttentionWriter::check_path(o.attention);
  const Run run = [&] {
    const InterruptAtOnce nothing_printed;
    return open_run(o.run, o.checkpoint);
  }();
  if (!run.model->reads_source()) fail("{}: a language model; it has nothing to {}", o.run, verb);
  LineInput input;
  if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
    std::cerr << fmt::format("heed: type what to {}, a line each; Ctrl-D ends\n", verb);
  if (o.score.empty())
    translate_lines(o, run, input);
  else
    score_lines(o, run, input);
}

using CliOptions = std::vector<CLI::Option*>;

CliOptions add_search_options(CLI::App* command, Options& o) {
  return {
      command
          ->add_option("--beam", o.beam, "beam width; 1: greedy (default: the run's decode.beam)")
          ->transform(whole(1, 1000)),
      command
          ->add_option("--length-penalty", o.length_penalty,
                       "alpha; larger values favour longer outputs (default: the run's)")
          ->transform(number(0, 100)),
      command
          ->add_option("--coverage-penalty", o.coverage_penalty,
                       "beta; larger values favour outputs that attend to all of the source "
                       "(default: the run's)")
          ->transform(number(0, 100))};
}

/// The options that only --sample has.
CliOptions add_sampling_options(CLI::App* command, Options& o) {
  return {command
              ->add_option("--temperature", o.temperature,
                           "with --sample: below 1 less varied, above 1 more varied; 0: the most "
                           "probable token each time (default: 1)")
              ->transform(number(0, 1000)),
          command
              ->add_option("--top-k", o.top_k,
                           "with --sample: draw from the K most probable tokens; 0: from all")
              ->transform(whole(0)),
          command
              ->add_option("--top-p", o.top_p,
                           "with --sample: draw from the fewest tokens whose probabilities sum to "
                           "at least this share")
              ->transform(number(0, 1)),
          command
              ->add_option("--seed", o.seed,
                           "with --sample: the same seed and the same lines give the same outputs "
                           "(default: 1)")
              ->transform(whole<std::uint64_t>(0))};
}

/// The options of both beam search and sampling.
CliOptions add_output_options(CLI::App* command, Options& o) {
  return {command
              ->add_option("--nbest", o.nbest,
                           "print up to N different outputs for each line, the best first (with "
                           "--sample: in the order drawn): rank, score and text between tabs, then "
                           "a blank line")
              ->transform(whole(1, 1000)),
          command
              ->add_option("--min-length", o.min_length,
                           "smallest number of tokens of an output (default: the run's)")
              ->transform(whole(0, largest_length)),
          command
              ->add_option("--max-length", o.max_length,
                           "largest number of tokens of an output (default: the run's, else twice "
                           "the source + 20, at most data.max_length)")
              ->transform(whole(1, largest_length)),
          command
              ->add_option("--no-repeat-ngram", o.no_repeat_ngram,
                           "no sequence of N tokens occurs twice in an output; 0: it may (default: "
                           "the run's)")
              ->transform(whole(0, largest_length)),
          command
              ->add_option("--attention", o.attention,
                           "file for the attention weights of each best output: .html (a page), "
                           ".svg (a picture) or .jsonl (the numbers)")
              ->type_name("FILE")};
}

/// `verb`: the name of the subcommand, and what it does.
CLI::App* add_decoder(CLI::App& app, const char* verb, const char* description) {
  auto* command = app.add_subcommand(verb, description);
  auto o = std::make_shared<Options>();
  command->add_option("--run", o->run, "folder that `heed train --out` wrote")->required();
  command->add_option("--checkpoint", o->checkpoint, checkpoint_help);
  const CliOptions search = add_search_options(command, *o);
  CLI::Option* sample = command->add_flag(
      "--sample", o->sample, "draw outputs at random by their probability, instead of beam search");
  const CliOptions sampling = add_sampling_options(command, *o);
  const CliOptions output = add_output_options(command, *o);
  CLI::Option* score =
      command
          ->add_option("--score", o->score,
                       "instead of decoding, score the lines of FILE as outputs of the lines read: "
                       "prints the log probability of each, a tab, and its number of tokens with "
                       "</s>")
          ->type_name("FILE");
  command->add_option("--threads", o->threads, threads_help)->transform(thread_count());
  sample->excludes(score);
  for (CLI::Option* option : search)
    option->excludes(sample)->excludes(score);
  for (CLI::Option* option : sampling)
    option->needs(sample)->excludes(score);
  for (CLI::Option* option : output)
    option->excludes(score);
  command->callback([o, verb] { run_decoder(*o, verb); });
  return command;
}

}  // namespace

void add_translate(CLI::App& app) {
  add_decoder(app, "translate",
              "Translate standard input with a trained model, line by line, in order")
      ->footer(
          "Examples:\n  echo 'The old sailor hides the keys.' | heed translate --run runs/first\n"
          "  heed translate --run runs/de-en --beam 8 < test.de > test.hyp\n"
          "  heed translate --run runs/de-en --sample --top-p 0.9 --nbest 5 < test.de\n"
          "  heed translate --run runs/de-en --score test.hyp < test.de\n"
          "  echo 'The old sailor hides the keys.' | heed translate --run runs/first --attention "
          "page.html");
}

void add_summarize(CLI::App& app) {
  add_decoder(app, "summarize",
              "Summarize standard input, one document per line, with a trained model")
      ->footer(
          "Examples:\n  heed summarize --run runs/news < documents.txt > summaries.txt\n"
          "  heed summarize --run runs/news --no-repeat-ngram 3 --min-length 10 --coverage-penalty "
          "0.2 < documents.txt\n"
          "  heed summarize --run runs/news --score summaries.txt < documents.txt");
}

}  // namespace heed::cli
