// Loading needs at most four times the size of the file and 64 MiB of address space beyond what the
// process has at its start.
#include <fstream>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/checkpoint.h"
#include "framework/run_folder.h"
#include "optim/optimizer.h"
#include "tests/datasets/temporary.h"
#include "training/internal/training_state.h"
#include "training/trainer.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

constexpr std::uint64_t slack = std::uint64_t{64} << 20;

/// A field of /proc/self/status, in bytes.
std::uint64_t status(const std::string& field) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(field + ":")) return std::stoull(line.substr(field.size() + 1)) * 1024;
  return 0;
}

/// Runs `act` in a process of its own, so that the memory pool of this one stays empty. It may use
/// `most` bytes of address space more than this process. Returns "" where it succeeded, else the
/// message of what it threw.
std::string apart(const std::function<void()>& act, std::uint64_t most = std::uint64_t{1} << 40) {
  int ends[2];
  if (::pipe(ends) != 0) return "no pipe";
  const pid_t process = ::fork();
  if (process == 0) {
    const rlim_t all = status("VmSize") + most;
    const rlimit limit{all, all};
    std::string message;
    if (::setrlimit(RLIMIT_AS, &limit) != 0) message = "no limit";
    try {
      act();
    } catch (const std::exception& error) {
      message = error.what();
    }
    const ssize_t ignored = ::write(ends[1], message.data(), message.size());
    _exit(ignored < 0 ? 1 : 0);
  }
  ::close(ends[1]);
  std::string message;
  char bytes[512];
  ssize_t got = ::read(ends[0], bytes, sizeof bytes);
  while (got > 0) {
    message.append(bytes, static_cast<std::size_t>(got));
    got = ::read(ends[0], bytes, sizeof bytes);
  }
  ::close(ends[0]);
  int ended = 0;
  ::waitpid(process, &ended, 0);
  return WIFEXITED(ended) && WEXITSTATUS(ended) == 0
             ? message
             : fmt::format("ended with status {}: {}", ended, message);
}

std::string within_limit(const fs::path& file, const std::function<void()>& act) {
  return apart(act, 4 * fs::file_size(file) + slack);
}

/// A model whose checkpoint is three times its size: the weights and the two moments of Adam.
struct Wide {
  Parameter weight;
  explicit Wide(Index rows) : weight(Tensor(Shape{rows, 1024})) {}
  void visit(Visitor& v) { v("weight", weight); }
};

constexpr Index small = 1;     // rows: a checkpoint of 12 KB
constexpr Index large = 8192;  // and of 96 MiB

TEST(Load, StaysWithinALimitOfMemory) {
  if (sanitized) GTEST_SKIP() << "sanitizers need an address space of their own";
  for (const Index rows : {small, large}) {
    const TemporaryFolder folder;
    const std::string path = folder.path("c.heed");
    ASSERT_EQ(
        apart([&] {
          Checkpoint checkpoint;
          for (int i = 0; i < 3; ++i)
            checkpoint.tensors.push_back({"w" + std::to_string(i), Tensor(Shape{rows, 1024})});
          save(checkpoint, path);
        }),
        "");
    EXPECT_EQ(within_limit(path, [&] { load(path); }), "") << rows;
    EXPECT_EQ(within_limit(path,
                           [&] {
                             std::ofstream(path, std::ios::app) << "x";
                             load(path);
                           })
                  .substr(path.size()),
              ": extended: 1 bytes follow its end; use another checkpoint");
  }
}

TEST(Load, OfATrainerStaysWithinALimitOfMemory) {
  if (sanitized) GTEST_SKIP() << "sanitizers need an address space of their own";
  for (const Index rows : {small, large}) {
    const TemporaryFolder folder;
    const RunFolder run(folder.path("run"));
    run.create();
    const auto trainer = [&](Wide& wide, Adam& adam) {
      return Trainer(wide, adam, {.steps = 2, .folder = folder.path("run")});
    };
    ASSERT_EQ(apart([&] {
                Wide wide(rows);
                Adam adam(wide);
                Checkpoint checkpoint;
                put_training_state(checkpoint, {.seed = 1, .step = 1}, false);
                checkpoint.lists = {{"data", {1}}, {"optimizer.steps", {1}}, {"average.steps", {}}};
                put(checkpoint, "model.", wide);
                put(checkpoint, "optimizer.", adam.state());
                save(checkpoint, run.last());
              }),
              "");
    EXPECT_EQ(within_limit(run.last(),
                           [&] {
                             Wide wide(rows);
                             Adam adam(wide);
                             if (!trainer(wide, adam).resume()) fail("nothing to resume");
                           }),
              "")
        << rows;
  }
}

}  // namespace
}  // namespace heed
