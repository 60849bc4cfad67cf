#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/text/pairs.h"

// Built-in corpora: endless, seeded, and hard enough to need attention. Pair i depends on (name,
// split, seed, i) alone. A hash of the source selects its split (1/16 valid, 1/16 test), so no
// source is in two splits, whatever the seeds.
namespace heed::toy {

/// Opens a built-in corpus:
/// - copy, reverse, sort: 4 to 16 letters of an alphabet of 26;
/// - dates: a date in a common style and in ISO 8601, each digit a word;
/// - translation: an English sentence of 3 to 30 words and its French translation, from a grammar;
/// - summarization: a report of 60 to 150 words and the headline of its most important event. An
///   eighth of the made-up names, and of the numbers from 20 on, occur in valid and test only
///   (summarization.h).
///
/// Throws Error for another name and lists these.
std::unique_ptr<PairSource> open(const std::string& name, Split split, std::uint64_t seed);
std::vector<std::string> names();

}  // namespace heed::toy
