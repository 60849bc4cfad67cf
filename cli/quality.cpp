#include "cli/quality.h"

namespace heed::cli {

TestSet read_test_set(const PairSource& pairs) {
  TestSet test{pairs.name(), {}, {}};
  for (Index i = 0; i < pairs.size(); ++i) {
    Pair pair = pairs.at(i);
    test.sources.push_back(std::move(pair.source)), test.references.push_back(std::move(pair.target));
  }
  return test;
}

std::vector<std::string> best_translations(const Seq2Seq& model, const Tokenizer& tokenizer, const TestSet& test, const DecodeOptions& options) {
  std::vector<std::string> hypotheses;
  for (const auto& best : translate(model, tokenizer, test.sources, options))
    hypotheses.push_back(best.empty() ? "" : tokenizer.decode(best[0].ids));
  return hypotheses;
}

}  // namespace heed::cli
