#include "datasets/metrics/item_counts.h"

#include <array>

#include <gtest/gtest.h>

#include "framework/error.h"

namespace heed {
namespace {

using Sums = std::vector<double>;

ItemCounts three_items() {
  ItemCounts items(3, 2, {"x", "y", "z"});
  items.add(std::array<double, 3>{1, 0, 0.5});
  items.add(std::array<double, 3>{0, 0, 0});
  items.add_entries(std::array<ItemCounts::Entry, 3>{{{2, 4}, {0, 1}, {2, 1}}});
  return items;
}

TEST(ItemCounts, AddUp) {
  const ItemCounts items = three_items();
  EXPECT_EQ(items.size(), 3u);
  EXPECT_EQ(items.width(), 3u);
  EXPECT_EQ(items.references(), 2);
  EXPECT_EQ(items.classes().size(), 3u);
  EXPECT_EQ(items.sum(), (Sums{2, 0, 5.5}));
  EXPECT_EQ(items.sum(std::vector<std::size_t>{}), (Sums{0, 0, 0}));
  EXPECT_EQ(items.sum(std::vector<std::size_t>{1}), (Sums{0, 0, 0}));
  EXPECT_EQ(items.sum(std::vector<std::size_t>{2, 0, 2}), (Sums{3, 0, 10.5}));
}

TEST(ItemCounts, RefuseWhatIsOutside) {
  ItemCounts items = three_items();
  EXPECT_THROW(items.add(std::array<double, 2>{1, 2}), Error);
  EXPECT_THROW(items.add_entries(std::array<ItemCounts::Entry, 1>{{{3, 1}}}), Error);
  EXPECT_THROW(items.sum(std::vector<std::size_t>{3}), Error);
  EXPECT_EQ(items.size(), 3u) << "unchanged";
}

}  // namespace
}  // namespace heed
