#include "experiments/tuning.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "experiments/chosen_optimizer.h"
#include "experiments/initial_weights.h"
#include "experiments/limits.h"
#include "experiments/task_works.h"
#include "experiments/training.h"
#include "framework/files.h"
#include "framework/memory.h"

namespace heed {

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr const char* rate = "optim.lr";

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double number_of(const FieldValue& value) {
  const auto* whole = std::get_if<Index>(&value);
  return whole ? static_cast<double>(*whole) : std::get<double>(value);
}

/// The data are read before the models are made, and alike for all candidates.
bool is_tunable(const Field& field) {
  const std::string& key = field.key();
  const bool number = std::holds_alternative<Index>(field.initial()) ||
                      std::holds_alternative<double>(field.initial());
  if (!number || key == "model.positions" || key == "model.max_positions" ||
      key == "model.context" || key == "optim.accumulate")
    return false;
  return key.starts_with("optim.") || key.starts_with("model.") || key == "train.label_smoothing";
}

void check_key(const Settings& settings, const std::string& key) {
  settings.value(key);  // throws where there is no such setting
  const Fields all = settings.fields();
  if (!is_tunable(*all.find(key)))
    fail(
        "cannot tune {}: choose a number of optim or model that does not change what is read, or "
        "train.label_smoothing",
        key);
}

std::vector<std::string> usual_values(const Settings& settings, const std::string& key) {
  if (key != rate)
    fail("which values of {} are to be tried? Name them, {}=a,b,c; only {} has usual ones", key,
         key, rate);
  std::vector<std::string> values;
  for (const double factor : {0.25, 0.5, 1.0, 2.0, 4.0})
    values.push_back(fmt::format("{:.6g}", factor * settings.value_or(rate, 0.0)));
  return values;
}

/// A training in memory, of one candidate.
class ShortTraining {
 public:
  ShortTraining(const Settings& settings, Corpus& corpus, ShouldStop should_stop)
      : settings_(settings), should_stop_(std::move(should_stop)) {
    Random random(static_cast<std::uint64_t>(settings_.train.seed));
    model_ = make_model(settings_, corpus.tokenizers, random);
    freeze_chosen(settings_, *model_);
    if (!settings_.train.init.empty()) load_initial(settings_, corpus.tokenizers, *model_);
    objective_ =
        task_works().at(settings_.task.name).objective(settings_, *model_, corpus, should_stop_);
    optimizer_ = make_optimizer(settings_, *model_);
  }

  Cost cost() { return measure_cost(*objective_, *model_, settings_.optim.accumulate); }

  /// Trains to the end of the limits. `told` gets the part that is done.
  TuningCandidate run(const Limits& limits, std::string value,
                      const std::function<void(double)>& told) {
    Trainer trainer(*model_, *optimizer_, step_options(settings_, limits));
    Observers observers;
    observers.on_step = [&](const StepReport& report) { told(report.done); };
    observers.should_stop = should_stop_;
    TuningCandidate candidate{.value = std::move(value),
                              .valid_loss = std::numeric_limits<double>::infinity()};
    try {
      const TrainResult result = trainer.run(*objective_, observers);
      if (result.interrupted) throw Interrupted();
      if (result.best) candidate.valid_loss = result.best->loss;
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& error) {  // a loss or a gradient is not finite
      candidate.problem = error.what();
    }
    candidate.steps = trainer.step();
    return candidate;
  }

 private:
  Settings settings_;
  ShouldStop should_stop_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Objective> objective_;
  std::unique_ptr<Optimizer> optimizer_;
};

/// Tunes one setting.
class Tuner {
 public:
  Tuner(const Settings& settings, Corpus& corpus, const TuningRequest& request,
        const TuningObservers& observers)
      : settings_(settings), corpus_(corpus), key_(request.key), observers_(observers) {
    values_ = tuning_values(settings, request);
    if (corpus.valid.empty())
      fail("nothing to validate on, which chooses the value of {}; give data.valid", key_);
  }

