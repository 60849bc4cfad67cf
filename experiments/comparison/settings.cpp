#include "experiments/comparison/settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/model.h"
#include "experiments/corpus.h"
#include "experiments/setting_warnings.h"
#include "framework/error.h"
#include "framework/nearest.h"

namespace heed::cli {

namespace {

constexpr double tolerance = 0.05;  // a share of the wanted parameters
// A model of --match N is built to be counted, so N has a limit.
constexpr Index most_parameters = 500'000'000;

/// Settings that the comparison itself decides, with the option that sets them.
constexpr std::pair<const char*, const char*> decided[] = {
    {"model.name", "--models"},   {"train.seed", "--seeds"},  {"train.steps", "--steps"},
    {"train.epochs", "--epochs"}, {"train.time", "--time"},   {"data.train", "--train"},
    {"data.valid", "--valid"},    {"data.fields", "--fields"}};

/// Each field once, by its name in the file. Writing and reading both use this list.
template <class Comparison, class Visit>
void visit(Comparison& c, Visit v) {
  v("models", c.models);
  v("train", c.train);
  v("valid", c.valid);
  v("test", c.test);
  v("fields", c.fields);
  v("set", c.assignments);
  v("match", c.match);
  v("time", c.time);
  v("steps", c.steps);
  v("epochs", c.epochs);
  v("seeds", c.seeds);
  v("lines", c.lines);
}

/// Splits "MODEL:key=value" into the model and "key=value"; the model is "" in "key=value". A colon
/// after the equals sign belongs to the value.
std::pair<std::string, std::string> split_assignment(const std::string& text) {
  const auto colon = text.find(':');
  const auto equals = text.find('=');
  if (colon < equals) return {text.substr(0, colon), text.substr(colon + 1)};
  return {"", text};
}

bool is_meant(const std::string& whose, const std::string& model) {
  return whose.empty() || whose == model;
}

/// Whether an assignment gives this setting to the model.
bool is_assigned(const ComparisonSettings& comparison, const std::string& model,
                 const std::string& key) {
  const auto assigns = [&](const std::string& text) {
    const auto [whose, assignment] = split_assignment(text);
    return is_meant(whose, model) && assignment.starts_with(key + "=");
  };
  return std::ranges::any_of(comparison.assignments, assigns);
}

bool parse_count(const std::string& text, Index& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0 &&
         number <= most_parameters;
}

void check_models(const std::vector<std::string>& models) {
  if (models.empty())
    fail("which models? give --models a,b,c from: {}", fmt::join(model_names(), ", "));
  for (auto model = models.begin(); model != models.end(); ++model) {
    default_settings(*model);  // throws where there is no such model
    if (*model == "lm")
      fail("lm is a language model: it translates nothing, and cannot be compared");
    if (std::find(models.begin(), model, *model) != model)
      fail("{} is named twice among --models", *model);
  }
}

void check_assignment(const std::string& text, const std::vector<std::string>& models) {
  const auto [whose, assignment] = split_assignment(text);
  for (const auto& [key, option] : decided)
    if (assignment.starts_with(fmt::format("{}=", key)))
      fail("--set {}: give {} instead; it is the same for all models of a comparison", text,
           option);
  if (assignment.starts_with("train.init") || assignment.starts_with("train.freeze"))
    fail(
        "--set {}: the models of a comparison start afresh and train whole; reuse weights with "
        "`heed train --init`",
        text);
  if (!whose.empty() && std::ranges::find(models, whose) == models.end())
    fail("--set {}: {} is not among --models{}", text, whose, did_you_mean(whose, models));
}

/// Chooses the width of one model. A width is a multiple of `unit`: the heads share it evenly, and
/// it is even.
class WidthSearch {
 public:
  WidthSearch(Settings& settings, Index wanted, const std::function<Index(const Settings&)>& count)
      : settings_(settings),
        wanted_(wanted),
        count_(count),
        unit_(std::lcm<Index>(settings.model.heads, 2)) {}

  /// Sets the width whose number of parameters is nearest to the wanted one. Returns a warning
  /// where it misses by more than the tolerance, else "".
  std::string choose() {
    const auto [low, high] = bracket();
    const Index best = gap(low) <= gap(high) ? low : high;
    const Index parameters = parameters_at(best);
    if (gap(best) <= tolerance) return "";
    const double ratio = static_cast<double>(parameters) / static_cast<double>(wanted_);
    return fmt::format(
        "{} has {} parameters, {:+.1f} % of the {} wanted: model.d = {} is the nearest of its "
        "widths",
        settings_.model.name, parameters, 100 * (ratio - 1), wanted_, settings_.model.d);
  }

 private:
  struct Bracket {
    Index low;
    Index high;
  };

