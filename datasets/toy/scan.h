#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/pairs.h"

namespace heed::toy {

/// The 20,910 commands of SCAN and the actions they mean (Lake and Baroni 2018, supplementary
/// figures 6 and 7):
///   "jump left twice and walk" -> "I_TURN_LEFT I_JUMP I_TURN_LEFT I_JUMP I_WALK"
/// Each once, in the order in which the grammar derives them.
std::vector<Pair> scan();

struct ScanSplit {
  std::vector<Pair> train;
  std::vector<Pair> test;
};
/// How the paper cuts them:
///   simple    at random, 80 % to train, by `seed` (experiment 1) length    to train those of at
///   most 22 actions, to test the longer, up to 48         (experiment 2) add_jump  to train those
///   without `jump`, and `jump` alone, so often that it is a tenth of all; to test the others
///   (experiment 3)
/// Throws Error for another name, listing these.
ScanSplit scan(const std::string& split, std::uint64_t seed = 1);

}  // namespace heed::toy
