#include "training/watch.h"

#include <algorithm>
#include <optional>

#include <fmt/core.h>

namespace heed {

namespace {

/// Ends a block where it is full: returns its mean loss.
std::optional<double> add_to_block(Watched& w, double loss) {
  w.block_loss += loss;
  if (++w.block_steps < watch_block_steps) return std::nullopt;
  const double mean = w.block_loss / static_cast<double>(w.block_steps);
  w.block_steps = 0;
  w.block_loss = 0;
  return mean;
}

void keep_lowest(Watched& w, Index step, double loss) {
  if (!(loss < w.lowest)) return;
  w.lowest = loss;
  w.lowest_step = step;
}

std::string divergence(Watched& w, Index step, double loss) {
  const bool first = !(w.lowest < std::numeric_limits<double>::infinity());
  if (first) {  // the loss before anything is learnt
    w.lowest = loss;
    w.lowest_step = step;
  }
  const std::optional<double> mean = add_to_block(w, loss);
  if (!mean) return "";
  keep_lowest(w, step, *mean);
  const bool high = *mean > std::max(2 * w.lowest, w.lowest + 1);
  w.high_blocks = high ? w.high_blocks + 1 : 0;
  if (w.high_blocks < watch_high_blocks || w.said_diverging != 0) return "";
  w.said_diverging = 1;
  return fmt::format(
      "the loss rose from {:.3g} (step {}) to {:.3g} (step {}): training diverges; lower the "
      "learning rate or raise the warm-up",
      w.lowest, w.lowest_step, *mean, step);
}

std::string clipping(Watched& w, Index step, double norm, double clip, Index warmup) {
  if (clip <= 0 || step <= warmup || w.said_clipping != 0) return "";
  const bool clips = norm > clip;
  w.clipped = clips ? w.clipped + 1 : 0;
  w.clipped_norm = clips ? w.clipped_norm + norm : 0;
  if (w.clipped < watch_clipped_steps || w.clipped < (step - warmup) / 2) return "";
  w.said_clipping = 1;
  return fmt::format(
      "the gradient's norm was above the limit of {} in each of the last {} steps (mean {:.3g}), "
      "so the learning rate is in effect smaller than it says; raise the limit or lower the "
      "learning rate",
      clip, w.clipped, w.clipped_norm / static_cast<double>(w.clipped));
}

}  // namespace

std::string watch(Watched& watched, Index step, double loss, double norm, double clip,
                  Index warmup) {
  const std::string diverging = divergence(watched, step, loss);
  const std::string clipped = clipping(watched, step, norm, clip, warmup);
  const bool both = !diverging.empty() && !clipped.empty();
  return diverging + (both ? "; " : "") + clipped;
}

}  // namespace heed
