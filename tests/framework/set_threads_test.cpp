#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/kernels/parallel.h"
#include "tests/message_of.h"

// set_threads() refuses some numbers, and a refusal changes nothing.

namespace heed::test {
namespace {

Index sum_on_threads() {
  std::vector<Index> parts(64);
  kernels::parallel_for(64, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i)
      parts[static_cast<std::size_t>(i)] = i;
  });
  Index sum = 0;
  for (const Index part : parts)
    sum += part;
  return sum;
}

TEST(SetThreads, RefusesWhatIsOutOfRange) {
  set_threads(2);
  for (const int count : {-1, -8, most_threads + 1, 100'000'000}) {
    EXPECT_EQ(message_of([&] { set_threads(count); }),
              fmt::format("[set_threads] expected 0 to 1024 threads; got {}", count));
    EXPECT_EQ(threads(), 2);
    EXPECT_EQ(sum_on_threads(), 63 * 64 / 2);
  }
  set_threads(0);
}

// The thread sanitizer allows no new thread in a process that was forked while others ran.
#ifndef __SANITIZE_THREAD__

/// For a process whose user may have no other thread. Limits do not bind root, so root becomes
/// nobody. The result is 0 where set_threads() gave the right error, and 77 where no limit can be
/// set.
int without_other_threads() {
  constexpr uid_t nobody = 65534;
  const rlimit one{1, 1};
  if (setrlimit(RLIMIT_NPROC, &one) != 0 || (geteuid() == 0 && setuid(nobody) != 0)) return 77;
  set_threads(1);
  try {
    set_threads(64);
    return 1;
  } catch (const OutOfThreads& error) {
    if (error.wanted != 64) return 2;
  }
  return threads() == 1 && sum_on_threads() == 63 * 64 / 2 ? 0 : 3;
}

TEST(SetThreads, IsAnErrorWhereTheSystemHasNoMore) {
  const pid_t child = fork();
  if (child == 0) _exit(without_other_threads());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no limit can be set here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

#endif

}  // namespace
}  // namespace heed::test
