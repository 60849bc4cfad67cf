#include "optim/watch.h"

#include <algorithm>

#include <fmt/core.h>

namespace heed {

namespace {

std::string divergence(Watched& w, Index step, double loss) {
  if (!(w.lowest < std::numeric_limits<double>::infinity())) {
    w.lowest = loss;
    w.lowest_step = step;
  }  // what is known before anything is learnt
  w.block_loss += loss;
  if (++w.block_steps < watch_block_steps) return "";
  const double mean = w.block_loss / static_cast<double>(w.block_steps);
  w.block_steps = 0;
  w.block_loss = 0;
  if (mean < w.lowest) {
    w.lowest = mean;
    w.lowest_step = step;
  }
  w.high_blocks = mean > std::max(2 * w.lowest, w.lowest + 1) ? w.high_blocks + 1 : 0;
  if (w.high_blocks < watch_high_blocks || w.said_diverging != 0) return "";
  w.said_diverging = 1;
  return fmt::format(
      "the loss rose from {:.3g} (step {}) to {:.3g} (step {}): training diverges; lower optim.lr "
      "or raise optim.warmup",
      w.lowest, w.lowest_step, mean, step);
}

std::string clipping(Watched& w, Index step, double norm, double clip, Index warmup) {
  if (clip <= 0 || step <= warmup || w.said_clipping != 0) return "";
  const bool acts = norm > clip;
  w.clipped = acts ? w.clipped + 1 : 0;
  w.clipped_norm = acts ? w.clipped_norm + norm : 0;
  if (w.clipped < watch_clipped_steps || w.clipped < (step - warmup) / 2) return "";
  w.said_clipping = 1;
  return fmt::format(
      "the gradient's norm was above optim.clip = {} in each of the last {} steps (mean {:.3g}): "
      "the learning rate is in effect "
      "smaller than it says; raise optim.clip or lower optim.lr",
      clip, w.clipped, w.clipped_norm / static_cast<double>(w.clipped));
}

}  // namespace

std::string watch(Watched& watched, Index step, double loss, double norm, double clip,
                  Index warmup) {
  const std::string risen = divergence(watched, step, loss);

  const std::string clipped = clipping(watched, step, norm, clip, warmup);
  return risen.empty() || clipped.empty() ? risen + clipped : risen + "; " + clipped;
}

}  // namespace heed
