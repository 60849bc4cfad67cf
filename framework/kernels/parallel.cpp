#include "framework/kernels/parallel.h"

#include <algorithm>
#include <latch>
#include <memory>
#include <thread>
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
      : threads(count),
        limit(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(threads)),
        arena(threads),
        places(static_cast<std::size_t>(threads)) {}
  int threads;
  tbb::global_control limit;
  tbb::task_arena arena;
  std::vector<char> places;  // one for each worker: addresses for the thread sanitizer, never read
};

/// How many of `wanted` threads the system starts besides this one, all of them alive at once.
int startable(int wanted) {
  std::vector<std::thread> started;
  std::latch end(1);
  try {
    started.reserve(static_cast<std::size_t>(wanted));
    for (int i = 0; i < wanted; ++i)
      started.emplace_back([&end] { end.wait(); });
  } catch (const std::exception&) {  // no thread, or no memory for one
  }
  end.count_down();
  for (std::thread& thread : started)
    thread.join();
  return static_cast<int>(started.size());
}

/// How many of `wanted` threads, including this one, the system allows, with one to spare. oneTBB
/// must never ask for more: it starts some of its threads from others, where nobody catches the
/// exception.
int available(int wanted) {
  static int found = 1;  // the most that were ever started
  if (wanted > found) found = std::max(found, startable(wanted));
  return std::min(wanted, found);
}

int one_a_core() { return available(std::min(tbb::info::default_concurrency(), most_threads)); }

// Never destroyed: else the threads, with what each of them keeps, would end at exit while the
// libraries that they use run their destructors.
std::unique_ptr<Workers>& instance() {
  static auto& pointer = *new std::unique_ptr<Workers>;
  return pointer;
}

bool make_default() {
  if (!instance()) instance() = std::make_unique<Workers>(one_a_core());
  return true;
}

Workers& workers() {
  [[maybe_unused]] static const bool made = make_default();  // once, on the first thread that asks
  return *instance();
}

}  // namespace

OutOfThreads::OutOfThreads(int count)
    : Error(fmt::format("[set_threads] the system cannot start {} threads; use fewer", count)),
      wanted(count) {}

void set_threads(int threads) {
  check(threads >= 0 && threads <= most_threads, "set_threads", "expected 0 to {} threads; got {}",
        most_threads, threads);
  const int count = threads > 0 ? threads : one_a_core();
  if (available(count) < count) throw OutOfThreads(count);
  instance().reset();  // first: while two limits exist oneTBB keeps the lower one
  instance() = std::make_unique<Workers>(count);
}
int threads() { return workers().threads; }

namespace kernels {

namespace {

thread_local std::uint64_t cut_so_far = 0;

}  // namespace

std::uint64_t pieces_cut() { return cut_so_far; }

void parallel_for_workers(Index count, Index grain, FunctionRef<void(Index, Index, int)> body) {
  const Index pieces = (count + grain - 1) / grain;
  if (pieces > 1) cut_so_far += static_cast<std::uint64_t>(pieces);
  // One piece needs no workers: a process that only saves or reads starts no thread.
  if (pieces <= 1 || workers().threads == 1) {
    for (Index i = 0; i < pieces; ++i)
      body(i * grain, std::min(count, (i + 1) * grain), 0);
    return;
  }
  Workers& pool = workers();
  // oneTBB is not instrumented. Tell the thread sanitizer that
  // - pieces begin after the fork and end before the join;
  // - of pieces with the same worker's number each ends before the next begins, even where another
  //   thread of the user's has taken that place in the arena.
  [[maybe_unused]] char fork = 0;
  char join = 0;
  __tsan_release(&fork);
  pool.arena.execute([&] {
    tbb::parallel_for(
        tbb::blocked_range<Index>(0, pieces, 1),
        [&](const tbb::blocked_range<Index>& range) {
          __tsan_acquire(&fork);
          const int worker = tbb::this_task_arena::current_thread_index();
          [[maybe_unused]] char* place = pool.places.data() + worker;
          __tsan_acquire(place);
          for (Index i = range.begin(); i < range.end(); ++i)
            body(i * grain, std::min(count, (i + 1) * grain), worker);
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
