// Times what a save costs training: at the command's default interval, a checkpoint of everything
// and one of the best weights, to the disk, against the steps between two saves. One JSON line a
// case.

#include <filesystem>
#include <iostream>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "benchmarks/cases.h"
#include "framework/kernels/parallel.h"
#include "framework/version.h"
#include "optim/run_folder.h"

namespace {

using namespace heed;

constexpr Index interval = 400;  // steps: train.save_every and train.eval_every by default

void measure(const bench::Case& which, const std::string& where, double seconds) {
  Random random(0);
  bench::TrainingStep step(which, random);
  const Batch batch = which.batch(random);
  for (int i = 0; i < 3; ++i)
    step(batch);
  const double step_seconds = bench::median_seconds(seconds, [&] { step(batch); });
  const std::filesystem::path folder =
      std::filesystem::path(where) / fmt::format("heed-save-bench-{}", ::getpid());
  const RunFolder run(folder);
  run.create();
  Index saved = 0;
  const double save_seconds = bench::median_seconds(seconds, [&] {
    run.save_step(step.checkpoint(), ++saved * interval, 3);
    save(step.weights(), run.best());
  });
  const auto bytes =
      std::filesystem::file_size(run.last()) + std::filesystem::file_size(run.best());
  std::filesystem::remove_all(folder);
  std::cout
      << fmt::format(
             R"({{"engine": "heed {}", "case": "{}", "threads": {}, "step_ms": {:.1f}, "save_ms": {:.0f}, "save_mb": {:.0f}, "share_every_{}_steps": {:.5f}}})",
             version(), which.name, threads(), step_seconds * 1e3, save_seconds * 1e3,
             static_cast<double>(bytes) / 1e6, interval,
             save_seconds / (step_seconds * static_cast<double>(interval) + save_seconds))
      << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Times saves against the training between them; README.md beside this program describes the "
      "cases.");
  std::vector<std::string> names;
  for (const auto& c : bench::cases())
    names.push_back(c.name);
  std::vector<std::string> chosen = {"base"};
  std::string folder = ".";
  int thread_count = 2;
  double seconds = 6;
  app.add_option("--case", chosen, "cases, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--folder", folder, "where to save: the disk that is measured")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--threads", thread_count, "threads to compute on")->capture_default_str();
  app.add_option("--seconds", seconds, "how long to measure each of both")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    set_threads(thread_count);
    for (const std::string& name : chosen)
      measure(bench::find_case(name), folder, seconds);
  } catch (const std::exception& error) {
    std::cerr << "save_bench: error: " << error.what() << '\n';
    return 1;
  }
}
