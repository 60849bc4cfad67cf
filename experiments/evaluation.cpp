#include "experiments/evaluation.h"

#include <nlohmann/json.hpp>

#include "experiments/internal/confusion_json.h"
#include "experiments/task_works.h"

namespace heed {

void EvaluationData::list(Fields& f) {
  f("data", data, any_value(),
    "what to evaluate on, as data.train (language model: one text; default: its validation part)")
      .option("data", 1, 2);
  f("fields", fields, any_value(), "source and target: keys of a .jsonl, or columns of a .tsv")
      .option("fields", 2, 2);
  f("lines", lines, between(Index{1}), "built-in corpora: number of lines (default: 1000)")
      .option("lines");
  f("split", split, splits(), "built-in corpora: train, valid or test (default)").option("split");
  f("beam", beam, between(Index{0}, Index{1000}),
    "beam width; 1: greedy (default: the run's decode.beam)")
      .option("beam")
      .option_range(between(Index{1}, Index{1000}));
  f("length_penalty", length_penalty, between(-1.0, 100.0),
    "larger values favour longer outputs (default: the run's decode.length_penalty)")
      .option("length-penalty")
      .option_range(between(0.0, 100.0));
}

std::vector<EvaluationFigure> evaluate(const Run& run, const EvaluationData& on,
                                       const ShouldStop& should_stop) {
  return task_works().at(run.settings.task.name).evaluate(run, on, should_stop);
}

std::string to_text(const std::vector<EvaluationFigure>& figures) {
  std::string text;
  for (const auto& [name, value, in_percent, confusion] : figures) {
    const std::string label = name == "perplexity_per_character" ? "  a character" : name;
    const double* number = std::get_if<double>(&value);
    if (confusion)
      text += to_text(value);
    else if (number && in_percent)
      text += fmt::format("{:<12} {:.2f} %\n", label, 100 * *number);
    else if (number)
      text += fmt::format("{:<12} {:.4f}\n", label, *number);
    else
      text += fmt::format("{:<12} {}\n", label, to_text(value));
  }
  return text;
}

std::string to_json(const std::vector<EvaluationFigure>& figures) {
  nlohmann::ordered_json json;
  for (const EvaluationFigure& figure : figures) {
    if (figure.confusion)
      json[figure.name] = confusion_json(*figure.confusion);
    else
      std::visit([&](const auto& value) { json[figure.name] = value; }, figure.value);
  }
  return json.dump() + "\n";
}

}  // namespace heed
