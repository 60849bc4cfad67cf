// Shapes, tensors, spans, random numbers and the allocator.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <set>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>

#include "framework/error.h"
#include "framework/memory.h"
#include "framework/random.h"
#include "framework/sequences.h"
#include "framework/tensor.h"
#include "tests/message_of.h"

namespace heed {
namespace {

TEST(Shape, Prints) {
  EXPECT_EQ(to_string(Shape{}), "()");
  EXPECT_EQ(to_string(Shape{3}), "(3,)");
  EXPECT_EQ(to_string(Shape{2, 0, 4}), "(2, 0, 4)");
}

TEST(Shape, Counts) {
  EXPECT_EQ(Shape{}.size(), 1);
  EXPECT_EQ(Shape{}.columns(), 1);
  EXPECT_EQ(Shape{}.rows(), 1);
  EXPECT_EQ((Shape{2, 3, 4}).size(), 24);
  EXPECT_EQ((Shape{2, 3, 4}).rows(), 6);
  EXPECT_EQ((Shape{2, 0}).size(), 0);
  EXPECT_EQ((Shape{0, 3}).rows(), 0);
  EXPECT_EQ((Shape{2, 3}).without(0), Shape{3});
  EXPECT_EQ((Shape{2, 3}).with(1, 7), (Shape{2, 7}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{2, 3, 1}));
  EXPECT_EQ((Shape{2, 3}).axis(-2, "test"), 0);
}

TEST(Shape, RefusesWhatIsTooMuch) {
  EXPECT_EQ(message_of([] { Shape{1, 2, 3, 4, 5, 6, 7}; }),
            "[shape] expected at most 6 axes; got 7");
  EXPECT_EQ(message_of([] {
              Shape{2, -3};
            }),
            "[shape] expected extents of 0 or more; got -3 on axis 1");
  EXPECT_EQ(message_of([] {
              Shape{Index{1} << 40, Index{1} << 40};
            }),
            "[shape] more than 2^48 elements");
  EXPECT_EQ(message_of([] {
              Shape{0, Index{1} << 40, Index{1} << 40};
            }),
            "[shape] more than 2^48 elements");
  EXPECT_EQ(message_of([] {
              (Shape{2, 3}).axis(2, "test");
            }),
            "[test] expected an axis of (2, 3); got 2");
}

TEST(Shape, Broadcasts) {
  EXPECT_EQ(broadcast({2, 3}, {3}, "test"), (Shape{2, 3}));
  EXPECT_EQ(broadcast({2, 1}, {1, 3}, "test"), (Shape{2, 3}));
  EXPECT_EQ(broadcast({}, {4}, "test"), (Shape{4}));
  EXPECT_EQ(broadcast({0, 1}, {1, 5}, "test"), (Shape{0, 5}));
  EXPECT_EQ(message_of([] {
              broadcast({2, 3}, {0, 3}, "test");
            }),
            "[test] shapes (2, 3) and (0, 3) do not broadcast: 2 against 0");
}

TEST(Tensor, SharesAndViews) {
  Tensor a({3, 2}, {1, 2, 3, 4, 5, 6});
  EXPECT_TRUE(a.unique());
  Tensor flat = a.reshape({6});
  Tensor tail = a.slice(1, 3);
  Tensor copy = a.clone();
  EXPECT_FALSE(a.unique());
  a[2] = 30;
  EXPECT_EQ(flat[2], 30);
  EXPECT_EQ(tail.to_vector(), (std::vector<Real>{30, 4, 5, 6}));
  EXPECT_EQ(copy[2], 3);
  a = {};
  flat = {};
  EXPECT_EQ(tail[0], 30);  // a view keeps the elements
  EXPECT_TRUE(tail.unique());
  EXPECT_FALSE(a.defined());
}

TEST(Tensor, Empty) {
  Tensor empty({0, 3});
  EXPECT_TRUE(empty.defined());
  EXPECT_EQ(empty.slice(0, 0).size(), 0);
  EXPECT_EQ(empty.reshape({3, 0}).size(), 0);
  EXPECT_EQ(empty.clone().size(), 0);
}

TEST(Tensor, Misuse) {
  EXPECT_EQ(message_of([] {
              Tensor({2, 3}).reshape({4});
            }),
            "[reshape] expected 6 elements, as in (2, 3); got (4,)");
  EXPECT_EQ(message_of([] {
              Tensor({2, 3}).slice(1, 3);
            }),
            "[slice] expected rows within (2, 3); got [1, 3)");
  EXPECT_EQ(message_of([] { Tensor({2}).item(); }), "[item] expected one element; got shape (2,)");
  EXPECT_EQ(message_of([] { Tensor().item(); }), "[item] expected one element; got shape ()");
  EXPECT_EQ(message_of([] {
              Tensor({3}, {1, 2});
            }),
            "[tensor] expected 3 values for shape (3,); got 2");
}

TEST(Tensor, FromVectors) {
  const std::vector<double> doubles{1, 2.5};
  const std::vector<int> numbers{1, 2, 3};
  const std::vector<std::int64_t> large{1, std::int64_t{1} << 40};
  EXPECT_EQ(Tensor({1, 2}, doubles).to_vector(), (std::vector<Real>{1, 2.5}));
  EXPECT_EQ(Tensor(doubles).shape(), Shape{2});
  EXPECT_EQ(Ids(numbers).to_vector(), (std::vector<Id>{1, 2, 3}));
  EXPECT_EQ(Ids({3}, numbers).shape(), Shape{3});
  EXPECT_EQ(message_of([&] { Ids{large}; }), "[tensor] expected whole numbers that an id holds");
  EXPECT_EQ(message_of([&] { Tensor({3}, doubles); }),
            "[tensor] expected 3 values for shape (3,); got 2");
}

TEST(Tensor, Prints) {
  const auto printed = [](const auto& x) {
    std::ostringstream out;
    out << x;
    return out.str();
  };
  EXPECT_EQ(printed(Shape{2, 3}), "(2, 3)");
  EXPECT_EQ(printed(Tensor()), "undefined");
  EXPECT_EQ(printed(Tensor({}, {1.5})), "() 1.5");
  EXPECT_EQ(printed(Tensor({2, 2}, {1, 2, 3, 4})), "(2, 2) [[1, 2], [3, 4]]");
  EXPECT_EQ(printed(Ids({3}, {7, 8, 9})), "(3,) [7, 8, 9]");
  EXPECT_EQ(printed(Tensor({2, 0})), "(2, 0) [[], []]");
  EXPECT_EQ(printed(Ids({8}, {0, 1, 2, 3, 4, 5, 6, 7})), "(8,) [0, 1, 2, ..., 5, 6, 7]");
}

TEST(Spans, PackedAndPadded) {
  const std::vector<Index> lengths{2, 0, 3};
  const Spans packed = Spans::packed(lengths);
  const Spans padded = Spans::padded(lengths, 4);
  EXPECT_EQ(packed.begin(2), 2);
  EXPECT_EQ(packed.rows(), 5);
  EXPECT_EQ(padded.begin(2), 8);
  EXPECT_EQ(padded.rows(), 12);
  EXPECT_EQ(padded.tokens(), 5);
  EXPECT_EQ(padded.longest(), 3);
  EXPECT_EQ(Spans().count(), 0);
  EXPECT_EQ(message_of([&] { Spans::padded(lengths, 2); }),
            "[spans] expected lengths of at most 2; got 3");
  EXPECT_EQ(pack(std::vector<std::vector<Id>>{{1, 2}, {}, {3}}).ids.to_vector(),
            (std::vector<Id>{1, 2, 3}));
}

// Known answers of Random123 (Salmon et al.). Our counter is words 0 and 1 of theirs, our stream is
// words 2 and 3.
TEST(Random, PhiloxKnownAnswers) {
  using Words = std::array<std::uint32_t, 4>;
  const std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_EQ(philox({0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({ones, ones}, ones), (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x299f31d0a4093822, 0x0370734413198a2e}, 0x85a308d3243f6a88),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, SeeksAndStreams) {
  Random a(7);
  Random b(7);
  for (int i = 0; i < 10; ++i)
    a();
  b.seek(10);
  EXPECT_EQ(a(), b());
  EXPECT_EQ(a.position(), 11u);
  Random other(7, 1);
  b.seek(0);
  EXPECT_NE(other(), b());
}

TEST(Random, Distributions) {
  Random random(3);
  const int n = 200'000;
  double sum = 0;
  double squares = 0;
  double uniform = 0;
  for (int i = 0; i < n; ++i) {
    const double x = random.normal();
    const double u = random.uniform();
    ASSERT_TRUE(u >= 0 && u < 1 && std::isfinite(x));
    sum += x;
    squares += x * x;
    uniform += u;
  }
  EXPECT_NEAR(sum / n, 0, 0.01);
  EXPECT_NEAR(squares / n, 1, 0.02);
  EXPECT_NEAR(uniform / n, 0.5, 0.005);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70'000; ++i)
    ++counts[random.below(7)];
  for (int count : counts)
    EXPECT_NEAR(count, 10'000, 500);
  EXPECT_EQ(random.below(1), 0u);
  // 2^64 is far from a multiple of this bound: a bias would show.
  std::array<int, 3> thirds{};
  const std::uint64_t third = std::uint64_t{3} << 62;
  for (int i = 0; i < 30'000; ++i)
    ++thirds[random.below(third) >> 62];
  for (int count : thirds)
    EXPECT_NEAR(count, 10'000, 500);
}

TEST(Random, ShuffleAndKeys) {
  Random random(5);
  std::vector<int> order(100);
  for (int i = 0; i < 100; ++i)
    order[i] = i;
  const auto sorted = order;
  random.shuffle(order);
  EXPECT_NE(order, sorted);
  EXPECT_TRUE(std::is_permutation(order.begin(), order.end(), sorted.begin()));
  std::set<std::uint64_t> seeds;
  for (int i = 0; i < 1000; ++i)
    seeds.insert(random.next_key().seed);
  EXPECT_EQ(seeds.size(), 1000u);
}

/// Allocates and releases blocks at random. Each block is full of its own pattern.
void churn(std::uint64_t seed, int rounds, std::size_t largest) {
  struct Held {
    unsigned char* data;
    std::size_t bytes;
    unsigned char pattern;
  };
  std::vector<Held> held;
  Random random(seed);
  const auto release = [&](std::size_t i) {
    for (std::size_t k = 0; k < held[i].bytes; ++k)
      ASSERT_EQ(held[i].data[k], held[i].pattern);
    memory::release(held[i].data);
    held[i] = held.back();
    held.pop_back();
  };
  for (int round = 0; round < rounds; ++round) {
    if (held.size() > 60 || (!held.empty() && random.chance(0.45))) {
      release(random.below(held.size()));
      continue;
    }
    const auto bytes =
        static_cast<std::size_t>(std::pow(static_cast<double>(largest), random.uniform()));
    auto* data = static_cast<unsigned char*>(memory::allocate(bytes));
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(data) % 64, 0u);
    const auto pattern = static_cast<unsigned char>(random());
    std::memset(data, pattern, bytes);
    held.push_back({data, bytes, pattern});
  }
  while (!held.empty())
    release(held.size() - 1);
}

TEST(Memory, HoldsWhatIsWritten) {
  const std::size_t live = memory::statistics().live;
  churn(1, 20'000, 200'000);
  EXPECT_EQ(memory::statistics().live, live);
}

TEST(Memory, FromSeveralThreads) {
  const std::size_t live = memory::statistics().live;
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 1; seed <= 4; ++seed)
    threads.emplace_back(churn, seed, 5'000, 100'000);
  for (std::thread& thread : threads)
    thread.join();
  EXPECT_EQ(memory::statistics().live, live);
}

TEST(Memory, NeighboursCoalesce) {
  // 30 MB in pieces, then most of it as one block.
  const std::size_t piece = 1000;
  const std::size_t count = 30'000;
  std::vector<void*> pieces;
  for (std::size_t i = 0; i < count; ++i)
    pieces.push_back(memory::allocate(piece));
  Random random(9);
  random.shuffle(pieces);
  for (void* p : pieces)
    memory::release(p);
  const std::size_t system = memory::statistics().system;
  for (int i = 0; i < 5; ++i) {
    void* whole = memory::allocate(piece * count * 9 / 10);
    memory::release(whole);
  }
  EXPECT_EQ(memory::statistics().system, system);
}

TEST(Memory, EverySizeOfSlab) {
  // Sizes just below and above the limits between the lists, each larger than any slab before. Each
  // block must be found in the slab that was made for it.
  for (std::size_t mib : {33, 65, 67, 129, 131, 261}) {
    auto* data = static_cast<char*>(memory::allocate((mib << 20) + 12345));
    data[0] = data[(mib << 20) + 12344] = 1;
    memory::release(data);
  }
}

TEST(Memory, Counts) {
  const memory::Statistics before = memory::statistics();
  memory::reset_peak();
  void* a = memory::allocate(1'000'000);
  const std::size_t held = memory::statistics().live - before.live;
  EXPECT_GE(held, 1'000'000u);
  EXPECT_LE(held, 1'100'000u);
  memory::release(a);
  EXPECT_EQ(memory::statistics().live, before.live);
  EXPECT_EQ(memory::statistics().peak, before.live + held);
  void* nothing = memory::allocate(0);
  EXPECT_NE(nothing, nullptr);
  memory::release(nothing);
}

TEST(Memory, TooMuchIsAnError) {
  EXPECT_EQ(message_of([] { memory::allocate(std::size_t{1} << 47); }),
            "[memory] a tensor of 140737488355328 bytes is too large");
}

}  // namespace
}  // namespace heed
