#include "experiments/comparison/settings.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string_view>

#include <fmt/ranges.h>

#include "experiments/comparison/internal/assignments.h"
#include "experiments/comparison/internal/compared_model.h"
#include "experiments/comparison/internal/matching.h"
#include "experiments/comparison/internal/settings_file.h"
#include "experiments/settings.h"
#include "experiments/task_works.h"
#include "experiments/tuning.h"
#include "framework/nearest.h"

namespace heed {

namespace {

/// Settings that the comparison itself decides, with the field that sets them.
constexpr std::pair<const char*, const char*> decided[] = {
    {"model.name", "models"},   {"train.seed", "seeds"},   {"train.steps", "steps"},
    {"train.epochs", "epochs"}, {"train.time", "time"},    {"data.train", "train"},
    {"data.valid", "valid"},    {"data.fields", "fields"}, {"task.name", "task"}};

Range duration() {
  const auto holds = [](const FieldValue& value) {
    const auto& text = std::get<std::string>(value);
    try {
      return text.empty() || parse_duration(text) > 0;
    } catch (const Error&) {
      return false;
    }
  };
  return {"a time such as 90s, 10m or 1.5h", holds};
}

Range matching() {
  const std::string text = fmt::format(
      "parameters, work, none or a number of parameters, at most {}", most_matched_parameters);
  const auto holds = [](const FieldValue& value) {
    const auto& match = std::get<std::string>(value);
    return match == "none" || matches_parameters(match) || matches_work(match);
  };
  return {text, holds};
}

/// The tasks whose models can be compared, and "".
Range compared_tasks() {
  std::vector<std::string> names;
  for (const TaskWork& work : task_works().rows())
    if (!work.compared.empty()) names.push_back(work.name);
  const std::string text = fmt::format("one of {}", fmt::join(names, ", "));
  return {text, [names](const FieldValue& value) {
            const auto& name = std::get<std::string>(value);
            return name.empty() || std::ranges::find(names, name) != names.end();
          }};
}

void list_data(Fields& f, ComparisonSettings& s) {
  f("train", s.data, any_value(),
    "DATA: two line-aligned files, one .tsv or .jsonl, one text for language models, or toy:NAME; "
    "one with a column or key `label` holds labelled texts")
      .option("train", 1, 2);
  f("task", s.task, compared_tasks(),
    "what the models are to give: translate, classify or lm (default: classify where the data name "
    "labels, else what the first model is for)")
      .absent("translate")
      .option("task");
  f("valid", s.valid, any_value(),
    "DATA to validate on (default: some of the training data is held out)")
      .option("valid", 1, 2);
  f("test", s.test, any_value(),
    "DATA to test on (default: a built-in corpus' test lines, or the validation set)")
      .option("test", 1, 2);
  f("fields", s.fields, any_value(), "source and target: keys of a .jsonl, or columns of a .tsv")
      .option("fields", 2, 2);
  f("lines", s.lines, between(Index{1}), "number of lines of a built-in corpus to test on")
      .option("lines");
}

void list_models(Fields& f, ComparisonSettings& s) {
  f("models", s.models, any_value(),
    "models, separated by commas; NAME=MODEL is one under a name of its own")
      .option("models", 1, 0);
  f("seeds", s.seeds, between(Index{1}, Index{1000}), "runs of each model, with seeds from 1")
      .option("seeds");
  f("match", s.match, matching(),
    "choose the widths so that all models have about as many parameters as the largest of them "
    "(parameters) or as a number, or as much work in a step (work); or leave them (none)")
      .option("match");
  f("set", s.assignments, any_value(),
    "a setting of all models that have it, key=value, or of one, NAME:key=value; may be repeated")
      .option("set", 1, 1);
  f("tune", s.tune, any_value(),
    "first let each model try several values of a setting, KEY=a,b,c, in short trainings of its "
    "first seed, and take the one with the lowest validation loss; optim.lr alone tries 1/4 to 4 "
    "times its default")
      .absent("")
      .option("tune");
}

void list_judgement(Fields& f, ComparisonSettings& s) {
  f("metric", s.metric, any_value(),
    "the metric by which models are ranked: bleu (the usual one of translate), rouge, chrf or "
    "exact; "
    "accuracy (classify) or macro_f1; bits_per_character (lm)")
      .absent("")
      .option("metric");
}

void list_budget(Fields& f, ComparisonSettings& s) {
  f("time", s.time, duration(), "train each run for this time: 90s, 10m, 1.5h").option("time");
  f("steps", s.steps, between(Index{0}), "or for N steps")
      .option("steps")
      .option_range(between(Index{1}));
  f("epochs", s.epochs, between(Index{0}), "or for N passes over the data")
      .option("epochs")
      .option_range(between(Index{1}));
  f("exact_epochs", s.exact_epochs, any_value(),
    "false in comparisons of earlier versions: train.exact_epochs of their runs")
      .resume(Resume::free)
      .absent(false);
  f("defaults_by_data", s.defaults_by_data, any_value(),
    "choose what nobody gave by what the data are like; false in comparisons of earlier versions")
      .resume(Resume::free)
      .absent(false);
}

/// A name stands in names of files, in tables and before the colon of an assignment.
void check_name(const ModelName& model) {
  const auto allowed = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("+-_.").find(c) != std::string_view::npos;
  };
  constexpr std::size_t longest = 64;
  const std::string& name = model.name;
  if (name.empty() || name.size() > longest || name.front() == '.' ||
      !std::ranges::all_of(name, allowed))
    fail_comparison(
        "models: '{}' is no name; expected 1 to {} letters, digits, +, -, _ and ., with no . at "
        "its head",
        name.substr(0, longest), longest);
  if (name != model.family && model_families().find(name))
    fail_comparison("models: {} is a model, and cannot be the name of {}", name, model.family);
}

void check_family(const std::string& name) {
  const ModelFamily* family = model_families().find(name);
  if (!family)
    fail_comparison("models: expected some of {}; got '{}'{}",
                    fmt::join(model_families().names(), ", "), name,
                    did_you_mean(name, model_families().names()));
  const Task& task = usual_task(*family);
  if (task_works().at(task.name).compared.empty())
    fail_comparison("models: {} is for the task {}, whose models cannot be compared", name,
                    task.name);
}

void check_models(const std::vector<std::string>& models) {
  if (models.empty())
    fail_comparison("models: none are named; choose some of {}",
                    fmt::join(model_families().names(), ", "));
  std::set<std::string> names;
  for (const std::string& text : models) {
    const ModelName model = split_model(text);
    check_family(model.family);
    check_name(model);
    if (!names.insert(model.name).second)
      fail_comparison("models: {0} is named twice; give each a name of its own, as in a={1},b={1}",
                      model.name, model.family);
  }
}

void check_assignment(const std::string& text, const std::vector<std::string>& names) {
  const ModelAssignment a = split_assignment(text);
  if (!a.model.empty() && std::ranges::find(names, a.model) == names.end())
    fail_comparison("set {}: {} is not among the models{}", text, a.model,
                    did_you_mean(a.model, names));
  for (const auto& [key, field] : decided)
    if (a.key == key)
      fail_comparison("{} decides {}, which is the same for all models: give it instead of '{}'",
                      field, key, text);
  if (a.key.starts_with("train.init") || a.key.starts_with("train.freeze"))
    fail_comparison(
        "set {}: the models of a comparison start afresh and train whole; weights are reused in "
        "single trainings alone",
        text);
}

/// The widths are the comparison's, and decide how many parameters a model has.
void check_tuning(const ComparisonSettings& settings) {
  if (settings.tune.empty()) return;
  try {
    const std::string key = parse_tuning(settings.tune).key;
    if (!key.starts_with("optim.") && key != "model.dropout" && key != "train.label_smoothing")
      fail_comparison(
          "tune {}: a comparison tunes a number of optim, model.dropout or train.label_smoothing",
          settings.tune);
    for (const std::string& text : settings.assignments)
      if (split_assignment(text).key == key)
        fail_comparison("tune {}: set {} gives it too; leave out one of them", settings.tune, text);
  } catch (const ComparisonError&) {
    throw;
  } catch (const Error& error) {
    fail_comparison("tune: {}", error.what());
  }
}

}  // namespace

void ComparisonSettings::list(Fields& f) {
  list_data(f, *this);
  list_models(f, *this);
  list_judgement(f, *this);
  list_budget(f, *this);
}

void check_comparison(const ComparisonSettings& settings) {
  ComparisonSettings copy = settings;
  for (const Field& field : fields_of(copy)) {
    try {
      field.check();
    } catch (const FieldError& error) {
      fail_comparison("{}", error.what());
    }
  }
  if (settings.data.empty())
    fail_comparison(
        "train: nothing to train on; give files or a built-in corpus such as toy:translation");
  check_models(settings.models);
  for (const std::string& text : settings.assignments)
    check_assignment(text, names_of(settings.models));
  check_tuning(settings);
  if (!settings.time.empty() + (settings.steps > 0) + (settings.epochs > 0) > 1)
    fail_comparison("time, steps and epochs exclude each other; give one of them");
}

}  // namespace heed
