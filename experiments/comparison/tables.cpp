#include <algorithm>

#include <fmt/ranges.h>

#include "experiments/comparison/internal/figure_texts.h"
#include "experiments/comparison/internal/tuning.h"
#include "experiments/comparison/result.h"
#include "experiments/report/number_text.h"

namespace heed {

namespace {

using report::signed_fixed;

using Row = std::vector<std::string>;

/// Width on a terminal: the number of code points.
std::size_t width(const std::string& text) {
  const auto begins_character = [](char c) { return (c & 0xc0) != 0x80; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

/// Columns are as wide as their widest cell. The first is aligned left, the others right.
std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width(row[i]));
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width(row[i]), ' ');
      line += i == 0 ? row[i] + space : "  " + space + row[i];
    }
    out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return out;
}

std::string models_table(const Comparison& result) {
  std::vector<Row> rows{
      {"model", "parameters", "d", "steps", "tokens/s", "seconds", "peak MB", "valid ppl"}};
  for (const std::string& title : figure_titles(result))
    rows[0].push_back(title);
  for (const ModelSummary& m : result.models) {
    rows.push_back({m.model, fmt::format("{}", m.parameters), fmt::format("{}", m.d),
                    fmt::format("{:.0f}", m.steps.mean), fmt::format("{:.0f}", m.tokens_per_s.mean),
                    fmt::format("{:.0f}", m.seconds.mean), fmt::format("{:.0f}", m.peak_mb.mean),
                    to_text(m.perplexity, 3)});
    for (const std::string& text : figure_texts(result, m))
      rows.back().push_back(text);
  }
  return table(rows);
}

std::string group_table(const Comparison& result, std::size_t number) {
  const ComparedFigure& figure = result.figures[0];
  const Grouping& grouping = result.groupings[number];
  std::vector<Row> rows{{figure.title + " " + grouping.title}, {"lines"}};
  for (const LineGroup& group : grouping.groups) {
    rows[0].push_back(group.title);
    rows[1].push_back(fmt::format("{}", group.lines.size()));
  }
  for (const ModelSummary& m : result.models) {
    rows.push_back({m.model});
    for (const Spread& s : m.grouped[number])
      rows.back().push_back(to_text(s, 1, figure.factor));
  }
  return table(rows);
}

std::string pairs_table(const Comparison& result) {
  std::vector<Row> rows{
      {"better", "worse", result.figures[0].title, "95 % of test sets", "better on", "", "Holm p"}};
  for (const ModelPair& pair : result.pairs) {
    const PairText text = pair_text(result, pair);
    rows.push_back(
        {pair.better, pair.worse, text.mean, text.range, text.wins, text.verdict, text.holm});
  }
  return table(rows);
}

/// Quotes a cell that holds a comma, a quote or a line break.
std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

std::string csv_line(const Row& row) {
  Row cells;
  for (const std::string& cell : row)
    cells.push_back(csv_cell(cell));
  return fmt::format("{}\n", fmt::join(cells, ","));
}

/// "test_bleu" and the like: the names of the figures of a run.
Row figure_names(const Comparison& comparison) {
  Row names;
  for (const ComparedFigure& figure : comparison.figures)
    names.push_back("test_" + figure.metric);
  return names;
}

std::string text_of(Index number) { return fmt::format("{}", number); }
/// The shortest text that reads back as this number.
std::string text_of(double number) { return fmt::format("{}", number); }

}  // namespace

std::vector<std::string> figure_titles(const Comparison& comparison) {
  std::vector<std::string> titles;
  for (const ComparedFigure& figure : comparison.figures)
    titles.push_back(titles.empty() ? "test " + figure.title : figure.title);
  return titles;
}

std::vector<Row> cost_rows(const Comparison& comparison) {
  const auto or_dash = [](double value, const std::string& text) { return value > 0 ? text : "-"; };
  const auto count = [&](Index value) {
    return or_dash(static_cast<double>(value), text_of(value));
  };
  std::vector<Row> rows{
      {"costs", "outside vocabulary", "Gflop a step", "decoded tokens/s", "state KiB"}};
  for (const ModelSummary& m : comparison.models) {
    const double gflop = static_cast<double>(m.flops) * 1e-9;
    const double decoded = m.decoded_tokens_per_s.mean;
    rows.push_back({m.model, count(m.outside_vocabulary),
                    or_dash(gflop, fmt::format("{:.3g}", gflop)),
                    or_dash(decoded, fmt::format("{:.0f}", decoded)),
                    or_dash(m.state_kib, fmt::format("{:.1f}", m.state_kib))});
  }
  return rows;
}

std::vector<std::string> figure_texts(const Comparison& comparison, const ModelSummary& model) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < comparison.figures.size(); ++i) {
    const ComparedFigure& figure = comparison.figures[i];
    texts.push_back(to_text(model.scores[i], figure.digits, figure.factor));
  }
  return texts;
}

PairText pair_text(const Comparison& comparison, const ModelPair& pair) {
  const ComparedFigure& figure = comparison.figures[0];
  const int digits = std::max(2, figure.digits);
  const auto shown = [&](double value) { return signed_fixed(figure.factor * value, digits); };
  const PairedDifference& d = pair.difference;
  std::string verdict = d.significant() ? "significant" : "may be chance";
  if (!comparison.decides()) verdict = "too few lines";
  return {.mean = shown(d.mean),
          .range = fmt::format("{} to {}", shown(d.low), shown(d.high)),
          .wins = fmt::format("{:.1f} %", 100 * d.wins),
          .verdict = verdict,
          .holm = fmt::format("{:.3f}", pair.holm_p)};
}

std::string to_text(const Comparison& comparison) {
  std::string text = models_table(comparison) + "\n" + table(cost_rows(comparison));
  for (std::size_t i = 0; i < comparison.groupings.size(); ++i)
    text += "\n" + group_table(comparison, i);
  if (!comparison.pairs.empty()) text += "\n" + pairs_table(comparison);
  if (!comparison.tunings.empty())
    text += "\n" + table(tuning_rows(comparison.tunings)) + tuning_note(comparison.tunings) + "\n";
  return text;
}

std::string to_csv(const Comparison& comparison) {
  Row names{"model",   "seed",         "d",       "parameters", "steps",           "best_step",
            "seconds", "tokens_per_s", "peak_mb", "valid_loss", "valid_perplexity"};
  for (const std::string& name : figure_names(comparison))
    names.push_back(name);
  for (const char* name :
       {"outside_vocabulary", "flops", "decoded_tokens_per_s", "state_kib", "folder"})
    names.emplace_back(name);
  std::string csv = csv_line(names);
  for (const RunResult& r : comparison.runs) {
    Row row{r.model,
            text_of(r.seed),
            text_of(r.d),
            text_of(r.parameters),
            text_of(r.steps),
            text_of(r.best_step),
            text_of(r.seconds),
            text_of(r.tokens_per_s),
            text_of(r.peak_mb),
            text_of(r.valid_loss),
            text_of(r.valid_perplexity())};
    for (const double score : r.scores)
      row.push_back(text_of(score));
    for (const std::string& text :
         {text_of(r.outside_vocabulary), text_of(r.flops), text_of(r.decoding.tokens_per_s),
          text_of(r.decoding.state_kib), r.folder})
      row.push_back(text);
    csv += csv_line(row);
  }
  return csv;
}

}  // namespace heed
