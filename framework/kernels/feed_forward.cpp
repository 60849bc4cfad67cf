#include "framework/kernels/feed_forward.h"

#include <algorithm>

#include "framework/kernels/gelu.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

/// f(begin, count, mask) on blocks of the dropout mask. The mask is null where nothing is dropped.
template <class F>
void blocks(Index n, const Dropout& dropout, Index first, Index cost, F f) {
  parallel_for(n, std::max<Index>(grain_of(cost) / dropout_block, 1) * dropout_block,
               [&](Index begin, Index end) {
                 if (!dropout.active()) return f(begin, end - begin, nullptr);
                 alignas(64) Real mask[dropout_block];
                 for (Index i = begin; i < end; i += dropout_block) {
                   dropout_mask(dropout, (first + i) / dropout_block, mask);
                   f(i, std::min(dropout_block, end - i), mask);
                 }
               });
}

}  // namespace

void relu_hidden(Index n, const Dropout& dropout, Index first, const Real* z, Real* h) {
  blocks(n, dropout, first, 2, [=](Index i, Index count, const Real* mask) {
    if (mask)
      transform_serial(
          count, h + i, Mode::assign, [](Vec v, Vec m) { return m * max(v, Vec(0)); }, z + i, mask);
    else
      transform_serial(
          count, h + i, Mode::assign, [](Vec v) { return max(v, Vec(0)); }, z + i);
  });
}

void gelu_hidden(Index n, const Dropout& dropout, Index first, const Real* z, Real* h) {
  blocks(n, dropout, first, 30, [=](Index i, Index count, const Real* mask) {
    if (mask)
      transform_serial(
          count, h + i, Mode::assign, [](Vec v, Vec m) { return m * Gelu(v).value(); }, z + i,
          mask);
    else
      transform_serial(
          count, h + i, Mode::assign, [](Vec v) { return Gelu(v).value(); }, z + i);
  });
}

void relu_hidden_backward(Index n, const Dropout& dropout, const Real* h, Real* dh) {
  const Vec scale = dropout.scale;
  transform(
      n, dh, Mode::assign, 3,
      [scale](Vec v, Vec g) { return select(less(Vec(0), v), scale * g, Vec(0)); }, h,
      static_cast<const Real*>(dh));
}

void gelu_hidden_backward(Index n, const Dropout& dropout, Index first, Real* z, Real* dh) {
  blocks(n, dropout, first, 40, [=](Index begin, Index count, const Real* mask) {
    Real* x = z + begin;
    Real* d = dh + begin;
    for_each_vector(count, [=](auto lanes) {
      const Gelu gelu(lanes.load(x));
      const Vec g = lanes.load(d);
      if (mask) {
        const Vec m = lanes.load(mask);
        lanes.store(m * gelu.value(), x);
        lanes.store(gelu.backward(m * g), d);
      } else {
        lanes.store(gelu.value(), x);
        lanes.store(gelu.backward(g), d);
      }
    });
  });
}

}  // namespace heed::kernels
