#include "models/decode/internal/cache.h"

#include <algorithm>

#include "models/internal/checks.h"

namespace heed {

void KeyValueCache::select(std::span<const Index> rows) {
  detail::check_selected("select", rows, this->rows());
  chosen_.resize(rows.size() * static_cast<std::size_t>(stride_));
  std::vector<Index> lengths;
  std::vector<Index> positions;
  lengths.reserve(rows.size());
  positions.reserve(rows.size());
  auto to = chosen_.begin();
  for (Index row : rows) {
    std::copy_n(histories_.begin() + row * stride_, lengths_[row], to);
    to += stride_;
    lengths.push_back(lengths_[row]);
    positions.push_back(positions_[row]);
  }
  std::swap(histories_, chosen_);
  lengths_ = std::move(lengths);
  positions_ = std::move(positions);
}

void KeyValueCache::reserve(Index longest) {
  const Index stride = longest <= stride_ ? stride_ : std::max<Index>(2 * stride_, longest + 16);
  if (stride == stride_ && histories_.size() == lengths_.size() * static_cast<std::size_t>(stride))
    return;
  chosen_.resize(lengths_.size() * static_cast<std::size_t>(stride));
  for (Index r = 0; r < rows(); ++r)
    std::copy_n(histories_.begin() + r * stride_, lengths_[r], chosen_.begin() + r * stride);
  std::swap(histories_, chosen_);
  stride_ = stride;
}

void KeyValueCache::shorten(Index kept) {
  std::vector<Id> moved(static_cast<std::size_t>(used_), -1);
  for (Index r = 0; r < rows(); ++r) {
    const auto begin = histories_.begin() + r * stride_;
    const Index dropped = std::max<Index>(0, lengths_[r] - kept);
    std::copy(begin + dropped, begin + lengths_[r], begin);
    lengths_[r] -= dropped;
    for (Index t = 0; t < lengths_[r]; ++t)
      moved[begin[t]] = 0;
  }
  Id seen = 0;
  for (Id& place : moved)
    if (place == 0) place = seen++;
  for (Index r = 0; r < rows(); ++r)
    for (Index t = 0; t < lengths_[r]; ++t) {
      Id& place = histories_[r * stride_ + t];
      place = moved[place];
    }
  for (Tensor& layer : layers_) {
    if (!layer.defined()) continue;
    const Index columns = layer.columns();
    Tensor smaller({std::max<Index>(2 * Index{seen}, 64), columns});
    for (Index i = 0; i < used_; ++i)
      if (moved[i] >= 0)
        std::copy_n(layer.data() + i * columns, columns, smaller.data() + moved[i] * columns);
    layer = smaller;
  }
  used_ = seen;
}

void KeyValueCache::forget() {
  if (sight_ == 0 || lengths_.empty()) return;
  if (*std::ranges::max_element(lengths_) >= 2 * sight_ + 16) shorten(sight_);
}

void KeyValueCache::extend(const Spans& spans) {
  check(spans.count() == rows(), "cache", "expected {} rows; got {}", rows(), spans.count());
  forget();
  Index longest = 0;
  for (Index r = 0; r < rows(); ++r)
    longest = std::max(longest, lengths_[r] + spans.length(r));
  reserve(longest);
  latest_ = used_;
  for (Index r = 0; r < rows(); ++r) {
    for (Index t = 0; t < spans.length(r); ++t)
      histories_[r * stride_ + lengths_[r]++] = static_cast<Id>(latest_ + spans.begin(r) + t);
    positions_[r] += spans.length(r);
  }
  used_ += spans.rows();
}

void KeyValueCache::extend() {
  forget();
  reserve(lengths_.empty() ? 0 : *std::max_element(lengths_.begin(), lengths_.end()) + 1);
  latest_ = used_;
  for (Index r = 0; r < rows(); ++r) {
    histories_[r * stride_ + lengths_[r]++] = static_cast<Id>(used_++);
    ++positions_[r];
  }
}

Real* KeyValueCache::data(std::size_t layer, Index columns) {
  Tensor& cache = layers_[layer];
  if (!cache.defined() || cache.shape()[0] < used_) {
    Tensor larger({std::max<Index>(2 * used_, 64), columns});
    if (cache.defined()) std::copy_n(cache.data(), latest_ * columns, larger.data());
    cache = larger;
  }
  return cache.data();
}

std::vector<kernels::KeyList> KeyValueCache::keys(Index sight) const {
  std::vector<kernels::KeyList> result;
  result.reserve(lengths_.size());
  for (Index r = 0; r < rows(); ++r) {
    const Index seen = sight > 0 ? std::min(sight, lengths_[r]) : lengths_[r];
    result.push_back({histories_.data() + r * stride_ + lengths_[r] - seen, 0, seen});
  }
  return result;
}

Index KeyValueCache::size() const {
  Index numbers = 0;
  for (const Tensor& layer : layers_)
    if (layer.defined()) numbers += used_ * layer.columns();
  return numbers;
}

}  // namespace heed
