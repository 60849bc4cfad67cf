#pragma once

#include <array>
#include <cstdint>

namespace heed {

/// What decides a stream of random bits; position p of the stream is a function of this and p
/// alone.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint64_t stream = 0;
};

/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): four 32-bit
/// words for a counter and a key.
std::array<std::uint32_t, 4> philox(RandomKey key, std::uint64_t counter);

/// Counter-based generator: its whole state is (seed, stream, position), so it can be saved, copied
/// and moved anywhere. Streams with different numbers are independent. Satisfies
/// UniformRandomBitGenerator, but the std:: distributions differ between libraries: use the
/// members.
class Random {
 public:
  using result_type = std::uint32_t;
  explicit Random(std::uint64_t seed = 0, std::uint64_t stream = 0) : key_{seed, stream} {}

  /// For a model whose numbers are about to be loaded: xavier_uniform(), normal() and uniform() of
  /// module.h draw nothing with it, and what they give is not set.
  static Random blank() {
    Random random;
    random.blank_ = true;
    return random;
  }
  bool is_blank() const { return blank_; }

  std::uint32_t operator()();
  static constexpr std::uint32_t min() { return 0; }
  static constexpr std::uint32_t max() { return ~std::uint32_t{0}; }

  double uniform();  // [0, 1), 53 bits
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();                       // mean 0, variance 1 (Box and Muller 1958)
  std::uint64_t below(std::uint64_t n);  // uniform in [0, n), without bias; n > 0
  bool chance(double probability) { return uniform() < probability; }

  /// A key of its own for each call: what a kernel that draws by position is given.
  RandomKey next_key();

  /// Fisher and Yates.
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

/// A well-mixed 64-bit function of its arguments (the finalizer of SplitMix64, Steele et al. 2014),
/// for seeding and hashing.
std::uint64_t mix(std::uint64_t a, std::uint64_t b = 0);

}  // namespace heed