  /// The neighbouring widths, in units, between which the wanted number lies. The search goes up or
  /// down from the default width in small steps: the number grows with the width, and a huge model
  /// is never built.
  Bracket bracket() {
    Index low = std::max<Index>(1, settings_.model.d / unit_);
    Index high = low;
    while (low > 1 && parameters_at(low) > wanted_) {
      high = low;
      low = std::max<Index>(1, low * 3 / 4);
    }
    while (parameters_at(high) < wanted_) {
      low = high;
      high += std::max<Index>(1, high / 4);
    }
    while (high - low > 1) {
      const Index middle = (low + high) / 2;
      if (parameters_at(middle) <= wanted_)
        low = middle;
      else
        high = middle;
    }
    return {low, high};
  }

  /// Sets the width.
  Index parameters_at(Index units) {
    settings_.model.d = units * unit_;
    return count_(settings_);
  }

  double gap(Index units) {
    const double difference = std::abs(static_cast<double>(parameters_at(units) - wanted_));
    return difference / static_cast<double>(wanted_);
  }

  Settings& settings_;
  Index wanted_;
  const std::function<Index(const Settings&)>& count_;
  Index unit_;
};

}  // namespace

nlohmann::ordered_json to_json(const ComparisonSettings& comparison) {
  nlohmann::ordered_json json;
  visit(comparison, [&](const char* name, const auto& field) { json[name] = field; });
  return json;
}

ComparisonSettings comparison_settings_from_json(const nlohmann::ordered_json& json) {
  ComparisonSettings comparison;
  visit(comparison, [&](const char* name, auto& field) { json.at(name).get_to(field); });
  return comparison;
}

void make_data_absolute(ComparisonSettings& comparison) {
  for (auto* data : {&comparison.train, &comparison.valid, &comparison.test})
    *data = absolute_data(*data);
}

void check_comparison(const ComparisonSettings& comparison) {
  if (comparison.train.empty())
    fail(
        "nothing to train on; give --train with files or a built-in corpus such as "
        "toy:translation");
  check_models(comparison.models);
  for (const std::string& text : comparison.assignments)
    check_assignment(text, comparison.models);
  Index number = 0;
  const std::string& match = comparison.match;
  if (match != "largest" && match != "none" && !parse_count(match, number))
    fail("--match is largest, none or a number of parameters, at most {}; got '{}'",
         most_parameters, match);
}

Settings trial_settings(const ComparisonSettings& comparison, const std::string& model) {
  Settings s = comparison.exact_epochs ? new_run_settings(model, comparison.train)
                                       : default_settings(model, comparison.train);
  for (const std::string& text : comparison.assignments) {
    const auto [whose, assignment] = split_assignment(text);
    if (is_meant(whose, model)) set(s, assignment);
  }
  s.data.train = comparison.train;
  s.data.valid = comparison.valid;
  s.data.fields = comparison.fields;
  if (!comparison.time.empty() || comparison.steps > 0 || comparison.epochs > 0) {
    s.train.time = comparison.time;
    s.train.steps = comparison.steps;
    s.train.epochs = comparison.epochs;
  }
  // 0: chosen when the budget is known in steps
  if (!is_assigned(comparison, model, "train.eval_every")) s.train.eval_every = 0;
  check_settings(s);
  return s;
}

std::vector<std::string> unused_assignments(const ComparisonSettings& comparison,
                                            std::vector<Settings>& models) {
  std::vector<std::string> warnings;
  for (const std::string& text : comparison.assignments) {
    const auto [whose, assignment] = split_assignment(text);
    const std::string key = assignment.substr(0, assignment.find('='));
    std::vector<std::string> unused;
    std::size_t meant = 0;
    for (Settings& s : models) {
      if (!is_meant(whose, s.model.name)) continue;
      ++meant;
      for (std::string& warning : unused_settings(s, {key}))
        unused.push_back(std::move(warning));
    }
    if (unused.size() == meant)
      warnings.push_back(fmt::format("--set {}: {}", text, fmt::join(unused, "; ")));
  }
  return warnings;
}

std::vector<std::string> match_lengths(std::vector<Settings>& models) {
  const Settings* strictest = nullptr;
  for (const Settings& s : models) {
    const Index longest = longest_side(s);
    if (longest > 0 && (!strictest || longest < longest_side(*strictest))) strictest = &s;
  }
  if (!strictest) return {};
  const Index longest = longest_side(*strictest);
  const Index allowed = models.front().data.max_length;  // the same for all
  if (allowed > 0 && allowed <= longest) return {};
  const std::string text =
      fmt::format("data.max_length = {} for all models: {} takes no more with model.positions = {}",
                  longest, strictest->model.name, strictest->model.positions);
  for (Settings& s : models)
    s.data.max_length = longest;
  return {text};
}

std::vector<std::string> match_parameters(const ComparisonSettings& comparison,
                                          std::vector<Settings>& models,
                                          const std::function<Index(const Settings&)>& count) {
  if (comparison.match == "none" || models.empty()) return {};
  Index wanted = 0;
  if (comparison.match == "largest") {
    for (const Settings& s : models)
      wanted = std::max(wanted, count(s));
  } else {
    parse_count(comparison.match, wanted);
  }
  std::vector<std::string> misses;
  for (Settings& s : models)
    if (count(s) != wanted) misses.push_back(WidthSearch(s, wanted, count).choose());
  std::erase(misses, "");
  return misses;
}

}  // namespace heed::cli
