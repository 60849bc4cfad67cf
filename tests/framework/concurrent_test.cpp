#include <atomic>

#include <gtest/gtest.h>

#include "datasets/text/batch.h"
#include "framework/ops.h"
#include "layers/positions.h"
#include "models/convolutional.h"
#include "models/decode/decode.h"
#include "models/language_model.h"
#include "models/recurrent_seq2seq.h"
#include "models/transformer.h"
#include "tests/framework/threads.h"
#include "tests/models/batch_model.h"

// Many threads of a user call Heed at the same time. Each gets the same bits as when it is alone.

namespace heed::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int products_each = 500;
#else
constexpr int products_each = 10'000;
#endif

struct Product {
  // linear(a, b, bias) where there is a bias.
  Tensor a;
  Tensor b;
  Tensor bias;
  Transpose transpose;
  Tensor compute() const {
    return (bias.defined() ? linear(a, b, bias) : matmul(a, b, transpose)).value();
  }
};

/// Extents are drawn from 1 to `most` and raised to `least`. Most products are small, some are
/// worth packing, and a few are divided into several tasks.
struct ExtentRange {
  Index least = 0;
  Index most = 24;
};
ExtentRange extents_of(int i) {
  if (i % 100 == 99) return {220, 330};
  if (i % 10 == 9) return {0, 90};
  return {};
}

std::vector<Product> products() {
  std::vector<Product> all;
  Random random(11);
  const auto extent = [&](Index most) {
    return static_cast<Index>(random.below(static_cast<std::uint64_t>(most))) + 1;
  };
  for (int i = 0; i < 300; ++i) {
    const auto [least, most] = extents_of(i);
    const Index m = std::max(extent(most), least);
    const Index n = std::max(extent(most), least);
    const Index k = std::max(extent(most), least);
    const std::uint64_t seed = 2 * static_cast<std::uint64_t>(i);
    const Transpose t{.a = i % 2 == 1, .b = i % 3 == 1};
    if (i % 5 == 4)
      all.push_back({uniform_tensor({m, k}, seed),
                     uniform_tensor({n, k}, seed + 1),
                     uniform_tensor({n}, seed),
                     {}});
    else
      all.push_back({uniform_tensor(t.a ? Shape{k, m} : Shape{m, k}, seed),
                     uniform_tensor(t.b ? Shape{n, k} : Shape{k, n}, seed + 1),
                     {},
                     t});
  }
  return all;
}

TEST(Concurrent, TenThousandProductsOnEachOfEightThreadsEqualTheSerialOnes) {
  const std::vector<Product> all = products();
  std::vector<Tensor> serial;
  {
    const Threads one(1);
    for (const Product& product : all)
      serial.push_back(product.compute());
  }
  for (int count : {1, 3}) {
    const Threads threads(count);
    std::atomic<int> done{0};
    std::atomic<int> wrong{0};
    at_once(8, [&](int user) {
      Random random(static_cast<std::uint64_t>(user), 5);
      for (int i = 0; i < products_each; ++i) {
        const std::size_t which = random.below(all.size());
        if (!same_bytes(all[which].compute(), serial[which])) ++wrong;
        ++done;
      }
    });
    EXPECT_EQ(done.load(), 8 * products_each);
    EXPECT_EQ(wrong.load(), 0) << "of " << done.load() << " products, on " << count
                               << " of Heed's threads";
  }
}

constexpr Index vocabulary = 60;
constexpr Index batch_lines = 24;

Batch batch_of(std::uint64_t seed) {
  Random random(seed, 8);
  std::vector<std::vector<Id>> sources(batch_lines);
  std::vector<std::vector<Id>> inputs(batch_lines);
  std::vector<Id> gold;
  for (Index i = 0; i < batch_lines; ++i) {
    const auto token = [&] {
      return static_cast<Id>(first_free_id +
                             static_cast<Id>(random.below(vocabulary - first_free_id)));
    };
    const std::uint64_t length = 3 + random.below(20);
    inputs[i].push_back(bos_id);
    for (std::uint64_t k = 0; k < length; ++k) {
      sources[i].push_back(token());
      inputs[i].push_back(token());
      gold.push_back(inputs[i].back());
    }
    gold.push_back(eos_id);
  }
  Ids answers({static_cast<Index>(gold.size())});
  std::copy(gold.begin(), gold.end(), answers.data());
  return {pack(sources), pack(inputs), answers, {}};
}

