// Times saves: a checkpoint of the whole training and one of the best weights, both to the disk. It
// compares them with the training steps between two saves at the default interval of the command.
// Prints one JSON line for each case.

#include <filesystem>
#include <iostream>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include "benchmarks/cases.h"
#include "datasets/text/batch.h"
#include "framework/run_folder.h"
#include "framework/threads.h"
#include "framework/version.h"

namespace {

using namespace heed;

// Steps between two saves: the default of train.save_every and train.eval_every.
constexpr Index interval = 400;

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
  const double between_saves = step_seconds * static_cast<double>(interval);
  const std::string line = fmt::format(
      R"({{"engine": "heed {}", "case": "{}", "threads": {}, "step_ms": {:.1f}, )"
      R"("save_ms": {:.0f}, "save_mb": {:.0f}, "share_every_{}_steps": {:.5f}}})",
      version(), which.name, threads(), step_seconds * 1e3, save_seconds * 1e3,
      static_cast<double>(bytes) / 1e6, interval, save_seconds / (between_saves + save_seconds));
  std::cout << line << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Compares the time of saves with the training between them. benchmarks/README.md describes "
      "the cases.");
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
  app.add_option("--folder", folder, "where to save; its disk is measured")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--threads", thread_count, "threads to compute on")->capture_default_str();
  app.add_option("--seconds", seconds, "how long to measure steps, and then saves")
      ->capture_default_str();
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
