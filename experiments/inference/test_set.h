#pragma once

#include <string>
#include <vector>

#include "experiments/inference/run.h"

namespace heed::cli {

/// Sources with their references.
struct TestSet {
  std::string name;
  std::vector<std::string> sources;
  std::vector<std::string> references;
};
TestSet read_test_set(const PairSource& pairs);

/// The best translation of each source.
std::vector<std::string> best_translations(const Seq2Seq& model, const Tokenizers& tokenizers,
                                           const TestSet& test, const DecodeOptions& options);

}  // namespace heed::cli
