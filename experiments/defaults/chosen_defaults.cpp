#include "experiments/defaults/chosen_defaults.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include <fmt/ranges.h>

#include "experiments/inference/run.h"

namespace heed {

namespace {

constexpr double most_tokens = 30e6;  // that a training reads
constexpr double most_passes = 60;
constexpr double usual_predicted = 1000;  // tokens in a step
constexpr Index pairs_for_subwords = 3000;
// The usual rate of lm is nanoGPT's. On a million characters (d 128, 4 layers, batches of 4,096)
// four times as much learns far faster: twice by this factor, and twice by the size of the batch.
constexpr double running_text_rate = 2;

Index rounded(double value, Index multiple, Index least, Index most) {
  const auto nearest = static_cast<Index>(std::lround(value / static_cast<double>(multiple)));
  return std::clamp(nearest * multiple, least, most);
}

/// No more is known of a learning rate.
double two_digits(double value) {
  const std::string text = fmt::format("{:.1e}", value);
  std::from_chars(text.data(), text.data() + text.size(), value);  // in any locale
  return value;
}

/// Collects what is chosen, and applies it to a copy of the settings, on which later choices
/// depend.
class Choices {
 public:
  Choices(const Settings& settings, const DataFacts& facts)
      : settings_(settings),
        usual_(default_settings(settings.model.name, settings.data.train, settings.task.name)),
        facts_(facts) {}

  std::vector<ChosenDefaults> all() {
    const Task& task = settings_.task.row();
    if (!facts_.known) return {};
    if (begins_with_weights()) choose_as_before();
    if (!task.reads_pairs) {
      choose_for_running_text();
    } else if (task.decodes) {
      choose_for_pairs();
    } else if (facts_.picture) {
      choose_for_pictures(*facts_.picture);
    } else {
      choose_for_labels();
    }
    return std::move(all_);
  }

 private:
  bool is_free(const std::string& key) const {
    return settings_.has(key) && !settings_.is_given(key) && usual_.has(key) &&
           settings_.value(key) == usual_.value(key);
  }

  /// Sets what nobody gave. Values of one reason stand together.
  void choose(const Assignments& wanted, const std::string& why) {
    for (const auto& [key, value] : wanted) {
      if (!is_free(key) || settings_.value(key) == value) continue;
      settings_.assign_default(key, value);
      if (all_.empty() || all_.back().why != why) all_.push_back({.values = {}, .why = why});
      all_.back().values.emplace_back(key, value);
    }
  }

  bool begins_with_weights() const { return !settings_.train.init.empty(); }

  /// First weights know tokens and parameters. What the run that they are from says of these is
  /// taken, so that they fit; of weights in a file nothing is known, and nothing is chosen.
  void choose_as_before() {
    const std::string& from = settings_.train.init;
    if (!std::filesystem::is_regular_file(config_path(from))) return;
    try {
      const Settings before = read_run_settings(from);
      Assignments wanted;
      for (const char* key :
           {"data.tokenizer", "data.case", "model.copy", "model.coverage", "source.rows",
            "source.patch", "source.height", "source.width", "source.colour"})
        if (before.has(key)) wanted.emplace_back(key, before.value(key));
      choose(wanted, fmt::format("as in {}, whose weights it begins with", from));
    } catch (const Error&) {
      return;  // loading the weights says what is wrong
    }
  }

  /// Whether nothing that is given rules out copying.
  bool may_copy() const {
    return !begins_with_weights() && settings_.data.joint_vocabulary && settings_.train.r_drop == 0;
  }

  /// Tokens of a mean item, the marks that begin and end a side included.
  double tokens_of_item() const { return source_tokens() + target_tokens(); }
  double source_tokens() const { return cut(facts_.source_tokens(settings_.data.tokenizer)) + 1; }
  double target_tokens() const { return cut(facts_.target_tokens(settings_.data.tokenizer)) + 1; }
  double cut(double tokens) const {
    const auto most = static_cast<double>(settings_.data.max_length);
    return most > 0 ? std::min(tokens, most) : tokens;
  }

