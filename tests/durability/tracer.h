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

// Runs a function in a process of its own and interferes with its system calls, as strace's
// injection does; but a call is named by its place in a section that the process marks, and a write
// may be cut short truly. Linux on x86-64 only.

namespace heed {

/// Shared with the traced process.
struct Section {
  volatile int open;   // 1 while calls count
  char message[4000];  // of the Error that ended it
};

struct Interference {
  enum What { none, kill_before, kill_after, fail, shorten } what = none;
  int at = 0;                 // 1: the first call in the section, of `calls`
  int error = 0;              // of fail
  bool for_ever = false;      // fail: every call from `at` on
  std::set<long> calls = {};  // empty: every system call
};

struct Traced {
  int code = -1;     // of exit; 128 + signal
  int calls = 0;     // that counted
  bool met = false;  // there was a call to interfere with
  long number = -1;  // of that call
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
/// `body` sets section.open around what counts. The exit status is 0, or 1 when it throws Error, as
/// that of `heed`.
inline Traced run_traced(const std::function<void(Section&)>& body,
                         const Interference& interference) {
  auto* section = static_cast<Section*>(
      ::mmap(nullptr, sizeof(Section), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  if (section == MAP_FAILED) fail("mmap: {}", std::strerror(errno));
  const pid_t process = ::fork();
  if (process == 0) {
    ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    ::raise(SIGSTOP);
    int code = 0;
    try {
      body(*section);
    } catch (const Error& error) {
      std::strncpy(section->message, error.what(), sizeof section->message - 1);
      code = 1;
    } catch (...) {
      code = 99;
    }
    section->open = 0;
    _exit(code);
  }
  Traced result;
  int status = 0;
  ::waitpid(process, &status, 0);
  ::ptrace(PTRACE_SETOPTIONS, process, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  bool entering = true;
  bool act_at_exit = false;
  unsigned long long argument = 0;
  for (int signal = 0;;) {
    ::ptrace(PTRACE_SYSCALL, process, nullptr, signal);
    ::waitpid(process, &status, 0);
    if (WIFEXITED(status) || WIFSIGNALED(status)) break;
    signal = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
    if (signal != 0) continue;
    user_regs_struct registers{};
    ::ptrace(PTRACE_GETREGS, process, nullptr, &registers);
    const auto change = [&](auto& which, unsigned long long value) {
      which = value;
      ::ptrace(PTRACE_SETREGS, process, nullptr, &registers);
    };
    if (entering && section->open == 1) {
      const long number = static_cast<long>(registers.orig_rax);
      if (interference.calls.empty() || interference.calls.contains(number)) {
        ++result.calls;
        const bool here = result.calls == interference.at ||
                          (interference.for_ever && result.calls > interference.at);
        if (here && interference.what != Interference::none) {
          if (!result.met) result.number = number;
          result.met = act_at_exit = true;
          if (interference.what == Interference::kill_before) {
            change(registers.orig_rax, -1ULL);
            ::kill(process, SIGKILL);
          }
          if (interference.what == Interference::fail) change(registers.orig_rax, -1ULL);
          if (interference.what == Interference::shorten) {
            argument = registers.rdx;
            change(registers.rdx, argument > 1 ? argument / 2 : argument);
          }
        }
      }
    } else if (!entering && act_at_exit) {
      act_at_exit = false;
      if (interference.what == Interference::kill_after) ::kill(process, SIGKILL);
      if (interference.what == Interference::fail)
        change(registers.rax, static_cast<unsigned long long>(-interference.error));
      if (interference.what == Interference::shorten) change(registers.rdx, argument);
    }
    entering = !entering;
  }
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.message = section->message;
  ::munmap(section, sizeof(Section));
  return result;
}
#endif

}  // namespace heed
