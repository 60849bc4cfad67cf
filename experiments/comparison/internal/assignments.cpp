#include "experiments/comparison/internal/assignments.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "experiments/defaults/chosen_defaults.h"
#include "experiments/setting_warnings.h"
#include "experiments/training.h"

namespace heed {

namespace {

/// Sets the value. An error names the assignment. One for all models passes over a model that has
/// another setting of that name.
void apply(const ModelAssignment& a, const std::string& text, Settings& settings) {
  try {
    settings.set(a.key, a.value);
  } catch (const NotOfThisChoice& error) {
    if (!a.model.empty() || !settings.has(a.key)) fail_comparison("set {}: {}", text, error.what());
  } catch (const FieldError& error) {
    fail_comparison("set {}: {}", text, error.reason);
  } catch (const Error& error) {
    fail_comparison("set {}: {}", text, error.what());
  }
}

/// Applies those that are meant for the model of this name. One for all models passes over a model
/// that lacks the setting. What decides which other settings there are comes first, and what is
/// meant for all before what is meant for this one.
void apply_assignments(const std::vector<std::string>& texts, const std::string& name,
                       Settings& settings) {
  const auto selects = [&](const std::string& text) {
    const Fields all = settings.fields();
    const Field* field = all.find(split_assignment(text).key);
    return field && field->is_selecting();
  };
  std::vector<std::string> ordered = texts;
  const auto is_for_all = [](const std::string& text) {
    return split_assignment(text).model.empty();
  };
  std::stable_partition(ordered.begin(), ordered.end(), is_for_all);
  std::stable_partition(ordered.begin(), ordered.end(), selects);
  for (const std::string& text : ordered) {
    const ModelAssignment a = split_assignment(text);
    const bool has_it = !a.model.empty() || settings.has(a.key);
    if (a.is_meant_for(name) && has_it) apply(a, text, settings);
  }
}

/// Throws ComparisonError where no model has the setting of an assignment.
void check_known(const ComparisonSettings& comparison, const std::vector<ComparedModel>& models) {
  for (const std::string& text : comparison.assignments) {
    const ModelAssignment a = split_assignment(text);
    const auto has_it = [&](const ComparedModel& m) { return m.settings.has(a.key); };
    if (std::ranges::any_of(models, has_it)) continue;
    Settings first = models.front().settings;
    apply(a, text, first);  // throws: there is no such setting
  }
}

/// Whether an assignment gives this setting to the model.
bool is_assigned(const ComparisonSettings& comparison, const std::string& model,
                 const std::string& key) {
  const auto assigns = [&](const std::string& text) {
    const ModelAssignment a = split_assignment(text);
    return a.is_meant_for(model) && a.key == key;
  };
  return std::ranges::any_of(comparison.assignments, assigns);
}

Settings usual_settings(const ComparisonSettings& comparison, const std::string& family) {
  try {
    return default_settings(family, comparison.data, comparison.task);
  } catch (const FieldError& error) {
    if (error.key != "task.name") throw;
    fail_comparison("task {}: {} is not made for it; {}", comparison.task, family, error.reason);
  }
}

/// The settings of a model, without what follows from the data.
Settings given_settings(const ComparisonSettings& comparison, const ModelName& model) {
  Settings s = usual_settings(comparison, model.family);
  s.train.exact_epochs = comparison.exact_epochs;
  apply_assignments(comparison.assignments, model.name, s);
  s.data.train = comparison.data;
  s.data.valid = comparison.valid;
  s.data.fields = comparison.fields;
  if (!comparison.time.empty() || comparison.steps > 0 || comparison.epochs > 0) {
    s.train.time = comparison.time;
    s.assign("train.steps", comparison.steps);  // given: no default replaces it
    s.train.epochs = comparison.epochs;
  }
  // 0: chosen when the budget is known in steps
  if (!is_assigned(comparison, model.name, "train.eval_every")) s.train.eval_every = 0;
  return s;
}

/// Sets the defaults that follow from the data. Returns a line for each reason; the models stand
/// behind it where it is not that of all.
std::vector<std::string> choose_for_all(std::vector<ComparedModel>& models,
                                        const DataFacts& facts) {
  std::vector<std::pair<std::string, std::vector<std::string>>> lines;
  for (auto& [name, settings] : models) {
    for (const ChosenDefaults& chosen : choose_defaults(settings, facts)) {
      const std::string line = to_text(chosen);
      const auto same = [&](const auto& other) { return other.first == line; };
      auto found = std::ranges::find_if(lines, same);
      if (found == lines.end()) found = lines.insert(lines.end(), {line, {}});
      found->second.push_back(name);
    }
  }
  std::vector<std::string> texts;
  for (const auto& [line, of] : lines)
    texts.push_back(of.size() == models.size() ? line
                                               : fmt::format("{} ({})", line, fmt::join(of, ", ")));
  return texts;
}

/// What keeps the given setting from having an effect; "" where it has one, or there is none.
std::string why_unused(const Settings& settings, const std::string& key) {
  for (const std::string& warning : unused_settings(settings))
    if (warning.starts_with(key + " = ")) return warning;
  return "";
}

}  // namespace

ModelAssignment split_assignment(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos)
    fail_comparison("set takes key=value or NAME:key=value; got '{}'", text.substr(0, 100));
  const auto colon = text.find(':');
  const bool for_one = colon < equals;
  if (colon == 0) fail_comparison("set {}: no model is named before the colon", text);
  const std::size_t begin = for_one ? colon + 1 : 0;
  return {.model = for_one ? text.substr(0, colon) : "",
          .key = text.substr(begin, equals - begin),
          .value = text.substr(equals + 1)};
}

