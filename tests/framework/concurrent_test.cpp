#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "framework/ops.h"
#include "layers/seq2seq/recurrent.h"
#include "layers/seq2seq/transformer.h"
#include "tests/framework/threads.h"

// Heed called from many threads of the user's at once: what each gets is what it gets alone, to the bit.

namespace heed::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int products_each = 500;
#else
constexpr int products_each = 10'000;
#endif

struct Product {
  Tensor a, b, bias;  // with a bias: linear(a, b, bias)
  Transpose transpose;
  Tensor compute() const { return (bias.defined() ? linear(a, b, bias) : matmul(a, b, transpose)).value(); }
};

/// Most are small; some are worth packing, and a few are cut into several tasks.
std::vector<Product> products() {
  std::vector<Product> all;
  Random random(11);
  const auto extent = [&](Index most) { return static_cast<Index>(random.below(static_cast<std::uint64_t>(most))) + 1; };
  for (int i = 0; i < 300; ++i) {
    const Index most = i % 100 == 99 ? 330 : i % 10 == 9 ? 90 : 24, least = i % 100 == 99 ? 220 : 0;
    const Index m = std::max(extent(most), least), n = std::max(extent(most), least), k = std::max(extent(most), least);
    const std::uint64_t seed = 2 * static_cast<std::uint64_t>(i);
    const Transpose t{.a = i % 2 == 1, .b = i % 3 == 1};
    if (i % 5 == 4)
      all.push_back({uniform_tensor({m, k}, seed), uniform_tensor({n, k}, seed + 1), uniform_tensor({n}, seed), {}});
    else
      all.push_back({uniform_tensor(t.a ? Shape{k, m} : Shape{m, k}, seed), uniform_tensor(t.b ? Shape{n, k} : Shape{k, n}, seed + 1), {}, t});
  }
  return all;
}

/// f(0) ... f(count - 1), each on a thread of its own, which all begin together.
void at_once(int count, const std::function<void(int)>& f) {
  std::atomic<int> missing{count};
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      --missing;
      while (missing.load() > 0) std::this_thread::yield();
      f(i);
    });
  for (std::thread& thread : threads) thread.join();
}

TEST(Concurrent, TenThousandProductsOnEachOfEightThreadsEqualTheSerialOnes) {
  const std::vector<Product> all = products();
  std::vector<Tensor> serial;
  {
    const Threads one(1);
    for (const Product& product : all) serial.push_back(product.compute());
  }
  for (int count : {1, 3}) {
    const Threads threads(count);
    std::atomic<int> done{0}, wrong{0};
    at_once(8, [&](int user) {
      Random random(static_cast<std::uint64_t>(user), 5);
      for (int i = 0; i < products_each; ++i) {
        const std::size_t which = random.below(all.size());
        if (!same_bytes(all[which].compute(), serial[which])) ++wrong;
        ++done;
      }
    });
    EXPECT_EQ(done.load(), 8 * products_each);
    EXPECT_EQ(wrong.load(), 0) << "of " << done.load() << " products, on " << count << " of Heed's threads";
  }
}

constexpr Index vocabulary = 60, batch_lines = 24;

Batch batch_of(std::uint64_t seed) {
  Random random(seed, 8);
  std::vector<std::vector<Id>> sources(batch_lines), inputs(batch_lines);
  std::vector<Id> gold;
  for (Index i = 0; i < batch_lines; ++i) {
    const auto token = [&] { return static_cast<Id>(first_free_id + static_cast<Id>(random.below(vocabulary - first_free_id))); };
    const std::uint64_t length = 3 + random.below(20);
    inputs[i].push_back(bos_id);
    for (std::uint64_t k = 0; k < length; ++k) sources[i].push_back(token()), inputs[i].push_back(token()), gold.push_back(inputs[i].back());
    gold.push_back(eos_id);
  }
  Ids answers({static_cast<Index>(gold.size())});
  std::copy(gold.begin(), gold.end(), answers.data());
  return {pack(sources), pack(inputs), answers, {}};
}

/// A model of the user's own: made, and trained two steps by plain descent. Its losses, and what its weights have become.
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
      const Variable loss = model.loss(batch_of(seed + 10 * step + part), {.label_smoothing = Real(0.1), .ignore = ignored_id});
      results.push_back(loss.value());
      tape.backward(loss);
    }
    for (const auto& [name, p] : parameters(model))
      for (Index i = 0; i < p.value().size() && p.gradient().defined(); ++i) p.value()[i] -= Real(0.01) * p.gradient()[i];
  }
  for (const auto& [name, p] : parameters(model)) results.push_back(p.value());
  return results;
}

std::vector<Tensor> train_one(int user) {
  const auto seed = static_cast<std::uint64_t>(user + 1);
  if (user % 2 == 0)
    return train<Transformer>(TransformerOptions{.vocabulary = vocabulary, .d = 48, .layers = 2, .heads = 4, .ff = 96, .dropout = Real(0.1)}, seed);
  return train<RecurrentSeq2Seq>(RecurrentSeq2SeqOptions{.vocabulary = vocabulary, .d = 48, .cell = CellKind::gru, .attention = "additive", .dropout = Real(0.1)}, seed);
}

TEST(Concurrent, FourModelsTrainedAtOnceAreThoseTrainedAlone) {
  constexpr int users = 4;
  std::vector<std::vector<Tensor>> alone;
  {
    const Threads one(1);
    for (int user = 0; user < users; ++user) alone.push_back(train_one(user));
  }
  for (int count : thread_counts) {
    const Threads threads(count);
    std::vector<std::vector<Tensor>> together(users);
    at_once(users, [&](int user) { together[user] = train_one(user); });
    for (int user = 0; user < users; ++user) EXPECT_EQ(first_difference(together[user], alone[user]), "") << "model " << user << ", on " << count << " threads";
  }
}

}  // namespace
}  // namespace heed::test
