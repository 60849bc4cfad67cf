#include "experiments/run_report/run_report.h"

#include <cmath>
#include <fstream>
#include <optional>

#include "experiments/corpus.h"
#include "experiments/inference/toml.h"
#include "experiments/inspection.h"
#include "experiments/progress.h"
#include "experiments/report/attention_page.h"
#include "experiments/report/token_text.h"
#include "experiments/run_report/internal/sections.h"
#include "experiments/settings.h"
#include "experiments/task_works.h"
#include "experiments/trained_run.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

/// What made the run: the comments at the head of its config.toml.
std::vector<std::string> made_by(const std::string& folder) {
  std::vector<std::string> lines;
  std::ifstream in(config_path(folder));
  for (std::string line; std::getline(in, line) && line.starts_with("# ");)
    lines.push_back(line.substr(2));
  return lines;
}

std::string data_text(const Settings& settings) {
  std::string text;
  for (const std::string& name : settings.data.train)
    text += (text.empty() ? "" : ", ") + fs::path(name).filename().string();
  return text;
}

/// What was trained, in a table.
report::Table summary_table(const std::string& folder, const Settings& settings,
                            const std::optional<CheckpointSummary>& checkpoint,
                            const RunMetrics& metrics) {
  report::Table table{.rows = {{"data", data_text(settings)},
                               {"task", settings.task.name},
                               {"model", settings.model.name}}};
  if (checkpoint) {
    table.rows.push_back({"parameters", fmt::format("{}", checkpoint->parameter_count)});
    if (checkpoint->step) table.rows.push_back({"steps", fmt::format("{}", *checkpoint->step)});
    if (checkpoint->best_loss)
      table.rows.push_back(
          {"best validation loss",
           fmt::format(
               "{:.4f} (perplexity {:.3f}){}", *checkpoint->best_loss,
               std::exp(*checkpoint->best_loss),
               checkpoint->best_step ? fmt::format(" at step {}", *checkpoint->best_step) : "")});
  }
  double seconds = 0;
  for (const auto* rows : {&metrics.train, &metrics.valid})
    for (const MetricsRow& row : *rows)
      seconds = std::fmax(seconds, row.at("seconds"));
  if (seconds > 0) table.rows.push_back({"time of training", duration_text(seconds)});
  const char* names[] = {"made by", "processor", "products by"};
  std::size_t i = 0;
  for (const std::string& line : made_by(folder))
    if (i < std::size(names)) table.rows.push_back({names[i++], line});
  return table;
}

report::Table settings_table(const CheckpointSummary& checkpoint) {
  report::Table table{.caption = "Settings that are not the defaults",
                      .header = {"setting", "value", "default"}};
  for (const ChosenSetting& setting : checkpoint.chosen)
    table.rows.push_back({setting.key, toml_text(setting.value), toml_text(setting.usual)});
  return table;
}

/// The newest checkpoint of a run, or why there is none.
struct NewestCheckpoint {
  std::optional<CheckpointSummary> summary = {};
  std::string problem = {};
};
NewestCheckpoint newest_checkpoint(const std::string& folder) {
  try {
    return {.summary = inspect(folder)};
  } catch (const Error& error) {
    return {.problem = error.what()};
  }
}

std::string rules() {
  return report::attention_rules() + report::token_rules() +
         ".output{border-top:1px solid;padding:4px 0 8px}"
         ".sides{margin:6px 0}.sides th{padding-right:14px;white-space:nowrap}"
         ".sides td{width:100%}"
         "details.line{border-top:0}"
         "summary{cursor:pointer}"
         ".tokens{line-height:2}"
         "pre{white-space:pre-wrap;overflow-wrap:anywhere}\n";
}

/// What the task shows of outputs. Where data of the run are gone, says so instead.
void add_outputs(report::Page& page, const Run& run, const ReportOptions& options,
                 const ShouldStop& should_stop) {
  const auto& work = task_works().at(run.settings.task.name);
  if (!work.report) return;
  try {
    work.report(page, run, options, should_stop);
  } catch (const Error& error) {
    if (!options.data.empty()) throw;
    page.heading("Outputs");
    page.paragraph(fmt::format("There are no outputs here: {}.", error.what()));
  }
}

