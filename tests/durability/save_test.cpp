// A save that is killed at each of its system calls, or in which each of them fails. The old or the
// new checkpoint must be there, whole, and the message must be true.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "framework/checkpoint.h"
#include "tests/datasets/temporary.h"
#include "tests/durability/tiny_run.h"
#include "tests/durability/tracer.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

#ifdef __x86_64__

std::string bytes_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// The rows of metrics.jsonl without times; null for a line that is not a row.
std::vector<nlohmann::json> rows_of(const std::string& folder) {
  std::ifstream in(RunFolder(folder).metrics());
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(in, line);) {
    rows.push_back(nlohmann::json::parse(line, nullptr, false));
    for (const char* clock : {"seconds", "tokens_per_s"})
      if (rows.back().is_object()) rows.back().erase(clock);
  }
  return rows;
}

class Save : public ::testing::Test {
 protected:
  static constexpr Index before = 3;
  static constexpr Index after = 4;
  static constexpr Index end = 6;

  static void SetUpTestSuite() {
    if (fs::exists("/dev/shm"))
      ::setenv("TMPDIR", "/dev/shm", 1);  // a file system in memory: thousands of syncs are fast
    folder_ = new TemporaryFolder;
    base_ = folder_->path("base");
    done_ = folder_->path("done");
    ended_ = folder_->path("ended");
    // All computing is done in processes of their own: a process with threads must not fork.
    const auto make = [](const std::string& folder, Index steps) {
      const Traced made = run_traced([&](Section&) { TinyRun(folder, steps).run(); }, {});
      ASSERT_EQ(made.code, 0) << made.message;
    };
    make(base_, before);
    make(ended_, end);
    fs::copy(base_, done_, fs::copy_options::recursive);
    const Traced saved = save(done_, {});
    ASSERT_EQ(saved.code, 0) << saved.message;
  }
  static void TearDownTestSuite() { delete folder_; }
  void SetUp() override {
    if (!tracing_works()) GTEST_SKIP() << "needs ptrace on x86-64, without sanitizers";
  }

  /// Trains the run of `folder` one step further. The calls of that step count.
  static Traced save(const std::string& folder, const Interference& interference) {
    return run_traced(
        [&](Section& section) {
          TinyRun run(folder, after);
          if (!run.trainer.resume()) fail("nothing to resume");
          section.open = 1;
          run.run();
          section.open = 0;
        },
        interference);
  }
  std::string copy() const {
    const std::string folder = folder_->path("run");
    fs::remove_all(folder);
    fs::create_directories(RunFolder(folder).checkpoints());
    for (const auto& entry : fs::recursive_directory_iterator(base_))
      if (entry.is_regular_file())
        fs::copy_file(entry.path(), folder / fs::relative(entry.path(), base_));
    fs::remove(RunFolder(folder).last());
    fs::create_hard_link(RunFolder(folder).step(before), RunFolder(folder).last());
    return folder;
  }

  static bool same(const Checkpoint& a, const fs::path& b) {
    return difference(timeless(a), timeless(load(b))).empty();
  }
  static bool same_weights(const Checkpoint& a, const fs::path& b) {
    const auto weights = [](const Checkpoint& c) {
      return Checkpoint{c.tensors, {}, {{"step", c.number("step")}}, {}, {}};
    };
    return difference(weights(a), weights(load(b))).empty();
  }
  /// Expects that every finished checkpoint can be loaded, and that last and best are the old or
  /// the new ones. Returns whether last is the new one. `on_the_way`: after an error, last may hold
  /// the step but not yet what the step makes due (such as an evaluation).
  bool check_whole(const std::string& folder, bool on_the_way = false) const {
    const RunFolder run(folder);
    const RunFolder old(base_);
    const RunFolder now(done_);
    for (const auto& entry : fs::directory_iterator(run.checkpoints()))
      if (entry.path().extension() == ".heed") {
        EXPECT_NO_THROW(load(entry.path())) << entry.path();
      }
    const Checkpoint last = load(run.last());
    const Checkpoint best = load(run.best());
    const bool is_new = on_the_way ? same_weights(last, now.last()) : same(last, now.last());
    EXPECT_TRUE(is_new || same(last, old.last())) << "last";
    EXPECT_TRUE(same(best, now.best()) || same(best, old.best())) << "best";
    if (is_new) return true;
    EXPECT_TRUE(same(best, old.best())) << "best is of a step that last has not come to";
    return false;
  }
  /// Expects that the resumed run ends as a run that was not disturbed.
  void check_resumes(const std::string& folder) const {
    const Traced resumed = run_traced(
        [&](Section&) {
          TinyRun run(folder, end);
          if (!run.trainer.resume()) fail("nothing to resume");
          run.run();
        },
        {});
    EXPECT_EQ(resumed.code, 0) << resumed.message;
    EXPECT_TRUE(same(load(RunFolder(folder).last()), RunFolder(ended_).last()));
    EXPECT_TRUE(same(load(RunFolder(folder).best()), RunFolder(ended_).best()));
    EXPECT_EQ(rows_of(folder), rows_of(ended_));
    EXPECT_EQ(RunFolder(folder).steps(), RunFolder(ended_).steps());
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      EXPECT_NE(entry.path().extension(), ".partial") << entry.path();
  }
  /// Expects that what the message says of the files is true.
  void check_message(const std::string& folder, const Traced& saved, int error) const {
    const std::string& message = saved.message;
    const auto says = [&](const std::string& text) {
      return message.find(text) != std::string::npos;
    };
    EXPECT_TRUE(message.starts_with(folder)) << message << ": names no file";
    EXPECT_TRUE(says(std::strerror(error))) << message << ": gives no reason";
    EXPECT_FALSE(says("\n"));
    const std::string file = message.substr(0, message.find(": "));
    const std::string old = base_ + file.substr(std::min(file.size(), folder.size()));
    if (says("the old file is left as it was") && !says("is saved")) {
      EXPECT_EQ(bytes_of(file), bytes_of(old)) << message;
    }
    if (says("was written")) {
      EXPECT_NO_THROW(load(file)) << message;
    }
    const std::optional<fs::path> newest = RunFolder(folder).newest();
    ASSERT_TRUE(newest.has_value());
    // A file whose name may not be on the disk is not called saved; the checkpoint before it is.
    std::int64_t step = load(*newest).number("step");
    if (says("was written, but") && says(fmt::format("step {} is saved", before)))
      step = load(RunFolder(folder).step(before)).number("step");
    EXPECT_TRUE(says(fmt::format("step {} is saved", step)))
        << message << ": and step " << step << " it is";
  }