/// Makes a model of the user's own and trains it for two steps of plain descent. Gives its losses
/// and its weights afterwards.
template <class Model, class Options>
std::vector<Tensor> train(const Options& options, std::uint64_t seed) {
  Random random(seed);
  Model model(options, random);
  std::vector<Tensor> results;
  for (std::uint64_t step = 0; step < 2; ++step) {
    step_random() = Random(seed, step);
    clear_gradients(model);
    for (std::uint64_t part : {0, 1}) {  // accumulated
      Tape tape;
      const Variable loss = loss_of(model, batch_of(seed + 10 * step + part),
                                    {.label_smoothing = Real(0.1), .ignore = ignored_id});
      results.push_back(loss.value());
      tape.backward(loss);
    }
    for (const auto& [name, p] : parameters(model))
      for (Index i = 0; i < p.value().size() && p.gradient().defined(); ++i)
        p.value()[i] -= Real(0.01) * p.gradient()[i];
  }
  for (const auto& [name, p] : parameters(model))
    results.push_back(p.value());
  return results;
}

std::vector<Tensor> train_one(int user) {
  const auto seed = static_cast<std::uint64_t>(user + 1);
  if (user % 2 == 0)
    return train<Transformer>(TransformerOptions{.vocabulary = vocabulary,
                                                 .d = 48,
                                                 .layers = 2,
                                                 .heads = 4,
                                                 .ff = 96,
                                                 .dropout = Real(0.1)},
                              seed);
  return train<RecurrentSeq2Seq>(RecurrentSeq2SeqOptions{.vocabulary = vocabulary,
                                                         .d = 48,
                                                         .cell = CellKind::gru,
                                                         .attention = "additive",
                                                         .dropout = Real(0.1)},
                                 seed);
}

TEST(Concurrent, FourModelsTrainedAtOnceAreThoseTrainedAlone) {
  constexpr int users = 4;
  std::vector<std::vector<Tensor>> alone;
  {
    const Threads one(1);
    for (int user = 0; user < users; ++user)
      alone.push_back(train_one(user));
  }
  for (int count : thread_counts) {
    const Threads threads(count);
    std::vector<std::vector<Tensor>> together(users);
    at_once(users, [&](int user) { together[user] = train_one(user); });
    for (int user = 0; user < users; ++user)
      EXPECT_EQ(first_difference(together[user], alone[user]), "")
          << "model " << user << ", on " << count << " threads";
  }
}

// One model that all threads share and none changes
// ------------------------------------------------

constexpr int readers = 8;

struct Answers {
  std::vector<std::vector<Id>> ids;
  std::vector<double> numbers;
  bool operator==(const Answers&) const = default;
};

void add(std::span<const std::vector<Hypothesis>> found, Answers& answers) {
  for (const auto& hypotheses : found)
    for (const Hypothesis& h : hypotheses) {
      answers.ids.push_back(h.ids);
      answers.numbers.push_back(h.log_probability);
    }
}

/// What thread `user` computes with a model: searches, samples, scores and a loss, on its own
/// lines.
Answers ask(const BatchModel& model, int user) {
  Random random(static_cast<std::uint64_t>(user), 12);
  std::vector<std::vector<Id>> sources;
  std::vector<std::vector<Id>> targets;
  for (Index i = 0; i < 3; ++i) {
    const auto line = [&](std::uint64_t length) {
      std::vector<Id> ids;
      for (std::uint64_t k = 0; k < length; ++k)
        ids.push_back(static_cast<Id>(first_free_id + static_cast<Id>(random.below(20))));
      return ids;
    };
    sources.push_back(line(1 + random.below(9)));
    targets.push_back(line(1 + random.below(6)));
  }
  Answers answers;
  add(decode(model, sources, {.beam = 3, .nbest = 2, .max_length = 10}), answers);
  add(decode(model, sources, {.nbest = 2, .max_length = 10, .sample = true, .seed = 5}), answers);
  for (const TargetScore& score : score_targets(model, sources, targets))
    answers.numbers.push_back(score.log_probability);
  const Sequences target = pack(targets);
  const Batch batch{model.reads_source() ? pack(sources) : Sequences{}, target, target.ids, {}};
  answers.numbers.push_back(static_cast<double>(model.loss(batch, {}).item()));
  return answers;
}

