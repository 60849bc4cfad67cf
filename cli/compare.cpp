#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/model.h"
#include "cli/option_values.h"
#include "cli/signals.h"
#include "datasets/text/text_file.h"
#include "experiments/comparison/page.h"
#include "experiments/comparison/result.h"
#include "experiments/comparison/settings.h"
#include "experiments/live_progress.h"
#include "experiments/training.h"
#include "framework/files.h"
#include "framework/memory.h"
#include "framework/threads.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Options {
  ComparisonSettings comparison;
  std::string out;
  int threads = 0;
  bool resume = false;
};

/// The name that the settings of a comparison have on disk: of their file in its folder, and of
/// their key in comparison.json. It stays as it is, so that older folders can be resumed and read.
constexpr const char* settings_name = "duel";

fs::path settings_path(const fs::path& out) { return out / fmt::format("{}.json", settings_name); }
fs::path run_folder(const fs::path& out, const std::string& model, Index seed) {
  return out / "runs" / fmt::format("{}-seed{}", model, seed);
}
fs::path result_path(const fs::path& run) { return run / "result.json"; }
fs::path hypotheses_path(const fs::path& run) { return run / "test.hyp"; }

/// Null where the file is not JSON.
Json read_json(const fs::path& path) {
  std::ifstream in(path);
  try {
    return Json::parse(in);
  } catch (const Json::exception&) {
    return Json();
  }
}

void write_lines(const fs::path& path, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines)
    text += line + "\n";
  replace_file(path, text);
}

// Resuming

/// Takes an option that was given again and differs from the kept one. Data may have moved: their
/// contents are compared later, by check_contents().
void take_changed_option(ComparisonSettings& kept, const ComparisonSettings& given,
                         const std::string& name) {
  if (name == "train") {
    kept.train = given.train;
  } else if (name == "valid" && !kept.valid.empty()) {
    kept.valid = given.valid;
  } else if (name == "test" && !kept.test.empty()) {
    kept.test = given.test;
  } else {
    fail(
        "--resume goes on with the comparison as it is: --{} cannot change; start a new one with "
        "another --out",
        name);
  }
}

/// The comparison in the folder. Options that are given again must be the same.
ComparisonSettings resumed_comparison(const Options& o, const CLI::App& command) {
  const fs::path path = settings_path(o.out);
  if (!fs::exists(path))
    fail("{}: no comparison to resume here; leave out --resume to start one", o.out);
  ComparisonSettings given = o.comparison;
  make_data_absolute(given);
  const Json asked = to_json(given);
  const Json saved = read_json(path);
  const auto is_saved = [&](const auto& item) { return saved.contains(item.key()); };
  if (!saved.is_object() || !std::all_of(asked.items().begin(), asked.items().end(), is_saved))
    fail("{}: damaged; start the comparison again with another --out", path.string());
  ComparisonSettings comparison = comparison_settings_from_json(saved);
  comparison.exact_epochs = saved.value("exact_epochs", false);
  make_data_absolute(comparison);
  const Json kept = to_json(comparison);
  for (const auto& [name, value] : asked.items()) {
    const bool was_given = command.count("--" + name) > 0;
    if (was_given && kept.at(name) != value) take_changed_option(comparison, given, name);
  }
  return comparison;
}

/// The tokenizers that the runs of an interrupted comparison have; none where there is no run yet.
Tokenizers kept_tokenizers(const fs::path& out, const ComparisonSettings& comparison) {
  for (Index seed = 1; seed <= comparison.seeds; ++seed)
    for (const std::string& model : comparison.models) {
      const fs::path folder = run_folder(out, model, seed);
      if (fs::exists(folder / "config.toml")) return load_tokenizers(folder);
    }
  return {};
}

// The plan

struct ComparisonPlan {
  ComparisonSettings comparison;
  std::vector<Settings> models;  // of each model's runs; their seed is set later
  TestSet test;
  Tokenizers tokenizers;                        // the same for every run
  std::map<std::string, std::string> contents;  // fingerprints of the data and the tokenizers
  std::vector<std::string> warnings;
  std::vector<std::string> misses;  // models that miss the wanted number of parameters
  std::string data;                 // describes the training data in one line
};

