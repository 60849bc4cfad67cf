#pragma once

#include <cstddef>

#include "framework/error.h"

namespace heed {

/// The system has no more memory: not the fault of what was read or computed.
struct OutOfMemory : Error {
  using Error::Error;
};

}  // namespace heed

namespace heed::memory {

/// 64-byte aligned, uninitialised. Served from pages that Heed keeps: a steady-state step asks the
/// system for none. Two-level segregated fit (Masmano et al. 2004): constant time, neighbours
/// coalesce. Throws OutOfMemory.
void* allocate(std::size_t bytes);
void release(void* block) noexcept;

struct Statistics {
  std::size_t live = 0;             // bytes handed out now, rounded to the allocator's grain
  std::size_t peak = 0;             // the most they have been since reset_peak()
  std::size_t system = 0;           // bytes taken from the system and kept
  std::size_t system_requests = 0;  // how often the system was asked
};
Statistics statistics();
void reset_peak();

}  // namespace heed::memory
