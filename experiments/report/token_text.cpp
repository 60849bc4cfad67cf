#include "experiments/report/token_text.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "experiments/report/colours.h"
#include "experiments/report/text.h"

namespace heed::report {

namespace {

constexpr double strongest = 5;  // nats
constexpr int columns = 40;      // of a token in a tooltip

/// The level of the scale for a probability.
int level_of(double probability) {
  const double nats = -std::log(std::clamp(probability, 1e-300, 1.0));
  return static_cast<int>(std::lround(std::min(1.0, nats / strongest) * levels));
}

std::string title_of(const TokenConfidence& token) {
  std::string text = fmt::format("{}: {:.4f}, rank {}", shortened(visible(token.token), columns),
                                 token.probability, token.rank);
  text += token.best.empty() ? "" : "; best:";
  for (const TokenConfidence::Candidate& candidate : token.best)
    text += fmt::format(" {} {:.4f}", shortened(visible(candidate.token), columns),
                        candidate.probability);
  return text;
}

/// A token that would take no room on the page gets a sign that does.
std::string shown_text(const std::string& token) {
  if (token == "\n") return "↵";
  if (token.empty()) return "·";
  std::string text = visible(token);
  // The sign that joins tokens (U+FFED) is missing in many fonts.
  for (const std::string_view joiner = "￭"; text.find(joiner) != std::string::npos;)
    text.replace(text.find(joiner), joiner.size(), "▪");
  return text;
}

}  // namespace

std::string token_text(std::span<const TokenConfidence> tokens) {
  std::string html;
  for (const TokenConfidence& token : tokens) {
    html += fmt::format("<span class=\"token w{}\" title=\"{}\"><bdi>{}</bdi></span>{}",
                        level_of(token.probability), escape(title_of(token)),
                        escape(shown_text(token.token)), token.token == "\n" ? "<br/>" : " ");
  }
  return html;
}

std::string token_rules() {
  return ".token{display:inline-block;border-bottom:4px solid currentColor;margin:0 1px;"
         "white-space:pre-wrap;overflow-wrap:anywhere}\n";
}

}  // namespace heed::report
