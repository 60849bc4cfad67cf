#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/datasets/temporary.h"
#include "tests/text_files.h"

// Runs the real program in a folder of its own.

namespace heed {

using Args = std::vector<std::string>;

inline Args operator+(Args a, const Args& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Ran {
  // The exit status; 256 + signal where a signal killed the program (128 + SIGINT would be 130, the
  // exit status of an interrupted one).
  int code = -1;
  std::string out;
  std::string err;
};

class Program {
 public:
  /// Starts `heed args...` in `folder`. Standard input is a file that holds `input`; standard
  /// output and error go to files. `out_path`: another file for standard output.
  Program(const TemporaryFolder& folder, std::vector<std::string> args,
          const std::string& input = "", std::string out_path = "")
      : out_(out_path.empty() ? folder.path(".out") : std::move(out_path)),
        err_(folder.path(".err")) {
    const std::string in = folder.write(".in", input);
    const std::string where = folder.path("");
    std::filesystem::remove(err_);  // left by the last program
    args.insert(args.begin(), HEED_PROGRAM);
    std::vector<char*> argv;
    for (std::string& arg : args)
      argv.push_back(arg.data());
    argv.push_back(nullptr);
    process_ = fork();
    if (process_ == 0) {
      constexpr int writing = O_WRONLY | O_CREAT | O_TRUNC;
      const bool prepared = chdir(where.c_str()) == 0 && open_as(in, O_RDONLY, STDIN_FILENO) &&
                            open_as(out_, writing, STDOUT_FILENO) &&
                            open_as(err_, writing, STDERR_FILENO);
      if (prepared) execv(argv[0], argv.data());
      _exit(126);
    }
  }
  ~Program() {
    if (process_ > 0) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// Sends the signal once the program has a handler for it. A program that is still being loaded
  /// would be killed.
  void interrupt(int signal = SIGINT) const {
    for (int i = 0; signal != SIGKILL && i < 6000 && !catches(signal); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    kill(process_, signal);
  }
  std::string err() const { return read_file(err_); }
  Ran wait() {
    int status = 0;
    waitpid(std::exchange(process_, -1), &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status),
            out_ == "/dev/full" ? "" : read_file(out_), read_file(err_)};
  }

 private:
  static bool open_as(const std::string& path, int flags, int descriptor) {
    return dup2(open(path.c_str(), flags, 0600), descriptor) == descriptor;
  }

  /// Whether the process has a handler for the signal (SigCgt of proc(5)), or has ended.
  bool catches(int signal) const {
    const std::string caught = "SigCgt:";
    for (const std::string& line : lines_of(read_file(fmt::format("/proc/{}/status", process_)))) {
      if (line.starts_with("State:\tZ")) return true;
      if (line.starts_with(caught))
        return std::stoull(line.substr(caught.size()), nullptr, 16) >> (signal - 1) & 1;
    }
    return true;
  }

  std::string out_;
  std::string err_;
  pid_t process_;
};

/// Sets an environment variable of this process and of the programs that it starts, as long as the
/// object exists.
class Setting {
 public:
  Setting(const char* name, const char* value) : name_(name) {
    if (const char* was = std::getenv(name)) was_ = was;
    setenv(name, value, 1);
  }
  ~Setting() {
    if (was_)
      setenv(name_, was_->c_str(), 1);
    else
      unsetenv(name_);
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  const char* name_;
  std::optional<std::string> was_;
};

inline Ran run(const TemporaryFolder& folder, const std::vector<std::string>& args,
               const std::string& input = "", const std::string& out_path = "") {
  return Program(folder, args, input, out_path).wait();
}

/// Every file below the folder with its bytes. Leaves out names that begin with a dot, which run()
/// writes.
inline std::map<std::string, std::string> contents(const TemporaryFolder& folder) {
  std::map<std::string, std::string> files;
  const std::string root = folder.path("");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = std::filesystem::relative(entry.path(), root).string();
    if (!name.starts_with("."))
      files[name] = entry.is_directory() ? "a folder" : read_file(entry.path());
  }
  return files;
}

}  // namespace heed
