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
#include "cli/comparison.h"
#include "cli/comparison_page.h"
#include "cli/duel.h"
#include "cli/model.h"
#include "cli/progress.h"
#include "cli/training.h"
#include "cli/values.h"
#include "datasets/text_file.h"
#include "framework/files.h"
#include "framework/kernels/parallel.h"
#include "framework/memory.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

struct Options {
  Duel duel;
  std::string out;
  int threads = 0;
  bool resume = false;
};

/// Names within the duel's folder.
fs::path plan_path(const fs::path& out) { return out / "duel.json"; }
fs::path run_folder(const fs::path& out, const std::string& model, Index seed) {
  return out / "runs" / fmt::format("{}-seed{}", model, seed);
}
fs::path result_path(const fs::path& run) { return run / "result.json"; }
fs::path hypotheses_path(const fs::path& run) { return run / "test.hyp"; }

Json read_json(const fs::path& path) {
  std::ifstream in(path);
  try {
    return Json::parse(in);
  } catch (const Json::exception&) {
    return Json();
  }
}

/// The duel in the folder; what was given again must be the same.
Duel resumed_duel(const Options& o, const CLI::App& command) {
  if (!fs::exists(plan_path(o.out)))
    fail("{}: no duel to resume here; leave out --resume to start one", o.out);
  Duel given = o.duel;
  find_data(given);
  const Json plan = read_json(plan_path(o.out));
  const Json asked = to_json(given);
  if (!plan.is_object() ||
      std::any_of(asked.items().begin(), asked.items().end(),
                  [&](const auto& item) { return !plan.contains(item.key()); }))
    fail("{}: damaged; start the duel again with another --out", plan_path(o.out).string());
  Duel duel = duel_from_json(plan);
  duel.exact_epochs = plan.value("exact_epochs", false);
  find_data(duel);
  const Json kept = to_json(duel);
  for (const auto& [name, value] : asked.items()) {
    if (command.count("--" + name) == 0 || kept.at(name) == value) continue;
    if (name == "train")  // it has moved: check_contents() sees whether it is the same
      duel.train = given.train;
    else if (name == "valid" && !duel.valid.empty())
      duel.valid = given.valid;
    else if (name == "test" && !duel.test.empty())
      duel.test = given.test;
    else
      fail(
          "--resume goes on with the duel as it is: --{} cannot change; start a new one with "
          "another --out",
          name);
  }
  return duel;
}

struct Plan {
  Duel duel;
  std::vector<Settings> models;
  TestSet test;
  Tokenizers tokenizers;                        // of every run
  std::map<std::string, std::string> contents;  // fingerprints of the data and the tokenizers
  std::vector<std::string> warnings;
  std::vector<std::string> misses;  // models that do not have as many parameters
  std::string data;                 // what is trained on, a line for people
};

/// The tokenizers that an interrupted duel's runs have; none where there is no run yet.
Tokenizers kept_tokenizers(const fs::path& out, const Duel& duel) {
  for (Index seed = 1; seed <= duel.seeds; ++seed)
    for (const std::string& model : duel.models)
      if (const fs::path folder = run_folder(out, model, seed); fs::exists(folder / "config.toml"))
        return load_tokenizers(folder);
  return {};
}

/// ", 3 longer than model.positions = 10 of conv allows, and cut", of the lines to be translated;
/// "" where there are none.
std::string cut_sources(const Plan& plan) {
  std::string text;
  for (const Settings& s : plan.models) {
    const Index longest = longest_side(s);
    if (longest == 0) continue;
    const Index count = std::count_if(
        plan.test.sources.begin(), plan.test.sources.end(), [&](const std::string& line) {
          return static_cast<Index>(plan.tokenizers.source->encode(line).size()) > longest;
        });
    if (count == 0) continue;
    text +=
        fmt::format(", {} longer than model.positions = {} of {} allows, </s> among them, and cut",
                    count, s.model.positions, s.model.name);
  }
  return text;
}

