#include "datasets/corpora/scan.h"

#include <algorithm>

#include "framework/error.h"
#include "framework/random.h"

namespace heed::toy {

namespace {

// A phrase and its meaning: [phrase] = actions, in the notation of the paper.
using Phrase = Pair;
using Phrases = std::vector<Phrase>;

std::string repeat(const std::string& actions, int times) {
  std::string result = actions;
  for (int i = 1; i < times; ++i)
    result += " " + actions;
  return result;
}
Phrase joined(const Phrase& a, const char* words, const Phrase& b, const std::string& actions) {
  return {a.source + " " + words + " " + b.source, actions};
}

// V -> U | D | U opposite | U around, where U may also be `turn`, which never stands alone.
Phrases verbs() {
  Phrases result;
  const Phrases actions = {
      {"walk", "I_WALK"}, {"look", "I_LOOK"}, {"run", "I_RUN"}, {"jump", "I_JUMP"}, {"turn", ""}};
  const Phrases directions = {{"left", "I_TURN_LEFT"}, {"right", "I_TURN_RIGHT"}};
  for (const Phrase& u : actions) {
    if (!u.target.empty()) result.push_back(u);
    const std::string then = u.target.empty() ? "" : " " + u.target;
    for (const Phrase& d : directions) {
      // [u left] = turn, [u]
      result.push_back({u.source + " " + d.source, d.target + then});
      // turn, turn, [u]
      result.push_back(joined(u, "opposite", d, repeat(d.target, 2) + then));
      // four times: turn, [u]
      result.push_back(joined(u, "around", d, repeat(d.target + then, 4)));
    }
  }
  return result;
}

// S -> V | V twice | V thrice
Phrases sentences() {
  Phrases result;
  for (const Phrase& v : verbs()) {
    result.push_back(v);
    result.push_back({v.source + " twice", repeat(v.target, 2)});
    result.push_back({v.source + " thrice", repeat(v.target, 3)});
  }
  return result;
}

Index actions_of(const Pair& pair) {
  return 1 + std::count(pair.target.begin(), pair.target.end(), ' ');
}

}  // namespace

std::vector<Pair> scan() {
  const Phrases parts = sentences();
  std::vector<Pair> all = parts;  // C -> S | S and S | S after S
  for (const Phrase& a : parts)
    for (const Phrase& b : parts) {
      all.push_back(joined(a, "and", b, a.target + " " + b.target));
      all.push_back(joined(a, "after", b, b.target + " " + a.target));
    }
  return all;
}

ScanSplit scan(const std::string& split, std::uint64_t seed) {
  std::vector<Pair> all = scan();
  ScanSplit result;
  if (split == "simple") {
    Random(seed).shuffle(all);
    const auto cut = all.begin() + static_cast<std::ptrdiff_t>(all.size() * 4 / 5);
    result = {{all.begin(), cut}, {cut, all.end()}};
  } else if (split == "length") {
    for (Pair& pair : all) {
      auto& part = actions_of(pair) <= 22 ? result.train : result.test;
      part.push_back(std::move(pair));
    }
  } else if (split == "add_jump") {
    for (Pair& pair : all) {
      if (pair.source == "jump") continue;
      auto& part = pair.source.find("jump") == std::string::npos ? result.train : result.test;
      part.push_back(std::move(pair));
    }
    for (std::size_t n = result.train.size() / 9; n > 0; --n)
      result.train.push_back({"jump", "I_JUMP"});
  } else {
    fail("SCAN has the splits simple, length and add_jump; got '{}'", split);
  }
  return result;
}

}  // namespace heed::toy
