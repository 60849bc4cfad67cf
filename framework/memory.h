#pragma once

#include <cstddef>

#include "framework/error.h"

namespace heed {

/// The system has no more memory. It does not mean that the input is wrong.
struct OutOfMemory : Error {
  using Error::Error;
};

}  // namespace heed

namespace heed::memory {

/// Uninitialised memory, aligned to 64 bytes. Heed keeps the pages that it has requested, so a
/// training step after the first ones requests none. The allocator is a two-level segregated fit:
/// it takes constant time and merges free neighbours. Throws OutOfMemory when the system has no
/// more memory, and Error when `bytes` is above 2^46. Source: Masmano et al. 2004.
void* allocate(std::size_t bytes);
void release(void* block) noexcept;

/// Thrown by allocate() where a Limit is used up.
struct LimitReached : Error {
  using Error::Error;
};

/// While an object exists, its thread may allocate this many bytes in all, released ones included:
/// for work of which nobody knows how much it takes. Only one object may exist in a thread.
class Limit {
 public:
  explicit Limit(std::size_t bytes);
  ~Limit();
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
};

struct Statistics {
  std::size_t live = 0;             // bytes in use, rounded up to whole units of the allocator
  std::size_t peak = 0;             // the maximum of `live` since reset_peak()
  std::size_t system = 0;           // bytes requested from the system and kept
  std::size_t system_requests = 0;  // number of requests to the system
};
Statistics statistics();
void reset_peak();

}  // namespace heed::memory
