#include "experiments/live_progress.h"

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

/// A bar of `width` columns and a space of two; "" where there is little room.
std::string bar_text(double done, int width) {
  constexpr int least_width = 8;
  if (width < least_width) return "";
  const int filled = static_cast<int>(std::lround(std::clamp(done, 0.0, 1.0) * width));
  std::string bar;
  for (int i = 0; i < width; ++i)
    bar += i < filled ? "━" : " ";
  return bar + "  ";
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
  const std::string perplexity =
      r.perplexity >= 1e4 ? ">10000" : fmt::format("{:.2f}", r.perplexity);
  const std::string skipped = r.skipped > 0 ? fmt::format("  {} skipped", r.skipped) : "";
  return fmt::format("{}  loss {:.4f}  ppl {}  {:.0f} tok/s{}", count, r.loss, perplexity,
                     r.tokens_per_s, skipped);
}

LiveLine::LiveLine() : terminal_(isatty(STDERR_FILENO)) {}

void LiveLine::clear() {
  if (live_) std::cerr << "\r\033[K" << std::flush;
  live_ = false;
}

void LiveLine::show(const std::string& text, double done, double now) {
  if (!terminal_) return;
  const bool just_shown = now >= shown_ && now - shown_ < 0.1;
  if (live_ && just_shown) return;
  shown_ = now;
  const int columns = terminal_width();
  const int room = std::clamp(columns - static_cast<int>(text.size()) - 5, 0, 40);
  const auto longest_text = static_cast<std::size_t>(std::max(10, columns - 1));
  std::cerr << "\r\033[K" << bar_text(done, room) << text.substr(0, longest_text) << std::flush;
  live_ = true;
}

PreparationDisplay::PreparationDisplay() {
  if (!live_.terminal()) return;
  try {
    thread_ = std::thread([this] { show(); });
  } catch (const std::system_error&) {
    // The system allows no further thread: there is no live line then.
  }
}

PreparationDisplay::~PreparationDisplay() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void PreparationDisplay::begin(std::string task) {
  const std::lock_guard lock(mutex_);
  task_ = std::move(task);
  done_ = 0;
  begin_ = std::chrono::steady_clock::now();
}

void PreparationDisplay::done(double part) {
  const std::lock_guard lock(mutex_);
  done_ = part;
}

void PreparationDisplay::show() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, std::chrono::milliseconds(500), [this] { return stop_; })) {
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    if (task_.empty() || seconds < 1) continue;
    const std::string part = done_ > 0 ? fmt::format(", {:.0f} %", 100 * done_) : "";
    live_.show(fmt::format("{}{}, {}", task_, part, duration_text(seconds)), done_, seconds);
  }
  live_.clear();
}

ProgressDisplay::ProgressDisplay(const std::string& log_path, Index log_every, Shown shown)
    : log_path_(log_path), log_every_(log_every), shown_(shown) {}

void ProgressDisplay::line(const std::string& text) { lines({text}, {text}); }

void ProgressDisplay::lines(const std::vector<std::string>& shown,
                            const std::vector<std::string>& logged) {
  if (shown_ == Shown::on_stderr) {
    live_.clear();
    for (const std::string& text : shown)
      std::cerr << text << '\n';
  }
  for (const std::string& text : logged)
    log(text);
}

void ProgressDisplay::log(const std::string& text) {
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

void ProgressDisplay::step(const StepReport& r) {
  const std::string text = fmt::format("{}  {} left", step_text(r), duration_text(r.seconds_left));
  const bool logged = r.step % log_every_ == 0;
  if (!live_.terminal() || shown_ == Shown::in_log) {
    if (logged) line(text);
    return;
  }
  if (logged) log(text);
  live_.show(text, r.done, r.seconds);
}

void ProgressDisplay::evaluation(const EvaluationReport& r) {
  const double loss = r.evaluation.loss;
  line(fmt::format("step {}  validation loss {:.4f}  ppl {:.3f}{}", r.step, loss, std::exp(loss),
                   r.best ? "  (best)" : ""));
}

}  // namespace heed::cli
