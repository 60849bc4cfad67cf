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

std::string figures(const StepReport& r) {
  return fmt::format("loss {:.4f}  ppl {}  {:.0f} tok/s  {} left", r.loss, r.perplexity < 1e4 ? fmt::format("{:.2f}", r.perplexity) : ">10000",
                     r.tokens_per_s, duration_text(r.seconds_left));
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<Index>(std::llround(std::max(0.0, seconds)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

Progress::Progress(const std::string& log_path, Index log_every)
    : log_(log_path, std::ios::app), log_every_(log_every), terminal_(isatty(STDERR_FILENO)) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (live_) std::cerr << "\r\033[K" << std::flush;
  live_ = false;
}

void Progress::line(const std::string& text) {
  clear();
  std::cerr << text << '\n';
  log_ << text << std::endl;
}

void Progress::step(const StepReport& r) {
  const bool logged = r.step % log_every_ == 0;
  const std::string count = r.steps > 0 ? fmt::format("step {}/{}", r.step, r.steps) : fmt::format("step {}", r.step);
  if (!terminal_) {
    if (logged) line(fmt::format("{}  {}", count, figures(r)));
    return;
  }
  if (logged) log_ << fmt::format("{}  {}", count, figures(r)) << std::endl;
  if (shown_ >= 0 && r.seconds - shown_ < 0.1) return;
  shown_ = r.seconds;
  const std::string text = fmt::format("{}  {}", count, figures(r));
  const int room = std::clamp(terminal_width() - static_cast<int>(text.size()) - 5, 0, 40);
  const int filled = static_cast<int>(std::lround(r.done * room));
  std::string bar;
  for (int i = 0; i < room; ++i) bar += i < filled ? "━" : " ";
  std::cerr << "\r\033[K" << (room >= 8 ? bar + "  " : "") << text.substr(0, static_cast<std::size_t>(std::max(10, terminal_width() - 1))) << std::flush;
  live_ = true;
}

}  // namespace heed::cli
