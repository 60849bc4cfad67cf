#include "experiments/requested_settings.h"

#include <algorithm>
#include <set>

#include <fmt/ranges.h>

#include "experiments/inference/toml.h"

namespace heed {

namespace {

struct Assignment {
  std::string key;
  std::string value;
};

Assignment split(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos) fail("expected key=value; got '{}'", text.substr(0, 100));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

/// The value of an assignment, of whatever type its text seems to be.
FieldValue value_of(const std::string& text) {
  for (const FieldValue& like : {FieldValue(Index{0}), FieldValue(0.0), FieldValue(false)}) {
    try {
      return Field(
                 "", [like] { return like; }, {}, any_value(), "")
          .parse(text);
    } catch (const FieldError&) {
      continue;  // another type
    }
  }
  return text;
}

/// Sets a value. What is chosen may not have the setting: then it is left out, with a warning, so
/// that one command line serves several models.
void set(const Assignment& assignment, Settings& settings) {
  try {
    settings.set(assignment.key, assignment.value);
  } catch (const NotOfThisChoice& error) {
    settings.leave_out(assignment.key, value_of(assignment.value), error.chooser);
  }
}

/// What is given, over the defaults of any model: it says which model is meant.
Settings first_settings(const RequestedSettings& requested) {
  Settings settings;
  if (!requested.config.empty()) settings.read(requested.config);
  apply(requested, settings);
  return settings;
}

}  // namespace

void apply(const RequestedSettings& requested, Settings& settings) {
  // What decides which other settings there are comes first.
  for (const char* key : {"model.name", "task.name"}) {
    const auto chosen = requested.values.find(key);
    if (chosen != requested.values.end()) settings.assign(chosen->first, chosen->second);
  }
  std::vector<Assignment> assignments;
  for (const std::string& text : requested.assignments)
    assignments.push_back(split(text));
  const auto selects = [&](const Assignment& assignment) {
    const Fields all = settings.fields();
    const Field* field = all.find(assignment.key);
    return field && field->is_selecting();
  };
  std::stable_partition(assignments.begin(), assignments.end(), selects);
  for (const Assignment& assignment : assignments)
    set(assignment, settings);
  for (const auto& [key, value] : requested.values) {
    const auto same_key = [&key = key](const Assignment& other) { return other.key == key; };
    const bool twice = std::any_of(assignments.begin(), assignments.end(), same_key);
    const FieldValue before = settings.value(key);
    settings.assign(key, value);
    if (twice && before != settings.value(key))
      fail("{} is given twice, as {} and as {}; give one of them", key, setting_text(settings, key),
           toml_text(before));
  }
}

Settings new_settings(const RequestedSettings& requested, std::string& warning) {
  const Settings first = first_settings(requested);
  if (!first.is_given("model.name"))
    fail("which model? give model.name: {}", fmt::join(model_families().names(), ", "));
  const std::string task = first.is_given("task.name") ? first.task.name : "";
  Settings settings = default_settings(first.model.name, first.data.train, task);
  if (!requested.config.empty()) {
    settings.read(requested.config);
    if (settings.model.name != first.model.name)
      warning = fmt::format("model.name = {} replaces the one of {}, {}", first.model.name,
                            requested.config, settings.model.name);
  }
  apply(requested, settings);
  return settings;
}

Settings resumed_settings(const RequestedSettings& requested, const std::string& folder) {
  Settings settings = read_run_settings(folder);
  if (!requested.config.empty()) settings.read(requested.config);
  apply(requested, settings);
  return settings;
}

namespace {

/// Whether a setting that selects others is neither the model nor the task, nor a recipe, which
/// selects through others.
bool is_choice_within(const std::string& key) {
  return key != "model.name" && key != "task.name" && key != "model.recipe";
}

}  // namespace

std::string settings_help(const std::vector<std::string>& models) {
  std::string text;
  std::set<std::string> listed;
  const auto add_fields = [&](const Settings& settings, const std::string& owner) {
    const std::string whose = owner.empty() ? "" : " (" + owner + ")";
    for (const Field& field : settings.fields())
      if (listed.insert(field.key()).second)
        text += fmt::format("{:<24} {}{}\n", field.key(), field.help(), whose);
  };
  const auto add = [&](const std::string& model, const std::string& task,
                       const std::string& owner) {
    const Settings settings = default_settings(model, {}, task);
    add_fields(settings, owner);
    // Then what other choices of it bring.
    for (const Field& field : settings.fields()) {
      if (!field.is_selecting() || !is_choice_within(field.key())) continue;
      for (const std::string& name : field.range().names()) {
        Settings other = settings;
        other.assign(field.key(), name);
        add_fields(other, fmt::format("{} = {}", field.key(), name));
      }
    }
  };
  for (const std::string& model : models) {
    const ModelFamily& family = model_families().at(model);
    const std::string usual = usual_task(family).name;
    add(model, usual, model == models.front() ? "" : model);
    for (const Task& task : tasks().rows())
      if (task.name != usual && task.takes(family)) add(model, task.name, task.name);
  }
  return text;
}

}  // namespace heed
