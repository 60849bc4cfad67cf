#include "experiments/inspection.h"

#include <cmath>

#include "experiments/inference/run.h"
#include "experiments/inference/tokenizer_files.h"
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
    usual = default_settings(settings.model.name, settings.data.train);
  } catch (const Error&) {  // another program wrote it
    return;
  }
  usual.data.train.clear();
  // Not a choice of the user: it says whether an earlier version began the run.
  usual.train.exact_epochs = settings.train.exact_epochs;
  summary.model = settings.model.name;
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

}  // namespace heed
