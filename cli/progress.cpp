#include "cli/progress.h"

#include <algorithm>
#include <cmath>
#include <iostream>

#include <sys/ioctl.h>
#include <unistd.h>

#include "framework/error.h"

namespace heed::cli {

namespace {

int terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<Index>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string step_text(const StepReport& r) {
  const std::string count =
      r.steps > 0 ? fmt::format("step {}/{}", r.step, r.steps) : fmt::format("step {}", r.step);
  return fmt::format("{}  loss {:.4f}  ppl {}  {:.0f} tok/s{}", count, r.loss,
                     r.perplexity >= 1e4 ? ">10000" : fmt::format("{:.2f}", r.perplexity),
                     r.tokens_per_s, r.skipped > 0 ? fmt::format("  {} skipped", r.skipped) : "");
}

LiveLine::LiveLine() : terminal_(isatty(STDERR_FILENO)) {}

void LiveLine::clear() {
  if (live_) std::cerr << "\r\033[K" << std::flush;
  live_ = false;
}

void LiveLine::show(const std::string& text, double done, double now) {
  if (!terminal_ || (live_ && now >= shown_ && now - shown_ < 0.1)) return;
  shown_ = now;
  const int room = std::clamp(terminal_width() - static_cast<int>(text.size()) - 5, 0, 40);
  const int filled = static_cast<int>(std::lround(std::clamp(done, 0.0, 1.0) * room));
  std::string bar;
  for (int i = 0; i < room; ++i)
    bar += i < filled ? "━" : " ";
  std::cerr << "\r\033[K" << (room >= 8 ? bar + "  " : "")
            << text.substr(0, static_cast<std::size_t>(std::max(10, terminal_width() - 1)))
            << std::flush;
  live_ = true;
}

Preparing::Preparing() {
  if (!live_.terminal()) return;
  try {
    thread_ = std::thread([this] { show(); });
  } catch (const std::system_error&) {  // the system has no thread more: without the line, then
  }
}

Preparing::~Preparing() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Preparing::now(std::string what) {
  const std::lock_guard lock(mutex_);
  what_ = std::move(what);
  done_ = 0;
  begin_ = std::chrono::steady_clock::now();
}

void Preparing::done(double part) {
  const std::lock_guard lock(mutex_);
  done_ = part;
}

void Preparing::show() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, std::chrono::milliseconds(500), [this] { return stop_; })) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    if (what_.empty() || seconds < 1) continue;
    const std::string part = done_ > 0 ? fmt::format(", {:.0f} %", 100 * done_) : "";
    live_.show(fmt::format("{}{}, {}", what_, part, duration_text(seconds)), done_, seconds);
  }
  live_.clear();
}

Progress::Progress(const std::string& log_path, Index log_every, Shown shown)
    : log_path_(log_path), log_every_(log_every), shown_(shown) {}

void Progress::line(const std::string& text) { lines({text}, {text}); }

void Progress::lines(const std::vector<std::string>& shown,
                     const std::vector<std::string>& logged) {
  if (shown_ == Shown::on_stderr) {
    live_.clear();
    for (const std::string& text : shown)
      std::cerr << text << '\n';
  }
  for (const std::string& text : logged)
    log(text);
}

void Progress::log(const std::string& text) {
  if (without_log_) return;
  try {
    if (!log_) log_.emplace(log_path_);
    log_->write(text + '\n');
  } catch (const Error& error) {
    without_log_ = true;
    live_.clear();
    std::cerr << error.what() << "; the run goes on without it\n";
  }
}

void Progress::step(const StepReport& r) {
  const std::string text = fmt::format("{}  {} left", step_text(r), duration_text(r.seconds_left));
  const bool logged = r.step % log_every_ == 0;
  if (!live_.terminal() || shown_ == Shown::in_log) {
    if (logged) line(text);
    return;
  }
  if (logged) log(text);
  live_.show(text, r.done, r.seconds);
}

}  // namespace heed::cli