std::vector<Settings> settings_of_models(const ComparisonSettings& comparison) {
  std::vector<Settings> models;
  for (const std::string& model : comparison.models) {
    models.push_back(trial_settings(comparison, model));
    check_precision(models.back().train.precision);
  }
  return models;
}

/// Throws Error where the models would not read the same batches or would decode differently.
void check_alike(std::vector<Settings>& models) {
  Settings& first = models.front();
  const std::vector<Setting> expected = settings_of(first);
  for (Settings& other : models) {
    const std::vector<Setting> found = settings_of(other);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const std::string key = expected[i].key;
      const bool shared = key.starts_with("data.") || key.starts_with("decode.");
      if (shared && text_of(expected[i]) != text_of(found[i]))
        fail(
            "{} differs between {} and {}: the models of a comparison read the same batches and "
            "decode alike",
            key, first.model.name, other.model.name);
    }
  }
}

/// Adds the warnings that follow from the settings alone. `lines_given`: --lines is given.
void add_setting_warnings(ComparisonPlan& plan, bool lines_given) {
  const ComparisonSettings& comparison = plan.comparison;
  plan.warnings = unused_assignments(comparison, plan.models);
  const std::vector<std::string>& test =
      comparison.test.empty() ? comparison.train : comparison.test;
  if (lines_given && !is_toy(test))
    plan.warnings.push_back("--lines has no effect: the test set is no built-in corpus");
  for (std::string& note : match_lengths(plan.models))
    plan.warnings.push_back(std::move(note));
}

/// --test, else the test lines of a built-in corpus, else the validation set.
TestSet choose_test_set(const ComparisonSettings& comparison, const Corpus& corpus) {
  if (!comparison.test.empty() || is_toy(comparison.train)) {
    const auto& data = comparison.test.empty() ? comparison.train : comparison.test;
    return read_test_set(
        *open_evaluation_pairs(data, comparison.fields, comparison.lines, Split::test));
  }
  if (!corpus.valid_pairs) fail("nothing to test on; give --test, or --valid");
  TestSet test = read_test_set(*corpus.valid_pairs);
  test.name += " (the validation set; choose another with --test)";
  return test;
}

std::string fingerprint_of(const TestSet& test) {
  std::uint64_t hash = 0;
  for (std::size_t i = 0; i < test.sources.size(); ++i)
    hash = hash_of(test.sources[i], test.references[i], hash);
  return fmt::format("{:016x}", hash);
}

/// Opens the data and decides all that the runs have in common. `known`: the tokenizers of a
/// comparison that is resumed; where there are none they are trained.
ComparisonPlan make_plan(ComparisonSettings comparison, const Tokenizers& known, bool lines_given) {
  check_comparison(comparison);
  make_data_absolute(comparison);
  ComparisonPlan plan;
  plan.comparison = std::move(comparison);
  plan.models = settings_of_models(plan.comparison);
  check_alike(plan.models);
  add_setting_warnings(plan, lines_given);

  const Corpus corpus = open_corpus(plan.models.front(), known);
  plan.tokenizers = corpus.tokenizers;
  plan.data = corpus.description;
  plan.warnings.insert(plan.warnings.end(), corpus.warnings.begin(), corpus.warnings.end());
  if (corpus.valid.empty())
    fail("nothing to validate on, which chooses each model's best weights; give --valid");
  plan.misses = match_parameters(plan.comparison, plan.models, [&](const Settings& s) {
    Random random = Random::blank();
    return parameter_count(*make_model(s, corpus.tokenizers, random));
  });
  plan.test = choose_test_set(plan.comparison, corpus);
  if (plan.test.sources.empty()) fail("{}: no lines to test on", plan.test.name);
  plan.contents = corpus.fingerprints;
  plan.contents["data.test"] = fingerprint_of(plan.test);
  return plan;
}

