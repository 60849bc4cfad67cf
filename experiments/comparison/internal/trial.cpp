#include "experiments/comparison/internal/trial.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "datasets/text/text_file.h"
#include "experiments/comparison/internal/json_file.h"
#include "experiments/comparison/internal/result_json.h"
#include "experiments/inference/run.h"
#include "experiments/run_metrics.h"
#include "experiments/task_works.h"
#include "experiments/training.h"
#include "framework/files.h"
#include "framework/memory.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

fs::path result_path(const fs::path& run) { return run / "result.json"; }
fs::path hypotheses_path(const fs::path& run) { return run / "test.hyp"; }

void write_lines(const fs::path& path, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines)
    text += line + "\n";
  replace_file(path, text);
}

/// The settings of a run that was begun before are those of its folder; its data may have moved.
Settings begun_settings(const Settings& s, const fs::path& folder) {
  Settings begun = read_run_settings(folder.string());
  if (begun.data.train != s.data.train) begun.assign("data.train", s.data.train);
  if (begun.data.valid != s.data.valid) begun.assign("data.valid", s.data.valid);
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
  std::vector<double> rates = column_of(read_metrics(run).train, "tokens_per_s");
  std::erase_if(rates, [](double rate) { return std::isnan(rate); });
  return spread_of(rates).mean;
}

/// The trainable parameters that do not have a row for each token.
Index outside_vocabulary(const Model& model, Index all) {
  const VocabularyParameters tables = model.vocabulary_parameters();
  std::set<const Real*> seen;
  for (const auto* side : {&tables.source, &tables.target})
    for (const ParameterRef& table : *side)
      if (table.trainable() && seen.insert(table.value().data()).second)
        all -= table.value().size();
  return all;
}

RunResult result_of(const std::string& name, const Training& training, const Cost& cost,
                    const TrainResult& trained) {
  const Index parameters = parameter_count(*training.model);
  return {.model = name,
          .family = training.settings.model.name,
          .seed = training.settings.train.seed,
          .d = training.settings.value_or("model.d", Index{0}),
          .parameters = parameters,
          .outside_vocabulary = outside_vocabulary(*training.model, parameters),
          .flops = cost.flops,
          .steps = trained.step,
          .best_step = trained.best_step,
          .seconds = trained.seconds,
          .tokens_per_s = mean_tokens_per_s(training.folder),
          .peak_mb = static_cast<double>(memory::statistics().peak) / (1 << 20),
          .valid_loss = trained.best ? trained.best->loss : trained.loss,
          .hypotheses = {}};
}

/// Tests the best weights in fp32, as everything that reads the run does.
void test_run(Training& training, const TestSet& test, const ShouldStop& should_stop,
              RunResult& result) {
  training.load_best();
  const Evaluating evaluating(*training.model);
  const InPrecision fp32("fp32");
  const TaskWork& work = task_works().at(training.settings.task.name);
  const Tokenizers& tokenizers = training.corpus.tokenizers;
  result.hypotheses =
      work.answers(training.settings, *training.model, tokenizers, test, should_stop);
  if (!work.forced) return;
  const auto decoder = training.model->decoder();
  result.decoding = decoding_cost(*decoder, work.forced(*decoder, tokenizers, test), should_stop);
}

TrainingOptions training_options(const fs::path& folder, const ComparisonPlan& plan,
                                 const ShouldStop& should_stop) {
  TrainingOptions options;
  options.resume = fs::exists(config_path(folder));
  options.tokenizers = plan.tokenizers;
  options.preparing.should_stop = should_stop;
  options.defaults_by_data = false;  // the plan has chosen them, or is from before them
  return options;
}

/// Opens the training and makes its folder a run. Returns what a step costs.
Cost begin(Training& training, const TrialObservers& observers) {
  const Cost cost = training.probe();
  TrainSettings& intervals = training.settings.train;
  intervals.eval_every = choose_eval_every(training, cost);
  intervals.save_every = std::min(intervals.save_every, intervals.eval_every);
  intervals.report = false;  // the comparison has a page of its own
  training.open();
  stop_if(observers.should_stop);
  observers.on_written();
  training.create();
  for (const std::string& text : training.warnings(cost))
    observers.on_warning(text);
  return cost;
}

}  // namespace

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

RunResult run_trial(const std::string& name, const Settings& settings, const fs::path& folder,
                    const ComparisonPlan& plan, const TrialObservers& observers) {
  observers.on_begin();
  const TrainingOptions options = training_options(folder, plan, observers.should_stop);
  Training training(options.resume ? begun_settings(settings, folder) : settings, folder, options);
  const Cost cost = begin(training, observers);
  TrainingObservers told;
  told.on_step = observers.on_step;
  told.should_stop = observers.should_stop;
  memory::reset_peak();
  const TrainResult trained = training.run(told);
  if (trained.interrupted) throw Interrupted();
  RunResult result = result_of(name, training, cost, trained);
  test_run(training, plan.test, observers.should_stop, result);
  write_lines(hypotheses_path(folder), result.hypotheses);
  // Last: a run with a result is finished.
  replace_file(result_path(folder), to_json(result).dump(2) + "\n");
  return result;
}

}  // namespace heed
