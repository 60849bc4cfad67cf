#include "cli/verify_resume.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <set>
#include <sstream>

#include <nlohmann/json.hpp>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/messages.h"
#include "cli/signals.h"
#include "experiments/training.h"
#include "framework/checkpoint.h"
#include "framework/files.h"
#include "framework/threads.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

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

/// Reads until the other end is closed.
std::string read_all(int descriptor) {
  std::string text;
  char chunk[4096];
  while (true) {
    const ssize_t got = ::read(descriptor, chunk, sizeof chunk);
    if (got < 0 && errno == EINTR && !interrupted()) continue;
    if (got <= 0) return text;
    text.append(chunk, static_cast<std::size_t>(got));
  }
}

/// Calls `act` in a process of its own. Returns the signal that killed it, or 0. Throws the Error
/// that it ended with. This process must not have computed anything before: threads do not survive
/// a fork.
int in_a_process(const std::function<void()>& act) {
  std::cout.flush();
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
      const std::string why = message_of(error);
      [[maybe_unused]] const ssize_t written = ::write(error_pipe[1], why.data(), why.size());
      ::_exit(1);
    }
  }
  ::close(error_pipe[1]);
  const std::string why = child < 0 ? "" : read_all(error_pipe[0]);
  ::close(error_pipe[0]);
  if (child < 0) fail("cannot start a process to train in: {}", std::strerror(errno));
  int status = 0;
  do {
    if (interrupted()) ::kill(child, SIGKILL);  // its results are not needed
  } while (::waitpid(child, &status, 0) < 0 && errno == EINTR);
  stop_if_interrupted();
  if (WIFSIGNALED(status)) return WTERMSIG(status);
  if (!why.empty()) fail("{}", why);
  if (WEXITSTATUS(status) != 0) fail("the training failed; nothing could be compared");
  return 0;
}

void train(const Settings& settings, const fs::path& folder, int threads, bool resume,
           const Observers& observers = {}) {
  set_threads(threads);
  Training training(settings, folder.string(), resume);
  training.open();
  training.create();
  if (training.run(observers).interrupted) throw Interrupted();
}

/// The names of the files of a run, relative to its folder.
std::set<std::string> files_of(const fs::path& run) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(run))
    if (entry.is_regular_file()) names.insert(fs::relative(entry.path(), run).string());
  return names;
}

/// The rows of metrics.jsonl without the times.
std::string timeless(const std::string& rows) {
  std::istringstream in(rows);
  std::string kept;
  for (std::string line; std::getline(in, line);) {
    auto row = nlohmann::ordered_json::parse(line);
    row.erase("seconds");
    row.erase("tokens_per_s");
    kept += row.dump() + '\n';
  }
  return kept;
}

/// How a file differs between two runs; "" where it is the same.
std::string difference_of(const std::string& name, const fs::path& a, const fs::path& b) {
  if (!fs::exists(a / name)) return "only the run that was resumed has it";
  if (!fs::exists(b / name)) return "only the run in one go has it";
  constexpr auto most = std::numeric_limits<std::uint64_t>::max();
  const std::string first = read_file(a / name, most);
  const std::string second = read_file(b / name, most);
  if (name == "metrics.jsonl") return timeless(first) == timeless(second) ? "" : "a row differs";
  if (first == second) return "";
  const std::string found =
      name.ends_with(".heed") ? difference(load(a / name), load(b / name)) : "";
  return found.empty() ? "bytes differ" : found;
}

/// Trains, saves at step `saved` and is killed within step `killed`.
void train_and_kill(const Settings& settings, const fs::path& folder, int threads, Index saved,
                    Index killed) {
  const int signal = in_a_process([&] {
    Index step = 0;
    Observers observers;
    observers.on_step = [&](const StepReport& report) {
      step = report.step;
      if (step == killed) std::raise(SIGKILL);
    };
    observers.should_save = [&] { return step == saved; };
    train(settings, folder, threads, false, observers);
  });
  if (signal != SIGKILL) fail("the training ended in step {} before it could be killed", killed);
}

/// Compares all files of the two runs but the log, and prints the results. Throws Error where one
/// differs.
void compare_runs(const fs::path& whole, const fs::path& parts) {
  std::set<std::string> names = files_of(whole);
  names.merge(files_of(parts));
  names.erase("log.txt");
  std::size_t differing = 0;
  for (const std::string& name : names) {
    const std::string found = difference_of(name, whole, parts);
    if (!found.empty()) ++differing;
    std::cout << fmt::format("compare  {:<32} {:>12} bytes  {}\n",
                             name == "metrics.jsonl" ? "metrics.jsonl, but for times" : name,
                             fs::exists(whole / name) ? fs::file_size(whole / name) : 0,
                             found.empty() ? "the same" : "DIFFER: " + found);
  }
  if (differing > 0)
    fail("resuming is not exact on these settings: {} of {} files differ", differing, names.size());
}

}  // namespace

void verify_resume(const Settings& settings, int threads) {
  const Index steps = settings.train.steps;
  const Index half = steps / 2;
  const Index killed = std::min(steps, half + 2);
  const TemporaryFolder folder;
  const fs::path whole = folder / "whole";
  const fs::path parts = folder / "parts";
  std::cout << fmt::format("train    {} steps of {}, in one go\n", steps, settings.model.name);
  in_a_process([&] { train(settings, whole, threads, false); });
  std::cout << fmt::format("train    the same, saved at step {}, killed in step {}\n", half,
                           killed);
  train_and_kill(settings, parts, threads, half, killed);
  std::cout << fmt::format("resume   from step {} to step {}\n", half, steps);
  in_a_process([&] { train(settings, parts, threads, true); });
  compare_runs(whole, parts);
  std::cout << fmt::format("the same: resuming is exact on these settings\n");
}

}  // namespace heed::cli