/// `known`: tokenizers, none to train them.
Plan make_plan(Duel duel, const Tokenizers& known, bool lines_given) {
  check_duel(duel);
  find_data(duel);
  Plan plan;
  plan.duel = std::move(duel);
  for (const std::string& model : plan.duel.models) {
    plan.models.push_back(duel_settings(plan.duel, model));
    check_precision(plan.models.back().train.precision);
  }
  Settings& first = plan.models.front();
  const std::vector<Setting> shared = settings_of(first);
  for (Settings& other : plan.models) {
    const std::vector<Setting> its = settings_of(other);
    for (std::size_t i = 0; i < shared.size(); ++i)
      if (const std::string key = shared[i].key;
          (key.starts_with("data.") || key.starts_with("decode.")) &&
          text_of(shared[i]) != text_of(its[i]))
        fail(
            "{} differs between {} and {}: a duel is fought on one set of batches and decoded "
            "alike",
            key, first.model.name, other.model.name);
  }
  plan.warnings = unused_assignments(plan.duel, plan.models);
  const bool tests_toy =
      is_toy(plan.duel.test) || (plan.duel.test.empty() && is_toy(plan.duel.train));
  if (lines_given && !tests_toy)
    plan.warnings.push_back("--lines has no effect: the test set is no built-in corpus");
  for (std::string& note : match_lengths(plan.models))
    plan.warnings.push_back(std::move(note));
  const Corpus corpus = open_corpus(first, known);
  plan.tokenizers = corpus.tokenizers;
  plan.data = corpus.description;
  plan.warnings.insert(plan.warnings.end(), corpus.warnings.begin(), corpus.warnings.end());
  if (corpus.valid.empty())
    fail("nothing to validate on, which chooses each model's best weights; give --valid");
  plan.misses = match_parameters(plan.duel, plan.models, [&](const Settings& s) {
    Random random = Random::blank();
    return parameter_count(*make_model(s, corpus.tokenizers, random));
  });
  if (!plan.duel.test.empty() || is_toy(plan.duel.train)) {
    plan.test = read_test_set(
        *open_evaluation_pairs(plan.duel.test.empty() ? plan.duel.train : plan.duel.test,
                               plan.duel.fields, plan.duel.lines, Split::test));
  } else {
    if (!corpus.valid_pairs) fail("nothing to test on; give --test, or --valid");
    plan.test = read_test_set(*corpus.valid_pairs);
    plan.test.name += " (the validation set; choose another with --test)";
  }
  if (plan.test.sources.empty()) fail("{}: no lines to test on", plan.test.name);
  plan.contents = corpus.fingerprints;
  std::uint64_t test = 0;
  for (std::size_t i = 0; i < plan.test.sources.size(); ++i)
    test = hash_of(plan.test.sources[i], plan.test.references[i], test);
  plan.contents["data.test"] = fmt::format("{:016x}", test);
  return plan;
}

/// A duel that goes on must find the data it began with; those of earlier versions did not keep
/// what tells.
void check_contents(const Plan& plan, const fs::path& out) {
  const Json kept = read_json(plan_path(out)).value("contents", Json::object());
  for (const auto& [key, fingerprint] : plan.contents)
    if (kept.contains(key) && kept.at(key) != fingerprint)
      fail(
          "{}: {} changed since this duel began; give what it began with, or start a new one with "
          "another --out",
          out.string(),
          key == "tokenizer" ? "the tokenizers of its runs have"
                             : "the data of --" + key.substr(5) + " have");
}

/// Steps between validations: about ten of a run, or one an epoch.
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
  std::vector<double> rows;
  for (std::string line; std::getline(in, line);)
    if (const Json row = Json::parse(line, nullptr, false);
        row.is_object() && row.value("split", "") == "train" && row["tokens_per_s"].is_number())
      rows.push_back(row["tokens_per_s"]);
  return spread_of(rows).mean;
}

void write_lines(const fs::path& path, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines)
    text += line + "\n";
  replace_file(path, text);
}

