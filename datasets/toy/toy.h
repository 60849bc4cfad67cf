#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "datasets/pairs.h"

// Built-in corpora: endless, seeded, and hard enough that a model must attend.
// Pair i is a function of (name, split, seed, i) alone. A hash of the source puts it into a split
// (1/16 valid, 1/16 test), so the three never share a source, whatever their seeds.
namespace heed::toy {

/// copy, reverse, sort: 4 to 16 of 26 letters. dates: a date as people write it -> ISO, digits
/// apart. translation: English sentences of 3 to 30 words and their French, from a grammar.
/// summarization: reports of 60 to 150 words and the headline of the event that matters; an eighth
/// of the made-up names and of the numbers from 20 on occur in valid and test alone
/// (summarization.h). Throws Error for another name, listing these.
std::unique_ptr<PairSource> open(const std::string& name, Split split, std::uint64_t seed);
std::vector<std::string> names();

}  // namespace heed::toy
