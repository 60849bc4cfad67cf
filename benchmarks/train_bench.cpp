// Times whole training steps: clear gradients, forward, loss, backward, clip to norm 1, Adam.
// Prints one JSON line for each case. `gflop` is the work of the matrix products of a step.
// `peak_mb` is the largest memory of the process so far: it belongs to the case only if that is the
// first one.

#include <iostream>

#include <CLI/CLI.hpp>
#include <sys/resource.h>

#include "benchmarks/cases.h"
#include "benchmarks/profile.h"
#include "datasets/text/batch.h"
#include "framework/precision.h"
#include "framework/threads.h"
#include "framework/version.h"

namespace {

using namespace heed;

/// The largest memory of this process so far, in 1e6 bytes.
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
  const std::string line = fmt::format(
      R"({{"engine": "heed {}", "case": "{}", "precision": "{}", "threads": {}, "params": {}, )"
      R"("ms": {:.2f}, "tokens_per_s": {:.0f}, "gflop": {:.2f}, "peak_mb": {:.0f}}})",
      version(), which.name, precision() == Precision::bf16 ? "bf16" : "fp32", threads(),
      step.parameters(), median * 1e3, static_cast<double>(which.size.positions()) / median, gflop,
      peak_mb());
  std::cout << line << std::endl;
}

/// The options of the command line.
struct Arguments {
  std::vector<std::string> cases;
  int threads = 2;
  double seconds = 6;
  std::string precision = "fp32";
  std::string profile;
  // 0: those of the case
  Index batch = 0;
  Index source_length = 0;
  Index target_length = 0;
};

void add_options(CLI::App& app, Arguments& a) {
  std::vector<std::string> names;
  for (const auto& c : bench::cases())
    names.push_back(c.name);
  a.cases = names;
  app.add_option("--case", a.cases, "cases, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--threads", a.threads, "threads to compute on")->capture_default_str();
  app.add_option("--seconds", a.seconds, "how long to measure each case")->capture_default_str();
  app.add_option("--precision", a.precision, "of large products")
      ->check(CLI::IsMember({"fp32", "bf16"}))
      ->capture_default_str();
  app.add_flag("--profile{each}", a.profile,
               "print the ops of one step with their times to stderr; --profile=ops: print a table "
               "by op instead of the JSON line")
      ->check(CLI::IsMember({"each", "ops"}));
  app.add_option("--batch", a.batch, "sequences in a batch, instead of the case's")
      ->check(CLI::Range(1, 65536));
  app.add_option("--source-length", a.source_length,
                 "most tokens of a source, in cases that have sources")
      ->check(CLI::Range(1, 65536));
  app.add_option("--target-length", a.target_length, "most tokens of a target or text")
      ->check(CLI::Range(1, 65536));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times training steps of fixed size. benchmarks/README.md describes the cases.");
  Arguments arguments;
  add_options(app, arguments);
  CLI11_PARSE(app, argc, argv);
  set_threads(arguments.threads);
  if (arguments.precision == "bf16") {
    if (const std::string why = precision_obstacle(Precision::bf16); !why.empty()) {
      std::cerr << "train_bench: error: --precision bf16 " << why << "; use fp32\n";
      return 1;
    }
    set_precision(Precision::bf16);
  }
  for (const std::string& name : arguments.cases) {
    bench::Case c = bench::find_case(name);
    if (arguments.batch > 0) c.size.count = arguments.batch;
    if (arguments.source_length > 0 && c.size.source > 0) c.size.source = arguments.source_length;
    if (arguments.target_length > 0) c.size.target = arguments.target_length;
    measure(c, arguments.seconds, arguments.profile);
  }
}
