#include <cmath>
#include <filesystem>
#include <iostream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "experiments/inference/toml.h"
#include "experiments/inspection.h"

namespace heed::cli {

namespace {

struct Options {
  std::string what;
  bool all = false;
  bool json = false;
};

void print_row(const std::string& name, const std::string& value) {
  std::cout << fmt::format("{:<20} {}\n", name, value);
}

void print(const CheckpointSummary& summary) {
  if (!summary.model.empty()) print_row("model", summary.model);
  if (summary.step) print_row("step", fmt::format("{}", *summary.step));
  if (summary.best_loss) {
    const std::string where = summary.best_step ? fmt::format(", step {}", *summary.best_step) : "";
    print_row("best loss", fmt::format("{:.4f} (ppl {:.3f}{})", *summary.best_loss,
                                       std::exp(*summary.best_loss), where));
  }
  print_row("parameters", fmt::format("{}", summary.parameter_count));
  if (summary.model.empty()) return;
  std::cout << (summary.chosen.empty() ? "\nevery setting is the default one\n"
                                       : "\nsettings that are not the default ones\n");
  for (const ChosenSetting& setting : summary.chosen)
    std::cout << fmt::format("{:<52} default {}\n", setting.key + " = " + toml_text(setting.value),
                             toml_text(setting.usual));
}

void print_json(const CheckpointSummary& summary) {
  nlohmann::ordered_json json{{"checkpoint", summary.path.string()}};
  if (!summary.model.empty()) json["model"] = summary.model;
  if (summary.step) json["step"] = *summary.step;
  if (summary.best_loss) {
    json["best_loss"] = *summary.best_loss;
    json["best_step"] = summary.best_step.value_or(0);
  }
  json["parameters"] = summary.parameter_count;
  json["settings"] = nlohmann::ordered_json::object();
  for (const ChosenSetting& setting : summary.chosen)
    std::visit([&](const auto& value) { json["settings"][setting.key] = value; }, setting.value);
  std::cout << json.dump() << '\n';
}

void print_parameters(const CheckpointSummary& summary) {
  std::cout << fmt::format("\n{:<52} {:<16} {:>12}\n", "parameter", "shape", "norm");
  for (const ParameterSummary& parameter : summary.parameters)
    std::cout << fmt::format("{:<52} {:<16} {:>12.4f}{}\n", parameter.name,
                             to_string(parameter.shape), parameter.norm,
                             parameter.frozen ? "  frozen" : "");
  std::cout << fmt::format("{:<52} {:<16}\n", "total", summary.parameter_count);
}

/// The state of the training, and every setting.
void print_internals(const Checkpoint& checkpoint) {
  std::cout << '\n';
  for (const auto& [name, value] : checkpoint.numbers)
    print_row(name, fmt::format("{}", value));
  for (const auto& [name, value] : checkpoint.reals)
    print_row(name, fmt::format("{:.6g}", value));
  for (const auto& [name, value] : checkpoint.text)
    if (name != "config") print_row(name, value);
  const auto config = checkpoint.text.find("config");
  if (config != checkpoint.text.end()) std::cout << '\n' << config->second;
}

void run_inspect(const Options& o) {
  const CheckpointSummary summary = inspect(o.what);
  if (!summary.warning.empty()) std::cerr << fmt::format("heed: warning: {}\n", summary.warning);
  if (o.json) return print_json(summary);
  std::cout << fmt::format("{}, {} bytes\n", summary.path.string(),
                           std::filesystem::file_size(summary.path));
  print(summary);
  print_parameters(summary);
  if (o.all) print_internals(summary.checkpoint);
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
