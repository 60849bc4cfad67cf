// usage: count_steps CASE STEPS
// The program whose instructions benchmarks/check counts: training steps of one small model. Two
// steps come before them, because the first step also requests memory and fills tables.

#include <charconv>
#include <iostream>

#include "benchmarks/cases.h"
#include "datasets/text/batch.h"
#include "framework/error.h"
#include "framework/threads.h"

/// Callgrind counts only in this function, which it finds by its name.
extern "C" [[gnu::noinline]] void heed_counted_steps(heed::bench::TrainingStep& step,
                                                     const heed::Batch& batch, int count) {
  for (int i = 0; i < count; ++i)
    step(batch);
}

int main(int argc, char** argv) {
  using namespace heed;
  try {
    int count = 0;
    const std::string_view given = argc == 3 ? argv[2] : "";
    const auto parsed = std::from_chars(given.data(), given.data() + given.size(), count);
    if (parsed.ec != std::errc() || count < 1) fail("usage: count_steps CASE STEPS");
    const bench::Case& which = bench::find_counted_case(argv[1]);
    set_threads(1);
    Random random(0);
    bench::TrainingStep step(which, random);
    const Batch batch = which.batch(random);
    for (int i = 0; i < 2; ++i)
      step(batch);
    const auto start = std::chrono::steady_clock::now();
    heed_counted_steps(step, batch, count);
    std::cout << fmt::format("{:.1f} ms a step\n", bench::seconds_since(start) * 1e3 / count);
  } catch (const Error& error) {
    std::cerr << "count_steps: error: " << error.what() << '\n';
    return 1;
  }
}
