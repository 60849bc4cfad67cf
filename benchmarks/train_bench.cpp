// Times whole training steps: clear gradients, forward, loss, backward, clip to norm 1, Adam. One JSON line a case.

#include <iostream>

#include <CLI/CLI.hpp>

#include "benchmarks/cases.h"
#include "framework/kernels/parallel.h"
#include "framework/precision.h"
#include "framework/version.h"

namespace {

using namespace heed;
void measure(const bench::Case& which, double seconds, bool profile) {
  Random random(0);
  bench::TrainingStep step(which, random);
  const Batch batch = which.batch(random);
  for (int i = 0; i < 3; ++i) step(batch);
  if (profile) step(batch, {.profile = true});
  const double median = bench::median_seconds(seconds, [&] { step(batch); });
  std::cout << fmt::format(
                   R"({{"engine": "heed {}", "case": "{}", "precision": "{}", "threads": {}, "params": {}, "ms": {:.2f}, "tokens_per_s": {:.0f}}})",
                   version(), which.name, precision() == Precision::bf16 ? "bf16" : "fp32", threads(), step.parameters(), median * 1e3, static_cast<double>(which.size.positions()) / median)
            << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times training steps of fixed size; README.md beside this program describes the cases.");
  std::vector<std::string> names;
  for (const auto& c : bench::cases()) names.push_back(c.name);
  std::vector<std::string> chosen = names;
  int thread_count = 2;
  double seconds = 6;
  std::string precision = "fp32";
  bool profile = false;
  app.add_option("--case", chosen, "cases, separated by commas")->delimiter(',')->check(CLI::IsMember(names));
  app.add_option("--threads", thread_count, "threads to compute on")->capture_default_str();
  app.add_option("--seconds", seconds, "how long to measure each case")->capture_default_str();
  app.add_option("--precision", precision, "of large products")->check(CLI::IsMember({"fp32", "bf16"}))->capture_default_str();
  app.add_flag("--profile", profile, "print one step's ops with their times to stderr");
  CLI11_PARSE(app, argc, argv);
  set_threads(thread_count);
  if (precision == "bf16") {
    if (const std::string why = precision_obstacle(Precision::bf16); !why.empty()) {
      std::cerr << "train_bench: error: --precision bf16 " << why << "; use fp32\n";
      return 1;
    }
    set_precision(Precision::bf16);
  }
  for (const std::string& name : chosen)
    for (const auto& c : bench::cases())
      if (c.name == name) measure(c, seconds, profile);
}
