#include "framework/random.h"

#include <cmath>
#include <numbers>

namespace heed {

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a + 0x9e3779b97f4a7c15u * (b + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::array<std::uint32_t, 4> philox(RandomKey key, std::uint64_t counter) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key.seed);
  std::uint32_t k1 = static_cast<std::uint32_t>(key.seed >> 32);
  std::uint32_t c0 = static_cast<std::uint32_t>(counter);
  std::uint32_t c1 = static_cast<std::uint32_t>(counter >> 32);
  std::uint32_t c2 = static_cast<std::uint32_t>(key.stream);
  std::uint32_t c3 = static_cast<std::uint32_t>(key.stream >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {c0, c1, c2, c3};
}

std::uint32_t Random::operator()() {
  const std::uint32_t word = philox(key_, position_ / 4)[position_ % 4];
  ++position_;
  return word;
}

double Random::uniform() {
  const std::uint64_t high = (*this)();
  const std::uint64_t low = (*this)();
  return static_cast<double>((high << 32 | low) >> 11) * 0x1p-53;
}

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log1p(-uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

std::uint64_t Random::below(std::uint64_t n) {
  // 2^64 mod n. Words below it are drawn again: with them, small results would be more frequent.
  const std::uint64_t reject = -n % n;
  for (;;) {
    const std::uint64_t high = (*this)();
    const std::uint64_t word = high << 32 | (*this)();
    if (word >= reject) return word % n;
  }
}

RandomKey Random::next_key() {
  const std::uint64_t high = (*this)();
  const std::uint64_t low = (*this)();
  return {high << 32 | low, key_.stream};
}

}  // namespace heed
