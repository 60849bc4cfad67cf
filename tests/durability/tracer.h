#pragma once

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <set>
#include <string>

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "framework/error.h"

// Runs a function in a process of its own and interferes with its system calls, as the injection of
// strace does. There are two differences: a call is chosen by its number within a section that the
// process marks, and a write can really be cut short. Linux on x86-64 only.

namespace heed {

/// Shared with the traced process.
struct Section {
  volatile int open;   // 1 while calls count
  char message[4000];  // of the Error that ended it
};

struct Interference {
  enum What { none, kill_before, kill_after, fail, shorten } what = none;
  int at = 0;                 // which call of the section; 1: the first
  int error = 0;              // fail: the error number
  bool for_ever = false;      // fail and shorten: every call from `at` on
  std::set<long> calls = {};  // the numbers of the system calls that count; empty: all
};

struct Traced {
  int code = -1;     // of exit; 128 + signal
  int calls = 0;     // system calls that counted
  bool met = false;  // whether there was a call to interfere with
  long number = -1;  // the system call number of the first such call
  std::string message;
};

inline bool tracing_works() {
#if !defined(__x86_64__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return false;
#else
  const pid_t child = ::fork();
  if (child == 0) _exit(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
#endif
}

#ifdef __x86_64__
/// The traced process: runs `body` and ends.
[[noreturn]] inline void run_to_be_traced(const std::function<void(Section&)>& body,
                                          Section& section) {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  ::raise(SIGSTOP);
  int code = 0;
  try {
    body(section);
  } catch (const Error& error) {
    std::strncpy(section.message, error.what(), sizeof section.message - 1);
    code = 1;
  } catch (...) {
    code = 99;
  }
  section.open = 0;
  _exit(code);
}

/// Interferes with the system calls of a process that is stopped at each of them.
class Tracer {
 public:
  Tracer(pid_t process, const Section& section, const Interference& interference)
      : process_(process), section_(section), interference_(interference) {}

  /// Called when the process enters a system call or returns from it, in turn.
  void stop() {
    ::ptrace(PTRACE_GETREGS, process_, nullptr, &registers_);
    if (entering_ && section_.open == 1)
      enter();
    else if (!entering_ && interfering_)
      leave();
    entering_ = !entering_;
  }

  Traced result;

 private:
  using Register = decltype(user_regs_struct::rax);

  void change(Register& which, unsigned long long value) {
    which = value;
    ::ptrace(PTRACE_SETREGS, process_, nullptr, &registers_);
  }

  /// Whether the call that is entered is one to interfere with.
  bool is_chosen() const {
    if (interference_.what == Interference::none) return false;
    if (result.calls == interference_.at) return true;
    return interference_.for_ever && result.calls > interference_.at;
  }

  void enter() {
    const long number = static_cast<long>(registers_.orig_rax);
    if (!interference_.calls.empty() && !interference_.calls.contains(number)) return;
    ++result.calls;
    if (!is_chosen()) return;
    if (!result.met) result.number = number;
    result.met = true;
    interfering_ = true;
    constexpr unsigned long long no_call = -1ULL;  // the kernel skips such a call
    switch (interference_.what) {
      case Interference::kill_before:
        change(registers_.orig_rax, no_call);
        ::kill(process_, SIGKILL);
        break;
      case Interference::fail:
        change(registers_.orig_rax, no_call);
        break;
      case Interference::shorten:
        size_ = registers_.rdx;
        change(registers_.rdx, size_ > 1 ? size_ / 2 : size_);
        break;
      case Interference::kill_after:
      case Interference::none:
        break;
    }
  }

  void leave() {
    interfering_ = false;
    switch (interference_.what) {
      case Interference::kill_after:
        ::kill(process_, SIGKILL);
        break;
      case Interference::fail:
        change(registers_.rax, static_cast<unsigned long long>(-interference_.error));
        break;
      case Interference::shorten:
        change(registers_.rdx, size_);
        break;
      case Interference::kill_before:
      case Interference::none:
        break;
    }
  }

  pid_t process_;
  const Section& section_;
  const Interference& interference_;
  user_regs_struct registers_{};
  bool entering_ = true;
  bool interfering_ = false;
  unsigned long long size_ = 0;  // the number of bytes that a shortened write was called with
};

/// Lets the process run to its end. Returns its wait status.
inline int trace(pid_t process, Tracer& tracer) {
  int status = 0;
  ::waitpid(process, &status, 0);
  ::ptrace(PTRACE_SETOPTIONS, process, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  constexpr int system_call = SIGTRAP | 0x80;
  int signal = 0;
  while (true) {
    ::ptrace(PTRACE_SYSCALL, process, nullptr, signal);
    ::waitpid(process, &status, 0);
    if (WIFEXITED(status) || WIFSIGNALED(status)) return status;
    signal = WSTOPSIG(status) == system_call ? 0 : WSTOPSIG(status);
    if (signal == 0) tracer.stop();
  }
}

/// Runs `body` in a process of its own. `body` sets section.open around the calls that count. The
/// exit status is 0, or 1 where it throws Error, as that of `heed`.
inline Traced run_traced(const std::function<void(Section&)>& body,
                         const Interference& interference) {
  void* memory =
      ::mmap(nullptr, sizeof(Section), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) fail("mmap: {}", std::strerror(errno));
  auto* section = static_cast<Section*>(memory);
  const pid_t process = ::fork();
  if (process == 0) run_to_be_traced(body, *section);
  Tracer tracer(process, *section, interference);
  const int status = trace(process, tracer);
  tracer.result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  tracer.result.message = section->message;
  ::munmap(memory, sizeof(Section));
  return tracer.result;
}
#endif

}  // namespace heed
