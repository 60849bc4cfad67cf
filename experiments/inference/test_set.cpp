#include "experiments/inference/test_set.h"

#include <algorithm>
#include <span>

#include "cli/signals.h"
namespace heed::cli {

TestSet read_test_set(const PairSource& pairs) {
  TestSet test{pairs.name(), {}, {}};
  for (Index i = 0; i < pairs.size(); ++i) {
    Pair pair = pairs.at(i);
    test.sources.push_back(std::move(pair.source));
    test.references.push_back(std::move(pair.target));
  }
  return test;
}

std::vector<std::string> best_translations(const Seq2Seq& model, const Tokenizers& tokenizers,
                                           const TestSet& test, const DecodeOptions& options) {
  constexpr std::size_t group = 256;  // the user may interrupt between groups
  const std::span<const std::string> sources = test.sources;
  std::vector<std::string> hypotheses;
  const Decoder decoder(model);
  for (std::size_t i = 0; i < sources.size(); i += group) {
    stop_if_interrupted();
    for (const auto& best : translate(
             decoder, tokenizers, sources.subspan(i, std::min(group, sources.size() - i)), options))
      hypotheses.push_back(best.empty() ? "" : best[0].text);
  }
  return hypotheses;
}

}  // namespace heed::cli