  Tuning run() {
    const auto begin = Clock::now();
    const auto position = corpus_.train->position();
    const Settings brief = plan();
    Tuning tuning{.key = key_};
    for (const std::string& value : values_) {
      corpus_.train->seek(position);
      tuning.candidates.push_back(train(brief, value, tuning.candidates.size()));
      tell(line_of(tuning.candidates.back()));
    }
    corpus_.train->seek(position);
    tuning.chosen = best_candidate(tuning);
    tuning.seconds = seconds_since(begin);
    tell(to_text(tuning));
    return tuning;
  }

 private:
  void tell(const std::string& line) const {
    if (observers_.on_line) observers_.on_line(line);
  }

  std::string line_of(const TuningCandidate& candidate) const {
    const std::string loss = std::isfinite(candidate.valid_loss)
                                 ? fmt::format("{:.4f}", candidate.valid_loss)
                                 : "not finite";
    return fmt::format("tune      {} = {}: validation loss {} after {} steps", key_,
                       candidate.value, loss, candidate.steps);
  }

  /// Measures a step, says what will be done, and returns the settings of the short trainings.
  Settings plan() {
    const Limits full = limits_of(settings_, corpus_);
    const double step = ShortTraining(settings_, corpus_, {}).cost().seconds_per_step;
    const Index exact = full.last_step();
    Index steps = exact;
    if (full.seconds > 0) {
      const auto timed = static_cast<Index>(std::min(full.seconds / step, 1e15));
      steps = exact > 0 ? std::min(exact, timed) : timed;
    }
    Settings brief = short_training(settings_, values_.size(), steps, exact > 0);
    const Limits limits = limits_of(brief, corpus_);
    double each = step * static_cast<double>(limits.last_step());
    if (limits.seconds > 0 && (exact == 0 || limits.seconds < each)) each = limits.seconds;
    const double seconds = static_cast<double>(values_.size()) * each;
    tell(fmt::format("tune      {}: {} candidates x {}, about {}", key_, values_.size(),
                     limits.text(0), duration_text(seconds)));
    return brief;
  }

  TuningCandidate train(const Settings& brief, const std::string& value, std::size_t number) {
    stop_if(observers_.should_stop);
    Settings settings = brief;
    settings.set(key_, value);
    const auto told = [&](double done) {
      if (observers_.on_progress)
        observers_.on_progress(
            fmt::format("{} = {}", key_, value),
            (static_cast<double>(number) + done) / static_cast<double>(values_.size()));
    };
    ShortTraining training(settings, corpus_, observers_.should_stop);
    return training.run(limits_of(settings, corpus_), value, told);
  }

  const Settings& settings_;
  Corpus& corpus_;
  std::string key_;
  const TuningObservers& observers_;
  std::vector<std::string> values_;
};

}  // namespace

TuningRequest parse_tuning(const std::string& text) {
  const auto equals = text.find('=');
  TuningRequest request{.key = text.substr(0, equals)};
  const auto refuse = [&] {
    fail("expected a setting, KEY or KEY=a,b,c, to tune; got '{}'", text);
  };
  if (request.key.empty()) refuse();
  if (equals == std::string::npos) return request;
  for (std::size_t begin = equals + 1; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    request.values.push_back(text.substr(begin, end - begin));
    if (request.values.back().empty()) refuse();
    begin = end + 1;
  }
  return request;
}

bool gives(const RequestedSettings& requested, const std::string& key) {
  const auto assigns = [&](const std::string& text) { return text.starts_with(key + "="); };
  return requested.values.contains(key) || std::ranges::any_of(requested.assignments, assigns);
}

std::vector<std::string> tuning_values(const Settings& settings, const TuningRequest& request) {
  check_key(settings, request.key);
  const auto given = request.values.empty() ? usual_values(settings, request.key) : request.values;
  std::map<double, std::string> sorted;
  for (const std::string& value : given) {
    Settings tried = settings;
    tried.set(request.key, value);
    tried.check();
    if (!sorted.emplace(number_of(tried.value(request.key)), value).second)
      fail("{}: {} is to be tried twice", request.key, value);
  }
  if (sorted.size() < 2) fail("{}: give at least two values to try", request.key);
  std::vector<std::string> values;
  for (const auto& [number, value] : sorted)
    values.push_back(value);
  return values;
}

