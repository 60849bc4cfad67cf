#include <cmath>
#include <iostream>
#include <optional>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/corpus.h"
#include "cli/quality.h"
#include "cli/run.h"
#include "datasets/batching.h"
#include "datasets/metrics/bleu.h"
#include "datasets/metrics/chrf.h"
#include "datasets/metrics/exact.h"
#include "datasets/metrics/perplexity.h"
#include "datasets/metrics/rouge.h"
#include "datasets/text_file.h"
#include "datasets/text_windows.h"
#include "datasets/utf8.h"
#include "framework/kernels/parallel.h"

namespace heed::cli {

namespace {

struct Options {
  std::string run, checkpoint, split = "test";
  std::vector<std::string> data, fields;
  Index lines = 1000, beam = 0;
  int threads = 0;
  bool json = false;
};

using Report = nlohmann::ordered_json;

Report perplexities(const Loss& loss, std::size_t characters) {
  const Perplexity p{.nats = loss.sum, .tokens = loss.tokens, .characters = static_cast<Index>(characters)};
  return {{"loss", loss.per_token()}, {"perplexity", p.per_token()}, {"perplexity_per_character", p.per_character()}};
}

Report operator+(Report a, const Report& b) {
  a.update(b);
  return a;
}

Report evaluate_text(const Options& o, const Run& run) {
  if (o.data.size() > 1) fail("a language model is evaluated on one text file: --data FILE.txt");
  const Tokenizer& tokenizer = *run.tokenizers.target;
  const Index batch = std::max<Index>(1, run.settings.data.batch_tokens / run.settings.model.context);
  std::vector<Id> ids;
  if (o.data.empty()) {
    const auto& d = run.settings.data;
    ids = TextWindows::open(d.train[0], d.valid.empty() ? "" : d.valid[0], tokenizer,
                            {.context = run.settings.model.context, .batch = batch, .valid_fraction = d.valid_fraction})
              .valid();
  } else {
    ids = tokenizer.encode(read_text(o.data[0]));
  }
  const Loss loss = total_loss(*run.model, consecutive_windows(ids, run.settings.model.context, batch));
  if (loss.tokens == 0) fail("nothing to evaluate: the text has fewer than two tokens");
  const std::string foretold = tokenizer.decode(std::span(ids).subspan(1));  // all but the first
  return Report{{"tokens", loss.tokens}} + perplexities(loss, utf8::length(foretold));
}

Report evaluate_pairs(const Options& o, const Run& run) {
  if (o.data.empty()) fail("what to evaluate on? give --data with files or a built-in corpus such as toy:translation");
  const Split split = o.split == "train" ? Split::train : o.split == "valid" ? Split::valid : Split::test;
  const auto pairs = open_evaluation_pairs(o.data, o.fields.empty() ? run.settings.data.fields : o.fields, o.lines, split,
                                           {.blank_is_error = run.settings.data.blank == "error"});
  const TestSet test = read_test_set(*pairs);
  const Loss loss = total_loss(*run.model, all_batches(*pairs, run.tokenizers, {.batch_tokens = run.settings.data.batch_tokens, .max_length = run.model->longest() > 0 ? run.model->longest() - 1 : 0,
                                                                                     .cut = true, .widen = run.model->copies()}));
  DecodeOptions options = decode_options(run.settings);
  if (o.beam > 0) options.beam = static_cast<int>(o.beam);
  const std::vector<std::string> hypotheses = best_translations(*run.model, run.tokenizers, test, options);
  const std::vector<std::vector<std::string>> references{test.references};
  const BleuScore bleu = corpus_bleu(hypotheses, references);
  const RougeScore rouge = mean_rouge(hypotheses, references);
  std::size_t characters = 0;
  for (const std::string& reference : test.references) characters += utf8::length(reference) + 1;
  const Report blank = pairs->skipped() > 0 ? Report{{"skipped", pairs->skipped()}} : Report::object();
  return Report{{"lines", pairs->size()}} + blank + perplexities(loss, characters) +
         Report{{"bleu", bleu.score},
                {"signature", bleu.signature()},
                {"chrf", corpus_chrf(hypotheses, references).score},
                {"rouge1", rouge.rouge1.fmeasure},
                {"rouge2", rouge.rouge2.fmeasure},
                {"rougeL", rouge.rougeL.fmeasure},
                {"exact", exact_match(hypotheses, test.references)}};
}

void run_evaluate(const Options& o) {
  set_threads(o.threads);
  std::optional<AtOnce> nothing_said(std::in_place);
  const Run run = open_run(o.run, o.checkpoint);
  const Report report = run.settings.model.name == "lm" ? evaluate_text(o, run) : evaluate_pairs(o, run);
  nothing_said.reset();
  if (o.json) {
    std::cout << report.dump() << '\n';
    return;
  }
  for (const auto& [name, value] : report.items()) {
    if (name == "exact")
      std::cout << fmt::format("{:<12} {:.2f} %\n", name, 100 * value.get<double>());
    else if (value.is_number_float())
      std::cout << fmt::format("{:<12} {:.4f}\n", name == "perplexity_per_character" ? "  a character" : name, value.get<double>());
    else
      std::cout << fmt::format("{:<12} {}\n", name, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

}  // namespace

void add_evaluate(CLI::App& app) {
  auto* command = app.add_subcommand("evaluate", "Loss, perplexity, BLEU, chrF, ROUGE and exact matches of a trained model on a set");
  auto o = std::make_shared<Options>();
  command->add_option("--run", o->run, "folder that `heed train --out` wrote")->required();
  command->add_option("--checkpoint", o->checkpoint, checkpoint_help);
  command->add_option("--data", o->data, "DATA, as --train of `heed train` (lm: one text; default: its validation part)")->expected(1, 2);
  command->add_option("--fields", o->fields, "source and target: keys of a .jsonl, or columns of a .tsv")->expected(2);
  command->add_option("--lines", o->lines, "of a built-in corpus: how many")->check(CLI::PositiveNumber)->capture_default_str();
  command->add_option("--split", o->split, "of a built-in corpus: train, valid or test")->check(CLI::IsMember({"train", "valid", "test"}))->capture_default_str();
  command->add_option("--beam", o->beam, "beam width; 1: greedy (default: the run's decode.beam)")->check(CLI::Range(1, 1000));
  command->add_option("--threads", o->threads, "threads to compute on (0: one a core); results do not depend on it")->check(CLI::NonNegativeNumber);
  command->add_flag("--json", o->json, "one JSON object, full digits");
  command->footer("Example:\n  heed evaluate --run runs/first --data toy:translation");
  command->callback([o] { run_evaluate(*o); });
}

}  // namespace heed::cli
