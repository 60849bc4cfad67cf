#include "experiments/line_choice.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "framework/random.h"

namespace heed {

const char* ChosenLine::reason() const {
  if (why == Why::worst) return "worst";
  return why == Why::best ? "best" : "drawn at random";
}

std::vector<ChosenLine> choose_lines(const std::vector<double>& scores,
                                     const std::vector<std::string>& lines,
                                     const LineCounts& counts, Index seed) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto sort_by = [&](double sign) {
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::tuple(sign * scores[a], lines[b].size(), a) <
             std::tuple(sign * scores[b], lines[a].size(), b);
    });
  };
  std::vector<ChosenLine> chosen;
  const auto take = [&](ChosenLine::Why why, std::size_t wanted) {
    const std::size_t count = std::min(wanted, order.size());
    for (std::size_t i = 0; i < count; ++i)
      chosen.push_back({order[i], why});
    order.erase(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count));
  };
  sort_by(1);
  take(ChosenLine::Why::worst, counts.worst);
  sort_by(-1);
  take(ChosenLine::Why::best, counts.best);
  std::sort(order.begin(), order.end());
  Random(static_cast<std::uint64_t>(seed)).shuffle(order);
  take(ChosenLine::Why::random, counts.random);
  return chosen;
}

}  // namespace heed