std::vector<ComparedModel> compared_models(const ComparisonSettings& comparison,
                                           std::vector<std::string>* chosen) {
  std::vector<ComparedModel> models;
  for (const std::string& text : comparison.models) {
    const ModelName model = split_model(text);
    models.push_back({model.name, given_settings(comparison, model)});
  }
  check_known(comparison, models);
  const DataFacts facts =
      comparison.defaults_by_data ? survey(models.front().settings) : DataFacts{};
  for (const auto& [name, settings] : models) {
    try {
      settings.check();
    } catch (const Error& error) {
      fail("{}: {}", name, error.what());
    }
    check_precision(settings.train.precision);
  }
  const std::vector<std::string> lines = choose_for_all(models, facts);
  if (chosen) *chosen = lines;
  return models;
}

std::vector<std::string> unused_assignments(const ComparisonSettings& comparison,
                                            const std::vector<ComparedModel>& models) {
  std::vector<std::string> warnings;
  for (const std::string& text : comparison.assignments) {
    const ModelAssignment a = split_assignment(text);
    std::vector<std::string> unused;
    bool has_effect = false;
    for (const auto& [name, s] : models) {
      if (!a.is_meant_for(name) || !s.has(a.key)) continue;
      unused.push_back(why_unused(s, a.key));
      has_effect = has_effect || unused.back().empty();
    }
    // The models may say the same, word for word.
    unused.erase(std::unique(unused.begin(), unused.end()), unused.end());
    if (!has_effect) warnings.push_back(fmt::format("set {}: {}", text, fmt::join(unused, "; ")));
  }
  return warnings;
}

void check_alike(const std::vector<ComparedModel>& models) {
  const auto& [first_name, first] = models.front();
  const Fields expected = first.fields();
  for (const auto& [name, other] : models) {
    if (other.task.name != first.task.name)
      fail_comparison("models: {} and {} are for different tasks, {} and {}; compare those of one",
                      first_name, name, first.task.name, other.task.name);
    for (const Field& field : other.fields()) {
      const std::string& key = field.key();
      const bool shared = key.starts_with("data.") || key.starts_with("decode.");
      const Field* in_first = expected.find(key);
      if (shared && in_first && in_first->value() != field.value())
        fail_comparison(
            "set: {} differs between {} and {}: the models of a comparison read the same batches "
            "and decode alike",
            key, first_name, name);
    }
  }
}

}  // namespace heed
