#include "experiments/verify_resume.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiments/training.h"
#include "framework/threads.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

/// Reads until the other end is closed.
std::string read_all(int descriptor, const ShouldStop& should_stop) {
  std::string text;
  char chunk[4096];
  while (true) {
    const ssize_t got = ::read(descriptor, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR && !(should_stop && should_stop())) continue;
    if (got <= 0) return text;
    text.append(chunk, static_cast<std::size_t>(got));
  }
}

/// Calls `act` in a process of its own. Returns the signal that killed it, or 0. Throws the Error
/// that it ended with.
int in_a_process(const ShouldStop& should_stop, const std::function<void()>& act) {
  int error_pipe[2];
  if (::pipe(error_pipe) != 0) fail("cannot start a process to train in: {}", std::strerror(errno));
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      act();
      ::_exit(0);
    } catch (const Interrupted&) {
      ::_exit(130);
    } catch (const std::exception& error) {
      const std::string why = error.what();
      [[maybe_unused]] const ssize_t written = ::write(error_pipe[1], why.data(), why.size());
      ::_exit(1);
    }
  }
  ::close(error_pipe[1]);
  const std::string why = child < 0 ? "" : read_all(error_pipe[0], should_stop);
  ::close(error_pipe[0]);
  if (child < 0) fail("cannot start a process to train in: {}", std::strerror(errno));
  int status = 0;
  do {
    if (should_stop && should_stop()) ::kill(child, SIGKILL);  // its results are not needed
  } while (::waitpid(child, &status, 0) < 0 && errno == EINTR);
  stop_if(should_stop);
  if (WIFSIGNALED(status)) return WTERMSIG(status);
  if (!why.empty()) fail("{}", why);
  if (WEXITSTATUS(status) != 0) fail("the training failed; nothing could be compared");
  return 0;
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::error_code error;
    path_ = (fs::temp_directory_path(error) / "heed-verify-XXXXXX").string();
    if (error || !::mkdtemp(path_.data()))
      fail("cannot make a temporary folder {}; set TMPDIR to a folder where there is room", path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  fs::path operator/(const char* name) const { return fs::path(path_) / name; }

 private:
  std::string path_;
};

/// What both trainings share.
class Trainings {
 public:
  Trainings(const Settings& settings, const VerifyResumeOptions& options)
      : settings_(settings), options_(options) {}

  /// Trains in a process of its own.
  void train(const fs::path& folder, bool resume) const {
    in_a_process(options_.should_stop, [&] { run(folder, resume, {}); });
  }

  /// Trains, saves at step `saved` and is killed within step `killed`.
  void train_and_kill(const fs::path& folder, Index saved, Index killed) const {
    const int signal = in_a_process(options_.should_stop, [&] {
      Index step = 0;
      TrainingObservers observers;
      observers.on_step = [&](const StepReport& report) {
        step = report.step;
        if (step == killed) std::raise(SIGKILL);
      };
      observers.should_save = [&] { return step == saved; };
      run(folder, false, observers);
    });
    if (signal != SIGKILL) fail("the training ended in step {} before it could be killed", killed);
  }

 private:
  void run(const fs::path& folder, bool resume, TrainingObservers observers) const {
    set_threads(options_.threads);
    observers.should_stop = options_.should_stop;
    Settings begun = resume ? read_run_settings(folder.string()) : settings_;
    begun.train.report = false;  // it says how long steps took
    if (Training(begun, folder, {.resume = resume}).run(observers).interrupted) throw Interrupted();
  }

  const Settings& settings_;
  const VerifyResumeOptions& options_;
};

}  // namespace

std::vector<RunFileDifference> verify_resume(const Settings& settings,
                                             const VerifyResumeOptions& options) {
  const auto tell = [&](const std::string& line) {
    if (options.on_line) options.on_line(line);
  };
  settings.check();
  const Index steps = settings.train.steps;
  check(steps >= 2, "verify_resume", "expected 2 steps or more; got {}", steps);
  const Index half = steps / 2;
  const Index killed = std::min(steps, half + 2);
  const TemporaryFolder folder;
  const Trainings trainings(settings, options);
  tell(fmt::format("train    {} steps of {}, in one go", steps, settings.model.name));
  trainings.train(folder / "whole", false);
  tell(fmt::format("train    the same, saved at step {}, killed in step {}", half, killed));
  trainings.train_and_kill(folder / "parts", half, killed);
  tell(fmt::format("resume   from step {} to step {}", half, steps));
  trainings.train(folder / "parts", true);
  return compare_runs(folder / "whole", folder / "parts");
}

std::string to_text(const std::vector<RunFileDifference>& files) {
  std::string text;
  for (const RunFileDifference& file : files)
    text += fmt::format("compare  {:<32} {:>12} bytes  {}\n",
                        file.name == "metrics.jsonl" ? "metrics.jsonl, but for times" : file.name,
                        file.bytes,
                        file.difference.empty() ? "the same" : "DIFFER: " + file.difference);
  return text;
}

}  // namespace heed
