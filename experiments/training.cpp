#include "experiments/training.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/ranges.h>

#include "cli/model.h"
#include "cli/signals.h"
#include "experiments/inference/run.h"
#include "experiments/setting_warnings.h"
#include "framework/error.h"
#include "framework/files.h"
#include "framework/memory.h"
#include "framework/run_folder.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

/// The run has other data or settings. Another of its checkpoints would not help.
struct OtherData : Error {
  using Error::Error;
};

CrossEntropy loss_options(const Settings& s, const Batch& batch) {
  return {.label_smoothing = static_cast<Real>(s.train.label_smoothing), .ignore = batch.ignored};
}

/// Throws Error where `now` are other data than `before`, by name or by fingerprint. `key`: the
/// setting. `fingerprint`: of the data that the checkpoint was trained with; null where it does not
/// say, and the names must then agree.
void check_same_data(const std::string& key, const std::vector<std::string>& now,
                     const std::vector<std::string>& before, const std::string& now_fingerprint,
                     const std::string* fingerprint) {
  const bool same_name = before == now;
  if (fingerprint ? *fingerprint == now_fingerprint : same_name) return;
  if (!fingerprint)
    fail(
        "--resume goes on with the run as it is, and its checkpoint does not say what it was "
        "trained on: {} cannot change",
        key);
  const std::string names = fmt::format("{}", fmt::join(now, " and "));
  const std::string option = key.substr(std::string("data.").size());
  if (!same_name)
    fail(
        "{}: not the text of {}, which this run began with; give the same by --{} PATH, or start "
        "a new run with another --out",
        names, fmt::join(before, " and "), option);
  const bool one = now.size() == 1;
  fail(
      "{}: {} changed since this run began; give the data it was trained on (--{} PATH if {} "
      "moved), or start a new run with another --out",
      names, one ? "has" : "have", option, one ? "it has" : "they have");
}

/// Throws Error unless data and tokenizers are those that the checkpoint was trained with, whatever
/// their files are called now. `text`: what the checkpoint says of them.
void check_same_corpus(const std::map<std::string, std::string>& text, const Settings& s,
                       const Corpus& corpus, const std::string& folder) {
  Settings before = read_run_settings(folder);
  before.data.train = absolute_data(before.data.train);
  before.data.valid = absolute_data(before.data.valid);
  for (const auto& [key, fingerprint] : corpus.fingerprints) {
    if (key == "tokenizer") continue;
    const auto then = text.find(key);
    const bool train = key == "data.train" || s.data.valid.empty();
    check_same_data(key, train ? s.data.train : s.data.valid,
                    train ? before.data.train : before.data.valid, fingerprint,
                    then == text.end() ? nullptr : &then->second);
  }
  check_same_tokenizers(folder, corpus.tokenizers, text);
}

/// The checkpoint that resuming tried: the one named, or the last. "" where there is no such one.
fs::path tried_checkpoint(const RunFolder& folder, const std::string& name) {
  if (name.empty()) return folder.last();
  const std::vector<std::string> names = folder.names();
  const bool exists = std::find(names.begin(), names.end(), name) != names.end();
  return exists ? folder.named(name) : fs::path();
}

TrainerOptions trainer_options(Settings& s, const Limits& limits, const Corpus& corpus,
                               const std::string& folder) {
  TrainerOptions o;
  o.steps = limits.steps;
  o.epochs = limits.epochs;
  o.seconds = limits.seconds;
  o.expected_steps = limits.last_step();
  // zero_at_last as in all runs so far: the last step has the rate optim.final_lr.
  o.schedule = {.kind = schedule_kind(s.optim.schedule),
                .warmup = s.optim.warmup,
                .final = s.optim.final_lr,
                .zero_at_last = true};
  o.clip = s.optim.clip;
  o.accumulate = s.optim.accumulate;
  o.log_every = s.train.log_every;
  o.eval_every = s.train.eval_every;
  o.save_every = s.train.save_every;
  o.keep = static_cast<int>(s.train.keep);
  o.patience = static_cast<int>(s.train.patience);
  o.average = static_cast<int>(s.train.average);
  o.seed = static_cast<std::uint64_t>(s.train.seed);
  o.on_nan = s.train.on_nan == "skip" ? OnNan::skip : OnNan::stop;
  o.folder = folder;
  o.text = corpus.fingerprints;
  o.text["config"] = to_toml(s);
  o.accept = [&s, &corpus, folder](const auto& text) {
    try {
      check_same_settings(folder, s, text);
      check_same_corpus(text, s, corpus, folder);
    } catch (const Error& error) {
      throw OtherData(error.what());
    }
  };
  return o;
}

}  // namespace