bool Tuning::at_edge() const {
  const bool zero = value().find_first_not_of("0.") == std::string::npos;
  return chosen + 1 == candidates.size() || (chosen == 0 && !zero);
}

std::size_t best_candidate(const Tuning& tuning) {
  const auto loss = [](const TuningCandidate& c) {
    return std::isfinite(c.valid_loss) ? c.valid_loss : std::numeric_limits<double>::infinity();
  };
  const auto best = std::ranges::min_element(tuning.candidates, {}, loss);
  if (best == tuning.candidates.end() || !std::isfinite(best->valid_loss))
    fail("no value of {} gave a finite validation loss; try others{}", tuning.key,
         tuning.candidates.empty() || tuning.candidates.back().problem.empty()
             ? ""
             : ". The last: " + tuning.candidates.back().problem);
  return static_cast<std::size_t>(best - tuning.candidates.begin());
}

Settings short_training(const Settings& settings, std::size_t candidates, Index full_steps,
                        bool exact) {
  Settings brief = settings;
  const auto parts = static_cast<Index>(2 * candidates);
  const Index steps = full_steps / parts;
  if (steps < 1)
    fail("a training of {} step{} is too short to try {} values: that takes at least {} steps",
         full_steps, full_steps == 1 ? "" : "s", candidates, parts);
  Index& warmup = brief.optim.schedule.warmup;
  if (2 * warmup > steps) warmup = std::max<Index>(1, warmup * steps / full_steps);
  brief.train.epochs = 0;
  brief.train.steps = exact ? steps : 0;
  if (!settings.train.time.empty())
    brief.train.time =
        fmt::format("{:.6f}s", parse_duration(settings.train.time) / static_cast<double>(parts));
  return brief;
}

std::string to_text(const Tuning& tuning) {
  std::string text =
      fmt::format("tune      {} = {}: the lowest validation loss of {}, {:.4f}, in {}", tuning.key,
                  tuning.value(), tuning.candidates.size(),
                  tuning.candidates[tuning.chosen].valid_loss, duration_text(tuning.seconds));
  if (tuning.at_edge())
    text += fmt::format("; it is the {} that was tried, so a {} one may be better",
                        tuning.chosen == 0 ? "smallest" : "largest",
                        tuning.chosen == 0 ? "smaller" : "larger");
  return text;
}

Tuning tune(const Settings& settings, Corpus& corpus, const TuningRequest& request,
            const TuningObservers& observers) {
  const InPrecision precision(settings.train.precision);
  return Tuner(settings, corpus, request, observers).run();
}

std::string to_json(const Tuning& tuning) {
  Json json{{"key", tuning.key},
            {"chosen", tuning.value()},
            {"at_edge", tuning.at_edge()},
            {"seconds", tuning.seconds},
            {"candidates", Json::array()}};
  for (const TuningCandidate& c : tuning.candidates)  // infinity becomes null
    json["candidates"].push_back(
        {{"value", c.value}, {"steps", c.steps}, {"valid_loss", c.valid_loss}});
  return json.dump(2) + "\n";
}

Tuning read_tuning(const std::filesystem::path& path) {
  try {
    const Json json = Json::parse(read_file(path, 1 << 20));
    Tuning tuning{.key = json.at("key"), .seconds = json.at("seconds")};
    for (const Json& c : json.at("candidates")) {
      const Json& loss = c.at("valid_loss");
      tuning.candidates.push_back({.value = c.at("value"),
                                   .steps = c.at("steps"),
                                   .valid_loss = loss.is_null()
                                                     ? std::numeric_limits<double>::infinity()
                                                     : loss.get<double>()});
    }
    tuning.chosen = best_candidate(tuning);
    return tuning;
  } catch (const Json::exception&) {
    fail("{}: damaged; remove it to tune again", path.string());
  }
}

}  // namespace heed