/// Throws Error where the data or the tokenizers are not those that the comparison began with.
/// Comparisons of earlier versions kept no fingerprints, and pass.
void check_contents(const ComparisonPlan& plan, const fs::path& out) {
  const Json kept = read_json(settings_path(out)).value("contents", Json::object());
  for (const auto& [key, fingerprint] : plan.contents) {
    if (!kept.contains(key) || kept.at(key) == fingerprint) continue;
    const std::string what = key == "tokenizer" ? "the tokenizers of its runs have"
                                                : "the data of --" + key.substr(5) + " have";
    fail(
        "{}: {} changed since this comparison began; give what it began with, or start a new one "
        "with another --out",
        out.string(), what);
  }
}

std::size_t run_count(const ComparisonPlan& plan) {
  return plan.models.size() * static_cast<std::size_t>(plan.comparison.seeds);
}

// One run

/// The settings of a run that was begun before are those of its folder; its data may have moved.
Settings begun_settings(const Settings& s, const fs::path& folder) {
  Settings begun = read_run_settings(folder.string());
  begun.data.train = s.data.train;
  begun.data.valid = s.data.valid;
  return begun;
}

/// Steps between validations: about ten in a run, or one an epoch.
Index choose_eval_every(const Training& training, const Cost& cost) {
  const Settings& s = training.settings;
  if (s.train.eval_every > 0) return s.train.eval_every;
  const Index last = limits_of(s, training.corpus).last_step();
  if (s.train.epochs > 0) return std::max<Index>(1, last / s.train.epochs);
  const double steps = s.train.steps > 0 ? static_cast<double>(s.train.steps)
                                         : parse_duration(s.train.time) / cost.seconds_per_step;
  return std::max<Index>(1, std::llround(steps / 10));
}

double mean_tokens_per_s(const fs::path& run) {
  std::ifstream in(run / "metrics.jsonl");
  std::vector<double> rates;
  for (std::string line; std::getline(in, line);) {
    const Json row = Json::parse(line, nullptr, false);
    if (!row.is_object() || row.value("split", "") != "train") continue;
    if (row["tokens_per_s"].is_number()) rates.push_back(row["tokens_per_s"]);
  }
  return spread_of(rates).mean;
}

