#include "experiments/inspection.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "experiments/inference/run.h"
#include "experiments/inference/tokenizer_files.h"
#include "experiments/inference/toml.h"
#include "experiments/settings.h"
#include "framework/run_folder.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "model.";

/// Whether training never changed the parameter in this place. Known only where the file holds the
/// optimizer's counts.
bool never_updated(const Checkpoint& checkpoint, Index at) {
  const auto steps = checkpoint.lists.find("optimizer.steps");
  const auto step = checkpoint.numbers.find("step");
  return steps != checkpoint.lists.end() && step != checkpoint.numbers.end() && step->second > 0 &&
         at < std::ssize(steps->second) && steps->second[static_cast<std::size_t>(at)] == 0;
}

template <class Value>
std::optional<Value> find(const std::map<std::string, Value>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? std::nullopt : std::optional<Value>(found->second);
}

void add_settings(const std::string& toml, CheckpointSummary& summary) {
  Settings settings;
  Settings usual;
  try {
    settings = settings_of_checkpoint(toml, summary.path.string());
    usual = default_settings(settings.model.name, settings.data.train, settings.task.name);
  } catch (const Error&) {  // another program wrote it
    return;
  }
  usual.data.train.clear();
  // Not a choice of the user: it says whether an earlier version began the run.
  usual.train.exact_epochs = settings.train.exact_epochs;
  summary.model = settings.model.name;
  summary.task = settings.task.name;
  const Fields was = usual.fields();
  for (const Field& field : settings.fields()) {
    const Field* before = was.find(field.key());
    const FieldValue now = field.value();
    const FieldValue then = before ? before->value() : field.initial();
    if (!before || now != then) summary.chosen.push_back({field.key(), now, then});
  }
}

void add_parameters(CheckpointSummary& summary) {
  Index at = 0;
  for (const auto& [name, tensor] : summary.checkpoint.tensors) {
    if (!name.starts_with(prefix)) continue;
    double squares = 0;
    for (const Real x : tensor.span())
      squares += static_cast<double>(x) * static_cast<double>(x);
    summary.parameters.push_back({.name = name.substr(prefix.size()),
                                  .shape = tensor.shape(),
                                  .norm = std::sqrt(squares),
                                  .frozen = never_updated(summary.checkpoint, at++)});
    summary.parameter_count += tensor.size();
  }
}

/// Says where the settings or the tokenizers of the run are not those of its checkpoint.
std::string other_parts(const std::string& folder, const Settings& settings,
                        const Checkpoint& checkpoint) {
  try {
    check_same_settings(config_path(folder).string(), settings, checkpoint.text);
    check_same_tokenizers(folder, load_tokenizers(folder), checkpoint.text);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

std::string row(const std::string& name, const std::string& value) {
  return fmt::format("{:<20} {}\n", name, value);
}

std::string best_loss_text(const CheckpointSummary& summary) {
  const std::string where = summary.best_step ? fmt::format(", step {}", *summary.best_step) : "";
  return fmt::format("{:.4f} (ppl {:.3f}{})", *summary.best_loss, std::exp(*summary.best_loss),
                     where);
}

std::string settings_text(const CheckpointSummary& summary) {
  if (summary.model.empty()) return "";
  std::string text = summary.chosen.empty() ? "\nevery setting is the default one\n"
                                            : "\nsettings that are not the default ones\n";
  for (const ChosenSetting& setting : summary.chosen)
    text += fmt::format("{:<52} default {}\n", setting.key + " = " + toml_text(setting.value),
                        toml_text(setting.usual));
  return text;
}

std::string parameters_text(const CheckpointSummary& summary) {
  std::string text = fmt::format("\n{:<52} {:<16} {:>12}\n", "parameter", "shape", "norm");
  for (const ParameterSummary& parameter : summary.parameters)
    text += fmt::format("{:<52} {:<16} {:>12.4f}{}\n", parameter.name, to_string(parameter.shape),
                        parameter.norm, parameter.frozen ? "  frozen" : "");
  return text + fmt::format("{:<52} {:<16}\n", "total", summary.parameter_count);
}

/// The state of the training, and every setting.
std::string internals_text(const Checkpoint& checkpoint) {
  std::string text = "\n";
  for (const auto& [name, value] : checkpoint.numbers)
    text += row(name, fmt::format("{}", value));
  for (const auto& [name, value] : checkpoint.reals)
    text += row(name, fmt::format("{:.6g}", value));
  for (const auto& [name, value] : checkpoint.text)
    if (name != "config") text += row(name, value);
  const auto config = checkpoint.text.find("config");
  if (config != checkpoint.text.end()) text += "\n" + config->second;
  return text;
}

}  // namespace

CheckpointSummary inspect(const std::string& what) {
  CheckpointSummary summary;
  summary.path = what;
  std::optional<Settings> of_run;
  if (fs::is_directory(what)) {
    of_run = read_run_settings(what);  // says what is wrong where it is not a run
    const auto newest = RunFolder(what).newest();
    if (!newest) fail("{}: no checkpoint yet", what);
    summary.path = *newest;
  }
  if (summary.path.extension() == ".safetensors")
    fail("{}: is no checkpoint of Heed; import it, which makes a run of it", what);
  summary.checkpoint = load(summary.path);
  const Checkpoint& checkpoint = summary.checkpoint;
  if (of_run) summary.warning = other_parts(what, *of_run, checkpoint);
  summary.step = find(checkpoint.numbers, "step");
  summary.best_step = find(checkpoint.numbers, "best_step");
  summary.best_loss = find(checkpoint.reals, "best_loss");
  if (summary.best_loss && !std::isfinite(*summary.best_loss)) summary.best_loss.reset();
  if (!summary.best_step) summary.best_step = summary.step;  // best.heed holds its own step only
  if (const auto config = find(checkpoint.text, "config")) add_settings(*config, summary);
  add_parameters(summary);
  return summary;
}

std::string to_text(const CheckpointSummary& summary, bool all) {
  std::string text = fmt::format("{}, {} bytes\n", summary.path.string(),
                                 std::filesystem::file_size(summary.path));
  if (!summary.model.empty()) text += row("model", summary.model) + row("task", summary.task);
  if (summary.step) text += row("step", fmt::format("{}", *summary.step));
  if (summary.best_loss) text += row("best loss", best_loss_text(summary));
  text += row("parameters", fmt::format("{}", summary.parameter_count));
  text += settings_text(summary) + parameters_text(summary);
  if (all) text += internals_text(summary.checkpoint);
  return text;
}

std::string to_json(const CheckpointSummary& summary) {
  nlohmann::ordered_json json{{"checkpoint", summary.path.string()}};
  if (!summary.model.empty()) {
    json["model"] = summary.model;
    json["task"] = summary.task;
  }
  if (summary.step) json["step"] = *summary.step;
  if (summary.best_loss) {
    json["best_loss"] = *summary.best_loss;
    json["best_step"] = summary.best_step.value_or(0);
  }
  json["parameters"] = summary.parameter_count;
  json["settings"] = nlohmann::ordered_json::object();
  for (const ChosenSetting& setting : summary.chosen)
    std::visit([&](const auto& value) { json["settings"][setting.key] = value; }, setting.value);
  return json.dump() + "\n";
}

}  // namespace heed
