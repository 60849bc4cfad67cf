// What the docstrings promise to a program with several threads: each gets what it gets alone.

#include <gtest/gtest.h>

#include "datasets/corpora/corpora.h"
#include "datasets/metrics/metrics.h"
#include "datasets/text/tokenizer_kinds.h"
#include "experiments/inference/run.h"
#include "experiments/inference/target_scores.h"
#include "experiments/inference/text_generation.h"
#include "experiments/training.h"
#include "layers/attention/attentions.h"
#include "tests/datasets/temporary.h"
#include "tests/framework/threads.h"

namespace heed {
namespace {

using test::at_once;

constexpr int users = 6;

/// A few steps of a small model.
Settings small(const std::string& model, const std::vector<std::string>& data) {
  Settings settings = default_settings(model, data);
  for (const auto& [key, value] : {std::pair("model.d", "16"),
                                   {"train.steps", "3"},
                                   {"train.eval_every", "3"},
                                   {"data.batch_tokens", "256"}})
    settings.set(key, value);
  return settings;
}

std::string number(double value) { return fmt::format("{:.17g}", value); }

/// What thread `user` asks of a run that translates: texts, probabilities and weights.
std::vector<std::string> ask_pairs(const Run& run, int user) {
  std::vector<std::string> lines;
  for (int i = 0; i < 3; ++i)
    lines.push_back(fmt::format("{} b c {}", static_cast<char>('a' + user),
                                std::string(1, static_cast<char>('p' + i))));
  std::vector<std::string> answers;
  for (const Translation& best : run.translate(lines)) {
    answers.push_back(best.text);
    answers.push_back(number(best.log_probability));
  }
  answers.push_back(run.translate(lines[0]).text);
  for (const TargetScore& score : target_scores(run, lines, lines).scores)
    answers.push_back(number(score.log_probability));
  for (const AttentionLayerMap& map : run.attention(lines[1]).layers)
    for (const float weight : map.weights)
      answers.push_back(number(static_cast<double>(weight)));
  return answers;
}

/// What thread `user` asks of a language model.
std::vector<std::string> ask_text(const Run& run, int user) {
  const auto seed = static_cast<std::uint64_t>(user);
  return {generate_text(run, "tick tock", {.count = 20, .seed = seed}),
          generate_text(run, "", {.count = 20, .temperature = 0.5, .seed = seed})};
}

using Ask = std::vector<std::string> (*)(const Run& run, int user);

/// Asks a run from one thread after the other, and then from all at once. The second time the run
/// is a new one, whose decoder nobody has prepared.
void expect_same_answers(const std::string& folder, Ask ask) {
  std::vector<std::vector<std::string>> alone;
  const Run first = open_run(folder);
  for (int user = 0; user < users; ++user)
    alone.push_back(ask(first, user));
  const Run shared = open_run(folder);
  std::vector<std::vector<std::string>> together(users);
  at_once(users, [&](int user) { together[static_cast<std::size_t>(user)] = ask(shared, user); });
  for (std::size_t user = 0; user < users; ++user)
    EXPECT_EQ(together[user], alone[user]) << folder << ", thread " << user;
}

TEST(Concurrent, OneRunAnswersManyThreadsAsItAnswersEachAlone) {
  const TemporaryFolder folder;
  for (const char* model : {"transformer", "rnn+additive", "conv"}) {
    const std::string run = folder.path(model);
    Training(small(model, {"toy:copy"}), run).run();
    expect_same_answers(run, ask_pairs);
  }
  std::string text;
  for (int i = 0; i < 200; ++i)
    text += "tick tock\n";
  const std::string run = folder.path("lm");
  Training(small("lm", {folder.write("clock.txt", text)}), run).run();
  expect_same_answers(run, ask_text);
}

/// The weights that training gives.
std::vector<Tensor> trained_weights(const std::string& model, const std::string& folder) {
  Training training(small(model, {"toy:copy"}), folder);
  training.run();
  std::vector<Tensor> weights;
  for (const auto& [name, parameter] : parameters(*training.model))
    weights.push_back(parameter.value());
  return weights;
}

TEST(Concurrent, TrainingsAtOnceGiveTheWeightsThatEachGivesAlone) {
  const TemporaryFolder folder;
  const std::vector<std::string> models = {"transformer", "rnn+additive", "conv", "transformer"};
  std::vector<std::vector<Tensor>> together(models.size());
  at_once(static_cast<int>(models.size()), [&](int user) {
    const auto i = static_cast<std::size_t>(user);
    together[i] = trained_weights(models[i], folder.path(fmt::format("together-{}", i)));
  });
  for (std::size_t i = 0; i < models.size(); ++i)
    EXPECT_EQ(test::first_difference(
                  together[i], trained_weights(models[i], folder.path(fmt::format("alone-{}", i)))),
              "")
        << models[i];
}

/// Everything that the tables and the settings say.
std::vector<std::string> read_tables() {
  std::vector<std::string> all;
  const auto add = [&](const auto& registry) {
    for (const std::string& name : registry.names())
      all.push_back(registry.at(name).name);
  };
  add(model_families());
  add(attentions());
  add(optimizers());
  add(schedules());
  add(tokenizer_kinds());
  add(corpora());
  add(metrics());
  for (const std::string& name : model_families().names()) {
    const Settings settings = default_settings(name);
    for (const Field& field : settings.fields())
      all.push_back(field.key() + to_text(field.value()));
  }
  return all;
}

TEST(Concurrent, TablesAndSettingsAreReadFromManyThreads) {
  std::vector<std::vector<std::string>> together(users);
  at_once(users, [&](int user) { together[static_cast<std::size_t>(user)] = read_tables(); });
  const std::vector<std::string> alone = read_tables();
  EXPECT_GT(alone.size(), 400u);
  for (const auto& read : together)
    EXPECT_EQ(read, alone);
}

/// The figures of every metric for lines that depend on `user`.
std::vector<double> score_all(int user) {
  std::vector<std::string> outputs;
  std::vector<std::string> nats;
  std::vector<std::string> references;
  for (int i = 0; i < 20; ++i) {
    nats.push_back(fmt::format("{}", i * user));
    outputs.push_back(fmt::format("the cat number {} sat on mat {}", i, user));
    references.push_back(fmt::format("the cat number {} sat on the mat {}", i % 7, user));
  }
  std::vector<double> figures;
  for (const Metric& metric : metrics().rows()) {
    const auto& scored = metric.scored == Scored::nats ? nats : outputs;
    for (const Figure& figure : score(metric.name, scored, {references}).figures)
      figures.push_back(figure.value);
  }
  return figures;
}

TEST(Concurrent, MetricsScoreForManyThreads) {
  std::vector<std::vector<double>> together(users);
  at_once(users, [&](int user) { together[static_cast<std::size_t>(user)] = score_all(user); });
  for (int user = 0; user < users; ++user)
    EXPECT_EQ(together[static_cast<std::size_t>(user)], score_all(user)) << "thread " << user;
}

TEST(Concurrent, ATokenizerCutsForManyThreads) {
  const FeedLines feed = [](const TakeLine& take) {
    for (int i = 0; i < 300; ++i)
      take(fmt::format("the old sailor hides key number {}", i * i));
  };
  for (const char* kind : {"words", "characters", "unigram", "bpe"}) {
    const VocabularyOptions options{.vocab_size = has_subwords(kind) ? 300 : 0};
    const auto tokenizer = train_tokenizer(kind, options, feed);
    const auto cut = [&](int user) {
      std::vector<std::vector<Id>> ids;
      for (int i = 0; i < 50; ++i) {
        const std::string line = fmt::format("the sailor hides {} keys", i * user);
        ids.push_back(tokenizer->encode(line));
        Random random(static_cast<std::uint64_t>(i), 4);
        if (has_subwords(kind)) ids.push_back(tokenizer->sample(line, 0.3, random));
      }
      return ids;
    };
    std::vector<std::vector<std::vector<Id>>> together(users);
    at_once(users, [&](int user) { together[static_cast<std::size_t>(user)] = cut(user); });
    for (int user = 0; user < users; ++user)
      EXPECT_EQ(together[static_cast<std::size_t>(user)], cut(user)) << kind << ", " << user;
  }
}

}  // namespace
}  // namespace heed
