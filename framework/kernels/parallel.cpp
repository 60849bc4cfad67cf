#include "framework/kernels/parallel.h"

#include <algorithm>
#include <memory>
#include <vector>

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#else
#define __tsan_acquire(address) ((void)(address))
#define __tsan_release(address) ((void)(address))
#endif

namespace heed {

namespace {

struct Workers {
  explicit Workers(int count)
      : threads(count > 0 ? count : tbb::info::default_concurrency()),
        limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)),
        arena(threads),
        places(static_cast<std::size_t>(threads)) {}
  int threads;
  tbb::global_control limit;
  tbb::task_arena arena;
  std::vector<char> places;  // one of each worker: addresses for the thread sanitizer, never read
};

// Never destroyed: at exit the threads would end, with what each of them keeps, beside the destructors of the libraries that they use.
std::unique_ptr<Workers>& workers() {
  static auto& instance = *new auto(std::make_unique<Workers>(0));
  return instance;
}

}  // namespace

void set_threads(int threads) {
  workers().reset();  // first: of two limits that live together oneTBB keeps the lower
  workers() = std::make_unique<Workers>(threads);
}
int threads() { return workers()->threads; }

namespace kernels {

namespace {

thread_local std::uint64_t cut_so_far = 0;

}  // namespace

std::uint64_t pieces_cut() { return cut_so_far; }

void parallel_for_workers(Index count, Index grain, FunctionRef<void(Index, Index, int)> body) {
  const Index pieces = (count + grain - 1) / grain;
  if (pieces > 1) cut_so_far += static_cast<std::uint64_t>(pieces);
  Workers& pool = *workers();
  if (pieces <= 1 || pool.threads == 1) {
    for (Index i = 0; i < pieces; ++i) body(i * grain, std::min(count, (i + 1) * grain), 0);
    return;
  }
  // oneTBB is not instrumented: tell the thread sanitizer that pieces begin after the fork and end before the join, and that of pieces with
  // one worker's number each ends before the next begins, though other threads of the user's may have taken that place in the arena.
  [[maybe_unused]] char fork = 0, join = 0;
  __tsan_release(&fork);
  pool.arena.execute([&] {
    tbb::parallel_for(
        tbb::blocked_range<Index>(0, pieces, 1),
        [&](const tbb::blocked_range<Index>& range) {
          __tsan_acquire(&fork);
          const int worker = tbb::this_task_arena::current_thread_index();
          [[maybe_unused]] char* place = pool.places.data() + worker;
          __tsan_acquire(place);
          for (Index i = range.begin(); i < range.end(); ++i) body(i * grain, std::min(count, (i + 1) * grain), worker);
          __tsan_release(place);
          __tsan_release(&join);
        },
        tbb::simple_partitioner());
  });
  __tsan_acquire(&join);
}

void parallel_for(Index count, Index grain, FunctionRef<void(Index, Index)> body) {
  parallel_for_workers(count, grain, [&](Index begin, Index end, int) { body(begin, end); });
}

}  // namespace kernels
}  // namespace heed
