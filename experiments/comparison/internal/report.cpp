#include "experiments/comparison/internal/report.h"

#include <fmt/ranges.h>

#include "experiments/comparison/internal/json_file.h"
#include "experiments/comparison/internal/matching.h"
#include "experiments/comparison/internal/result_json.h"
#include "experiments/comparison/internal/settings_file.h"
#include "experiments/comparison/page.h"
#include "framework/build_info.h"
#include "framework/files.h"
#include "framework/threads.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

std::string matching_note(const ComparisonPlan& plan) {
  if (plan.settings.match == "none") return "Counts of parameters were not matched.";
  std::string note =
      fmt::format("Widths were chosen so that {} is within 5 % of the wanted one",
                  matches_work(plan.settings.match) ? "the work of every model's step"
                                                    : "every count of parameters");
  if (!plan.misses.empty()) note += fmt::format(", but: {}", fmt::join(plan.misses, "; "));
  return note + ".";
}

std::string budget_text(const ComparisonSettings& settings) {
  if (!settings.time.empty()) return settings.time;
  if (settings.steps > 0) return fmt::format("{} steps", settings.steps);
  if (settings.epochs > 0) return fmt::format("{} epochs", settings.epochs);
  return "the models' own";
}

/// "on 2 threads"; "" where the comparison does not say, as those of earlier versions.
std::string threads_text(const fs::path& folder) {
  const Json kept = read_json(folder / "comparison.json");
  if (!kept.is_object() || !kept.contains("threads") || !kept["threads"].is_number_unsigned())
    return "";
  const auto count = kept["threads"].get<Index>();
  return fmt::format(", on {} thread{}", count, count == 1 ? "" : "s");
}

std::vector<std::string> notes_of(const ComparisonPlan& plan, const Comparison& comparison,
                                  const fs::path& folder) {
  return {
      fmt::format("Each run trained for: {}{}.", budget_text(plan.settings), threads_text(folder)),
      fmt::format("Test set: {}, {} lines. {}: {}.", plan.test.name, plan.test.sources.size(),
                  comparison.figures[0].title, comparison.signature),
      fmt::format("All models: the same vocabulary, {}the same seeds; the checkpoint with the "
                  "lowest validation loss.",
                  plan.has_same_batches() ? "the same batches in the same order, " : ""),
      matching_note(plan)};
}

Json made_with() {
  const BuildInfo info = build_info();
  return {{"version", info.version},
          {"compiler", info.compiler},
          {"processor", info.processor},
          {"blas", info.blas}};
}

Json report_json(const ComparisonPlan& plan, const Comparison& comparison) {
  Json json{{settings_name, to_json(plan.settings)},
            {"test", {{"name", plan.test.name}, {"lines", plan.test.sources.size()}}}};
  json.update(to_json(comparison));
  json["runs"] = Json::array();
  for (const RunResult& run : comparison.runs) {
    json["runs"].push_back(to_json(run));
    json["runs"].back()["folder"] = run.folder;
  }
  json["threads"] = threads();
  json["made_with"] = made_with();
  return json;
}

}  // namespace

report::Page page_of(const ComparisonPlan& plan, const Comparison& comparison,
                     const fs::path& folder) {
  std::vector<std::string> names;
  for (const std::string& name : plan.settings.data)
    names.push_back(fs::path(name).filename().string());
  std::vector<Curve> curves;
  for (const RunResult& run : comparison.runs)
    curves.push_back(read_curve(folder / run.folder, run.model, run.seed));
  return comparison_page(fmt::format("Comparison on {}", fmt::join(names, ", ")), comparison,
                         plan.test, curves, notes_of(plan, comparison, folder));
}

void write_report(const ComparisonPlan& plan, const Comparison& comparison,
                  const fs::path& folder) {
  replace_file(folder / "comparison.json", report_json(plan, comparison).dump(2) + "\n");
  replace_file(folder / "comparison.csv", to_csv(comparison));
  page_of(plan, comparison, folder).write((folder / "comparison.html").string());
  replace_file(folder / "comparison.txt", to_text(comparison));
}

}  // namespace heed
