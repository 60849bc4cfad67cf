#include "experiments/setting_warnings.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include <nlohmann/json.hpp>

#include "cli/model.h"
#include "datasets/text/tokenizer.h"
#include "framework/run_folder.h"

namespace heed::cli {

namespace {

bool is_rnn(const Settings& s) { return s.model.name.starts_with("rnn"); }
bool is_lm(const Settings& s) { return s.model.name == "lm"; }
bool is_conv(const Settings& s) { return s.model.name == "conv"; }
bool is_transformer(const Settings& s) { return s.model.name == "transformer"; }

bool has_heads(const Settings& s) {
  static const std::set<std::string_view> without = {"conv",    "rnn",         "rnn+additive",
                                                     "rnn+dot", "rnn+general", "rnn+concat"};
  return !without.contains(s.model.name);
}

bool is_one_file(const std::vector<std::string>& data) { return data.size() == 1 && !is_toy(data); }

/// The setting `key` has an effect where `used` returns true; otherwise `decider` is the setting
/// that prevents it.
struct Use {
  const char* key;  // a setting, or "section." for all of a section
  const char* decider;
  bool (*used)(const Settings&);
};

const Use uses[] = {
    {"data.min_count", "data.tokenizer",
     [](const Settings& s) { return !has_subwords(s.data.tokenizer); }},
    {"data.fields", "data.train",
     [](const Settings& s) { return is_one_file(s.data.train) || is_one_file(s.data.valid); }},
    {"data.fields", "model.name", [](const Settings& s) { return !is_lm(s); }},
    {"data.max_length", "model.name", [](const Settings& s) { return !is_lm(s); }},
    {"data.long", "model.name", [](const Settings& s) { return !is_lm(s); }},
    {"data.long", "data.max_length",
     [](const Settings& s) { return is_lm(s) || s.data.max_length > 0 || longest_side(s) > 0; }},
    {"data.blank", "model.name", [](const Settings& s) { return !is_lm(s); }},
    {"data.blank", "data.train", [](const Settings& s) { return !is_toy(s.data.train); }},
    {"data.valid_fraction", "data.train", [](const Settings& s) { return !is_toy(s.data.train); }},
    {"data.valid_fraction", "data.valid", [](const Settings& s) { return s.data.valid.empty(); }},
    {"model.heads", "model.name", has_heads},
    {"model.ff", "model.name", [](const Settings& s) { return is_transformer(s) || is_lm(s); }},
    {"model.context", "model.name", is_lm},
    {"model.norm", "model.name", is_transformer},
    {"model.kernel", "model.name", is_conv},
    {"model.positions", "model.name", is_conv},
    {"model.weight_norm", "model.name", is_conv},
    {"model.tied", "model.name", [](const Settings& s) { return is_conv(s) || is_rnn(s); }},
    {"model.hidden", "model.name", is_rnn},
    {"model.cell", "model.name", is_rnn},
    {"model.bidirectional", "model.name", is_rnn},
    {"model.recurrent_dropout", "model.name", is_rnn},
    {"optim.momentum", "optim.name", [](const Settings& s) { return s.optim.name == "sgd"; }},
    {"optim.beta1", "optim.name", [](const Settings& s) { return s.optim.name != "sgd"; }},
    {"optim.beta2", "optim.name", [](const Settings& s) { return s.optim.name != "sgd"; }},
    {"optim.epsilon", "optim.name", [](const Settings& s) { return s.optim.name != "sgd"; }},
    {"optim.final_lr", "optim.schedule",
     [](const Settings& s) {
       return s.optim.schedule == "cosine" || s.optim.schedule == "linear";
     }},
    {"decode.", "model.name", [](const Settings& s) { return !is_lm(s); }},
};

bool names(const Use& use, std::string_view key) {
  const std::string_view name = use.key;
  return name.ends_with('.') ? key.starts_with(name) : key == name;
}

std::string steps_text(TrainingLength length) {
  return fmt::format("{}{} step{}", length.about ? "about " : "", length.steps,
                     length.steps == 1 ? "" : "s");
}

std::string patience_warning(const Settings& s, TrainingLength length, bool validates) {
  const Index patience = s.train.patience;
  if (patience == 0) return "";
  if (!validates)
    return fmt::format(
        "train.patience = {} never stops a training without validation; give --valid", patience);
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
  if (length.steps == 0 || s.optim.warmup < length.steps) return "";
  if (s.optim.warmup > length.steps)
    return fmt::format(
        "optim.warmup = {} is longer than the training ({}): the peak learning rate is never "
        "reached",
        s.optim.warmup, steps_text(length));
  if (s.optim.schedule == "constant" || s.optim.warmup <= 1) return "";
  return fmt::format(
      "optim.warmup = {} is as long as the training: optim.schedule = {} never begins",
      s.optim.warmup, s.optim.schedule);
}

std::string average_warning(const Settings& s, TrainingLength length) {
  if (s.train.average == 1 || length.steps == 0 || s.train.save_every < length.steps) return "";
  return fmt::format(
      "train.average = {} has nothing to average: no weights are saved before the end "
      "(train.save_every = {}, {})",
      s.train.average, s.train.save_every, steps_text(length));
}

std::string window_warning(const Settings& s) {
  if (!is_lm(s) || s.data.batch_tokens >= s.model.context) return "";
  return fmt::format(
      "data.batch_tokens = {} is less than model.context = {}: a step reads one window, {} tokens",
      s.data.batch_tokens, s.model.context, s.model.context);
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

std::vector<std::string> unused_settings(Settings& s, const GivenKeys& given) {
  std::vector<std::string> warnings;
  for (const std::string& key : given) {
    const auto unused = [&](const Use& use) { return names(use, key) && !use.used(s); };
    const auto found = std::find_if(std::begin(uses), std::end(uses), unused);
    if (found == std::end(uses)) continue;
    warnings.push_back(fmt::format("{} = {} has no effect with {} = {}", key, text_of(s, key),
                                   found->decider, text_of(s, found->decider)));
  }
  return warnings;
}

std::vector<std::string> unreached_settings(const Settings& s, TrainingLength length,
                                            bool validates) {
  std::vector<std::string> warnings{patience_warning(s, length, validates),
                                    warmup_warning(s, length), average_warning(s, length),
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
  const double after = s.optim.lr * o.schedule.factor(step + 1, done);
  constexpr double noticeable = 1.1;
  if (after <= noticeable * before) return "";
  return fmt::format(
      "the learning rate jumps from {:.3g} to {:.3g} at step {}: optim.schedule = {} now leads to "
      "the new end of the training",
      before, after, step + 1, s.optim.schedule);
}

}  // namespace heed::cli
