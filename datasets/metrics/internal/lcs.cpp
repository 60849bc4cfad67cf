#include "datasets/metrics/internal/lcs.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

namespace heed {

namespace {

using Words = std::span<const std::uint32_t>;
using Bits = std::vector<std::uint64_t>;

// Rows of the table L(i, j) = LCS(a[0, i), b[0, j)) as bits: bit j of row i is zero where
// L(i, j + 1) = L(i, j) + 1.
class Rows {
 public:
  explicit Rows(Words b) : width_((b.size() + 63) / 64), matches_(width_) {
    for (std::size_t j = 0; j < b.size(); ++j)
      places_[b[j]].listed.push_back(j);
    for (auto& [word, places] : places_)
      if (places.listed.size() > width_) mark(places.listed, places.marked);
  }
  Bits first() const { return Bits(width_, ~std::uint64_t{0}); }

  // Turns row i into row i + 1. `word` is a[i], and M the places of `word` in b:
  // row = (row + (row & M)) | (row & ~M).
  void advance(Bits& row, std::uint32_t word) {
    const auto found = places_.find(word);
    if (found == places_.end()) return;
    const auto& [listed, marked] = found->second;
    if (marked.empty()) mark(listed, matches_);
    const Bits& matches = marked.empty() ? matches_ : marked;
    std::uint64_t carry = 0;
    for (std::size_t k = listed.front() / 64; k < width_; ++k) {
      const std::uint64_t matched = row[k] & matches[k];
      const std::uint64_t sum = row[k] + matched;
      const std::uint64_t more = sum + carry;
      carry = (sum < matched) | (more < sum);
      row[k] = more | (row[k] & ~matches[k]);
    }
    if (marked.empty())
      for (const std::size_t j : listed)
        matches_[j / 64] = 0;
  }

  // L(i, j)
  static Index zeros(const Bits& row, std::size_t j) {
    Index ones = 0;
    for (std::size_t k = 0; k < j / 64; ++k)
      ones += std::popcount(row[k]);
    if (j % 64) ones += std::popcount(row[j / 64] & ~(~std::uint64_t{0} << j % 64));
    return static_cast<Index>(j) - ones;
  }
  // L(i, j + 1) - L(i, j)
  static Index rises(const Bits& row, std::size_t j) { return ~row[j / 64] >> j % 64 & 1; }

 private:
  struct Places {
    std::vector<std::size_t> listed;  // ascending
    // The same places as bits, for a word at more than one place in 64. There are at most 64 such
    // words.
    Bits marked;
  };
  void mark(const std::vector<std::size_t>& places, Bits& bits) const {
    bits.resize(width_);
    for (const std::size_t j : places)
      bits[j / 64] |= std::uint64_t{1} << j % 64;
  }

  std::size_t width_;
  std::unordered_map<std::uint32_t, Places> places_;  // of each word in b
  Bits matches_;                                      // M while a row advances, else zeros
};

// Goes back through a[begin, end) and appends the positions that are taken, in descending order.
// block[k] is row begin + k. `j` is the number of words of b that are left.
void take_back(Words a, Words b, std::size_t begin, std::size_t end, const std::vector<Bits>& block,
               std::size_t& j, std::vector<std::size_t>& positions) {
  for (std::size_t i = end; i > begin && j > 0; --i) {
    const Bits& here = block[i - begin];
    const Bits& above = block[i - 1 - begin];
    Index length = Rows::zeros(here, j);
    Index length_above = Rows::zeros(above, j);
    while (j > 0 && a[i - 1] != b[j - 1] && length - Rows::rises(here, j - 1) > length_above) {
      length -= Rows::rises(here, j - 1);
      length_above -= Rows::rises(above, j - 1);
      --j;
    }
    if (j > 0 && a[i - 1] == b[j - 1]) {
      positions.push_back(i - 1);
      --j;
    }
  }
}

}  // namespace

Index lcs_length(Words a, Words b) {
  Rows rows(b);
  Bits row = rows.first();
  for (const std::uint32_t word : a)
    rows.advance(row, word);
  return Rows::zeros(row, b.size());
}

std::vector<std::size_t> lcs_positions(Words a, Words b) {
  Rows rows(b);
  const auto block = static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(a.size()))));
  // All rows would need too much memory. The first pass keeps rows 0, block, 2 block ..., and each
  // block of rows is computed again when it is needed.
  std::vector<Bits> kept;
  Bits row = rows.first();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (i % block == 0) kept.push_back(row);
    rows.advance(row, a[i]);
  }

  std::vector<std::size_t> positions;
  std::vector<Bits> recent;  // rows begin, begin + 1 ... of the current block
  std::size_t j = b.size();
  for (std::size_t begin = kept.size() * block; begin > 0 && j > 0;) {
    begin -= block;
    recent.clear();
    recent.push_back(std::move(kept[begin / block]));
    const std::size_t end = std::min(begin + block, a.size());
    for (std::size_t i = begin; i < end; ++i) {
      recent.push_back(recent.back());
      rows.advance(recent.back(), a[i]);
    }
    take_back(a, b, begin, end, recent, j, positions);
  }
  std::reverse(positions.begin(), positions.end());
  return positions;
}

}  // namespace heed
