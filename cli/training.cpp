#include "cli/training.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/model.h"
#include "cli/run.h"
#include "cli/setting_warnings.h"
#include "framework/error.h"
#include "framework/files.h"
#include "framework/memory.h"
#include "optim/run_folder.h"

namespace heed::cli {

namespace fs = std::filesystem;

namespace {

/// Another checkpoint would not help.
struct OtherData : Error {
  using Error::Error;
};

CrossEntropy loss_options(const Settings& s, const Batch& batch) {
  return {.label_smoothing = static_cast<Real>(s.train.label_smoothing), .ignore = batch.ignored};
}

/// Throws Error unless the data and the tokenizers are those that the checkpoint was trained with,
/// whatever they are called now. One that does not say what they were takes those of their old
/// names.
void check_same_data(const std::map<std::string, std::string>& text, const Settings& s,
                     const Corpus& corpus, const std::string& folder) {
  Settings before = read_run_settings(folder);
  before.data.train = absolute_data(before.data.train);
  before.data.valid = absolute_data(before.data.valid);
  for (const auto& [key, now] : corpus.fingerprints) {
    const auto then = text.find(key);
    if (key == "tokenizer") continue;
    const bool known = then != text.end();
    const bool same = known && then->second == now;
    const bool train = key == "data.train" || s.data.valid.empty();
    const std::vector<std::string>& was = train ? before.data.train : before.data.valid;

    const std::vector<std::string>& is = train ? s.data.train : s.data.valid;
    if (same || (!known && was == is)) continue;
    const std::string names = fmt::format("{}", fmt::join(is, " and "));
    if (!known)
      fail(
          "--resume goes on with the run as it is, and its checkpoint does not say what it was "
          "trained on: {} cannot change",
          key);
    if (was != is)
      fail(
          "{}: not the text of {}, which this run began with; give the same by --{} PATH, or start "
          "a new run with another --out",
          names, fmt::join(was, " and "), key.substr(5));
    fail(
        "{}: {} changed since this run began; give the data it was trained on (--{} PATH if {} "
        "moved), or start a new run with another --out",
        names, is.size() == 1 ? "has" : "have", key.substr(5),
        is.size() == 1 ? "it has" : "they have");
  }
  check_same_tokenizers(folder, corpus.tokenizers, text);
}

TrainerOptions trainer_options(Settings& s, const Limits& limits, const Corpus& corpus,
                               const std::string& folder) {
  TrainerOptions o;
  o.steps = limits.steps;
  o.epochs = limits.epochs;
  o.seconds = limits.seconds;
  o.expected_steps = limits.last_step();
  o.schedule = {.kind = schedule_kind(s.optim.schedule),
                .warmup = s.optim.warmup,
                .final = s.optim.final_lr,
                .zero_at_last = true};  // as in runs that exist; optim.final_lr is the last step's
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
      check_same_data(text, s, corpus, folder);
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
  return {.seconds_per_step = seconds / steps * static_cast<double>(settings.optim.accumulate),
          // and the moments
          .bytes = memory::statistics().peak +
                   static_cast<std::size_t>(2 * parameter_count(*model)) * sizeof(Real)};
}

void Training::open(const std::string& checkpoint) {
  limits_ = limits_of(settings, corpus);
  options_ = trainer_options(settings, limits_, corpus, folder);
  naming_settings([&] { trainer_.emplace(*model, *optimizer_, options_); });
  if (resume_) trainer_->claim();
  const RunFolder checkpoints(folder);
  try {
    resumed_ = resume_ && trainer_->resume(checkpoint);
  } catch (const OtherData&) {
    throw;
  } catch (const OutOfMemory&) {
    throw;
  } catch (const Error& error) {
    const auto known = checkpoints.names();
    const bool named = std::find(known.begin(), known.end(), checkpoint) != known.end();
    fail("{}{}", error.what(),
         other_checkpoints(folder, named                ? checkpoints.named(checkpoint)
                                   : checkpoint.empty() ? checkpoints.last()
                                                        : ""));
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
  if (resumed_ && new_limits)
    if (std::string jump = rate_jump(settings, options_, step(), trainer_->seconds());
        !jump.empty())
      all.push_back(std::move(jump));
  return all;
}

void Training::create() {
  trainer_->claim();
  if (!resume_ && fs::exists(config_path(folder)))
    fail("{}: another training has made its run here; give another --out", folder);
  if (!resume_) save_tokenizers(corpus.tokenizers, folder);
  replace_file(config_path(folder), to_toml(settings));  // last: a folder with a config is a run
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
