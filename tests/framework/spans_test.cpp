#include <functional>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "framework/sequences.h"
#include "tests/message_of.h"

// What Spans answer, and what they refuse.

namespace heed {
namespace {

TEST(Spans, OfNothingHaveNothing) {
  const std::vector<Index> none;
  for (const Spans& spans : {Spans(), Spans::packed(none), Spans::packed({}), Spans::padded({}, 5),
                             Spans().select({})}) {
    EXPECT_EQ(spans.count(), 0);
    EXPECT_EQ(spans.rows(), 0);
    EXPECT_EQ(spans.tokens(), 0);
    EXPECT_EQ(spans.longest(), 0);
    EXPECT_TRUE(spans.lengths().empty());
    EXPECT_TRUE(spans.begins().empty());
    EXPECT_EQ(message_of([&] { spans.length(0); }),
              "[spans] expected a sequence within [0, 0); got 0");
    EXPECT_EQ(message_of([&] { spans.begin(0); }),
              "[spans] expected a sequence within [0, 0); got 0");
    EXPECT_TRUE(time_order(spans).sequences.empty());
  }
}

TEST(Spans, AreWrittenAsLists) {
  const Spans packed = Spans::packed({2, 0, 3});
  EXPECT_EQ(packed.count(), 3);
  EXPECT_EQ(packed.begin(2), 2);
  EXPECT_EQ(packed.rows(), 5);
  const Spans padded = Spans::padded({2, 0, 3}, 4);
  EXPECT_EQ(padded.begin(2), 8);
  EXPECT_EQ(padded.rows(), 12);
  EXPECT_EQ(packed.select({2, 0}).length(0), 3);
  const Sequences lines = pack({{1, 2, 3}, {4, 5}});
  EXPECT_EQ(lines.ids.to_vector(), (std::vector<Id>{1, 2, 3, 4, 5}));
  EXPECT_EQ(lines.spans.length(1), 2);
}

TEST(Spans, RefuseLengthsThatAreNone) {
  constexpr Index most = std::numeric_limits<Index>::max();
  const struct {
    std::function<void()> make;
    std::string message;
  } rows[] = {
      {[] {
         Spans::packed({3, -1});
       },
       "[spans] expected lengths of at least 0; got -1"},
      {[] { Spans::packed({-3}); }, "[spans] expected lengths of at least 0; got -3"},
      {[] {
         Spans::padded({3, -1}, 4);
       },
       "[spans] expected lengths of at most 4; got -1"},
      {[] {
         Spans::padded({3, 5}, 4);
       },
       "[spans] expected lengths of at most 4; got 5"},
      {[] { Spans::padded({}, -4); }, "[spans] expected a width of at least 0; got -4"},
      {[] { Spans::packed({2}).select({1}); }, "[spans] expected sequences within [0, 1); got 1"},
      {[] { Spans::packed({2}).select({-1}); }, "[spans] expected sequences within [0, 1); got -1"},
      {[] { Spans::packed({2}).length(1); }, "[spans] expected a sequence within [0, 1); got 1"},
      {[] { Spans::packed({2}).begin(-1); }, "[spans] expected a sequence within [0, 1); got -1"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(message_of(row.make), row.message);
  EXPECT_NE(message_of([] { Spans::packed({most, most}); }), "");
  EXPECT_NE(message_of([] { Spans::packed({most / 2, 1, most / 2}); }), "");
  EXPECT_NE(message_of([] { Spans::padded({1, 1, 1}, most / 2); }), "");
}

}  // namespace
}  // namespace heed