/// The parts that need the model. Where it cannot be opened, says so instead.
void add_model(report::Page& page, const std::string& folder, const ReportOptions& options,
               const ShouldStop& should_stop) {
  std::optional<Run> run;
  try {
    run.emplace(open_trained_run(folder));
  } catch (const Error& error) {
    page.heading("Outputs");
    page.paragraph(fmt::format("The model cannot be opened: {}.", error.what()));
    return;
  }
  add_outputs(page, *run, options, should_stop);
  stop_if(should_stop);
  add_weights(page, *run->model);
  page.notes(
      {"Attention is not by itself an explanation: what a model looks at need not be why it "
       "answers."});
}

}  // namespace

void ReportOptions::list(Fields& f) {
  f("data", data, any_value(),
    "what to try the model on, as data.train (default: what it was validated on)")
      .option("data", 1, 2);
  f("fields", fields, any_value(), "source and target: keys of a .jsonl, or columns of a .tsv")
      .option("fields", 2, 2);
  f("lines", lines, between(Index{1}),
    "most lines of validation data, and lines of built-in corpora (default: 300)")
      .option("lines");
  f("split", split, splits(), "built-in corpora: train, valid or test (default)").option("split");
  f("seed", seed, between(Index{0}), "of the lines that are drawn at random (default: 1)")
      .option("seed");
}

EvaluationData evaluation_data(const ReportOptions& options) {
  return {.data = options.data,
          .fields = options.fields,
          .lines = options.lines,
          .split = options.split};
}

std::unique_ptr<PairSource> open_report_pairs(const Run& run, const ReportOptions& options) {
  if (!options.data.empty()) return open_pairs_for(run, evaluation_data(options));
  const auto pairs = open_validation_pairs(run.settings);
  if (!pairs) fail("the run was not validated on anything, and no data are given");
  return first_pairs(*pairs, options.lines);
}

std::string evaluated_text(const ReportOptions& options, const PairSource& pairs) {
  if (!options.data.empty()) return fmt::format("On {}: {} lines.", pairs.name(), pairs.size());
  return fmt::format(
      "On {} of the lines that the run was validated on. Its weights and its length were chosen by "
      "these, so figures on a test set may be lower; `--data` names one.",
      pairs.size());
}

void add_figures(report::Page& page, const std::vector<EvaluationFigure>& figures) {
  report::Table table{.header = {"figure", "value"}};
  for (const EvaluationFigure& figure : figures) {
    const double* number = std::get_if<double>(&figure.value);
    if (figure.confusion) continue;
    if (number && figure.in_percent)
      table.rows.push_back({figure.name, fmt::format("{:.2f} %", 100 * *number)});
    else
      table.rows.push_back(
          {figure.name, number ? fmt::format("{:.4f}", *number) : to_text(figure.value)});
  }
  page.table(table);
}

report::Page run_report(const std::string& folder, const ReportOptions& options,
                        const ShouldStop& should_stop) {
  const Settings settings = read_run_settings(folder);
  const RunMetrics metrics = read_metrics(folder);
  const std::vector<RunEvent> events = read_events(folder);
  const NewestCheckpoint newest = newest_checkpoint(folder);
  report::Page page(fmt::format("{} on {}", settings.model.name, data_text(settings)), rules());
  page.table(summary_table(folder, settings, newest.summary, metrics));
  if (!newest.problem.empty())
    page.paragraph(fmt::format("There is no checkpoint to look at: {}.", newest.problem));
  if (newest.summary && !newest.summary->chosen.empty())
    page.table(settings_table(*newest.summary));
  add_curves(page, metrics, events, settings.task.row().labelled ? "an item" : "a token");
  add_events(page, events);
  if (options.uses_model && newest.summary) add_model(page, folder, options, should_stop);
  return page;
}

}  // namespace heed