std::vector<std::pair<std::string, std::unique_ptr<BatchModel>>> families() {
  Random random(3);
  const Real dropout = Real(0.2);  // decoding does not apply it
  const Index v = 24;
  const Index d = 16;
  std::vector<std::pair<std::string, std::unique_ptr<BatchModel>>> all;
  all.emplace_back(
      "transformer",
      of_batches<Transformer>(
          TransformerOptions{
              .vocabulary = v, .d = d, .layers = 2, .heads = 2, .dropout = dropout, .copy = true},
          random));
  all.emplace_back(
      "conv",
      of_batches<ConvS2S>(
          ConvS2SOptions{.vocabulary = v, .d = d, .layers = 2, .positions = 16, .dropout = dropout},
          random));
  all.emplace_back(
      "rnn", of_batches<RecurrentSeq2Seq>(
                 RecurrentSeq2SeqOptions{.vocabulary = v, .d = d, .dropout = dropout}, random));
  all.emplace_back("rnn+additive",
                   of_batches<RecurrentSeq2Seq>(RecurrentSeq2SeqOptions{.vocabulary = v,
                                                                        .d = d,
                                                                        .cell = CellKind::gru,
                                                                        .attention = "additive",
                                                                        .dropout = dropout,
                                                                        .copy = true},
                                                random));
  all.emplace_back("rnn+multi_head",
                   of_batches<RecurrentSeq2Seq>(
                       RecurrentSeq2SeqOptions{
                           .vocabulary = v, .d = d, .attention = "multi_head", .dropout = dropout},
                       random));
  all.emplace_back(
      "lm",
      of_batches<LanguageModel>(
          LanguageModelOptions{
              .vocabulary = v, .d = d, .layers = 2, .heads = 2, .context = 15, .dropout = dropout},
          random));
  for (auto& [name, model] : all)
    set_training(*model, false);
  return all;
}

TEST(Concurrent, OneModelAnswersEightThreadsAsItAnswersEachAlone) {
  for (const auto& [name, model] : families()) {
    std::vector<Answers> alone;
    {
      const Threads one(1);
      for (int user = 0; user < readers; ++user)
        alone.push_back(ask(*model, user));
    }
    for (int count : {1, 3}) {
      const Threads threads(count);
      std::vector<Answers> together(readers);
      at_once(readers, [&, &model = model](int user) {
        together[static_cast<std::size_t>(user)] = ask(*model, user);
      });
      for (std::size_t user = 0; user < readers; ++user)
        EXPECT_TRUE(together[user] == alone[user])
            << name << ", reader " << user << ", on " << count << " threads";
    }
  }
}

TEST(Concurrent, PositionsAreTheSameWhileTheirTableGrows) {
  const auto of_length = [](const SinusoidalPositions& positions, Index n) {
    return positions(Spans::packed({n}), n % 7);
  };
  std::vector<Tensor> alone;
  for (Index user = 0; user < readers; ++user)
    alone.push_back(of_length(SinusoidalPositions(8), 60 << user));
  for (int round = 0; round < 20; ++round) {
    const SinusoidalPositions positions(8);
    std::atomic<int> wrong{0};
    at_once(readers, [&](int user) {
      for (int i = 0; i < readers; ++i) {
        const int which = (user + i) % readers;
        if (!same_bytes(of_length(positions, 60 << which), alone[static_cast<std::size_t>(which)]))
          ++wrong;
      }
    });
    EXPECT_EQ(wrong.load(), 0);
  }
}

}  // namespace
}  // namespace heed::test
