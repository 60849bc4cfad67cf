#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "framework/threads.h"
#include "framework/types.h"

namespace heed {

namespace kernels {

/// A borrowed callable: valid while what it was made from lives.
template <class Signature>
class FunctionRef;
template <class Result, class... Args>
class FunctionRef<Result(Args...)> {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>)
  FunctionRef(F&& f)
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, Args... args) -> Result {
          return (*static_cast<std::remove_reference_t<F>*>(object))(args...);
        }) {}
  Result operator()(Args... args) const { return call_(object_, args...); }

 private:
  void* object_;
  Result (*call_)(void*, Args...);
};

/// Runs body(begin, end) on pieces of [0, count), each `grain` long (the last may be shorter). The
/// pieces depend on count and grain alone: pass a grain that depends on shapes, and never on the
/// number of threads.
void parallel_for(Index count, Index grain, FunctionRef<void(Index begin, Index end)> body);

/// The same for bodies that need scratch memory of their own. `worker` is less than threads(), and
/// no two bodies have the same one at the same time. What a body computes must not depend on it.
void parallel_for_workers(Index count, Index grain,
                          FunctionRef<void(Index begin, Index end, int worker)> body);

/// How many pieces the calls of this thread have been cut into so far, not counting calls of one
/// piece. It depends on the work alone: tests check by it that work was shared out, and in the same
/// way on any number of threads.
std::uint64_t pieces_cut();

/// A grain for items of `cost` scalar operations each: a piece worth handing to another thread.
constexpr Index grain_of(Index cost) {
  constexpr Index worth = 32768;
  if (cost >= worth) return 1;
  return worth / (cost > 0 ? cost : 1);
}

/// f(i) for each i in [0, count). `cost`: scalar operations of one.
template <class F>
void parallel_for_each(Index count, Index cost, F f) {
  parallel_for(count, grain_of(cost), [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      f(i);
  });
}

}  // namespace kernels
}  // namespace heed
