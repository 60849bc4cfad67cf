#include <cmath>
#include <filesystem>
#include <iostream>
#include <iterator>

#include "cli/commands.h"
#include "cli/run.h"
#include "framework/checkpoint.h"
#include "optim/run_folder.h"

namespace heed::cli {

namespace {

/// Of the parameter in this place: training went on and never changed it. Known where the optimizer's counts are in the file.
bool never_updated(const Checkpoint& checkpoint, Index at) {
  const auto steps = checkpoint.lists.find("optimizer.steps");
  const auto step = checkpoint.numbers.find("step");
  return steps != checkpoint.lists.end() && step != checkpoint.numbers.end() && step->second > 0 && at < std::ssize(steps->second) &&
         steps->second[static_cast<std::size_t>(at)] == 0;
}

void run_inspect(const std::string& what) {
  std::filesystem::path path = what;
  if (std::filesystem::is_directory(what)) {
    read_run_settings(what);  // says what is wrong with a folder that is no run
    const auto newest = RunFolder(what).newest();
    if (!newest) fail("{}: no checkpoint yet", what);
    path = *newest;
  }
  if (path.extension() == ".safetensors") fail("{}: is no checkpoint of Heed; make a run of it with `heed import`", what);
  const Checkpoint checkpoint = load(path);
  std::cout << fmt::format("{}, {} bytes\n", path.string(), std::filesystem::file_size(path));
  for (const auto& [name, value] : checkpoint.numbers) std::cout << fmt::format("{:<20} {}\n", name, value);
  for (const auto& [name, value] : checkpoint.reals) std::cout << fmt::format("{:<20} {:.6g}\n", name, value);
  std::cout << fmt::format("\n{:<52} {:<16} {:>12}\n", "parameter", "shape", "norm");
  Index total = 0, at = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (!name.starts_with("model.")) continue;
    const bool untouched = never_updated(checkpoint, at++);
    double squares = 0;
    for (Real x : tensor.span()) squares += static_cast<double>(x) * static_cast<double>(x);
    std::cout << fmt::format("{:<52} {:<16} {:>12.4f}{}\n", name.substr(6), to_string(tensor.shape()), std::sqrt(squares), untouched ? "  frozen" : "");
    total += tensor.size();
  }
  std::cout << fmt::format("{:<52} {:<16}\n", "total", total);
  if (const auto config = checkpoint.text.find("config"); config != checkpoint.text.end()) std::cout << '\n' << config->second;
}

}  // namespace

void add_inspect(CLI::App& app) {
  auto* command = app.add_subcommand("inspect", "Show what a run or a checkpoint holds: step, parameters with shapes and norms, settings");
  auto what = std::make_shared<std::string>();
  command->add_option("what", *what, "a run's folder or a checkpoint file")->required();
  command->callback([what] { run_inspect(*what); });
}

}  // namespace heed::cli
