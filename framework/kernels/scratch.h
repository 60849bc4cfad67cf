#pragma once

#include "framework/memory.h"
#include "framework/types.h"

namespace heed::kernels {

/// Memory for the time of one kernel, from the pool that tensors come from: a steady-state step
/// asks the system for none.
class Scratch {
 public:
  explicit Scratch(Index numbers)
      : data_(static_cast<Real*>(
            memory::allocate(static_cast<std::size_t>(numbers) * sizeof(Real)))) {}
  ~Scratch() { memory::release(data_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  Real* data() const { return data_; }

 private:
  Real* data_;
};

}  // namespace heed::kernels
