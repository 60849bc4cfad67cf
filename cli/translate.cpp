#include <cmath>
#include <iostream>
#include <optional>

#include <poll.h>
#include <unistd.h>

#include "cli/attend.h"
#include "cli/commands.h"
#include "cli/run.h"
#include "datasets/text_file.h"
#include "framework/kernels/parallel.h"

namespace heed::cli {

namespace {

struct Options {
  std::string run, attention;
  Index beam = 0, max_length = 0;
  double length_penalty = 0;
  int nbest = 1, threads = 0;
};

/// Lines from standard input, as many as are there without waiting: a pipe is read in batches, a person is answered at once.
class Input {
 public:
  /// The next lines, at most `most`; waits for the first. Empty at the end.
  std::vector<std::string> lines(std::size_t most) {
    std::vector<std::string> result;
    while (result.size() < most) {
      if (const auto end = buffer_.find('\n', begin_); end != std::string::npos) {
        result.push_back(checked(buffer_.substr(begin_, end - begin_)));
        begin_ = end + 1;
      } else if (ended_) {
        if (begin_ < buffer_.size()) result.push_back(checked(buffer_.substr(begin_)));
        begin_ = buffer_.size();
        break;
      } else if (!result.empty() && !ready()) {
        break;
      } else {
        fill();
      }
    }
    return result;
  }

 private:
  static bool ready() {
    pollfd descriptor{STDIN_FILENO, POLLIN, 0};
    return poll(&descriptor, 1, 0) > 0;
  }
  void fill() {
    buffer_.erase(0, std::exchange(begin_, 0));
    char chunk[1 << 16];
    const ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);
    if (interrupted()) throw Interrupted();
    if (got < 0) fail("standard input: cannot read");
    if (got == 0) ended_ = true;
    buffer_.append(chunk, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  }
  std::string checked(std::string line) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    check_line(line, "standard input", ++number_);
    return line;
  }

  std::string buffer_;
  std::size_t begin_ = 0, number_ = 0;
  bool ended_ = false;
};

void run_translate(const Options& o) {
  set_threads(o.threads);
  if (!o.attention.empty()) plots::AttentionWriter::check_path(o.attention);
  const Run run = open_run(o.run);
  if (run.settings.model.name == "lm") fail("{}: a language model; it has nothing to translate", o.run);
  DecodeOptions options = decode_options(run.settings);
  if (o.beam > 0) options.beam = static_cast<int>(o.beam);
  if (o.length_penalty >= 0) options.length_penalty = static_cast<Real>(o.length_penalty);
  if (o.max_length > 0) options.max_length = o.max_length;
  options.nbest = o.nbest;
  if (options.nbest > options.beam) fail("--nbest {} needs a --beam at least as wide; it is {}", options.nbest, options.beam);
  std::optional<plots::AttentionWriter> attention;
  if (!o.attention.empty()) {
    if (!attends(*run.model)) fail("{}: model.name = {} does not attend to its source; there is nothing for --attention to show", o.run, run.settings.model.name);
    attention.emplace(o.attention);
  }
  Input input;
  for (auto lines = input.lines(256); !lines.empty(); lines = input.lines(256)) {
    const auto results = translate(*run.model, run.tokenizers, lines, options);
    for (const auto& hypotheses : results) {
      if (o.nbest == 1) {
        std::cout << (hypotheses.empty() ? "" : hypotheses[0].text) << '\n';
      } else {
        for (std::size_t i = 0; i < hypotheses.size(); ++i)
          std::cout << i + 1 << '\t' << fmt::format("{:.4f}", hypotheses[i].score) << '\t' << hypotheses[i].text << '\n';
        std::cout << '\n';
      }
    }
    std::cout.flush();
    if (!std::cout) fail("standard output: cannot write");
    if (attention)
      for (const auto& line : attend(*run.model, run.tokenizers, lines, results)) attention->add(line);
    if (interrupted()) throw Interrupted();
  }
  if (attention) attention->close();
}

}  // namespace

void add_translate(CLI::App& app) {
  auto* command = app.add_subcommand("translate", "Translate standard input with a trained model: a line in, a line out, in order");
  auto o = std::make_shared<Options>();
  o->length_penalty = -1;
  command->add_option("--run", o->run, "folder that `heed train --out` wrote")->required();
  command->add_option("--beam", o->beam, "beam width; 1: greedy (default: the run's decode.beam)")->check(CLI::Range(1, 1000));
  command->add_option("--length-penalty", o->length_penalty, "alpha; larger favours longer outputs (default: the run's)")->check(CLI::Range(0.0, 100.0));
  command->add_option("--max-length", o->max_length, "most tokens of an output (default: twice the source + 20)")->check(CLI::PositiveNumber);
  command->add_option("--nbest", o->nbest, "the N best of each line, as rank, score and text between tabs, a blank line after them")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--attention", o->attention, "file to write what the model looked at for each token of its best: .html (a page), .svg or .jsonl (the weights)")
      ->type_name("FILE");
  command->add_option("--threads", o->threads, "threads to compute on (0: one a core)")->check(CLI::NonNegativeNumber);
  command->footer("Examples:\n  echo 'The old sailor hides the keys.' | heed translate --run runs/first\n"
                  "  heed translate --run runs/de-en --beam 8 < test.de > test.hyp\n"
                  "  echo 'The old sailor hides the keys.' | heed translate --run runs/first --attention page.html");
  command->callback([o] { run_translate(*o); });
}

}  // namespace heed::cli
