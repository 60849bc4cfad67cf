#include <algorithm>

#include "experiments/inference/attention.h"
#include "experiments/inference/confidence.h"
#include "experiments/inference/text_generation.h"
#include "experiments/report/attention_page.h"
#include "experiments/report/text.h"
#include "experiments/report/token_text.h"
#include "experiments/run_report/internal/sections.h"

namespace heed {

namespace {

constexpr Index most_tokens = 50'000;        // that are predicted, so that it does not take long
constexpr std::size_t shown_tokens = 400;    // of the text
constexpr std::size_t attended_tokens = 40;  // of the picture
constexpr Index drawn_tokens = 200;

std::span<const Id> first_of(const std::vector<Id>& ids, std::size_t most) {
  return std::span(ids).first(std::min(ids.size(), most));
}

}  // namespace

void add_continued_text(report::Page& page, const Run& run, const ReportOptions& options,
                        const ShouldStop& should_stop) {
  const EvaluatedTokens evaluated =
      evaluate_tokens(run, evaluation_data(options), should_stop, most_tokens);
  const Tokenizer& tokenizer = *run.tokenizers.target;
  page.heading("How well it predicts");
  page.paragraph(fmt::format(
      "On {}: its first {} tokens at most.",
      options.data.empty() ? "the text that the run was validated on" : options.data.front(),
      most_tokens));
  add_figures(page, evaluated.figures);

  page.heading("What it expected");
  page.paragraph(
      "The beginning of the text. The stronger the line below a token, the less probable it was; "
      "rest the pointer on it for the candidates.");
  const auto surprises = confidences_of_text(
      run.decoder(), tokenizer, first_of(evaluated.tokens, shown_tokens + 1), context_of(run));
  page.element("<p class=\"tokens\" dir=\"auto\">" + report::token_text(surprises) + "</p>\n");

  page.heading("What it writes");
  const GenerateOptions drawn{.count = drawn_tokens,
                              .temperature = 0.8,
                              .seed = static_cast<std::uint64_t>(options.seed),
                              .should_stop = should_stop};
  page.paragraph(fmt::format("{} tokens, drawn with a temperature of 0.8 and the seed {}.",
                             drawn_tokens, options.seed));
  page.element("<pre dir=\"auto\">" +
               report::escape(report::well_formed(generate_text(run, "", drawn))) + "</pre>\n");
  stop_if(should_stop);

  const AttendedLine line =
      attend_text(run.decoder(), tokenizer, first_of(evaluated.tokens, attended_tokens + 1));
  if (line.layers.empty()) return;
  page.heading("Attention");
  AttentionPictures pictures(page, true);
  page.element(pictures.of(line));
  pictures.end();
  add_heads(page, {line});
}

}  // namespace heed
