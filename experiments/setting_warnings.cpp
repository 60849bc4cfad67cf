#include "experiments/setting_warnings.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "experiments/inference/toml.h"
#include "framework/run_folder.h"

namespace heed {

namespace {

std::string steps_text(TrainingLength length) {
  return fmt::format("{}{} step{}", length.about ? "about " : "", length.steps,
                     length.steps == 1 ? "" : "s");
}

std::string patience_warning(const Settings& s, TrainingLength length, bool validates) {
  const Index patience = s.train.patience;
  if (patience == 0) return "";
  if (!validates)
    return fmt::format(
        "train.patience = {} never stops a training without validation; give data.valid", patience);
  if (s.train.eval_every == 0)
    return fmt::format(
        "train.patience = {} never stops this training: it is validated at its end alone; set "
        "train.eval_every",
        patience);
  const Index before_the_end =
      length.steps > 0 ? (length.steps - 1) / s.train.eval_every : patience;
  if (before_the_end >= patience) return "";
  return fmt::format(
      "train.patience = {} never stops this training: it is validated {} time{} before its end "
      "(train.eval_every = {}, {})",
      patience, before_the_end, before_the_end == 1 ? "" : "s", s.train.eval_every,
      steps_text(length));
}

std::string warmup_warning(const Settings& s, TrainingLength length) {
  if (length.steps == 0 || s.optim.schedule.warmup < length.steps) return "";
  if (s.optim.schedule.warmup > length.steps)
    return fmt::format(
        "optim.warmup = {} is longer than the training ({}): the peak learning rate is never "
        "reached",
        s.optim.schedule.warmup, steps_text(length));
  if (!schedules().at(s.optim.schedule.kind).falls || s.optim.schedule.warmup <= 1) return "";
  return fmt::format(
      "optim.warmup = {} is as long as the training: optim.schedule = {} never begins",
      s.optim.schedule.warmup, s.optim.schedule.kind);
}

std::string average_warning(const Settings& s, TrainingLength length) {
  if (s.train.average == 1 || length.steps == 0 || s.train.save_every < length.steps) return "";
  return fmt::format(
      "train.average = {} has nothing to average: no weights are saved before the end "
      "(train.save_every = {}, {})",
      s.train.average, s.train.save_every, steps_text(length));
}

std::string average_at_end_warning(const Settings& s, TrainingLength length, bool validates) {
  const Index asked = s.train.average_at_end;
  if (asked == 0) return "";
  if (!validates)
    return fmt::format(
        "train.average_at_end = {} chooses nothing without validation; give data.valid", asked);
  if (length.steps == 0 || s.train.save_every == 0) return "";
  const Index weights = (length.steps - 1) / s.train.save_every + 1;  // those of the end among them
  if (weights >= asked) return "";
  const std::string why =
      fmt::format("(train.save_every = {}, {})", s.train.save_every, steps_text(length));
  if (weights == 1)
    return fmt::format(
        "train.average_at_end = {} has nothing to average: no weights are saved before the end {}",
        asked, why);
  return fmt::format("train.average_at_end = {} averages {} weights at most: no more are saved {}",
                     asked, weights, why);
}

std::string r_drop_warning(const Settings& s) {
  if (s.train.r_drop == 0) return "";
  for (const char* key : {"model.dropout", "model.recurrent_dropout"})
    if (s.value_or(key, 0.0) > 0) return "";
  return fmt::format(
      "train.r_drop = {} has no effect, and a step costs two: without dropout both passes are the "
      "same; give model.dropout",
      s.train.r_drop);
}

std::string window_warning(const Settings& s) {
  const auto context = s.value_or("model.context", Index{0});
  if (s.data.batch_tokens >= context) return "";
  return fmt::format(
      "data.batch_tokens = {} is less than model.context = {}: a step reads one window, {} tokens",
      s.data.batch_tokens, context, context);
}

/// The learning rate in the last row of the metrics up to `step`; 0 where there is none.
double last_rate(const std::filesystem::path& metrics, Index step) {
  std::ifstream in(metrics);
  double rate = 0;
  for (std::string line; std::getline(in, line);) {
    const auto row = nlohmann::json::parse(line, nullptr, false);
    if (!row.is_object() || row.value("split", "") != "train" || row.value("step", Index{0}) > step)
      continue;
    if (row.contains("lr") && row["lr"].is_number()) rate = row["lr"];
  }
  return rate;
}

}  // namespace

namespace {

/// Where all that a recipe sets was given otherwise, as by the configuration of another run.
std::string recipe_warning(const Settings& s) {
  constexpr std::string_view key = "model.recipe";
  if (!s.has(key) || !s.is_chosen(key)) return "";
  const Fields all = s.fields();
  for (const std::string& other : all.find(key)->range().names()) {
    if (FieldValue(other) == s.value(key)) continue;
    Settings changed = s;
    changed.set(key, other);
    for (const Field& field : changed.fields()) {
      const Field* now = all.find(field.key());
      if (field.key() != key && (!now || now->value() != field.value())) return "";
    }
  }
  return fmt::format("{} = {} has no effect: all that it sets was given", key,
                     to_text(s.value(key)));
}

}  // namespace

std::vector<std::string> unused_settings(const Settings& s) {
  std::vector<std::string> warnings;
  if (std::string warning = recipe_warning(s); !warning.empty())
    warnings.push_back(std::move(warning));
  for (const auto& [key, value, chooser] : s.left_out())
    warnings.push_back(fmt::format("{} = {} has no effect with {} = {}", key, toml_text(value),
                                   chooser, setting_text(s, chooser)));
  const Fields all = s.fields();
  for (const std::string& key : s.chosen_keys()) {
    const Field* field = all.find(key);
    if (!field || field->without_effect_because().empty()) continue;
    const std::string& because = field->without_effect_because();
    warnings.push_back(fmt::format("{} = {} has no effect with {} = {}", key, setting_text(s, key),
                                   because, setting_text(s, because)));
  }
  return warnings;
}

std::vector<std::string> unreached_settings(const Settings& s, TrainingLength length,
                                            bool validates) {
  std::vector<std::string> warnings{patience_warning(s, length, validates),
                                    warmup_warning(s, length),
                                    average_warning(s, length),
                                    average_at_end_warning(s, length, validates),
                                    r_drop_warning(s),
                                    window_warning(s)};
  std::erase(warnings, "");
  return warnings;
}

std::string rate_jump(const Settings& s, const TrainerOptions& o, Index step, double seconds) {
  const Index last = o.expected_steps;
  const double before = last_rate(RunFolder(o.folder).metrics(), step);
  if (before <= 0 || step <= o.schedule.warmup) return "";
  double done = last > 0 ? o.schedule.progress(step + 1, last) : 0;
  if (o.seconds > 0) done = std::max(done, seconds / o.seconds);
  const double after = s.value_or("optim.lr", 0.0) * o.schedule.factor(step + 1, done);
  constexpr double noticeable = 1.1;
  if (after <= noticeable * before) return "";
  return fmt::format(
      "the learning rate jumps from {:.3g} to {:.3g} at step {}: optim.schedule = {} now leads to "
      "the new end of the training",
      before, after, step + 1, s.optim.schedule.kind);
}

}  // namespace heed
