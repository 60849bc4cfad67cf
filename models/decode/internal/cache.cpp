#include "models/decode/internal/cache.h"

#include <algorithm>

#include "models/internal/checks.h"

namespace heed {

void KeyValueCache::select(std::span<const Index> rows) {
  detail::check_selected("select", rows, this->rows());
  chosen_.resize(rows.size() * static_cast<std::size_t>(stride_));
  std::vector<Index> lengths;
  lengths.reserve(rows.size());
  auto to = chosen_.begin();
  for (Index row : rows) {
    std::copy_n(histories_.begin() + row * stride_, lengths_[row], to);
    to += stride_;
    lengths.push_back(lengths_[row]);
  }
  std::swap(histories_, chosen_);
  lengths_ = std::move(lengths);
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

void KeyValueCache::extend(const Spans& spans) {
  check(spans.count() == rows(), "cache", "expected {} rows; got {}", rows(), spans.count());
  Index longest = 0;
  for (Index r = 0; r < rows(); ++r)
    longest = std::max(longest, lengths_[r] + spans.length(r));
  reserve(longest);
  latest_ = used_;
  for (Index r = 0; r < rows(); ++r)
    for (Index t = 0; t < spans.length(r); ++t)
      histories_[r * stride_ + lengths_[r]++] = static_cast<Id>(latest_ + spans.begin(r) + t);
  used_ += spans.rows();
}

void KeyValueCache::extend() {
  reserve(lengths_.empty() ? 0 : *std::max_element(lengths_.begin(), lengths_.end()) + 1);
  latest_ = used_;
  for (Index r = 0; r < rows(); ++r)
    histories_[r * stride_ + lengths_[r]++] = static_cast<Id>(used_++);
}

Variable KeyValueCache::prompt(std::size_t layer, const SelfAttention& attention, const Variable& x,
                               const Spans& spans) {
  const Index d = x.columns();
  const Projected projected = attention.project(x, spans);
  const Tensor& qkv = projected.queries.value();  // (rows, 3 d)
  for (Index r = 0; r < x.rows(); ++r)
    std::copy_n(qkv.data() + r * 3 * d + d, 2 * d, data(layer, d) + (latest_ + r) * 2 * d);
  return attention.output(attention.combine(projected, spans, spans, {.causal = true}));
}

Real* KeyValueCache::data(std::size_t layer, Index d) {
  Tensor& cache = layers_[layer];
  if (!cache.defined() || cache.shape()[0] < used_) {
    Tensor larger({std::max<Index>(2 * used_, 64), 2 * d});
    if (cache.defined()) std::copy_n(cache.data(), latest_ * 2 * d, larger.data());
    cache = larger;
  }
  return cache.data();
}

std::vector<kernels::KeyList> KeyValueCache::keys() const {
  std::vector<kernels::KeyList> result;
  result.reserve(lengths_.size());
  for (Index r = 0; r < rows(); ++r)
    result.push_back({histories_.data() + r * stride_, 0, lengths_[r]});
  return result;
}

}  // namespace heed
