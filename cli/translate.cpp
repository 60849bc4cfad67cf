#include <iostream>
#include <optional>

#include <unistd.h>

#include "cli/attend.h"
#include "cli/commands.h"
#include "cli/line_input.h"
#include "cli/nbest.h"
#include "cli/run.h"
#include "cli/values.h"
#include "datasets/text_file.h"
#include "datasets/utf8.h"
#include "framework/kernels/parallel.h"

namespace heed::cli {

namespace {

/// What is not given is as the run's settings say.
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

/// What the parser cannot see.
void check_usage(const Options& o) {
  if (o.min_length && o.max_length && *o.min_length > *o.max_length)
    wrong_usage(
        fmt::format("--min-length {} is more than --max-length {}", *o.min_length, *o.max_length));
  if (o.nbest && o.beam && *o.nbest > *o.beam)
    wrong_usage(
        fmt::format("--nbest {} needs a --beam at least as wide; it is {}", *o.nbest, *o.beam));
}

/// The run's own options under those given. One that is given outweighs any of the run's that
/// contradicts it.
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

/// Warns of the first source that the model cannot place whole.
class CutWarning {
 public:
  explicit CutWarning(const Run& run) : run_(run), longest_(longest_source(*run.model)) {}
  void look_at(std::span<const std::string> lines, std::size_t first) {
    for (std::size_t i = 0; i < lines.size() && longest_ > 0; ++i) {
      if (lines[i].size() + 2 <= longest_) continue;  // a token takes a byte or more
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
  std::size_t longest_;  // 0: nothing to warn of
};

constexpr int score_digits = 6;
constexpr Index longest_asked = 1 << 20;  // tokens

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

void flush() {
  std::cout.flush();
  if (!std::cout) fail("standard output: cannot write");
  stop_if_interrupted();
}

/// The lines of FILE are the targets of those on standard input.
void score_lines(const Options& o, const Run& run, LineInput& input) {
  const std::vector<std::string> targets = read_lines(o.score);
  CutWarning warning(run);
  std::size_t done = 0;
  const auto longest = static_cast<std::size_t>(run.model->longest());
  for (auto lines = input.lines(); !lines.empty(); lines = input.lines()) {
    warning.look_at(lines, done);
    std::vector<std::vector<Id>> sources;
    std::vector<std::vector<Id>> golds;
    std::string trouble;
    for (std::size_t i = 0; i < lines.size() && trouble.empty(); ++i) {
      if (done + i == targets.size()) {
        trouble = fmt::format(
            "{}: has {} line{} and standard input has more; give each line of one its line of the "
            "other",
            o.score, targets.size(), targets.size() == 1 ? "" : "s");
        break;
      }
      std::vector<std::string> extra;
      std::vector<Id> source = encode_source(*run.model, run.tokenizers, lines[i], extra);

      std::vector<Id> gold = run.tokenizers.target->encode(utf8::trim(targets[done + i]), extra);
      if (source.empty()) source.push_back(eos_id);
      if (longest > 0 && gold.size() + 1 > longest) {
        trouble = fmt::format("{}:{}: has {} tokens; the model can place {}", o.score, done + i + 1,
                              gold.size(), longest - 1);
        break;
      }
      sources.push_back(std::move(source));
      golds.push_back(std::move(gold));
    }
    const auto scores = [&] {
      const AtOnce lines_before_are_out;
      return score_targets(*run.model, sources, golds);
    }();
    for (const TargetScore& score : scores) {
      const std::string nats = fixed(score.log_probability, score_digits);
      std::cout << fmt::format("{}\t{}\n", nats, score.tokens);
    }
    flush();
    done += lines.size();
    if (!trouble.empty()) fail("{}", trouble);
  }
  if (done < targets.size())
    fail("{}: has {} lines and standard input has {}; give each line of one its line of the other",
         o.score, targets.size(), done);
}

/// What is asked for here is given or refused; a run's own lengths are cut to what its model can
/// place, as they were in training.
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

void translate_lines(const Options& o, const Run& run, LineInput& input) {
  check_lengths(o, run);
  const DecodeOptions options = chosen_options(o, run.settings);
  if ((!o.attention.empty() || options.coverage_penalty > 0) && !attends(*run.model))
    fail("{}: model.name = {} does not attend to its source; {}", o.run, run.settings.model.name,
         o.attention.empty() ? "--coverage-penalty has nothing to weigh"
                             : "there is nothing for --attention to show");
  std::optional<plots::AttentionWriter> attention;
  if (!o.attention.empty()) attention.emplace(o.attention);
  CutWarning warning(run);
  const Decoder decoder(*run.model);
  std::size_t done = 0;
  for (auto lines = input.lines(); !lines.empty(); lines = input.lines()) {
    warning.look_at(lines, done);
    const auto results = [&] {
      const AtOnce lines_before_are_out;
      return translate_nbest(decoder, run.tokenizers, lines, options, done);
    }();
    for (const auto& outputs : results)
      o.nbest ? print_list(outputs) : print_best(outputs);
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
    const AtOnce nothing_said;
    return open_run(o.run, o.checkpoint);
  }();
  if (!run.model->reads_source()) fail("{}: a language model; it has nothing to {}", o.run, verb);
  LineInput input;
  if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
    std::cerr << fmt::format("heed: type what to {}, a line each; Ctrl-D ends\n", verb);
  o.score.empty() ? translate_lines(o, run, input) : score_lines(o, run, input);
}

CLI::App* add_decoder(CLI::App& app, const char* verb, const char* what) {
  auto* command = app.add_subcommand(verb, what);
  auto o = std::make_shared<Options>();
  command->add_option("--run", o->run, "folder that `heed train --out` wrote")->required();
  command->add_option("--checkpoint", o->checkpoint, checkpoint_help);
  const auto add = [&](const char* name, auto& value, const char* help) {
    return command->add_option(name, value, help);
  };
  std::vector<CLI::Option*> search = {
      add("--beam", o->beam, "beam width; 1: greedy (default: the run's decode.beam)")
          ->transform(whole(1, 1000)),
      add("--length-penalty", o->length_penalty,
          "alpha; larger favours longer outputs (default: the run's)")
          ->transform(number(0, 100)),
      add("--coverage-penalty", o->coverage_penalty,
          "beta; larger favours outputs that looked at all of the source (default: the run's)")
          ->transform(number(0, 100)),
  };
  CLI::Option* sample =
      command->add_flag("--sample", o->sample,
                        "draw outputs at random by their probability, in place of beam search");
  std::vector<CLI::Option*> sampling = {
      add("--temperature", o->temperature,
          "of --sample: below 1 surer, above 1 more varied; 0: the likeliest token each time")
          ->transform(number(0, 1000)),
      add("--top-k", o->top_k, "of --sample: from the K likeliest tokens alone; 0: from all")
          ->transform(whole(0)),
      add("--top-p", o->top_p,
          "of --sample: from the fewest tokens that hold this share of the probability")
          ->transform(number(0, 1)),
      add("--seed", o->seed,
          "of --sample: the same seed draws the same from the same lines (default: 1)")
          ->transform(whole<std::uint64_t>(0)),
  };
  std::vector<CLI::Option*> both = {
      sample,
      add("--nbest", o->nbest,
          "up to N different outputs of each line, the best (of --sample: as drawn): rank, score "
          "and text between tabs, a blank line after them")
          ->transform(whole(1, 1000)),
      add("--min-length", o->min_length, "fewest tokens of an output (default: the run's)")
          ->transform(whole(0, longest_asked)),
      add("--max-length", o->max_length,
          "most tokens of an output (default: the run's; else twice the source + 20, no more "
          "than data.max_length)")
          ->transform(whole(1, longest_asked)),
      add("--no-repeat-ngram", o->no_repeat_ngram,
          "no N tokens in a row twice in an output; 0: they may (default: the run's)")
          ->transform(whole(0, longest_asked)),
      add("--attention", o->attention,
          "file to write what the model looked at for each token of its best: .html (a page), .svg "
          "or .jsonl (the weights)")
          ->type_name("FILE"),
  };
  CLI::Option* score =
      command
          ->add_option("--score", o->score,
                       "decode nothing: FILE's lines are the outputs of the lines read; prints the "
                       "log probability of each, a tab, and its tokens, </s> among them")
          ->type_name("FILE");
  command
      ->add_option("--threads", o->threads,
                   "threads to compute on (0: one a core); results do not depend on it")
      ->transform(thread_count());
  for (CLI::Option* option : search) {
    option->excludes(sample);
    both.push_back(option);
  }
  for (CLI::Option* option : sampling) {
    option->needs(sample);
    both.push_back(option);
  }
  for (CLI::Option* option : both)
    option->excludes(score);
  command->callback([o, verb] { run_decoder(*o, verb); });
  return command;
}

}  // namespace

void add_translate(CLI::App& app) {
  add_decoder(app, "translate",
              "Translate standard input with a trained model: a line in, a line out, in order")
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
              "Summarize standard input with a trained model: a document a line in, a summary a "
              "line out, in order")
      ->footer(
          "Examples:\n  heed summarize --run runs/news < documents.txt > summaries.txt\n"
          "  heed summarize --run runs/news --no-repeat-ngram 3 --min-length 10 --coverage-penalty "
          "0.2 < documents.txt\n"
          "  heed summarize --run runs/news --score summaries.txt < documents.txt");
}

}  // namespace heed::cli
