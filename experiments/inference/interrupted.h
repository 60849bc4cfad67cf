#pragma once

#include <exception>
#include <functional>

namespace heed {

/// Asks whether to end work before it is finished, as after Ctrl-C. Called often, from the thread
/// that works.
using ShouldStop = std::function<bool()>;

/// Thrown by work that was asked to end before it had a result. It is no Error: nothing is wrong.
struct Interrupted : std::exception {
  const char* what() const noexcept override { return "interrupted"; }
};

/// Throws Interrupted where the work should end.
inline void stop_if(const ShouldStop& should_stop) {
  if (should_stop && should_stop()) throw Interrupted();
}

}  // namespace heed
