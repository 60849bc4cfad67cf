#include "experiments/comparison/internal/matching.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <fmt/ranges.h>

namespace heed {

namespace {

// The widths of models without heads are multiples of it too, as they always were.
constexpr Index usual_heads = 4;

constexpr double tolerance = 0.05;  // a share of the wanted parameters

/// "20000 parameters", "1.25 Gflop a step"
std::string size_text(const std::string& match, Index size) {
  if (matches_work(match))
    return fmt::format("{:.3g} Gflop a step", static_cast<double>(size) * 1e-9);
  return fmt::format("{} parameters", size);
}

/// Chooses the width of one model. A width is a multiple of `unit`: the heads share it evenly, and
/// it is even.
class WidthSearch {
 public:
  WidthSearch(ComparedModel& model, const std::string& match, Index wanted,
              const std::function<Index(const Settings&)>& size_of)
      : name_(model.name),
        settings_(model.settings),
        match_(match),
        wanted_(wanted),
        size_of_(size_of),
        unit_(std::lcm<Index>(settings_.value_or("model.heads", usual_heads) *
                                  (settings_.has("model.base") ? 2 : 1),  // rotary turns pairs
                              2)) {
    unit_ = std::lcm(unit_, std::max<Index>(1, settings_.value_or("model.conv_heads", Index{0})));
  }

  /// Sets the width whose size is nearest to the wanted one. Returns a warning where it misses by
  /// more than the tolerance, else "".
  std::string choose() {
    const auto [low, high] = bracket();
    const Index best = gap(low) <= gap(high) ? low : high;
    const Index size = size_at(best);
    if (gap(best) <= tolerance) return "";
    const double ratio = static_cast<double>(size) / static_cast<double>(wanted_);
    const std::string wanted =
        matches_work(match_) ? size_text(match_, wanted_) : fmt::format("{}", wanted_);
    return fmt::format(
        "{} has {}, {:+.1f} % of the {} wanted: model.d = {} is the nearest of its widths", name_,
        size_text(match_, size), 100 * (ratio - 1), wanted, best * unit_);
  }

 private:
  struct Bracket {
    Index low;
    Index high;
  };

  /// The neighbouring widths, in units, between which the wanted size lies. The search goes up or
  /// down from the default width in small steps: the size grows with the width, and a huge model is
  /// never built.
  Bracket bracket() {
    Index low = std::max<Index>(1, settings_.value_or("model.d", Index{0}) / unit_);
    Index high = low;
    while (low > 1 && size_at(low) > wanted_) {
      high = low;
      low = std::max<Index>(1, low * 3 / 4);
    }
    while (size_at(high) < wanted_) {
      low = high;
      high += std::max<Index>(1, high / 4);
    }
    while (high - low > 1) {
      const Index middle = (low + high) / 2;
      if (size_at(middle) <= wanted_)
        low = middle;
      else
        high = middle;
    }
    return {low, high};
  }

  /// Sets the width.
  Index size_at(Index units) {
    settings_.assign_default("model.d", units * unit_);
    return size_of_(settings_);
  }

  double gap(Index units) {
    const double difference = std::abs(static_cast<double>(size_at(units) - wanted_));
    return difference / static_cast<double>(wanted_);
  }

  const std::string& name_;
  Settings& settings_;
  const std::string& match_;
  Index wanted_;
  const std::function<Index(const Settings&)>& size_of_;
  Index unit_;
};

}  // namespace

Index matched_count(const std::string& match) {
  Index number = 0;
  const char* const end = match.data() + match.size();
  const auto [stopped, error] = std::from_chars(match.data(), end, number);
  const bool valid = error == std::errc() && stopped == end;
  return valid && number > 0 && number <= most_matched_parameters ? number : 0;
}

bool matches_work(const std::string& match) { return match == "work"; }

bool matches_parameters(const std::string& match) {
  return match == "parameters" || match == "largest" || matched_count(match) > 0;
}

std::vector<std::string> match_lengths(std::vector<ComparedModel>& models) {
  const ComparedModel* strictest = nullptr;
  const auto longest_of = [](const ComparedModel& m) { return m.settings.model.longest_side(); };
  for (const ComparedModel& m : models)
    if (longest_of(m) > 0 && (!strictest || longest_of(m) < longest_of(*strictest))) strictest = &m;
  if (!strictest) return {};
  const Index longest = longest_of(*strictest);
  const Index allowed = models.front().settings.data.max_length;  // the same for all
  if (allowed > 0 && allowed <= longest) return {};
  const std::string text =
      fmt::format("data.max_length = {} for all models: {} takes no more with {} = {}", longest,
                  strictest->name, strictest->settings.model.longest_key(),
                  setting_text(strictest->settings, strictest->settings.model.longest_key()));
  for (ComparedModel& m : models)
    m.settings.data.max_length = longest;
  return {text};
}

std::vector<std::string> match_sizes(const ComparisonSettings& comparison,
                                     std::vector<ComparedModel>& models,
                                     const std::function<Index(const Settings&)>& size_of) {
  const std::string& match = comparison.match;
  if (!matches_parameters(match) && !matches_work(match)) return {};
  Index wanted = matched_count(match);
  if (wanted == 0)
    for (const ComparedModel& m : models)
      wanted = std::max(wanted, size_of(m.settings));
  std::vector<std::string> misses;
  for (ComparedModel& m : models)
    if (size_of(m.settings) != wanted)
      misses.push_back(WidthSearch(m, match, wanted, size_of).choose());
  std::erase(misses, "");
  return misses;
}

}  // namespace heed
