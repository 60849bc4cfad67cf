#include "layers/attention/cache.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/attend_rows.h"
#include "framework/kernels/parallel.h"

namespace heed {

namespace {

Real scale_of(Index d, int heads) { return 1 / std::sqrt(static_cast<Real>(d / heads)); }

Tensor attend(int heads, const Tensor& q, Index q_stride, Index d, const Tensor& kv, const std::vector<kernels::KeyList>& keys) {
  Index longest = 1;
  for (const auto& list : keys) longest = std::max(longest, list.count);
  const Index rows = static_cast<Index>(keys.size());
  Tensor y({rows, d}), scores({threads(), longest});
  kernels::attend_rows(rows, heads, d / heads, scale_of(d, heads), q.data(), q_stride, kv.data(), keys.data(), longest, y.data(), scores.data());
  return y;
}

}  // namespace

void KeyValueCache::select(std::span<const Index> rows) {
  std::vector<std::vector<Id>> chosen;
  chosen.reserve(rows.size());
  for (Index row : rows) chosen.push_back(histories_[row]);
  histories_ = std::move(chosen);
}

void KeyValueCache::extend(const Spans& spans) {
  check(spans.count() == rows(), "cache", "expected {} rows; got {}", rows(), spans.count());
  latest_ = used_;
  for (Index r = 0; r < spans.count(); ++r)
    for (Index t = 0; t < spans.length(r); ++t) histories_[r].push_back(static_cast<Id>(latest_ + spans.begin(r) + t));
  used_ += spans.rows();
}

Tensor KeyValueCache::attend(std::size_t layer, const SelfAttention& attention, const Tensor& x, const Spans& spans) {
  const Index d = x.columns(), rows_now = x.rows();
  const Tensor qkv = attention.input(x).value();  // (rows, 3 d)
  Tensor& cache = layers_[layer];
  if (!cache.defined() || cache.shape()[0] < used_) {
    Tensor larger({std::max<Index>(2 * used_, 64), 2 * d});
    if (cache.defined()) std::copy_n(cache.data(), latest_ * 2 * d, larger.data());
    cache = larger;
  }
  for (Index r = 0; r < rows_now; ++r) std::copy_n(qkv.data() + r * 3 * d + d, 2 * d, cache.data() + (latest_ + r) * 2 * d);
  if (spans.longest() > 1 || rows_now < rows())  // a prompt; some may be empty
    return attention.output(heed::attention(qkv, {.heads = attention.heads, .queries = spans, .keys = spans, .causal = true})).value();
  std::vector<kernels::KeyList> keys;
  for (const auto& history : histories_) keys.push_back({history.data(), 0, static_cast<Index>(history.size())});
  return attention.output(heed::attend(attention.heads, qkv, 3 * d, d, cache, keys)).value();
}

Tensor attend_memory(const CrossAttention& attention, const Tensor& x, const Tensor& kv, const Spans& memory_spans,
                     std::span<const Index> sentence) {
  const Tensor q = attention.query(x).value();
  std::vector<kernels::KeyList> keys;
  for (Index i : sentence) keys.push_back({nullptr, memory_spans.begin(i), memory_spans.length(i)});
  return attention.output(attend(attention.heads, q, q.columns(), q.columns(), kv, keys)).value();
}

}  // namespace heed
