#pragma once

#include <string>
#include <vector>

#include "datasets/text/pairs.h"
#include "experiments/inference/interrupted.h"
#include "experiments/inference/translation.h"

namespace heed {

/// Sources with their references.
struct TestSet {
  std::string name;
  std::vector<std::string> sources;
  std::vector<std::string> references;
  bool has_lengths = true;  // false: the sources are parts of one text
};
TestSet read_test_set(const PairSource& pairs);

/// The best translation of each source. Throws Interrupted where it should stop.
std::vector<std::string> best_translations(const Decoder& decoder, const Tokenizers& tokenizers,
                                           const TestSet& test, const DecodeOptions& options,
                                           const ShouldStop& should_stop = {});

}  // namespace heed
