#include <string_view>

#include "datasets/metrics/perplexity.h"
#include "datasets/text/text_file.h"
#include "datasets/text/text_windows.h"
#include "datasets/text/utf8.h"
#include "experiments/internal/evaluations.h"
#include "experiments/internal/perplexities.h"
#include "experiments/text_objective.h"

namespace heed {

namespace {

using Figures = std::vector<EvaluationFigure>;

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
        "{}: has changed since this run began; give the text it was trained on, or name another "
        "text to evaluate on",
        path);
  return text;
}

/// The text that the run was validated on.
EvaluatedText validation_text(const Run& run, Index batch) {
  const auto& d = run.settings.data;
  if (!d.valid.empty()) return {text_of_run(run, "data.valid", d.valid[0])};
  std::string text = text_of_run(run, "data.train", d.train[0]);
  const TextOptions options{
      .context = context_of(run), .batch = batch, .valid_fraction = d.valid_fraction};
  const TextWindows windows = TextWindows::of_texts(text, "", *run.tokenizers.target, options);
  const auto begin = static_cast<Index>(windows.train().size());
  return {std::move(text), begin};
}

}  // namespace

Index context_of(const Run& run) { return run.settings.value_or("model.context", Index{64}); }

EvaluatedTokens evaluate_tokens(const Run& run, const EvaluationData& on,
                                const ShouldStop& should_stop, Index most) {
  if (on.data.size() > 1) fail("a language model is evaluated on one text file");
  const Tokenizer& tokenizer = *run.tokenizers.target;
  const Index context = context_of(run);
  const Index batch = std::max<Index>(1, run.settings.data.batch_tokens / context);
  const EvaluatedText chosen =
      on.data.empty() ? validation_text(run, batch) : EvaluatedText{read_text(on.data[0])};
  const std::vector<Id> ids = tokenizer.encode(chosen.text);
  const auto all = std::span(ids).subspan(static_cast<std::size_t>(chosen.begin));
  const auto evaluated = all.first(static_cast<std::size_t>(std::min(std::ssize(all), most)));
  const TotalLoss loss = total_loss(batch_loss(model_as<LanguageModel>(*run.model)),
                                    consecutive_windows(evaluated, context, batch), should_stop);
  if (loss.tokens == 0) fail("nothing to evaluate: the text has fewer than two tokens");
  // The first token is given; all tokens after it are predicted.
  const std::size_t given = end_of_tokens(tokenizer, chosen.text, chosen.begin + 1);
  const std::size_t end =
      evaluated.size() == all.size()
          ? chosen.text.size()
          : end_of_tokens(tokenizer, chosen.text, chosen.begin + std::ssize(evaluated));
  const auto predicted = std::string_view(chosen.text).substr(given, end - given);
  const std::size_t characters = utf8::length(predicted);
  EvaluatedTokens found{.figures = {{"tokens", loss.tokens}},
                        .tokens = {evaluated.begin(), evaluated.end()}};
  add_perplexities(found.figures, loss, static_cast<Index>(characters));
  return found;
}

std::vector<EvaluationFigure> evaluate_text(const Run& run, const EvaluationData& on,
                                            const ShouldStop& should_stop) {
  return evaluate_tokens(run, on, should_stop).figures;
}

}  // namespace heed