  void choose_for_pairs() {
    if (facts_.summaries()) {
      Assignments wanted;
      if (may_copy()) wanted = {{"model.copy", true}, {"model.coverage", 1.0}};
      wanted.emplace_back("data.long", std::string("cut"));
      wanted.emplace_back("decode.no_repeat_ngram", Index{3});
      choose(wanted, "the targets are summaries, which name things of their sources");
    }
    const bool enough = facts_.items >= pairs_for_subwords;
    if (enough || facts_.summaries() || !facts_.blanks) choose_subwords();
    choose_batch(tokens_of_item() / target_tokens());
    choose_length(static_cast<double>(facts_.items) * tokens_of_item());
    choose_rate(static_cast<double>(settings_.data.batch_tokens) * target_tokens() /
                tokens_of_item());
  }

  void choose_for_labels() { choose_length(static_cast<double>(facts_.items) * source_tokens()); }

  void choose_for_pictures(const PictureSize& size) {
    const auto& given = settings_.source.options.as<ImageOptions>();
    const Index longer = std::max(given.height > 0 ? given.height : size.height,
                                  given.width > 0 ? given.width : size.width);
    Index patch = given.patch;
    if (is_free("source.patch")) {
      patch = picture_patch(longer);
      while (given.height % patch != 0 || given.width % patch != 0)
        patch /= 2;
    }
    choose({{"source.height", picture_side(size.height, patch)},
            {"source.width", picture_side(size.width, patch)},
            {"source.patch", patch},
            {"source.colour", size.colour}},
           fmt::format("the first picture has {} x {} pixels in {}", size.height, size.width,
                       size.colour ? "colour" : "grey"));
    if (facts_.items == 0) return;  // endless
    const auto rows =
        static_cast<double>(settings_.source.options.as<ImageOptions>().front_end().count());
    choose_length(static_cast<double>(facts_.items) * rows);
  }

  void choose_for_running_text() {
    const double tokens = facts_.source_tokens(settings_.data.tokenizer);
    choose({{"data.batch_tokens", running_batch_tokens(tokens)}},
           fmt::format("{:.0f} tokens of text", tokens));
    choose_steps(tokens);
    const double parameters = parameters_of_layers() / tokens;
    choose_dropout(tokens, dropout(passes(tokens), parameters),
                   fmt::format(", by {:.1f} parameters for each token", parameters));
    choose_validations(steps(tokens));
    const auto batch = static_cast<double>(settings_.data.batch_tokens);
    choose_rate(batch, running_text_rate * optimizers().at(settings_.optim.name).rate);
  }

  /// Of a Transformer: 4 d^2 in the attention and 8 d^2 in the feed-forward of each layer.
  double parameters_of_layers() const {
    const auto d = static_cast<double>(settings_.value_or("model.d", Index{128}));
    return 12 * d * d * static_cast<double>(settings_.value_or("model.layers", Index{4}));
  }

  void choose_subwords() {
    if (settings_.is_given("data.min_count")) return;  // which is for whole words
    const std::string why = fmt::format("{:.0f} words of text", facts_.words());
    if (!begins_with_weights()) choose({{"data.tokenizer", std::string("bpe")}}, why);
    if (has_subwords(settings_.data.tokenizer))
      choose({{"data.vocab_size", vocabulary_size(facts_.words())}}, why);
  }

  void choose_batch(double read_for_one) {
    const Index tokens = batch_tokens(read_for_one - 1, 1);
    choose({{"data.batch_tokens", tokens}},
           fmt::format("{:.1f} tokens are read for one to predict", read_for_one));
  }

  /// The steps of a training over `tokens` with the limits that are given.
  double steps(double tokens) const {
    const TrainSettings& t = settings_.train;
    const auto batch = static_cast<double>(settings_.data.batch_tokens);
    const auto by_steps = static_cast<double>(t.steps);
    const double by_epochs = static_cast<double>(t.epochs) * tokens / batch;
    if (t.epochs > 0 && t.steps > 0) return std::min(by_steps, by_epochs);
    if (t.epochs > 0) return by_epochs;
    if (t.steps > 0) return by_steps;
    return static_cast<double>(training_steps(tokens, batch));  // limited by time
  }

  double passes(double tokens) const {
    return steps(tokens) * static_cast<double>(settings_.data.batch_tokens) / tokens;
  }

  void choose_length(double tokens) {
    choose_steps(tokens);
    choose_dropout(tokens, dropout(passes(tokens)), "");
    choose_validations(steps(tokens));
  }

