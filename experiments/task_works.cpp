#include "experiments/task_works.h"

#include "datasets/text/text_file.h"
#include "experiments/inference/prediction.h"
#include "experiments/inference/translation.h"
#include "experiments/internal/evaluations.h"
#include "experiments/internal/text_parts.h"
#include "experiments/report/text.h"
#include "experiments/run_report/internal/sections.h"
#include "experiments/text_objective.h"
#include "models/classifier.h"
#include "models/language_model.h"
#include "models/seq2seq.h"

namespace heed {

namespace {

/// The objective of a task whose model is an M.
template <class M>
std::unique_ptr<Objective> text_objective(const Settings& s, const Model& model, Corpus& corpus,
                                          const ShouldStop& should_stop) {
  const M& typed = model_as<M>(model);
  TextObjectiveOptions options{.label_smoothing = static_cast<Real>(s.train.label_smoothing),
                               .penalty = [&typed] { return typed.penalty(); },
                               .should_stop = should_stop};
  if (s.train.r_drop > 0)
    options.train_loss = r_drop_loss(batch_logits(typed), static_cast<Real>(s.train.r_drop));
  return std::make_unique<TextObjective>(batch_loss(typed), *corpus.train, corpus.valid,
                                         std::move(options));
}

/// Three lines: a source, its reference (=) and what the model gives for it (>).
std::string sample_lines(const Pair& pair, const std::string& output) {
  constexpr int widest = 600;  // columns: documents are shortened, sentences are not
  return fmt::format("    {}\n  = {}\n  > {}", report::shortened(pair.source, widest),
                     report::shortened(pair.target, widest), report::shortened(output, widest));
}

/// The validation pair whose turn it is; nothing where there are none.
std::optional<Pair> sample_pair(const Corpus& corpus, Index number) {
  if (!corpus.valid_pairs) return std::nullopt;
  return corpus.valid_pairs->at(number % corpus.valid_pairs->size());
}

std::string sample_translation(const Settings& s, const Model& model, const Corpus& corpus,
                               Index number) {
  const std::optional<Pair> pair = sample_pair(corpus, number);
  if (!pair) return "";
  DecodeOptions options = decode_options(s);
  options.beam = 1;
  options.coverage_penalty = 0;
  const auto best =
      translate(*model.decoder(), corpus.tokenizers, std::vector{pair->source}, options);
  return sample_lines(*pair, best[0].empty() ? "" : best[0][0].text);
}

TaskWork translate_work() {
  return {.name = "translate",
          .open = open_pair_corpus,
          .objective = text_objective<Seq2Seq>,
          .sample = sample_translation,
          .evaluate = evaluate_pairs,
          .report = add_translations,
          .answers =
              [](const Settings& s, const Model& model, const Tokenizers& tokenizers,
                 const TestSet& test, const ShouldStop& should_stop) {
                return best_translations(*model.decoder(), tokenizers, test, decode_options(s),
                                         should_stop);
              },
          .forced = forced_pairs,
          // Effective order: a few short lines may hold no output of four words.
          .compared = {{.metric = "bleu", .options = {{"effective_order", true}}, .title = "BLEU"},
                       {.metric = "exact", .title = "exact %", .digits = 1, .factor = 100}},
          .also_compared = {{.metric = "rouge", .title = "ROUGE-1", .factor = 100},
                            {.metric = "chrf", .title = "chrF"}}};
}

std::string sample_prediction(const Settings&, const Model& model, const Corpus& corpus,
                              Index number) {
  const std::optional<Pair> pair = sample_pair(corpus, number);
  if (!pair) return "";
  const auto found =
      predict(model_as<Classifier>(model), corpus.tokenizers, std::vector{pair->source});
  if (found[0].empty()) return sample_lines(*pair, "");
  const Prediction& best = found[0][0];
  return sample_lines(*pair, fmt::format("{} ({:.3f})", best.label, best.probability));
}

TaskWork classify_work() {
  return {.name = "classify",
          .open = open_pair_corpus,
          .objective = text_objective<Classifier>,
          .sample = sample_prediction,
          .evaluate = evaluate_labelled,
          .report = add_labels,
          .answers =
              [](const Settings&, const Model& model, const Tokenizers& tokenizers,
                 const TestSet& test, const ShouldStop& should_stop) {
                return best_labels(model_as<Classifier>(model), tokenizers, test.sources,
                                   should_stop);
              },
          .compared = {{.metric = "accuracy", .title = "accuracy %", .factor = 100},
                       {.metric = "macro_f1", .title = "macro F1 %", .factor = 100}}};
}

TestSet text_test_set(const std::vector<std::string>& data, const Corpus& corpus) {
  const Tokenizer& tokenizer = *corpus.tokenizers.target;
  if (data.empty()) return text_in_parts("the validation text", corpus.valid_text, tokenizer);
  if (data.size() > 1) fail("a language model is tested on one text file");
  return text_in_parts(data[0], read_text(data[0]), tokenizer);
}

TaskWork lm_work() {
  return {.name = "lm",
          .open = open_text_corpus,
          .objective = text_objective<LanguageModel>,
          .sample = [](const Settings&, const Model&, const Corpus&, Index) { return ""; },
          .evaluate = evaluate_text,
          .report = add_continued_text,
          .answers = nats_of_parts,
          .forced = forced_beginning,
          .test_set = text_test_set,
          .compared = {{.metric = "bits_per_character", .title = "bits/char", .digits = 4}}};
}

}  // namespace

Registry<TaskWork>& task_works() {
  static Registry<TaskWork> table("task", {translate_work(), classify_work(), lm_work()});
  return table;
}

}  // namespace heed