void check_precision(const std::string& name) {
  if (name != "bf16") return;
  if (const std::string why = precision_obstacle(Precision::bf16); !why.empty())
    fail("--precision bf16 {}; use fp32", why);
}

InPrecision::InPrecision(const std::string& name) {
  check_precision(name);
  set_precision(name == "bf16" ? Precision::bf16 : Precision::fp32);
}
InPrecision::~InPrecision() { set_precision(before_); }

Training::Training(Settings s, std::string where, bool resume, const Tokenizers& tokenizers)
    : settings(std::move(s)),
      precision(settings.train.precision),
      folder(std::move(where)),
      corpus(open_corpus(settings, resume ? load_tokenizers(folder) : tokenizers)),
      resume_(resume) {
  settings.data.train = absolute_data(settings.data.train);
  settings.data.valid = absolute_data(settings.data.valid);
  Random random(static_cast<std::uint64_t>(settings.train.seed));
  model = make_model(settings, corpus.tokenizers, random);
  frozen = freeze_chosen(settings, *model);
  optimizer_ = make_optimizer(settings, *model);
}

Cost Training::probe() {
  const auto position = corpus.train->position();
  memory::reset_peak();
  constexpr int warm_up = 1;
  constexpr int steps = 3;
  auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < warm_up + steps; ++i) {
    if (i == warm_up) begin = std::chrono::steady_clock::now();
    const Batch batch = corpus.train->next();
    Tape tape;
    tape.backward(model->loss(batch, loss_options(settings, batch)));
    clear_gradients(*model);
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  corpus.train->seek(position);
  // The optimizer keeps two moments for each parameter.
  const auto moments = static_cast<std::size_t>(2 * parameter_count(*model)) * sizeof(Real);
  return {.seconds_per_step = seconds / steps * static_cast<double>(settings.optim.accumulate),
          .bytes = memory::statistics().peak + moments};
}

void Training::open(const std::string& checkpoint) {
  limits_ = limits_of(settings, corpus);
  options_ = trainer_options(settings, limits_, corpus, folder);
  naming_settings([&] { trainer_.emplace(*model, *optimizer_, options_); });
  if (resume_) trainer_->claim();
  try {
    resumed_ = resume_ && trainer_->resume(checkpoint);
  } catch (const OtherData&) {
    throw;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    const fs::path tried = tried_checkpoint(RunFolder(folder), checkpoint);
    fail("{}{}", error.what(), other_checkpoints(folder, tried));
  }
  if (!resumed_ && !settings.train.init.empty())
    initial = load_initial(settings, corpus.tokenizers, *model);
}

std::vector<std::string> Training::warnings(const Cost& cost, bool new_limits) const {
  TrainingLength length{.steps = limits_.last_step()};
  if (limits_.seconds > 0) {
    const auto steps = static_cast<Index>(std::min(limits_.seconds / cost.seconds_per_step, 1e15));
    if (length.steps == 0 || steps < length.steps)
      length = {.steps = std::max<Index>(1, steps), .about = true};
  }
  std::vector<std::string> all = unreached_settings(settings, length, !corpus.valid.empty());
  if (resumed_ && new_limits) {
    std::string jump = rate_jump(settings, options_, step(), trainer_->seconds());
    if (!jump.empty()) all.push_back(std::move(jump));
  }
  return all;
}

void Training::create() {
  trainer_->claim();
  if (!resume_ && fs::exists(config_path(folder)))
    fail("{}: another training has made its run here; give another --out", folder);
  if (!resume_) save_tokenizers(corpus.tokenizers, folder);
  // Last: a folder with a config.toml is a run.
  replace_file(config_path(folder), to_toml(settings));
}

TrainResult Training::run(const Observers& observers) {
  const LossFunction loss = [this](const Batch& batch, Real divisor) {
    double nats = 0;
    CrossEntropy options = loss_options(settings, batch);
    options.divisor = divisor;
    options.nats = &nats;
    const Variable optimised = model->loss(batch, options);
    return Loss(optimised, nats);
  };
  EvaluateFunction evaluate;
  if (!corpus.valid.empty())
    evaluate = [this] {
      return Evaluation{
          .loss = total_loss(*model, corpus.valid).per_token(), .score = 0, .metrics = {}};
    };
  Observers all = observers;
  all.should_stop = [] { return interrupted(); };
  if (!all.should_save) all.should_save = [] { return save_requested(); };
  return trainer_->run(*corpus.train, loss, evaluate, all);
}

}  // namespace heed::cli
