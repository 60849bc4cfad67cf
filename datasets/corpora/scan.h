#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/text/pairs.h"

namespace heed::toy {

/// The 20,910 commands of SCAN and their actions (Lake and Baroni 2018, supplementary figures 6 and
/// 7):
///   "jump left twice and walk" -> "I_TURN_LEFT I_JUMP I_TURN_LEFT I_JUMP I_WALK"
/// Each command occurs once, in the order in which the grammar derives them.
std::vector<Pair> scan();

struct ScanSplit {
  std::vector<Pair> train;
  std::vector<Pair> test;
};
/// The splits of the paper:
/// - simple (experiment 1): 80 % at random for training, by `seed`;
/// - length (experiment 2): commands of at most 22 actions for training, those of up to 48 for
/// test;
/// - add_jump (experiment 3): for training, the commands without `jump`, and the command `jump`
///   repeated until it is a tenth of all; for test, the other commands with `jump`.
///
/// Throws Error for another name and lists these.
ScanSplit scan(const std::string& split, std::uint64_t seed = 1);

}  // namespace heed::toy