  static TemporaryFolder* folder_;
  static std::string base_;
  static std::string done_;
  static std::string ended_;
};

TemporaryFolder* Save::folder_ = nullptr;
std::string Save::base_;
std::string Save::Save::done_;
std::string Save::Save::ended_;

/// The system calls for files. Those for memory and threads are not counted: their number varies.
const std::set<long> file_calls = {
    SYS_open,       SYS_openat,    SYS_close,    SYS_read,      SYS_write,     SYS_pwrite64,
    SYS_writev,     SYS_lseek,     SYS_fsync,    SYS_fdatasync, SYS_fcntl,     SYS_flock,
    SYS_newfstatat, SYS_stat,      SYS_rename,   SYS_renameat,  SYS_renameat2, SYS_link,
    SYS_linkat,     SYS_unlink,    SYS_unlinkat, SYS_mkdir,     SYS_mkdirat,   SYS_rmdir,
    SYS_ftruncate,  SYS_getdents64};

TEST_F(Save, IsWholeWhereverItIsKilled) {
  int calls = 0;
  int new_ones = 0;
  for (const auto what : {Interference::kill_before, Interference::kill_after}) {
    bool was_new = false;
    for (int at = 1;; ++at) {
      const std::string folder = copy();
      const Traced saved = save(folder, {.what = what, .at = at, .calls = file_calls});
      SCOPED_TRACE(fmt::format("killed {} call {} (number {})",
                               what == Interference::kill_before ? "before" : "after", at,
                               saved.number));
      if (!saved.met) break;
      ASSERT_EQ(saved.code, 128 + SIGKILL);
      ++calls;
      const bool is_new = check_whole(folder);
      EXPECT_TRUE(is_new || !was_new) << "what was saved is gone";
      was_new = is_new;
      if (is_new) ++new_ones;
      check_resumes(folder);
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(calls, 60);
  EXPECT_GT(new_ones, 10);
  std::cout << calls << " kills\n";
}

TEST_F(Save, ReportsTheTruthWhateverFails) {
  const struct {
    const char* name;
    std::set<long> calls;
  } kinds[] = {{"write", {SYS_write, SYS_pwrite64, SYS_writev}},
               {"fsync", {SYS_fsync, SYS_fdatasync}},
               {"rename", {SYS_rename, SYS_renameat, SYS_renameat2}},
               {"link", {SYS_link, SYS_linkat}},
               {"unlink", {SYS_unlink, SYS_unlinkat}},
               {"open", {SYS_open, SYS_openat}},
               {"close", {SYS_close}},
               {"lseek", {SYS_lseek}}};
  int runs = 0;
  for (const auto& kind : kinds) {
    for (const int error : {ENOSPC, EIO, EDQUOT}) {
      for (const bool for_ever : {false, true}) {
        for (int at = 1;; ++at) {
          const std::string folder = copy();
          const Traced saved = save(folder, {.what = Interference::fail,
                                             .at = at,
                                             .error = error,
                                             .for_ever = for_ever,
                                             .calls = kind.calls});
          SCOPED_TRACE(fmt::format("{} {} fails with {}{}", kind.name, at, std::strerror(error),
                                   for_ever ? ", and all after it" : ""));
          if (!saved.met) {
            EXPECT_GT(at, 1) << "a save has none";
            break;
          }
          ++runs;
          const bool is_new = check_whole(folder, saved.code != 0);
          ASSERT_TRUE(saved.code == 0 || saved.code == 1) << saved.code << ": " << saved.message;
          EXPECT_TRUE(is_new || saved.code != 0) << "said to be saved, and is not";
          if (saved.code != 0) check_message(folder, saved, error);
          if (!for_ever || at == 1) check_resumes(folder);
          if (HasFailure()) return;
        }
      }
    }
  }
  EXPECT_GT(runs, 200);
  std::cout << runs << " failures\n";
}

TEST_F(Save, FinishesAShortWrite) {
  int runs = 0;
  for (const bool for_ever : {false, true})
    for (int at = 1;; ++at) {
      const std::string folder = copy();
      const Traced saved = save(folder, {.what = Interference::shorten,
                                         .at = at,
                                         .for_ever = for_ever,
                                         .calls = {SYS_write, SYS_pwrite64}});
      if (!saved.met) break;
      ++runs;
      ASSERT_EQ(saved.code, 0) << saved.message;
      ASSERT_TRUE(check_whole(folder)) << at;
      ASSERT_EQ(rows_of(folder), rows_of(done_));
    }
  EXPECT_GT(runs, 10);
}

#endif

}  // namespace
}  // namespace heed
