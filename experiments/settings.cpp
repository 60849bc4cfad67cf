#include "experiments/settings.h"

#include <charconv>
#include <filesystem>

#include "datasets/corpora/corpora.h"
#include "datasets/text/labelled.h"
#include "experiments/distillation.h"
#include "experiments/inference/run.h"
#include "framework/nearest.h"
#include "optim/rates.h"

namespace heed {

namespace {

constexpr Index large = Index{1} << 40;
constexpr Index medium = Index{1} << 20;

/// Seconds in a unit of time; 0 for an unknown unit.
double seconds_in(std::string_view unit) {
  if (unit.empty() || unit == "s") return 1;
  if (unit == "m") return 60;
  if (unit == "h") return 3600;
  return 0;
}

/// The seconds in a text such as "10m"; 0 where it is none.
double duration_of(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const double factor = seconds_in(std::string_view(end, text.data() + text.size() - end));
  const double seconds = value * factor;
  return error == std::errc() && value > 0 && seconds < 1e9 ? seconds : 0;
}

/// Whether optim.rates can hold the value.
Range rate_factor_texts() {
  const auto holds = [](const FieldValue& value) {
    const auto* texts = std::get_if<std::vector<std::string>>(&value);
    if (!texts) return false;
    try {
      for (const std::string& text : *texts)
        parse_rate_factor(text);
    } catch (const Error&) {
      return false;
    }
    return true;
  };
  return {"PATTERN=FACTOR, such as embedding*=0.1, with a factor from 0 to 1000000", holds};
}

Range duration() {
  const auto holds = [](const FieldValue& value) {
    const auto* text = std::get_if<std::string>(&value);
    return text && (text->empty() || duration_of(*text) > 0);
  };
  return {"a time such as 90s, 10m or 1.5h", holds};
}

/// Of something that is several or none.
Range none_or_several() {
  constexpr Index most = 100;
  const auto holds = [](const FieldValue& value) {
    const auto* n = std::get_if<Index>(&value);
    return n && (*n == 0 || (2 <= *n && *n <= most));
  };
  return {fmt::format("0 or a whole number from 2 to {}", most), holds};
}

void list_limits(Fields& f, TrainSettings& t) {
  f("steps", t.steps, between(Index{0}, large), "stop after this number of steps; 0: no limit")
      .resume(Resume::limit)
      .option("steps")
      .option_help("stop after N steps; the first of several limits ends the training")
      .option_range(between(Index{1}));
  f("epochs", t.epochs, between(Index{0}, large),
    "stop after this number of passes over the data; 0: no limit")
      .resume(Resume::limit)
      .option("epochs")
      .option_help("stop after N passes over the data")
      .option_range(between(Index{1}));
  f("time", t.time, duration(), "stop after this time (90s, 10m, 1h); empty: no limit")
      .resume(Resume::limit)
      .option("time")
      .option_help("stop after this time: 90s, 10m, 1.5h");
  f("exact_epochs", t.exact_epochs, any_value(),
    "true: an epoch ends where its data end; false: after whole steps, and train.steps does not "
    "count beside train.epochs (runs of earlier versions)")
      .resume(Resume::limit)
      .absent(false);
}

void list_intervals(Fields& f, TrainSettings& t) {
  f("eval_every", t.eval_every, between(Index{0}, large),
    "steps between validations; 0: at the end only")
      .resume(Resume::free);
  f("save_every", t.save_every, between(Index{0}, large),
    "steps between checkpoints; 0: at the end only")
      .resume(Resume::free);
  f("keep", t.keep, between(Index{1}, medium), "number of step checkpoints to keep")
      .resume(Resume::free)
      .option("keep");
  f("patience", t.patience, between(Index{0}, medium),
    "stop after this number of validations without improvement; 0: never")
      .resume(Resume::free);
  f("average", t.average, between(Index{1}, Index{100}),
    "validate and keep as best the mean of the weights of the last N checkpoints");
  f("average_at_end", t.average_at_end, none_or_several(),
    "at the end, validate also the means of the last 2, 3, ... N checkpoints, and keep the best of "
    "all; 0: off")
      .absent(Index{0});
  f("ema", t.ema, between(0.0, 0.999999),
    "decay of a moving average of the weights, which is validated and kept as best, such as 0.999; "
    "0: off")
      .absent(0.0);
  f("log_every", t.log_every, between(Index{1}, large), "steps between lines of the log")
      .resume(Resume::free);
  f("report", t.report, any_value(), "leave report.html in the run, as `heed report` writes it")
      .resume(Resume::free)
      .absent(false);
}

void list_start(Fields& f, TrainSettings& t) {
  f("seed", t.seed, between(Index{0}),
    "seed of the first weights, the order of the data and dropout")
      .option("seed");
  f("label_smoothing", t.label_smoothing, between(0.0, 0.99),
    "share of the target probability that is spread over all words (built-in corpora: 0)");
  f("r_drop", t.r_drop, between(0.0, 100.0),
    "weight of the divergence of two passes with dropout (R-Drop); 0: one pass (paper: 1 to 5)")
      .absent(0.0);
  f("init", t.init, any_value(),
    "begin with the weights of this run, .heed or .safetensors file; empty: random weights")
      .option("init");
  f("init_only", t.init_only, any_value(),
    "patterns of the parameters that train.init loads, such as 'encoder*'; '!decoder*' leaves out")
      .option("init-only", 1, 0)
      .option_help(
          "patterns of the parameters to load, such as 'encoder*'; '!decoder*' leaves out");
  f("freeze", t.freeze, any_value(), "patterns of the parameters that are not trained")
      .option("freeze", 1, 0);
}

void apply(const Assignments& defaults, Settings& settings) {
  for (const auto& [key, value] : defaults)
    if (settings.has(key)) settings.assign_default(key, value);
}

/// Throws Error where the loss of the model is not that of its logits alone, which R-Drop compares.
void check_r_drop(const Settings& s) {
  if (s.train.r_drop == 0 || !s.task.row().decodes) return;
  if (s.value_or("model.copy", false))
    fail(
        "train.r_drop = {} compares the logits of two passes, and a model that copies has others "
        "for each source; give model.copy = false or train.r_drop = 0",
        s.train.r_drop);
  if (s.value_or("model.coverage", 0.0) > 0)
    fail("train.r_drop = {} knows no loss of coverage; give model.coverage = 0 or train.r_drop = 0",
         s.train.r_drop);
}

/// Throws Error where the weights would be averaged in two ways.
void check_averages(const Settings& s) {
  const TrainSettings& t = s.train;
  if (t.average > 1 && t.average_at_end > 0)
    fail(
        "train.average = {} validates means all along, and train.average_at_end = {} at the end "
        "alone; give one of them",
        t.average, t.average_at_end);
  std::string other;
  if (t.average > 1) other = fmt::format("train.average = {}", t.average);
  if (t.average_at_end > 0) other = fmt::format("train.average_at_end = {}", t.average_at_end);
  if (t.ema > 0 && !other.empty())
    fail("train.ema = {} and {} are two averages of the weights to validate; give one of them",
         t.ema, other);
  const bool averages = optimizers().at(s.optim.name).averages;
  if (averages && (t.ema > 0 || !other.empty()))
    fail("optim.name = {} validates its own average of the weights; leave out {}", s.optim.name,
         t.ema > 0 ? fmt::format("train.ema = {}", t.ema) : other);
}

/// The row of a built-in corpus; null for files.
const CorpusKind* corpus_of(const std::vector<std::string>& data) {
  constexpr std::size_t prefix = 4;  // "toy:"
  return is_toy(data) ? corpora().find(data[0].substr(prefix)) : nullptr;
}

/// The task that the data ask for: where they name labels, the one that learns labels.
std::string data_task(const std::vector<std::string>& data, const std::string& usual) {
  const bool labelled = names_label(data) || source_of(data).reader;
  if (tasks().at(usual).labelled || data.empty() || !labelled) return usual;
  for (const Task& task : tasks().rows())
    if (task.labelled) return task.name;
  return usual;
}

}  // namespace

void OptimSettings::list(Fields& f) {
  f("name", name, one_of(optimizers().names()), "how gradients change the weights")
      .selects()
      .then([this] { options = optimizers().at(name).options; });
  options.list(f);
  schedule.list(f);
  f("rates", rates, rate_factor_texts(),
    "factors of the learning rate by patterns of parameters, such as embedding*=0.1; those that "
    "match one parameter are multiplied")
      .absent(std::vector<std::string>{});
  f("clip", clip, between(0.0, 1e9), "largest norm of the gradient; 0: no limit");
  f("accumulate", accumulate, between(Index{1}, medium),
    "number of batches whose gradients make one step");
}

void TrainSettings::list(Fields& f) {
  list_limits(f, *this);
  list_intervals(f, *this);
  list_start(f, *this);
  f("on_nan", on_nan, one_of({"stop", "skip"}),
    "where a loss or gradient is not finite: stop, or skip the step and count it")
      .resume(Resume::free)
      .option("on-nan")
      .option_help(
          "where a loss or gradient is not finite: stop (default), or skip the step and count it");
  f("precision", precision, one_of({"fp32", "bf16"}),
    "precision of large products in training: fp32, or bf16, which needs AVX512-BF16 or AMX-BF16; "
    "storage and sums are fp32")
      .resume(Resume::free)
      .option("precision")
      .option_help(
          "precision of large products: fp32 (default), or bf16, which needs AVX512-BF16 or "
          "AMX-BF16; storage and sums are fp32");
}

void Settings::list(Fields& f) {
  RunSettings::list(f);
  f.section("optim", optim);
  f.section("train", train);
}

RunSettings::Owners Settings::owners(std::string_view key) const {
  return key.starts_with("optim.") ? owners_among(optimizers(), "optim.", key)
                                   : RunSettings::owners(key);
}

bool Settings::has_section(std::string_view key) const {
  return RunSettings::has_section(key) || key.starts_with("optim.") || key.starts_with("train.");
}

void Settings::on_given(std::string_view key) {
  const bool epochs = key == "train.epochs" && train.epochs > 0;
  const bool time = key == "train.time" && !train.time.empty();
  if ((epochs || time) && !is_given("train.steps")) train.steps = 0;
  const bool marks = key == "data.case" && data.letter_case == "mark";
  const bool samples = key == "data.subword_sampling" && data.subword_sampling > 0;
  if ((marks || samples) && !is_given("data.tokenizer") && !has_subwords(data.tokenizer))
    data.tokenizer = "bpe";
  if (key == "model.recipe" && !is_given("optim.name")) choose_optimizer_of_recipe();
  if (key == "data.fields" && !is_given("source.name"))
    assign_default("source.name", source_of(data.train, data.fields).name);
  if (key == "optim.name" && !is_given("optim.schedule")) choose_schedule_of_optimizer();
}

void Settings::choose_optimizer_of_recipe() {
  std::string name = OptimSettings().name;
  for (const auto& [key, value] : model.family().defaults)
    if (key == "optim.name") name = std::get<std::string>(value);
  if (value("model.recipe") == FieldValue("modern")) name = "muon";
  const Fields all = fields();
  all.find("optim.name")->set(name);
}

void Settings::choose_schedule_of_optimizer() {
  const std::string& suitable = optimizers().at(optim.name).schedule;
  optim.schedule.kind = suitable.empty() ? OptimSettings().schedule.kind : suitable;
}

void Settings::check() const {
  RunSettings::check();
  if (train.init.empty() && !train.init_only.empty())
    fail("train.init_only chooses what train.init loads; give train.init too");
  check_r_drop(*this);
  check_averages(*this);
  if (train.steps == 0 && train.epochs == 0 && train.time.empty())
    fail("nothing ends the training; give train.steps, train.epochs or train.time");
}

Settings default_settings(const std::string& model, const std::vector<std::string>& data,
                          const std::string& task) {
  Settings s;
  s.assign_default("model.name", model);
  const std::string usual = usual_task(s.model.family()).name;
  s.assign_default("task.name", task.empty() ? data_task(data, usual) : task);
  s.assign_default("source.name", source_of(data).name);
  if (!task.empty() && s.task.name != task) {  // the family is not for it: check() says so
    s.task.choose(task);
    s.check();
  }
  apply(s.model.family().defaults, s);
  apply(s.task.row().defaults, s);
  const CorpusKind* corpus = corpus_of(data);
  if (is_toy(data)) apply({{"model.dropout", 0.0}, {"train.label_smoothing", 0.0}}, s);
  if (corpus && corpus->unseen_words && s.task.row().decodes) {
    apply({{"data.min_count", Index{20}},
           {"model.copy", true},
           {"model.coverage", 1.0},
           {"train.steps", Index{3000}},
           {"train.eval_every", Index{500}},
           {"train.save_every", Index{500}},
           {"decode.no_repeat_ngram", Index{3}}},
          s);
  }
  s.data.train = data;
  return s;
}

namespace {

/// Data that a distillation wrote into a run's folder move with the folder.
void find_in_folder(std::vector<std::string>& data, const std::filesystem::path& folder) {
  for (std::string& name : data) {
    const std::filesystem::path moved = folder / std::filesystem::path(name).filename();
    const bool is_own = moved == distilled_path(folder) || moved == distilled_valid_path(folder);
    if (is_own && std::filesystem::exists(moved)) name = absolute_data({moved.string()}).front();
  }
}

}  // namespace

Settings read_run_settings(const std::string& folder) {
  Settings settings;
  const std::string path = config_path(folder).string();
  settings.read_run(read_config(folder), path);
  if (settings.data.train.empty())
    fail(
        "{}: names no data.train, so no training wrote it; copy it again from where the run comes "
        "from",
        path);
  find_in_folder(settings.data.train, folder);
  find_in_folder(settings.data.valid, folder);
  settings.check();
  return settings;
}

Settings settings_of_checkpoint(const std::string& toml, const std::string& path) {
  Settings settings;
  settings.read_run(toml, path);
  return settings;
}

std::vector<std::string> absolute_data(std::vector<std::string> data) {
  if (is_toy(data)) return data;
  for (std::string& name : data) {
    std::error_code error;
    const std::filesystem::path whole = std::filesystem::absolute(name, error);
    const std::filesystem::path normal = whole.lexically_normal();
    if (name.empty() || error) continue;
    // Where .. follows a link, the normal form is another file.
    const bool same =
        std::filesystem::equivalent(whole, normal, error) || !std::filesystem::exists(whole, error);
    name = (same ? normal : whole).string();
  }
  return data;
}

double parse_duration(const std::string& text) {
  const double seconds = duration_of(text);
  if (seconds == 0) fail("expected a time such as 90s, 10m or 1.5h; got '{}'", text);
  return seconds;
}

bool same_limits(const Settings& a, const Settings& b) {
  const Fields of_b = b.fields();
  for (const Field& field : a.fields())
    if (field.resume() == Resume::limit && field.value() != of_b.find(field.key())->value())
      return false;
  return true;
}

}  // namespace heed