/// The result of a finished run. None where the run is not finished or one of its files is damaged:
/// then it is tested again.
std::optional<RunResult> read_result(const fs::path& run, std::size_t lines) {
  if (!fs::exists(result_path(run)) || !fs::exists(hypotheses_path(run))) return std::nullopt;
  try {
    RunResult result = result_from_json(read_json(result_path(run)));
    result.hypotheses = read_lines(hypotheses_path(run).string());
    if (result.hypotheses.size() != lines) return std::nullopt;
    return result;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

/// What a run shows to the user.
struct TrialView {
  std::string stopped;  // the message where it is interrupted before it has written anything
  std::function<void(const StepReport&)> show_step;
  std::function<void(const std::string&)> warn;
};

Observers trial_observers(ProgressDisplay& log, const TrialView& view) {
  Observers observers;
  observers.on_step = [&](const StepReport& r) {
    log.step(r);
    view.show_step(r);
  };
  observers.on_warning = [&](const std::string& text) { log.line("warning: " + text); };
  observers.on_evaluation = [&](const EvaluationReport& r) { log.evaluation(r); };
  return observers;
}

RunResult result_of(const Training& training, const TrainResult& trained) {
  return {.model = training.settings.model.name,
          .seed = training.settings.train.seed,
          .d = training.settings.model.d,
          .parameters = parameter_count(*training.model),
          .steps = trained.step,
          .best_step = trained.best_step,
          .seconds = trained.seconds,
          .tokens_per_s = mean_tokens_per_s(training.folder),
          .peak_mb = static_cast<double>(memory::statistics().peak) / (1 << 20),
          .valid_loss = trained.best ? trained.best->loss : trained.loss,
          .hypotheses = {}};
}

/// The outputs of the best weights, computed in fp32 as every command that reads the run does.
std::vector<std::string> test_outputs(Training& training, const TestSet& test) {
  training.load_best();
  const Evaluating evaluating(*training.model);
  const InPrecision fp32("fp32");
  return best_translations(*training.model, training.corpus.tokenizers, test,
                           decode_options(training.settings));
}

/// Trains and tests one model with one seed, from where its folder is to its result.
RunResult run_trial(Settings s, const fs::path& folder, const ComparisonPlan& plan,
                    const TrialView& view) {
  std::optional<InterruptAtOnce> nothing_written(std::in_place, view.stopped);
  const bool resume = fs::exists(folder / "config.toml");
  if (resume) s = begun_settings(s, folder);
  Training training(std::move(s), folder.string(), resume, plan.tokenizers);
  const Cost cost = training.probe();
  auto& intervals = training.settings.train;
  intervals.eval_every = choose_eval_every(training, cost);
  intervals.save_every = std::min(intervals.save_every, intervals.eval_every);
  training.open();
  nothing_written.reset();
  training.create();

  ProgressDisplay log((folder / "log.txt").string(), intervals.log_every,
                      ProgressDisplay::Shown::in_log);
  for (const std::string& text : training.warnings(cost)) {
    log.line("warning: " + text);
    view.warn(text);
  }
  memory::reset_peak();
  const TrainResult trained = training.run(trial_observers(log, view));
  if (trained.interrupted) throw Interrupted();
  RunResult result = result_of(training, trained);
  result.hypotheses = test_outputs(training, plan.test);
  write_lines(hypotheses_path(folder), result.hypotheses);
  // Last: a run with a result is finished.
  replace_file(result_path(folder), to_json(result).dump(2) + "\n");
  return result;
}

// All runs

/// Estimates how long the remaining runs take, from how long each model's last run took.
class Estimate {
 public:
  /// `budget`: the time of each run in seconds; 0: not known.
  Estimate(std::size_t models, double budget) : seconds_(models, budget) {}
  void took(std::size_t model, double seconds) { seconds_[model] = seconds; }
  /// The time of the runs [next, count), which take the models in turn. A model that has not run
  /// yet counts as the mean of the others, or as `now` where none has run.
  double left(std::size_t next, std::size_t count, double now) const {
    std::vector<double> known;
    for (double s : seconds_)
      if (s > 0) known.push_back(s);
    const double usual = known.empty() ? now : spread_of(known).mean;
    double sum = 0;
    for (std::size_t i = next; i < count; ++i) {
      const double seconds = seconds_[i % seconds_.size()];
      sum += seconds > 0 ? seconds : usual;
    }
    return sum;
  }

 private:
  std::vector<double> seconds_;
};

/// The seconds that each run may take; 0 where the budget is not a time.
double seconds_per_run(const ComparisonSettings& comparison) {
  return comparison.time.empty() ? 0 : parse_duration(comparison.time);
}

/// Runs all trials of a plan: one seed of every model, then the next seed. Whatever else the
/// machine does meanwhile so meets all models alike.
class TrialLoop {
 public:
  TrialLoop(const ComparisonPlan& plan, const fs::path& out)
      : plan_(plan),
        out_(out),
        count_(run_count(plan)),
        estimate_(plan.models.size(), seconds_per_run(plan.comparison)) {}

  /// Runs that are finished already are only read. Throws Interrupted.
  std::vector<RunResult> run() {
    try {
      for (std::size_t i = 0; i < count_; ++i)
        run(trial(i));
    } catch (const Interrupted&) {
      live_.clear();
      std::cerr << stopped_text() << '\n';
      throw;
    }
    return std::move(results_);
  }

 private:
  struct Trial {
    std::size_t number;  // from 0
    std::size_t model;   // its place among plan.models
    Settings settings;
    fs::path folder;
    std::string title;  // "[1/6] rnn seed 1"
  };

  Trial trial(std::size_t i) const {
    const std::size_t model = i % plan_.models.size();
    Settings s = plan_.models[model];
    s.train.seed = static_cast<Index>(i / plan_.models.size()) + 1;
    return {.number = i,
            .model = model,
            .settings = s,
            .folder = run_folder(out_, s.model.name, s.train.seed),
            .title = fmt::format("[{}/{}] {} seed {}", i + 1, count_, s.model.name, s.train.seed)};
  }

  void run(const Trial& trial) {
    stop_if_interrupted();
    std::optional<RunResult> kept = read_result(trial.folder, plan_.test.sources.size());
    const bool was_done = kept.has_value();
    results_.push_back(was_done ? std::move(*kept) : train(trial));
    print_result(trial, was_done);
  }

  RunResult train(const Trial& trial) {
    const auto begin = Clock::now();
    try {
      RunResult result = run_trial(trial.settings, trial.folder, plan_, view_of(trial));
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      estimate_.took(trial.model, seconds);
      return result;
    } catch (const Error& failure) {
      live_.clear();
      fail("{}: {}", trial.title, failure.what());
    }
  }

  TrialView view_of(const Trial& trial) {
    TrialView view;
    view.stopped = stopped_text();
    view.show_step = [this, &trial](const StepReport& r) { show_step(trial, r); };
    view.warn = [this, &trial](const std::string& text) {
      live_.clear();
      const Settings& s = trial.settings;
      if (s.train.seed == 1) std::cerr << fmt::format("warning: {}: {}\n", s.model.name, text);
    };
    return view;
  }

  void show_step(const Trial& trial, const StepReport& r) {
    const double others = estimate_.left(trial.number + 1, count_, r.seconds + r.seconds_left);
    const double done = (static_cast<double>(trial.number) + r.done) / static_cast<double>(count_);
    live_.show(fmt::format("{}  loss {:.3f}  {} left", trial.title, r.loss,
                           duration_text(r.seconds_left + others)),
               done, r.seconds);
  }

  void print_result(const Trial& trial, bool was_done) {
    const RunResult& r = results_.back();
    const std::vector<std::vector<std::string>> references{plan_.test.references};
    const BleuScore bleu = corpus_bleu(r.hypotheses, references);
    live_.clear();
    std::cerr << fmt::format(
        "{}: {} steps in {}, {:.0f} tok/s; validation loss {:.4f}; test BLEU {:.2f}{}\n",
        trial.title, r.steps, duration_text(r.seconds), r.tokens_per_s, r.valid_loss, bleu.score,
        was_done ? " (done before)" : "");
  }

  std::string stopped_text() const {
    return fmt::format("stopped after {} of {} runs; go on with: heed compare --resume --out {}",
                       results_.size(), count_, out_.string());
  }

  const ComparisonPlan& plan_;
  fs::path out_;
  std::size_t count_;
  Estimate estimate_;
  LiveLine live_;
  std::vector<RunResult> results_;
};

// The report

std::string matching_note(const ComparisonPlan& plan) {
  if (plan.comparison.match == "none") return "Counts of parameters were not matched.";
  std::string note =
      "Widths were chosen so that every count of parameters is within 5 % of the wanted one";
  if (!plan.misses.empty()) note += fmt::format(", but: {}", fmt::join(plan.misses, "; "));
  return note + ".";
}

std::string budget_text(const ComparisonSettings& comparison) {
  if (!comparison.time.empty()) return comparison.time;
  if (comparison.steps > 0) return fmt::format("{} steps", comparison.steps);
  if (comparison.epochs > 0) return fmt::format("{} epochs", comparison.epochs);
  return "the models' own";
}

std::vector<std::string> notes_of(const ComparisonPlan& plan, const ComparisonResult& result) {
  return {fmt::format("Each run trained for: {}, on {} thread{}.", budget_text(plan.comparison),
                      threads(), threads() == 1 ? "" : "s"),
          fmt::format("Test set: {}, {} lines. BLEU: {}.", plan.test.name, plan.test.sources.size(),
                      result.signature),
          "All models: the same vocabulary, the same batches in the same order, the same seeds; "
          "the checkpoint with the lowest validation loss.",
          matching_note(plan)};
}

Json report_json(const ComparisonPlan& plan, const ComparisonResult& result,
                 const std::vector<RunResult>& runs, const fs::path& out) {
  Json json{{settings_name, to_json(plan.comparison)},
            {"test", {{"name", plan.test.name}, {"lines", plan.test.sources.size()}}}};
  json.update(to_json(result));
  json["runs"] = Json::array();
  for (const RunResult& r : runs) {
    json["runs"].push_back(to_json(r));
    json["runs"].back()["folder"] = fs::relative(run_folder(out, r.model, r.seed), out).string();
  }
  return json;
}

void write_page(const ComparisonPlan& plan, const ComparisonResult& result,
                const std::vector<RunResult>& runs, const fs::path& out) {
  std::vector<std::string> names;
  for (const std::string& name : plan.comparison.train)
    names.push_back(fs::path(name).filename().string());
  std::vector<Curve> curves;
  for (const RunResult& r : runs)
    curves.push_back(read_curve(run_folder(out, r.model, r.seed), r.model, r.seed));
  write_comparison_page((out / "comparison.html").string(),
                        fmt::format("Comparison on {}", fmt::join(names, ", ")), result, curves,
                        notes_of(plan, result));
}

/// Writes comparison.json, comparison.html and comparison.txt, and prints the last.
void report(const ComparisonPlan& plan, const std::vector<RunResult>& runs, const fs::path& out) {
  const ComparisonResult result = compare(plan.comparison, plan.test, runs);
  replace_file(out / "comparison.json", report_json(plan, result, runs, out).dump(2) + "\n");
  write_page(plan, result, runs, out);
  const std::string text = to_text(result);
  replace_file(out / "comparison.txt", text);
  std::cout << text;
}

// The command

/// ", 3 longer than model.positions = 10 of conv allows, </s> among them, and cut": how many test
/// lines a model cannot place whole; "" where there are none.
std::string cut_sources(const ComparisonPlan& plan) {
  std::string text;
  for (const Settings& s : plan.models) {
    const Index longest = longest_side(s);
    if (longest == 0) continue;
    const auto is_cut = [&](const std::string& line) {
      return std::ssize(plan.tokenizers.source->encode(line)) > longest;
    };
    const auto count = std::ranges::count_if(plan.test.sources, is_cut);
    if (count == 0) continue;
    text +=
        fmt::format(", {} longer than model.positions = {} of {} allows, </s> among them, and cut",
                    count, s.model.positions, s.model.name);
  }
  return text;
}

void print_plan(const ComparisonPlan& plan) {
  const Index seeds = plan.comparison.seeds;
  const double seconds = seconds_per_run(plan.comparison);
  const double all = seconds * static_cast<double>(run_count(plan));
  std::string budget;
  if (seconds > 0)
    budget = fmt::format(", {} a run: about {}", duration_text(seconds), duration_text(all));
  std::cerr << fmt::format("data      {}\n", plan.data);
  std::cerr << fmt::format("models    {}, {} seed{} each{}\n", plan.models.size(), seeds,
                           seeds == 1 ? "" : "s", budget);
  std::cerr << fmt::format("test      {}: {} lines{}\n", plan.test.name, plan.test.sources.size(),
                           cut_sources(plan));
}

void check_out(const Options& o) {
  if (o.out.empty()) fail("where should the comparison be kept? give --out FOLDER");
  if (fs::exists(o.out) && !fs::is_directory(o.out))
    fail("{}: is a file; give --out a folder", o.out);
  if (o.resume) return;
  if (fs::exists(settings_path(o.out)))
    fail("{}: holds a comparison already; add --resume to go on with it, or give another --out",
         o.out);
  if (fs::exists(o.out) && !fs::is_empty(o.out))
    fail("{}: is not empty; give --out a new folder", o.out);
}

ComparisonPlan make_plan(const Options& o, const CLI::App& command,
                         const ComparisonSettings& comparison) {
  const InterruptAtOnce nothing_written;
  const Tokenizers known = o.resume ? kept_tokenizers(o.out, comparison) : Tokenizers();
  return make_plan(comparison, known, command.count("--lines") > 0);
}

void save_settings(const ComparisonPlan& plan, const fs::path& out) {
  Json json = to_json(plan.comparison);
  json["exact_epochs"] = plan.comparison.exact_epochs;
  json["contents"] = plan.contents;
  replace_file(settings_path(out), json.dump(2) + "\n");
}

void make_folder(const std::string& out) {
  std::error_code error;
  fs::create_directories(out, error);
  if (error) fail("{}: cannot make this folder: {}", out, error.message());
}

void run_compare(const Options& o, const CLI::App& command) {
  check_out(o);
  outlive_the_reader();
  set_threads(o.threads);
  const ComparisonSettings asked = o.resume ? resumed_comparison(o, command) : o.comparison;
  std::optional<FolderLock> lock;
  if (o.resume) lock.emplace(o.out);
  const ComparisonPlan plan = make_plan(o, command, asked);
  if (o.resume) check_contents(plan, o.out);
  for (const auto* lines : {&plan.warnings, &plan.misses})
    for (const std::string& warning : *lines)
      std::cerr << "warning: " << warning << '\n';
  make_folder(o.out);
  if (!lock) lock.emplace(o.out);
  if (!o.resume) check_out(o);  // again: another process may have begun a comparison here meanwhile
  save_settings(plan, o.out);
  print_plan(plan);
  report(plan, TrialLoop(plan, o.out).run(), o.out);
}

void add_data_options(CLI::App* command, ComparisonSettings& comparison) {
  command
      ->add_option("--train", comparison.train,
                   "DATA: two line-aligned files, one .tsv or .jsonl, or toy:NAME")
      ->expected(1, 2);
  command
      ->add_option("--valid", comparison.valid,
                   "DATA to validate on (default: some of --train is held out)")
      ->expected(1, 2);
  command
      ->add_option("--test", comparison.test,
                   "DATA to test on (default: a built-in corpus' test lines, or the validation "
                   "set)")
      ->expected(1, 2);
  command
      ->add_option("--fields", comparison.fields,
                   "source and target: keys of a .jsonl, or columns of a .tsv")
      ->expected(2);
  command
      ->add_option("--lines", comparison.lines, "number of lines of a built-in corpus to test on")
      ->transform(whole(1))
      ->capture_default_str();
}

void add_budget_options(CLI::App* command, ComparisonSettings& comparison) {
  auto* time = command->add_option("--time", comparison.time,
                                   "train each run for this time: 90s, 10m, 1.5h");
  auto* steps = command->add_option("--steps", comparison.steps, "or for N steps")
                    ->transform(whole(1))
                    ->excludes(time);
  command->add_option("--epochs", comparison.epochs, "or for N passes over the data")
      ->transform(whole(1))
      ->excludes(time)
      ->excludes(steps);
}

void add_model_options(CLI::App* command, ComparisonSettings& comparison) {
  command->add_option("--models", comparison.models, "models, separated by commas")->delimiter(',');
  command->add_option("--seeds", comparison.seeds, "runs of each model, with seeds from 1")
      ->transform(whole(1, 1000))
      ->capture_default_str();
  command
      ->add_option("--match", comparison.match,
                   "choose the widths so that all models have about as many parameters: largest "
                   "(as the largest of them), a number, or none (no matching)")
      ->capture_default_str();
  command
      ->add_option("--set", comparison.assignments,
                   "a setting of all models, key=value, or of one, MODEL:key=value; may be "
                   "repeated")
      ->expected(1)
      ->take_all();
}

}  // namespace

void add_compare(CLI::App& app) {
  auto* command = app.add_subcommand(
      "compare", "Train several models alike, and say which is better and by how much");
  auto o = std::make_shared<Options>();
  add_data_options(command, o->comparison);
  add_model_options(command, o->comparison);
  add_budget_options(command, o->comparison);
  command->add_option("--out", o->out, "folder to keep the comparison in");
  command->add_flag("--resume", o->resume,
                    "continue the comparison in --out; finished runs are not repeated");
  command->add_option("--threads", o->threads, threads_help)->transform(thread_count());
  command->footer(
      "Examples:\n  heed compare --train toy:translation --models "
      "rnn,rnn+additive,conv,transformer --seeds 3 --time 90s --out comparison\n"
      "  heed compare --train train.de train.en --valid valid.de valid.en --test test.de test.en "
      "--models conv,transformer --epochs 10 --out comparison");
  command->callback([o, command] { run_compare(*o, *command); });
}

}  // namespace heed::cli
