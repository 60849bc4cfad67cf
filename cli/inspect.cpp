#include <cmath>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <optional>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/option_values.h"
#include "experiments/inference/run.h"
#include "framework/checkpoint.h"
#include "framework/run_folder.h"

namespace heed::cli {

namespace {

struct Options {
  std::string what;
  bool all = false;
  bool json = false;
};

/// A setting that is not the default.
struct Chosen {
  std::string key;
  std::string value;
  std::string usual;
  nlohmann::json json;
};

/// What a checkpoint says of itself. Older ones do not say everything.
struct Summary {
  std::optional<std::int64_t> step;
  std::optional<std::int64_t> best_step;
  std::optional<double> best_loss;
  Index parameters = 0;
  std::string model;  // "": the checkpoint has no settings of `heed train`
  std::vector<Chosen> chosen;
};

/// Whether training never changed the parameter in this place. Known only where the file holds the
/// optimizer's counts.
bool never_updated(const Checkpoint& checkpoint, Index at) {
  const auto steps = checkpoint.lists.find("optimizer.steps");
  const auto step = checkpoint.numbers.find("step");
  return steps != checkpoint.lists.end() && step != checkpoint.numbers.end() && step->second > 0 &&
         at < std::ssize(steps->second) && steps->second[static_cast<std::size_t>(at)] == 0;
}

void add_settings(const std::string& toml, const std::string& path, Summary& summary) {
  Settings settings;
  Settings usual;
  try {
    settings = settings_of_checkpoint(toml, path);
    usual = default_settings(settings.model.name, settings.data.train);
    // Not a choice of the user: it says whether an earlier version began the run.
    usual.train.exact_epochs = settings.train.exact_epochs;
  } catch (const Error&) {  // another program wrote it
    return;
  }
  summary.model = settings.model.name;
  const std::vector<Setting> is = settings_of(settings);
  const std::vector<Setting> was = settings_of(usual);
  for (std::size_t i = 0; i < is.size(); ++i) {
    const std::string value = text_of(is[i]);
    if (value == text_of(was[i])) continue;
    const auto json = std::visit([](const auto* v) { return nlohmann::json(*v); }, is[i].value);
    summary.chosen.push_back({is[i].key, value, text_of(was[i]), json});
  }
}

template <class Value>
std::optional<Value> find(const std::map<std::string, Value>& values, const std::string& name) {
  const auto found = values.find(name);
  return found == values.end() ? std::nullopt : std::optional<Value>(found->second);
}

Summary summary_of(const Checkpoint& checkpoint, const std::string& path) {
  Summary summary;
  summary.step = find(checkpoint.numbers, "step");
  summary.best_step = find(checkpoint.numbers, "best_step");
  summary.best_loss = find(checkpoint.reals, "best_loss");
  if (summary.best_loss && !std::isfinite(*summary.best_loss)) summary.best_loss.reset();
  if (!summary.best_step) summary.best_step = summary.step;  // best.heed holds its own step only
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (name.starts_with("model.")) summary.parameters += tensor.size();
  if (const auto config = find(checkpoint.text, "config")) add_settings(*config, path, summary);
  return summary;
}

void print(const Summary& summary) {
  const auto row = [](const char* name, const std::string& value) {
    std::cout << fmt::format("{:<20} {}\n", name, value);
  };
  if (!summary.model.empty()) row("model", summary.model);
  if (summary.step) row("step", fmt::format("{}", *summary.step));
  if (summary.best_loss) {
    const std::string where = summary.best_step ? fmt::format(", step {}", *summary.best_step) : "";
    row("best loss", fmt::format("{:.4f} (ppl {:.3f}{})", *summary.best_loss,
                                 std::exp(*summary.best_loss), where));
  }
  row("parameters", fmt::format("{}", summary.parameters));
  if (summary.model.empty()) return;
  std::cout << (summary.chosen.empty() ? "\nevery setting is the default one\n"
                                       : "\nsettings that are not the default ones\n");
  for (const Chosen& setting : summary.chosen)
    std::cout << fmt::format("{:<52} default {}\n", setting.key + " = " + setting.value,
                             setting.usual);
}

void print_json(const Summary& summary, const std::string& path) {
  nlohmann::ordered_json json{{"checkpoint", path}};
  if (!summary.model.empty()) json["model"] = summary.model;
  if (summary.step) json["step"] = *summary.step;
  if (summary.best_loss) {
    json["best_loss"] = *summary.best_loss;
    json["best_step"] = summary.best_step.value_or(0);
  }
  json["parameters"] = summary.parameters;
  json["settings"] = nlohmann::ordered_json::object();
  for (const Chosen& setting : summary.chosen)
    json["settings"][setting.key] = setting.json;
  std::cout << json.dump() << '\n';
}

void print_parameters(const Checkpoint& checkpoint) {
  std::cout << fmt::format("\n{:<52} {:<16} {:>12}\n", "parameter", "shape", "norm");
  Index total = 0;
  Index at = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (!name.starts_with("model.")) continue;
    const bool untouched = never_updated(checkpoint, at++);
    double squares = 0;
    for (Real x : tensor.span())
      squares += static_cast<double>(x) * static_cast<double>(x);
    std::cout << fmt::format("{:<52} {:<16} {:>12.4f}{}\n", name.substr(6),
                             to_string(tensor.shape()), std::sqrt(squares),
                             untouched ? "  frozen" : "");
    total += tensor.size();
  }
  std::cout << fmt::format("{:<52} {:<16}\n", "total", total);
}

/// The state of the training, and every setting.
void print_internals(const Checkpoint& checkpoint) {
  std::cout << '\n';
  const auto row = [](const std::string& name, const std::string& value) {
    std::cout << fmt::format("{:<20} {}\n", name, value);
  };
  for (const auto& [name, value] : checkpoint.numbers)
    row(name, fmt::format("{}", value));
  for (const auto& [name, value] : checkpoint.reals)
    row(name, fmt::format("{:.6g}", value));
  for (const auto& [name, value] : checkpoint.text)
    if (name != "config") row(name, value);
  if (const auto config = find(checkpoint.text, "config")) std::cout << '\n' << *config;
}

/// Warns where the settings or the tokenizers of the run are not those of its checkpoint.
void warn_of_other_parts(const std::string& folder, const Settings& settings,
                         const Checkpoint& checkpoint) {
  try {
    check_same_settings(folder, settings, checkpoint.text);
    check_same_tokenizers(folder, load_tokenizers(folder), checkpoint.text);
  } catch (const Error& error) {
    std::cerr << fmt::format("heed: warning: {}\n", error.what());
  }
}

void run_inspect(const Options& o) {
  std::filesystem::path path = o.what;
  std::optional<Settings> of_run;
  if (std::filesystem::is_directory(o.what)) {
    of_run = read_run_settings(o.what);  // says what is wrong where it is not a run
    const auto newest = RunFolder(o.what).newest();
    if (!newest) fail("{}: no checkpoint yet", o.what);
    path = *newest;
  }
  if (path.extension() == ".safetensors")
    fail("{}: is no checkpoint of Heed; make a run of it with `heed import`", o.what);
  const Checkpoint checkpoint = load(path);
  if (of_run) warn_of_other_parts(o.what, *of_run, checkpoint);
  const Summary summary = summary_of(checkpoint, path.string());
  if (o.json) return print_json(summary, path.string());
  std::cout << fmt::format("{}, {} bytes\n", path.string(), std::filesystem::file_size(path));
  print(summary);
  print_parameters(checkpoint);
  if (o.all) print_internals(checkpoint);
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto* command = app.add_subcommand(
      "inspect", "Show what a run or a checkpoint holds: step, best loss, settings, parameters");
  auto o = std::make_shared<Options>();
  command->add_option("what", o->what, "a run's folder or a checkpoint file")->required();
  command->add_flag("--all", o->all, "also the state of the training, and every setting");
  command->add_flag("--json", o->json, "print one JSON object, without the table of parameters")
      ->excludes("--all");
  command->callback([o] { run_inspect(*o); });
}

}  // namespace heed::cli
