#pragma once

#include <array>
#include <cstdint>

namespace heed {

/// Identifies a stream of random bits. The bits at position p are a function of the key and p
/// alone.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};

/// Philox4x32-10: four 32-bit words for a key and a counter.
/// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
std::array<std::uint32_t, 4> philox(RandomKey key, std::uint64_t counter);

/// A counter-based random generator. Its whole state is (seed, stream, position), so it can be
/// saved, copied and moved to any position. Different streams are independent.
///
/// It satisfies UniformRandomBitGenerator. Use its members instead of the distributions of std::,
/// which give different numbers in different libraries.
class Random {
 public:
  using result_type = std::uint32_t;
  explicit Random(std::uint64_t seed = 0, std::uint64_t stream = 0) : key_{seed, stream} {}

  /// A generator for models whose parameters are loaded next: with it, xavier_uniform(), normal()
  /// and uniform() of module.h draw nothing and leave the elements uninitialised.
  static Random blank() {
    Random random;
    random.blank_ = true;
    return random;
  }
  bool is_blank() const { return blank_; }

  std::uint32_t operator()();
  static constexpr std::uint32_t min() { return 0; }
  static constexpr std::uint32_t max() { return ~std::uint32_t{0}; }

  /// Uniform in [0, 1), with 53 random bits.
  double uniform();
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Normal with mean 0 and variance 1 (Box and Muller 1958).
  double normal();
  /// Uniform in [0, n), without bias; n > 0.
  std::uint64_t below(std::uint64_t n);
  /// True with this probability.
  bool chance(double probability) { return uniform() < probability; }

  /// A new key for each call, for ops that draw by position, such as dropout().
  RandomKey next_key();

  /// Puts the elements in random order (Fisher and Yates).
  template <class Range>
  void shuffle(Range&& range) {
    for (std::uint64_t i = range.size(); i > 1; --i)
      std::swap(range[i - 1], range[below(i)]);
  }

  RandomKey key() const { return key_; }
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) { position_ = position; }

 private:
  RandomKey key_;
  std::uint64_t position_ = 0;  // in 32-bit words
  bool blank_ = false;
};

/// Mixes two numbers into 64 bits that look random, for seeds and hashes.
/// Source: the finalizer of SplitMix64, Steele et al. 2014.
std::uint64_t mix(std::uint64_t a, std::uint64_t b = 0);

}  // namespace heed
