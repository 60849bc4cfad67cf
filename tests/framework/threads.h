#pragma once

#include <atomic>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "framework/kernels/parallel.h"
#include "framework/random.h"
#include "framework/tensor.h"

// What the tests of thread counts share.

namespace heed::test {

// The first is the one that the others are compared with.
inline constexpr int thread_counts[] = {1, 2, 5, 8};

/// Sets the number of Heed's threads while it lives. Then the number is that of the start again.
struct Threads {
  explicit Threads(int count) { set_threads(count); }
  ~Threads() { set_threads(0); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
};

/// Runs f(0) ... f(count - 1), each on a thread of its own. All begin together.
inline void at_once(int count, const std::function<void(int)>& f) {
  std::atomic<int> missing{count};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      --missing;
      while (missing.load() > 0)
        std::this_thread::yield();
      f(i);
    });
  for (std::thread& thread : threads)
    thread.join();
}

inline Tensor uniform_tensor(const Shape& shape, std::uint64_t seed) {
  Random random(seed, 3);
  Tensor x(shape);
  for (Real& v : x.span())
    v = static_cast<Real>(random.uniform(-1, 1));
  return x;
}

inline bool same_bytes(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  return a.shape() == b.shape() &&
         std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(Real)) == 0;
}

/// The first tensor that differs, and the element; "" where all have the same bytes.
inline std::string first_difference(std::span<const Tensor> got, std::span<const Tensor> expected) {
  if (got.size() != expected.size())
    return fmt::format("{} tensors; expected {}", got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (same_bytes(got[i], expected[i])) continue;
    if (!got[i].defined() || !expected[i].defined() || !(got[i].shape() == expected[i].shape()))
      return fmt::format("tensor {}: another shape", i);
    Index k = 0;
    while (std::memcmp(got[i].data() + k, expected[i].data() + k, sizeof(Real)) == 0)
      ++k;
    return fmt::format("tensor {}, element {}: {} and {}", i, k, got[i][k], expected[i][k]);
  }
  return "";
}

}  // namespace heed::test