/// What a finished run came to; nothing where it is not finished, or a file of it is damaged: then
/// it is tested again.
std::optional<RunResult> read_result(const fs::path& run, std::size_t lines) {
  if (!fs::exists(result_path(run)) || !fs::exists(hypotheses_path(run))) return std::nullopt;
  try {
    RunResult result = result_from_json(read_json(result_path(run)));
    result.hypotheses = read_lines(hypotheses_path(run).string());
    return result.hypotheses.size() == lines ? std::optional(std::move(result)) : std::nullopt;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

/// How long what is left takes, from what each model's runs took.
class Estimate {
 public:
  Estimate(std::size_t models, double budget) : seconds_(models, budget) {}
  void took(std::size_t model, double seconds) { seconds_[model] = seconds; }
  /// Of runs [next, count), which go through the models in turn. A model that has not run yet takes
  /// as long as the others do; where none has, as long as `now`.
  double left(std::size_t next, std::size_t count, double now) const {
    std::vector<double> known;
    for (double s : seconds_)
      if (s > 0) known.push_back(s);
    const double usual = known.empty() ? now : spread_of(known).mean;
    double sum = 0;
    for (std::size_t i = next; i < count; ++i)
      sum += seconds_[i % seconds_.size()] > 0 ? seconds_[i % seconds_.size()] : usual;
    return sum;
  }

 private:
  std::vector<double> seconds_;
};

/// One run, from where it is to its result.
/// `stopped`: what to say when it is interrupted before it is begun. `warn`: of what its settings
/// cannot do.
RunResult fight(Settings s, const fs::path& folder, const TestSet& test,
                const Tokenizers& tokenizers, const std::string& stopped,
                const std::function<void(const StepReport&)>& show,
                const std::function<void(const std::string&)>& warn) {
  std::optional<AtOnce> nothing_written(std::in_place, stopped);
  const bool resume = fs::exists(folder / "config.toml");
  if (resume) {
    const auto train_data = s.data.train;
    const auto valid_data = s.data.valid;
    s = read_run_settings(folder.string());
    s.data.train = train_data;
    s.data.valid = valid_data;  // they may have moved
  }
  Training training(std::move(s), folder.string(), resume, tokenizers);
  const Cost cost = training.probe();
  training.settings.train.eval_every = choose_eval_every(training, cost);
  if (training.settings.train.save_every > training.settings.train.eval_every)
    training.settings.train.save_every = training.settings.train.eval_every;
  training.open();
  nothing_written.reset();
  training.create();

  Progress log((folder / "log.txt").string(), training.settings.train.log_every,
               Progress::Shown::in_log);
  for (const std::string& text : training.warnings(cost)) {
    log.line("warning: " + text);
    warn(text);
  }
  Observers observers;
  observers.on_step = [&](const StepReport& r) {
    log.step(r);
    show(r);
  };
  observers.on_warning = [&](const std::string& text) { log.line("warning: " + text); };
  observers.on_evaluation = [&](const EvaluationReport& r) {
    log.line(fmt::format("step {}  validation loss {:.4f}  ppl {:.3f}{}", r.step, r.evaluation.loss,
                         std::exp(r.evaluation.loss), r.best ? "  (best)" : ""));
  };
  memory::reset_peak();
  const TrainResult trained = training.run(observers);
  if (trained.interrupted) throw Interrupted();
  RunResult result{.model = training.settings.model.name,
                   .seed = training.settings.train.seed,
                   .d = training.settings.model.d,
                   .parameters = parameter_count(*training.model),
                   .steps = trained.step,
                   .best_step = trained.best_step,
                   .seconds = trained.seconds,
                   .tokens_per_s = mean_tokens_per_s(folder),
                   .peak_mb = static_cast<double>(memory::statistics().peak) / (1 << 20),
                   .valid_loss = trained.best ? trained.best->loss : trained.loss,
                   .hypotheses = {}};
  training.load_best();
  const Evaluating evaluating(*training.model);
  const InPrecision as_every_reader("fp32");
  result.hypotheses = best_translations(*training.model, training.corpus.tokenizers, test,
                                        decode_options(training.settings));
  write_lines(hypotheses_path(folder), result.hypotheses);
  // last: with it the run is done
  replace_file(result_path(folder), to_json(result).dump(2) + "\n");
  return result;
}

std::string matching_note(const Plan& plan) {
  if (plan.duel.match == "none") return "Counts of parameters were not matched.";
  std::string note =
      "Widths were chosen so that every count of parameters is within 5 % of the wanted one";
  if (!plan.misses.empty()) note += fmt::format(", but: {}", fmt::join(plan.misses, "; "));
  return note + ".";
}

std::vector<std::string> notes_of(const Plan& plan, const Comparison& comparison) {
  const Duel& d = plan.duel;
  const std::string budget = !d.time.empty() ? d.time
                             : d.steps > 0   ? fmt::format("{} steps", d.steps)
                             : d.epochs > 0  ? fmt::format("{} epochs", d.epochs)
                                             : "the models' own";
  return {fmt::format("Each run trained for: {}, on {} thread{}.", budget, threads(),
                      threads() == 1 ? "" : "s"),
          fmt::format("Test set: {}, {} lines. BLEU: {}.", plan.test.name, plan.test.sources.size(),
                      comparison.signature),
          "All models: the same vocabulary, the same batches in the same order, the same seeds; "
          "the checkpoint with the lowest validation loss.",
          matching_note(plan)};
}

void check_out(const Options& o) {
  if (o.out.empty()) fail("where should the duel be kept? give --out FOLDER");
  if (fs::exists(o.out) && !fs::is_directory(o.out))
    fail("{}: is a file; give --out a folder", o.out);
  if (o.resume) return;
  if (fs::exists(plan_path(o.out)))
    fail("{}: holds a duel already; add --resume to go on with it, or give another --out", o.out);
  if (fs::exists(o.out) && !fs::is_empty(o.out))
    fail("{}: is not empty; give --out a new folder", o.out);
}

void run_compare(Options& o, const CLI::App& command) {
  check_out(o);
  outlive_the_reader();
  set_threads(o.threads);
  const Duel asked = o.resume ? resumed_duel(o, command) : o.duel;
  std::optional<FolderLock> lock;
  if (o.resume) lock.emplace(o.out);
  std::optional<AtOnce> nothing_written(std::in_place);
  const Plan plan = make_plan(asked, o.resume ? kept_tokenizers(o.out, asked) : Tokenizers(),
                              command.count("--lines") > 0);
  nothing_written.reset();
  if (o.resume) check_contents(plan, o.out);
  for (const auto* lines : {&plan.warnings, &plan.misses})
    for (const std::string& warning : *lines)
      std::cerr << "warning: " << warning << '\n';
  const Duel& duel = plan.duel;
  std::error_code error;
  fs::create_directories(o.out, error);
  if (error) fail("{}: cannot make this folder: {}", o.out, error.message());
  if (!lock) lock.emplace(o.out);
  if (!o.resume) check_out(o);  // again: another may have made its duel here meanwhile
  Json kept = to_json(duel);
  kept["exact_epochs"] = duel.exact_epochs;
  kept["contents"] = plan.contents;
  replace_file(plan_path(o.out), kept.dump(2) + "\n");

  const std::size_t count = plan.models.size() * static_cast<std::size_t>(duel.seeds);
  const double budget = duel.time.empty() ? 0 : parse_duration(duel.time);
  std::cerr << fmt::format("data      {}\n", plan.data);
  std::cerr << fmt::format("duel      {} models, {} seed{} each{}\ntest      {}: {} lines{}\n",
                           plan.models.size(), duel.seeds, duel.seeds == 1 ? "" : "s",
                           budget > 0
                               ? fmt::format(", {} a run: about {}", duration_text(budget),
                                             duration_text(budget * static_cast<double>(count)))
                               : "",
                           plan.test.name, plan.test.sources.size(), cut_sources(plan));
  Estimate estimate(plan.models.size(), budget);
  LiveLine live;
  std::vector<RunResult> results;
  const auto stopped = [&] {
    return fmt::format("stopped after {} of {} runs; go on with: heed compare --resume --out {}",
                       results.size(), count, o.out);
  };
  try {
    for (std::size_t i = 0; i < count; ++i) {  // a seed of every model, then the next: what the
                                               // machine does meanwhile meets all alike
      const std::size_t model = i % plan.models.size();
      Settings s = plan.models[model];
      s.train.seed = static_cast<Index>(i / plan.models.size()) + 1;
      const fs::path folder = run_folder(o.out, s.model.name, s.train.seed);
      const std::string title =
          fmt::format("[{}/{}] {} seed {}", i + 1, count, s.model.name, s.train.seed);
      const auto begin = Clock::now();
      stop_if_interrupted();
      std::optional<RunResult> result = read_result(folder, plan.test.sources.size());
      const bool done = result.has_value();
      const auto show = [&](const StepReport& r) {
        const double left =
            r.seconds_left + estimate.left(i + 1, count, r.seconds + r.seconds_left);
        live.show(fmt::format("{}  loss {:.3f}  {} left", title, r.loss, duration_text(left)),
                  (static_cast<double>(i) + r.done) / static_cast<double>(count), r.seconds);
      };
      const auto warn = [&](const std::string& text) {
        live.clear();
        if (s.train.seed == 1) std::cerr << fmt::format("warning: {}: {}\n", s.model.name, text);
      };
      try {
        results.push_back(
            done ? std::move(*result)
                 : fight(s, folder, plan.test, plan.tokenizers, stopped(), show, warn));
      } catch (const Error& failure) {
        live.clear();
        fail("{}: {}", title, failure.what());
      }
      if (!done) estimate.took(model, std::chrono::duration<double>(Clock::now() - begin).count());
      const RunResult& r = results.back();
      const BleuScore bleu =
          corpus_bleu(r.hypotheses, std::vector<std::vector<std::string>>{plan.test.references});
      live.clear();
      std::cerr << fmt::format(
          "{}: {} steps in {}, {:.0f} tok/s; validation loss {:.4f}; test BLEU {:.2f}{}\n", title,
          r.steps, duration_text(r.seconds), r.tokens_per_s, r.valid_loss, bleu.score,
          done ? " (done before)" : "");
    }
  } catch (const Interrupted&) {
    live.clear();
    std::cerr << stopped() << '\n';
    throw;
  }
  const Comparison comparison = compare(duel, plan.test, results);
  Json json{{"duel", to_json(duel)},
            {"test", {{"name", plan.test.name}, {"lines", plan.test.sources.size()}}}};
  json.update(to_json(comparison));
  json["runs"] = Json::array();
  for (const RunResult& r : results) {
    json["runs"].push_back(to_json(r));
    json["runs"].back()["folder"] =
        fs::relative(run_folder(o.out, r.model, r.seed), o.out).string();
  }
  replace_file(fs::path(o.out) / "comparison.json", json.dump(2) + "\n");
  std::vector<std::string> names;
  for (const std::string& name : duel.train)
    names.push_back(fs::path(name).filename().string());
  std::vector<Curve> curves;
  for (const RunResult& r : results)
    curves.push_back(read_curve(run_folder(o.out, r.model, r.seed), r.model, r.seed));
  write_comparison_page((fs::path(o.out) / "comparison.html").string(),
                        fmt::format("Duel on {}", fmt::join(names, ", ")), comparison, curves,
                        notes_of(plan, comparison));
  const std::string text = to_text(comparison);
  replace_file(fs::path(o.out) / "comparison.txt", text);
  std::cout << text;
}

}  // namespace

void add_compare(CLI::App& app) {
  auto* command = app.add_subcommand(
      "compare", "Train several models alike, and say which is better and by how much");
  auto o = std::make_shared<Options>();
  Duel& d = o->duel;
  command
      ->add_option("--train", d.train,
                   "DATA: two line-aligned files, one .tsv or .jsonl, or toy:NAME")
      ->expected(1, 2);
  command->add_option("--valid", d.valid, "DATA to validate on (else some of --train is held out)")
      ->expected(1, 2);
  command
      ->add_option("--test", d.test,
                   "DATA to test on (else a built-in corpus' test lines, or the validation set)")
      ->expected(1, 2);
  command
      ->add_option("--fields", d.fields,
                   "source and target: keys of a .jsonl, or columns of a .tsv")
      ->expected(2);
  command->add_option("--models", d.models, "models, separated by commas")->delimiter(',');
  command->add_option("--seeds", d.seeds, "runs of each model")
      ->transform(whole(1, 1000))
      ->capture_default_str();
  auto* time = command->add_option("--time", d.time, "train each run for so long: 90s, 10m, 1.5h");
  auto* steps = command->add_option("--steps", d.steps, "or for N steps")
                    ->transform(whole(1))
                    ->excludes(time);
  command->add_option("--epochs", d.epochs, "or for N passes over the data")
      ->transform(whole(1))
      ->excludes(time)
      ->excludes(steps);
  command
      ->add_option("--match", d.match,
                   "choose the widths nearest to as many parameters for all: as the largest of "
                   "them; or N; or none")
      ->capture_default_str();
  command
      ->add_option("--set", d.assignments,
                   "a setting, key=value, or of one model, MODEL:key=value; may be repeated")
      ->expected(1)
      ->take_all();
  command->add_option("--lines", d.lines, "of a built-in corpus: how many to test on")
      ->transform(whole(1))
      ->capture_default_str();
  command->add_option("--out", o->out, "folder to keep the duel in");
  command->add_flag("--resume", o->resume,
                    "go on with the duel in --out; finished runs are not repeated");
  command
      ->add_option("--threads", o->threads,
                   "threads to compute on (0: one a core); results do not depend on it")
      ->transform(thread_count());
  command->footer(
      "Examples:\n  heed compare --train toy:translation --models "
      "rnn,rnn+additive,conv,transformer --seeds 3 --time 90s --out duel\n"
      "  heed compare --train train.de train.en --valid valid.de valid.en --test test.de test.en "
      "--models conv,transformer --epochs 10 --out duel");
  command->callback([o, command] { run_compare(*o, *command); });
}

}  // namespace heed::cli
