#include <cmath>
#include <iostream>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/option_values.h"
#include "cli/signals.h"
#include "datasets/metrics/bleu.h"
#include "datasets/metrics/chrf.h"
#include "datasets/metrics/exact.h"
#include "datasets/metrics/perplexity.h"
#include "datasets/metrics/rouge.h"
#include "datasets/text/batching.h"
#include "datasets/text/text_file.h"
#include "datasets/text/text_windows.h"
#include "datasets/text/utf8.h"
#include "experiments/corpus.h"
#include "experiments/inference/run.h"
#include "experiments/inference/test_set.h"
#include "framework/threads.h"

namespace heed::cli {

namespace {

struct Options {
  std::string run;
  std::string checkpoint;
  std::string split = "test";
  std::vector<std::string> data;
  std::vector<std::string> fields;
  Index lines = 1000;
  Index beam = 0;
  int threads = 0;
  bool json = false;
};

using Report = nlohmann::ordered_json;

Report perplexities(const TotalLoss& loss, Index characters) {
  const Perplexity p{.nats = loss.sum, .tokens = loss.tokens, .characters = characters};
  return {{"loss", loss.per_token()},
          {"perplexity", p.per_token()},
          {"perplexity_per_character", p.per_character()}};
}

Report operator+(Report a, const Report& b) {
  a.update(b);
  return a;
}

/// A text of which the tokens from `begin` on are evaluated.
struct EvaluatedText {
  std::string text;
  Index begin = 0;
};

/// Reads the text of the run's data.train or data.valid (`key`). Throws Error where it has another
/// fingerprint than the checkpoint says; older checkpoints do not say.
std::string text_of_run(const Run& run, const std::string& key, const std::string& path) {
  std::string text = read_text(path);
  const auto then = run.text.find(key);
  if (then != run.text.end() && then->second != fmt::format("{:016x}", hash_of(text, {})))
    fail(
        "{}: has changed since this run began; give the text it was trained on, or name a text to "
        "evaluate on: --data FILE.txt",
        path);
  return text;
}

/// The text that the run was validated on.
EvaluatedText validation_text(const Run& run, Index batch) {
  const auto& d = run.settings.data;
  if (!d.valid.empty()) return {text_of_run(run, "data.valid", d.valid[0])};
  std::string text = text_of_run(run, "data.train", d.train[0]);
  const TextOptions options{
      .context = run.settings.model.context, .batch = batch, .valid_fraction = d.valid_fraction};
  const TextWindows windows = TextWindows::of_texts(text, "", *run.tokenizers.target, options);
  const auto begin = static_cast<Index>(windows.train().size());
  return {std::move(text), begin};
}

Report evaluate_text(const Options& o, const Run& run) {
  if (o.data.size() > 1) fail("a language model is evaluated on one text file: --data FILE.txt");
  const Tokenizer& tokenizer = *run.tokenizers.target;
  const Index context = run.settings.model.context;
  const Index batch = std::max<Index>(1, run.settings.data.batch_tokens / context);
  const EvaluatedText chosen =
      o.data.empty() ? validation_text(run, batch) : EvaluatedText{read_text(o.data[0])};
  const std::vector<Id> ids = tokenizer.encode(chosen.text);
  const auto evaluated = std::span(ids).subspan(static_cast<std::size_t>(chosen.begin));
  const TotalLoss loss = total_loss(*run.model, consecutive_windows(evaluated, context, batch));
  if (loss.tokens == 0) fail("nothing to evaluate: the text has fewer than two tokens");
  // The first token is given; all tokens after it are predicted.
  const std::size_t given = end_of_tokens(tokenizer, chosen.text, chosen.begin + 1);
  const std::size_t characters = utf8::length(std::string_view(chosen.text).substr(given));
  return Report{{"tokens", loss.tokens}} + perplexities(loss, static_cast<Index>(characters));
}

/// The number of code points of the references that are predicted. The end of each line counts as
/// one. Of a line of more than `longest` tokens only the first `longest` count; 0: all do.
Index predicted_characters(const TestSet& test, const Tokenizer& tokenizer, Index longest) {
  std::size_t characters = 0;
  for (const std::string& line : test.references) {
    const bool cut = longest > 0 && std::ssize(tokenizer.encode(line)) > longest;
    const std::size_t end = cut ? end_of_tokens(tokenizer, line, longest) : line.size();
    characters += utf8::length(std::string_view(line).substr(0, end)) + 1;
  }
  return static_cast<Index>(characters);
}

Split split_of(const std::string& name) {
  if (name == "train") return Split::train;
  return name == "valid" ? Split::valid : Split::test;
}

/// The scores of the model's outputs for the sources of the test set.
Report output_scores(const Options& o, const Run& run, const TestSet& test) {
  DecodeOptions options = decode_options(run.settings);
  if (o.beam > 0) options.beam = static_cast<int>(o.beam);
  const std::vector<std::string> hypotheses =
      best_translations(*run.model, run.tokenizers, test, options);
  const std::vector<std::vector<std::string>> references{test.references};
  const BleuScore bleu = corpus_bleu(hypotheses, references);
  const RougeScore rouge = mean_rouge(hypotheses, references);
  return {{"bleu", bleu.score},
          {"signature", bleu.signature()},
          {"chrf", corpus_chrf(hypotheses, references).score},
          {"rouge1", rouge.rouge1.fmeasure},
          {"rouge2", rouge.rouge2.fmeasure},
          {"rougeL", rouge.rougeL.fmeasure},
          {"exact", exact_match(hypotheses, test.references)}};
}

Report evaluate_pairs(const Options& o, const Run& run) {
  if (o.data.empty())
    fail(
        "what to evaluate on? give --data with files or a built-in corpus such as toy:translation");
  const auto pairs = open_evaluation_pairs(
      o.data, o.fields.empty() ? run.settings.data.fields : o.fields, o.lines, split_of(o.split),
      {.blank_is_error = run.settings.data.blank == "error"});
  const TestSet test = read_test_set(*pairs);
  const Index longest = std::max<Index>(0, run.model->longest() - 1);
  const BatchOptions batches{.batch_tokens = run.settings.data.batch_tokens,
                             .max_length = longest,
                             .cut = true,
                             .widen = run.model->copies()};
  const TotalLoss loss = total_loss(*run.model, all_batches(*pairs, run.tokenizers, batches));
  const Index characters = predicted_characters(test, *run.tokenizers.target, longest);
  Report report{{"lines", pairs->size()}};
  if (pairs->skipped() > 0) report["skipped"] = pairs->skipped();
  return report + perplexities(loss, characters) + output_scores(o, run, test);
}

/// Warns of options that have no effect on this model or these data.
void warn_of_unused(const Options& o, const CLI::App& command, bool language_model) {
  const auto warn = [&](const char* option, const char* why) {
    if (command.count(option) > 0)
      std::cerr << fmt::format("heed: warning: {} has no effect {}\n", option, why);
  };
  if (language_model) {
    for (const char* option : {"--beam", "--lines", "--split", "--fields"})
      warn(option, "on a language model");
    return;
  }
  if (!is_toy(o.data)) {
    for (const char* option : {"--lines", "--split"})
      warn(option, "on files: it is for built-in corpora");
  }
  if (is_toy(o.data) || o.data.size() == 2)
    warn("--fields", "on this data: it is for a .tsv or a .jsonl");
}

/// One line a figure.
void print(const Report& report) {
  for (const auto& [name, value] : report.items()) {
    const std::string label = name == "perplexity_per_character" ? "  a character" : name;
    if (name == "exact")
      std::cout << fmt::format("{:<12} {:.2f} %\n", label, 100 * value.get<double>());
    else if (value.is_number_float())
      std::cout << fmt::format("{:<12} {:.4f}\n", label, value.get<double>());
    else if (value.is_string())
      std::cout << fmt::format("{:<12} {}\n", label, value.get<std::string>());
    else
      std::cout << fmt::format("{:<12} {}\n", label, value.dump());
  }
}

void run_evaluate(const Options& o, const CLI::App& command) {
  set_threads(o.threads);
  std::optional<InterruptAtOnce> nothing_printed(std::in_place);
  const Run run = open_run(o.run, o.checkpoint);
  const bool language_model = run.settings.model.name == "lm";
  const Report report = language_model ? evaluate_text(o, run) : evaluate_pairs(o, run);
  nothing_printed.reset();
  warn_of_unused(o, command, language_model);
  if (o.json)
    std::cout << report.dump() << '\n';
  else
    print(report);
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto* command = app.add_subcommand(
      "evaluate",
      "Compute loss, perplexity, BLEU, chrF, ROUGE and exact matches of a trained model");
  auto o = std::make_shared<Options>();
  command->add_option("--run", o->run, "folder that `heed train --out` wrote")->required();
  command->add_option("--checkpoint", o->checkpoint, checkpoint_help);
  command
      ->add_option("--data", o->data,
                   "DATA, as --train of `heed train` (language model: one text; default: its "
                   "validation part)")
      ->expected(1, 2);
  command
      ->add_option("--fields", o->fields,
                   "source and target: keys of a .jsonl, or columns of a .tsv")
      ->expected(2);
  command->add_option("--lines", o->lines, "built-in corpora: number of lines")
      ->transform(whole(1))
      ->capture_default_str();
  command->add_option("--split", o->split, "built-in corpora: train, valid or test")
      ->check(one_of({"train", "valid", "test"}))
      ->capture_default_str();
  command->add_option("--beam", o->beam, "beam width; 1: greedy (default: the run's decode.beam)")
      ->transform(whole(1, 1000));
  command->add_option("--threads", o->threads, threads_help)->transform(thread_count());
  command->add_flag("--json", o->json, "print one JSON object with all digits");
  command->footer("Example:\n  heed evaluate --run runs/first --data toy:translation");
  command->callback([o, command] { run_evaluate(*o, *command); });
}

}  // namespace heed::cli
