#include "experiments/live_progress.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include <sys/ioctl.h>
#include <unistd.h>

namespace heed {

namespace {

int width_of(int descriptor) {
  winsize size{};
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
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

LiveLine::LiveLine(Terminal terminal)
    : to_(terminal), terminal_(isatty(terminal.descriptor) != 0) {}

void LiveLine::clear() {
  if (live_) *to_.out << "\r\033[K" << std::flush;
  live_ = false;
}

void LiveLine::show(const std::string& text, double done, double now) {
  if (!terminal_) return;
  const bool just_shown = now >= shown_ && now - shown_ < 0.1;
  if (live_ && just_shown) return;
  shown_ = now;
  const int columns = width_of(to_.descriptor);
  const int room = std::clamp(columns - static_cast<int>(text.size()) - 5, 0, 40);
  const auto longest_text = static_cast<std::size_t>(std::max(10, columns - 1));
  *to_.out << "\r\033[K" << bar_text(done, room) << text.substr(0, longest_text) << std::flush;
  live_ = true;
}

PreparationDisplay::PreparationDisplay(Terminal terminal) : to_(terminal), live_(terminal) {
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

void PreparationDisplay::print(const std::string& line) {
  const std::lock_guard lock(mutex_);
  live_.clear();
  *to_.out << line << '\n';
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

PreparationObserver PreparationDisplay::observer(ShouldStop should_stop) {
  return {.on_task = [this](const std::string& task) { begin(task); },
          .on_progress = [this](double part) { done(part); },
          .should_stop = std::move(should_stop)};
}

DistillationObservers DistillationDisplay::observers() {
  DistillationObservers observers;
  observers.on_line = [this](const std::string& line) {
    live_.clear();
    *to_.out << line << '\n';
  };
  observers.on_progress = [this](Index done, Index lines, double left) { show(done, lines, left); };
  return observers;
}

void DistillationDisplay::show(Index done, Index lines, double left) {
  const std::string text =
      fmt::format("translated {}/{} lines, {} left", done, lines, duration_text(left));
  const double part = static_cast<double>(done) / static_cast<double>(lines);
  const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
  live_.show(text, part, now.count());
  if (live_.terminal() || part < next_) return;
  *to_.out << text << '\n';
  next_ = part + 0.1;
}

TrainingObservers TrainingDisplay::observers() {
  TrainingObservers observers;
  observers.on_line = [this](const std::string& text) {
    live_.clear();
    *to_.out << text << '\n';
  };
  observers.on_step = [this](const StepReport& report) {
    if (live_.terminal())
      live_.show(progress_text(report), report.done, report.seconds);
    else if (report.step % log_every_ == 0)
      *to_.out << progress_text(report) << '\n';
  };
  return observers;
}

}  // namespace heed