  void choose_steps(double tokens) {
    const auto batch = static_cast<double>(settings_.data.batch_tokens);
    choose({{"train.steps", training_steps(tokens, batch)}},
           fmt::format("about {:.0f} tokens of text", tokens));
  }

  void choose_dropout(double tokens, double probability, const std::string& by) {
    const char* unless = is_timed() ? ", unless train.time ends it before" : "";
    choose({{"model.dropout", probability}},
           fmt::format("the data are read {:.1f} times{}{}", passes(tokens), by, unless));
  }

  /// Whether a time alone ends the training: its steps are an estimate.
  bool is_timed() const {
    const TrainSettings& t = settings_.train;
    return !t.time.empty() && t.steps == 0 && t.epochs == 0;
  }

  /// The patience counts validations: where somebody chose when these are, it is theirs to choose.
  void choose_validations(double steps) {
    if (!is_free("train.eval_every") || is_timed()) return;
    const bool validates = !settings_.data.valid.empty() || settings_.data.valid_fraction > 0;
    constexpr Index patience = 10;
    const Index interval = rounded(steps / 25, 50, 50, 1000);
    if (!validates || steps < static_cast<double>(2 * patience * interval)) return;
    choose({{"train.eval_every", interval},
            {"train.save_every", interval},
            {"train.patience", patience}},
           fmt::format("{} validations in vain end the training", patience));
  }

  void choose_rate(double predicted, double factor = 1) {
    const double rate = learning_rate(factor * usual_.value_or("optim.lr", 0.0),
                                      settings_.value_or("model.d", Index{128}), predicted);
    choose({{"optim.lr", rate}}, fmt::format("a step predicts about {:.0f} tokens", predicted));
  }

  Settings settings_;
  const Settings usual_;
  const DataFacts& facts_;
  std::vector<ChosenDefaults> all_;
};

}  // namespace

Index vocabulary_size(double words) {
  constexpr double usual_words = 725e3;  // of 29,000 captions in two languages
  return rounded(8000 * std::sqrt(words / usual_words), 500, 1000, 16000);
}

Index batch_tokens(double source_tokens, double target_tokens) {
  const double read_for_one = (source_tokens + target_tokens) / target_tokens;
  return rounded(usual_predicted * read_for_one, 1024, 2048, 16384);
}

Index training_steps(double tokens, double tokens_of_batch) {
  const double read = std::min(most_tokens, most_passes * tokens);
  return rounded(read / tokens_of_batch, 100, 200, Index{1} << 30);
}

Index picture_patch(Index longer) { return longer <= 32 ? 4 : 8; }

Index picture_side(Index side, Index patch) {
  constexpr Index most = 64;
  return rounded(static_cast<double>(side), patch, patch, std::max(patch, most / patch * patch));
}

Index running_batch_tokens(double tokens) { return rounded(tokens / 250, 256, 768, 4096); }

double dropout(double passes, double parameters_per_token) {
  const double doublings = std::log2(std::clamp(passes, 2.0, 16.0)) - 1;  // 0 to 3
  const double capacity = std::log2(std::clamp(parameters_per_token, 1.0, 4.0)) / 2;
  constexpr double hundredth = 100;
  return std::round(hundredth * (0.1 + 0.2 * capacity * doublings / 3)) / hundredth;
}

double learning_rate(double rate, Index d, double predicted) {
  const double width = std::sqrt(std::min(1.0, 128 / static_cast<double>(d)));
  const double noise = std::clamp(std::sqrt(predicted / usual_predicted), 0.25, 2.0);
  return two_digits(rate * width * noise);
}

std::vector<ChosenDefaults> chosen_defaults(const Settings& settings, const DataFacts& facts) {
  return Choices(settings, facts).all();
}

std::vector<ChosenDefaults> choose_defaults(Settings& settings, const DataFacts& facts) {
  std::vector<ChosenDefaults> all = chosen_defaults(settings, facts);
  for (const ChosenDefaults& chosen : all)
    for (const auto& [key, value] : chosen.values)
      settings.assign_default(key, value);
  return all;
}

std::string to_text(const ChosenDefaults& chosen) {
  std::vector<std::string> values;
  for (const auto& [key, value] : chosen.values)
    values.push_back(fmt::format("{} = {}", key, to_text(value)));
  return fmt::format("defaults  {}: {}", fmt::join(values, ", "), chosen.why);
}

}  // namespace heed
