#include "cli/duel.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/corpus.h"
#include "cli/model.h"
#include "cli/setting_warnings.h"
#include "datasets/nearest.h"
#include "framework/error.h"

namespace heed::cli {

namespace {

constexpr double tolerance = 0.05;              // of the parameters
constexpr Index most_parameters = 500'000'000;  // whose models are still made to be counted
/// What the duel itself decides, and the option that says so.
constexpr std::pair<const char*, const char*> decided[] = {
    {"model.name", "--models"},   {"train.seed", "--seeds"},  {"train.steps", "--steps"},
    {"train.epochs", "--epochs"}, {"train.time", "--time"},   {"data.train", "--train"},
    {"data.valid", "--valid"},    {"data.fields", "--fields"}};

/// Each field once, by name: writing and reading both walk this list.
template <class D, class Visit>
void visit(D& duel, Visit v) {
  v("models", duel.models);
  v("train", duel.train);
  v("valid", duel.valid);
  v("test", duel.test);
  v("fields", duel.fields);
  v("set", duel.assignments);
  v("match", duel.match);
  v("time", duel.time);
  v("steps", duel.steps);
  v("epochs", duel.epochs);
  v("seeds", duel.seeds);
  v("lines", duel.lines);
}

/// "MODEL:key=value" names a model. A '+' or a letter before the colon: keys hold none before '='.
std::pair<std::string, std::string> split_assignment(const std::string& text) {
  const auto colon = text.find(':');
  const auto equals = text.find('=');
  return colon < equals ? std::pair(text.substr(0, colon), text.substr(colon + 1))
                        : std::pair(std::string(), text);
}

bool sets(const Duel& duel, const std::string& model, const std::string& key) {
  return std::any_of(
      duel.assignments.begin(), duel.assignments.end(), [&](const std::string& text) {
        const auto [whose, assignment] = split_assignment(text);
        return (whose.empty() || whose == model) && assignment.starts_with(key + "=");
      });
}

bool parse_count(const std::string& text, Index& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0 &&
         number <= most_parameters;
}

/// Widths that a model accepts: shared evenly by its heads, and even.
Index width_unit(const Settings& s) { return std::lcm<Index>(s.model.heads, 2); }

/// Returns a line where the nearest width misses by more than the tolerance.
std::string match_one(Settings& s, Index wanted,
                      const std::function<Index(const Settings&)>& count) {
  const Index unit = width_unit(s);
  const auto at = [&](Index units) {
    s.model.d = units * unit;
    return count(s);
  };
  // Bracket from the default width upwards or downwards: counts grow with the width, and huge
  // models are never made.
  Index low = std::max<Index>(1, s.model.d / unit);
  Index high = low;
  while (low > 1 && at(low) > wanted) {
    high = low;
    low = std::max<Index>(1, low * 3 / 4);
  }
  while (at(high) < wanted) {
    low = high;
    high += std::max<Index>(1, high / 4);
  }
  while (high - low > 1) {
    const Index middle = (low + high) / 2;
    (at(middle) <= wanted ? low : high) = middle;
  }
  const auto gap = [&](Index units) {
    return std::abs(static_cast<double>(at(units) - wanted)) / static_cast<double>(wanted);
  };
  const Index best = gap(low) <= gap(high) ? low : high;
  const Index parameters = at(best);
  if (gap(best) <= tolerance) return "";
  const double difference =
      100 * (static_cast<double>(parameters) / static_cast<double>(wanted) - 1);
  return fmt::format(
      "{} has {} parameters, {:+.1f} % of the {} wanted: model.d = {} is the nearest of its widths",
      s.model.name, parameters, difference, wanted, s.model.d);
}

}  // namespace

nlohmann::ordered_json to_json(const Duel& duel) {
  nlohmann::ordered_json json;
  visit(duel, [&](const char* name, const auto& field) { json[name] = field; });
  return json;
}

Duel duel_from_json(const nlohmann::ordered_json& json) {
  Duel duel;
  visit(duel, [&](const char* name, auto& field) { json.at(name).get_to(field); });
  return duel;
}

void find_data(Duel& duel) {
  for (auto* data : {&duel.train, &duel.valid, &duel.test})
    *data = absolute_data(*data);
}

void check_duel(const Duel& duel) {
  if (duel.train.empty())
    fail(
        "nothing to train on; give --train with files or a built-in corpus such as "
        "toy:translation");
  if (duel.models.empty())
    fail("which models? give --models a,b,c from: {}", fmt::join(model_names(), ", "));
  for (std::size_t i = 0; i < duel.models.size(); ++i) {
    const std::string& model = duel.models[i];
    default_settings(model);  // throws for a name that is none
    if (model == "lm")
      fail("lm is a language model: it translates nothing, and cannot be compared");
    if (std::find(duel.models.begin(), duel.models.begin() + static_cast<std::ptrdiff_t>(i),
                  model) != duel.models.begin() + static_cast<std::ptrdiff_t>(i))
      fail("{} is named twice among --models", model);
  }
  for (const std::string& text : duel.assignments) {
    const auto [whose, assignment] = split_assignment(text);
    for (const auto& [key, option] : decided)
      if (assignment.starts_with(fmt::format("{}=", key)))
        fail("--set {}: give {} instead; a duel decides this for all its models", text, option);
    if (assignment.starts_with("train.init") || assignment.starts_with("train.freeze"))
      fail(
          "--set {}: the models of a duel start afresh and train whole; reuse weights with `heed "
          "train --init`",
          text);
    if (!whose.empty() &&
        std::find(duel.models.begin(), duel.models.end(), whose) == duel.models.end())
      fail("--set {}: {} is not among --models{}", text, whose, did_you_mean(whose, duel.models));
  }
  if (Index number = 0;
      duel.match != "largest" && duel.match != "none" && !parse_count(duel.match, number))
    fail("--match is largest, none or a number of parameters, at most {}; got '{}'",
         most_parameters, duel.match);
}

Settings duel_settings(const Duel& duel, const std::string& model) {
  Settings s =
      duel.exact_epochs ? new_run_settings(model, duel.train) : default_settings(model, duel.train);
  for (const std::string& text : duel.assignments)
    if (const auto [whose, assignment] = split_assignment(text); whose.empty() || whose == model)
      set(s, assignment);
  s.data.train = duel.train;
  s.data.valid = duel.valid;
  s.data.fields = duel.fields;
  if (!duel.time.empty() || duel.steps > 0 || duel.epochs > 0) {
    s.train.time = duel.time;
    s.train.steps = duel.steps;
    s.train.epochs = duel.epochs;
  }
  // chosen when the budget is known in steps
  if (!sets(duel, model, "train.eval_every")) s.train.eval_every = 0;
  check_settings(s);
  return s;
}

std::vector<std::string> unused_assignments(const Duel& duel, std::vector<Settings>& models) {
  std::vector<std::string> warnings;
  for (const std::string& text : duel.assignments) {
    const auto [whose, assignment] = split_assignment(text);
    const std::string key = assignment.substr(0, assignment.find('='));
    std::vector<std::string> unused;
    std::size_t meant = 0;
    for (Settings& s : models) {
      if (!whose.empty() && whose != s.model.name) continue;
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

std::vector<std::string> match_parameters(const Duel& duel, std::vector<Settings>& models,
                                          const std::function<Index(const Settings&)>& count) {
  if (duel.match == "none" || models.empty()) return {};
  Index wanted = 0;
  if (duel.match == "largest")
    for (const Settings& s : models)
      wanted = std::max(wanted, count(s));
  else
    parse_count(duel.match, wanted);
  std::vector<std::string> misses;
  for (Settings& s : models)
    if (count(s) != wanted) misses.push_back(match_one(s, wanted, count));
  std::erase(misses, "");
  return misses;
}

}  // namespace heed::cli
