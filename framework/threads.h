#pragma once

#include "framework/error.h"

namespace heed {

inline constexpr int most_threads = 1024;

/// The system starts no more threads, for a limit on processes (ulimit -u) or on memory.
struct OutOfThreads : Error {
  explicit OutOfThreads(int wanted);
  int wanted;
};

/// Sets how many threads Heed computes on. 0, the default, means one for each core, or as many as
/// the system starts where these are fewer. Results do not depend on it, to the bit. May not be
/// called while another thread computes.
///
/// Throws, having changed nothing,
/// - Error where `threads` is below 0 or above most_threads;
/// - OutOfThreads where the system does not start so many.
void set_threads(int threads);
int threads();

}  // namespace heed
