#include "experiments/inference/test_set.h"

#include <algorithm>
#include <span>

namespace heed {

TestSet read_test_set(const PairSource& pairs) {
  TestSet test{.name = pairs.name(), .sources = {}, .references = {}};
  for (Index i = 0; i < pairs.size(); ++i) {
    Pair pair = pairs.at(i);
    test.sources.push_back(std::move(pair.source));
    test.references.push_back(std::move(pair.target));
  }
  return test;
}

std::vector<std::string> best_translations(const Decoder& decoder, const Tokenizers& tokenizers,
                                           const TestSet& test, const DecodeOptions& options,
                                           const ShouldStop& should_stop) {
  constexpr std::size_t group = 256;  // it may stop between groups
  const std::span<const std::string> sources = test.sources;
  std::vector<std::string> hypotheses;
  for (std::size_t i = 0; i < sources.size(); i += group) {
    stop_if(should_stop);
    for (const auto& best : translate(
             decoder, tokenizers, sources.subspan(i, std::min(group, sources.size() - i)), options))
      hypotheses.push_back(best.empty() ? "" : best[0].text);
  }
  return hypotheses;
}

}  // namespace heed
