// Times decode() on whole batches, with the encoder: the model of `small` with random weights,
// sources of 20 tokens and outputs of 20 tokens. Prints one JSON line for each case.

#include <iostream>

#include <CLI/CLI.hpp>

#include "benchmarks/cases.h"
#include "datasets/text/special_ids.h"
#include "framework/threads.h"
#include "framework/version.h"
#include "models/decode/decode.h"

namespace {

using namespace heed;

constexpr Index length = 20;

struct DecodingCase {
  std::string name;
  std::size_t sentences;
  int beam;
};

const std::vector<DecodingCase> cases = {
    {"decode64", 64, 1}, {"decode64beam5", 64, 5}, {"decode1", 1, 1}, {"decode1beam5", 1, 5}};

std::vector<std::vector<Id>> random_sources(std::size_t count, Index vocabulary, Random& random) {
  const auto words = static_cast<std::uint64_t>(vocabulary - first_free_id);
  std::vector<std::vector<Id>> sources(count, std::vector<Id>(length));
  for (auto& source : sources) {
    for (Id& id : source)
      id = first_free_id + static_cast<Id>(random.below(words));
  }
  return sources;
}

void measure(const DecodingCase& which, double seconds) {
  Random random(0);
  const auto model = bench::find_case("small").model(random).model;
  const Evaluating evaluating(*model);
  const auto decoder = model->decoder();
  const auto sources = random_sources(which.sentences, decoder->vocabulary(), random);
  const auto run = [&] {
    const auto outputs =
        decode(*decoder, sources, {.beam = which.beam, .min_length = length, .max_length = length});
    for (const auto& output : outputs)
      check(output.front().ids.size() == length, "decode_bench", "expected {} tokens out; got {}",
            length, output.front().ids.size());
  };
  for (int i = 0; i < 3; ++i)
    run();
  const double median = bench::median_seconds(seconds, run);
  const std::string line =
      fmt::format(R"({{"engine": "heed {}", "case": "{}", "precision": "fp32", "threads": {}, )"
                  R"("ms": {:.2f}, "sentences_per_s": {:.1f}}})",
                  version(), which.name, threads(), median * 1e3,
                  static_cast<double>(which.sentences) / median);
  std::cout << line << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Times the decoding of batches of fixed size; README.md beside this program describes the "
      "cases.");
  std::vector<std::string> names;
  for (const auto& c : cases)
    names.push_back(c.name);
  std::vector<std::string> chosen = names;
  int thread_count = 2;
  double seconds = 4;
  std::string precision = "fp32";
  app.add_option("--case", chosen, "cases, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(names));
  app.add_option("--threads", thread_count, "threads to compute on")->capture_default_str();
  app.add_option("--seconds", seconds, "how long to measure each case")->capture_default_str();
  app.add_option("--precision", precision, "of storage and products")
      ->check(CLI::IsMember({"fp32"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  set_threads(thread_count);
  for (const std::string& name : chosen)
    for (const auto& c : cases)
      if (c.name == name) measure(c, seconds);
}
