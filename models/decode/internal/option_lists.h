#pragma once

#include <cstdint>
#include <limits>

#include "framework/fields.h"

// What the lists of DecodeOptions and GenerateOptions share. The two have no base in common: a
// designated initialiser cannot name a member of one.

namespace heed {

inline constexpr Index largest_seed = std::numeric_limits<Index>::max();

/// The seeds that a field can hold. An upper limit is said, because a 64-bit seed may exceed it.
inline Range seed_range() {
  const Range any = between(Index{0});
  return {fmt::format("a whole number from 0 to {}", largest_seed),
          [any](const FieldValue& value) { return any.holds(value); }, any.brief()};
}

template <class Options>
void list_sampling_of(Options& o, Fields& f) {
  f("temperature", o.temperature, between(0.0, 1000.0),
    "below 1 less varied, above 1 more varied; 0: the most probable token each time")
      .resume(Resume::free)
      .option("temperature");
  f("top_k", o.top_k, between(Index{0}), "draw from the K most probable tokens; 0: from all")
      .resume(Resume::free)
      .option("top-k");
  f("top_p", o.top_p, between(0.0, 1.0),
    "draw from the fewest tokens whose probabilities sum to at least this share")
      .resume(Resume::free)
      .option("top-p");
  f("seed", o.seed, seed_range(), "the same seed and the same lines give the same outputs")
      .resume(Resume::free)
      .option("seed");
}

template <class Options>
void list_forbid_unk_of(Options& o, Fields& f) {
  f("forbid_unk", o.forbid_unk, any_value(),
    "no <unk> in an output; the next most probable token takes its place")
      .resume(Resume::free)
      .option("forbid-unk");
}

/// Throws FieldError where a seed is too large for a field, which would show it as negative.
inline void check_seed(std::uint64_t seed) {
  if (seed > static_cast<std::uint64_t>(largest_seed))
    throw FieldError("seed", seed_range().text(), std::to_string(seed));
}

inline void check_ranges(const Fields& fields) {
  for (const Field& field : fields)
    field.check();
}

}  // namespace heed
