#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/kernels/parallel.h"

// What set_threads() refuses, and that a refusal changes nothing.

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
    try {
      set_threads(count);
      ADD_FAILURE() << count;
    } catch (const Error& error) {
      const std::string expected = "[set_threads] expected 0 to 1024 threads; got ";
      EXPECT_EQ(error.what(), expected + std::to_string(count));
    }
    EXPECT_EQ(threads(), 2);
    EXPECT_EQ(sum_on_threads(), 63 * 64 / 2);
  }
  set_threads(0);
}

#ifndef __SANITIZE_THREAD__  // which allows no thread in a process that was forked beside others

/// In a process whose user may have no other thread; limits do not bind root, who becomes nobody.
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
