// Times whole training steps: clear gradients, forward, loss, backward, clip to norm 1, Adam. One JSON line a case.

#include <algorithm>
#include <chrono>
#include <iostream>

#include <CLI/CLI.hpp>

#include "benchmarks/cases.h"
#include "framework/kernels/parallel.h"
#include "framework/memory.h"
#include "framework/version.h"
#include "optim/clip.h"
#include "optim/optimizer.h"

namespace {

using namespace heed;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void measure(const bench::Case& which, double seconds, bool profile) {
  Random random(0);
  const auto model = which.model(random);
  const Batch batch = which.batch(random);
  Adam adam(*model, {.lr = Real(3e-4)});
  Random& dropout = step_random();
  dropout = Random(1);

  const auto step = [&](TapeOptions options) {
    adam.clear_gradients();
    Tape tape(options);
    const Variable loss = model->loss(batch, {.label_smoothing = which.label_smoothing, .ignore = ignored_id});
    tape.backward(loss);
    clip_gradients(*model, 1);
    adam.step();
    if (options.profile) tape.print(std::cerr);
    return loss.item();
  };
  for (int i = 0; i < 3; ++i) step({});
  if (profile) step({.profile = true});
  std::vector<double> times;
  for (const auto start = Clock::now(); seconds_since(start) < seconds || times.size() < 5;) {
    const auto begin = Clock::now();
    step({});
    times.push_back(seconds_since(begin));
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  const double median = times[times.size() / 2];
  std::cout << fmt::format(
                   R"({{"engine": "heed {}", "case": "{}", "precision": "fp32", "threads": {}, "params": {}, "ms": {:.2f}, "tokens_per_s": {:.0f}}})",
                   version(), which.name, threads(), parameter_count(*model), median * 1e3, static_cast<double>(which.positions) / median)
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
  app.add_option("--precision", precision, "of storage and products")->check(CLI::IsMember({"fp32"}))->capture_default_str();
  app.add_flag("--profile", profile, "print one step's ops with their times to stderr");
  CLI11_PARSE(app, argc, argv);
  set_threads(thread_count);
  for (const std::string& name : chosen)
    for (const auto& c : bench::cases())
      if (c.name == name) measure(c, seconds, profile);
}
