// Times whole training steps: clear gradients, forward, loss, backward, clip to norm 1, Adam. One
// JSON line a case. `gflop` is the work of a step's matrix products; `peak_mb` is the process's
// largest memory so far, which is the case's own where it is the first.

#include <iostream>

#include <CLI/CLI.hpp>
#include <sys/resource.h>

#include "benchmarks/cases.h"
#include "benchmarks/profile.h"
#include "framework/kernels/parallel.h"
#include "framework/precision.h"
#include "framework/version.h"

namespace {

using namespace heed;

/// Of this process so far, in 1e6 bytes.
double peak_mb() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024e-6;
}

void measure(const bench::Case& which, double seconds, const std::string& profile) {
  Random random(0);
  bench::TrainingStep step(which, random);
  const Batch batch = which.batch(random);
  for (int i = 0; i < 2; ++i)
    step(batch);
  const double gflop = bench::profile(step, batch, 1).gflop();
  if (profile == "each")
    step(batch, {.profile = true}, [](const Tape& tape) { tape.print(std::cerr); });
  if (profile == "ops") {
    bench::print(std::cout, which.name, bench::profile(step, batch, 10), bench::peak_gflops());
    return;
  }
  const double median = bench::median_seconds(seconds, [&] { step(batch); });
  std::cout
      << fmt::format(
             R"({{"engine": "heed {}", "case": "{}", "precision": "{}", "threads": {}, "params": {}, "ms": {:.2f}, "tokens_per_s": {:.0f}, )"
             R"("gflop": {:.2f}, "peak_mb": {:.0f}}})",
             version(), which.name, precision() == Precision::bf16 ? "bf16" : "fp32", threads(),
             step.parameters(), median * 1e3, static_cast<double>(which.size.positions()) / median,
             gflop, peak_mb())
      << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Times training steps of fixed size; README.md beside this program describes the cases.");
  std::vector<std::string> names;
  for (const auto& c : bench::cases())
    names.push_back(c.name);
  std::vector<std::string> chosen = names;
  int thread_count = 2;
  double seconds = 6;
  std::string precision = "fp32";
  std::string profile;
  Index count = 0;
  Index source = 0;
  Index target = 0;
  app.add_option("--case", chosen, "cases, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--threads", thread_count, "threads to compute on")->capture_default_str();
  app.add_option("--seconds", seconds, "how long to measure each case")->capture_default_str();
  app.add_option("--precision", precision, "of large products")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  app.add_flag("--profile{each}", profile,
               "print one step's ops with their times to stderr; --profile=ops: a table by op in "
               "place of the line")
      ->check(CLI::IsMember({"each", "ops"}));
  app.add_option("--batch", count, "sequences in a batch, in place of the case's")
      ->check(CLI::Range(1, 65536));
  app.add_option("--source-length", source, "most tokens of a source, of cases that have one")
      ->check(CLI::Range(1, 65536));
  app.add_option("--target-length", target, "most tokens of a target or text")
      ->check(CLI::Range(1, 65536));
  CLI11_PARSE(app, argc, argv);
  set_threads(thread_count);
  if (precision == "bf16") {
    if (const std::string why = precision_obstacle(Precision::bf16); !why.empty()) {
      std::cerr << "train_bench: error: --precision bf16 " << why << "; use fp32\n";
      return 1;
    }
    set_precision(Precision::bf16);
  }
  for (const std::string& name : chosen) {
    bench::Case c = bench::find_case(name);
    if (count > 0) c.size.count = count;
    if (source > 0 && c.size.source > 0) c.size.source = source;
    if (target > 0) c.size.target = target;
    measure(c, seconds, profile);
  }
}
