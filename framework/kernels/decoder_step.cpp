#include "framework/kernels/decoder_step.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/gelu.h"
#include "framework/kernels/packed.h"
#include "framework/kernels/rows.h"

namespace heed::kernels {

namespace {

constexpr Index panel = panel_columns;
// rows that go through all layers as one task, where there are more; such tasks
constexpr Index fewest = 32;
constexpr Index most = 64;
constexpr Index enough = 8;
constexpr Index group = 256;  // rows that one task of a product computes a panel of columns of
constexpr Real epsilon = Real(1e-5);

/// Scratch of a block's rows.
struct Scratch {
  Real* wide;    // (rows, widest)
  Real* narrow;  // (rows, d)
  Index widest;
};
Index widest(const DecoderStep& model) { return std::max(3 * model.d, model.ff); }
Index scratch_of_row(const DecoderStep& model) { return widest(model) + model.d; }

/// Rows [begin, begin + m) through all layers. `grain`: of the products' panels, 0 where these are
/// to be shared out.
void step_block(const DecoderStep& model, const StepRows& rows, Index begin, Index m, Index grain,
                Real* x, const Scratch& s, Real* logits) {
  const Index d = model.d;
  const Index width = d / model.heads;
  const Real scale = 1 / std::sqrt(static_cast<Real>(width));
  const auto norm = [&](const StepNorm& n, Real* to) {
    const Index at_once = grain > 0 ? 1 : m;  // one row is not shared out
    for (Index r = 0; r < m; r += at_once)
      layer_norm(at_once, d, x + r * d, n.gain, n.bias, epsilon, to + r * d, nullptr);
  };
  /// x + f(norm(x)) or norm(x + f(x)); f(in) leaves what its last product reads, and that product
  /// adds it to x.
  const auto around = [&](const StepNorm& n, auto f) {
    if (model.norm_first) norm(n, s.narrow);
    f(model.norm_first ? s.narrow : x);
    if (!model.norm_first) norm(n, x);
  };
  for (const StepLayer* layer = model.layers; layer < model.layers + model.layer_count; ++layer) {
    around(layer->attention_norm, [&](const Real* in) {
      step_linear(m, layer->input, in, d, false, s.wide, s.widest, Mode::assign, grain);
      for (Index r = 0; r < m; ++r)
        std::copy_n(s.wide + r * s.widest + d, 2 * d,
                    layer->cache + (rows.first + begin + r) * 2 * d);
      attend_rows(m, model.heads, width, scale, s.wide, s.widest, layer->cache, rows.past + begin,
                  s.narrow, grain > 0);
      step_linear(m, layer->output, s.narrow, d, false, x, d, Mode::accumulate, grain);
    });
    if (layer->query.packed)
      around(layer->cross_norm, [&](const Real* in) {
        step_linear(m, layer->query, in, d, false, s.wide, s.widest, Mode::assign, grain);
        attend_rows(m, model.heads, width, scale, s.wide, s.widest, layer->memory,
                    rows.source + begin, s.narrow, grain > 0);
        step_linear(m, layer->cross_output, s.narrow, d, false, x, d, Mode::accumulate, grain);
      });
    around(layer->feed_forward_norm, [&](const Real* in) {
      step_linear(m, layer->up, in, d, !model.gelu, s.wide, s.widest, Mode::assign, grain);
      if (model.gelu)
        for (Index r = 0; r < m; ++r)
          transform_serial(
              model.ff, s.wide + r * s.widest, Mode::assign, [](Vec v) { return Gelu(v).value(); },
              s.wide + r * s.widest);
      step_linear(m, layer->down, s.wide, s.widest, false, x, d, Mode::accumulate, grain);
    });
  }
  norm(model.norm, x);
  step_linear(m, model.scores, x, d, false, logits, model.scores.out, Mode::assign, grain);
}

}  // namespace

void step_linear(Index m, const StepLinear& w, const Real* x, Index ldx, bool relu, Real* y,
                 Index ldy, Mode mode, Index grain) {
  const Index panels = packed_columns(w.out) / panel;
  const Index groups = (m + group - 1) / group;
  parallel_for(groups * panels, grain > 0 ? grain : grain_of(std::min(m, group) * w.in),
               [&](Index begin, Index end) {
                 for (Index item = begin; item < end; ++item) {
                   const Index i = item / panels * group;
                   const Index j = item % panels * panel;

                   const Index rows = std::min(group, m - i);
                   const Index columns = std::min(panel, w.out - j);
                   Real* out = y + i * ldy + j;
                   packed_product(rows, columns, w.in, x + i * ldx, ldx, w.packed + j * w.in,
                                  w.bias ? w.bias + j : nullptr, out, ldy, mode);
                   if (relu)
                     for (Index r = 0; r < rows; ++r)
                       transform_serial(
                           columns, out + r * ldy, Mode::assign,
                           [](Vec v) { return max(v, Vec(Real{0})); }, out + r * ldy);
                 }
               });
}

Index decoder_step_scratch(const DecoderStep& model, Index rows) {
  return rows * scratch_of_row(model);
}

void decoder_step(const DecoderStep& model, const StepRows& rows, Real* x, Real* scratch,
                  Real* logits) {
  const auto parts = [&rows](Index size) { return (rows.count + size - 1) / size; };
  // each reads all the weights: no more than keep threads busy
  const Index blocks = std::max(std::min(parts(fewest), enough), parts(most));
  if (blocks == 0) return;
  const auto run = [&](Index begin, Index m, Index grain) {
    Real* at = scratch + begin * scratch_of_row(model);
    const Index wide = widest(model);
    const Scratch s{at, at + m * wide, wide};
    step_block(model, rows, begin, m, grain, x + begin * model.d, s,
               logits + begin * model.scores.out);
  };
  if (blocks == 1) return run(0, rows.count, 0);
  parallel_for(blocks, 1, [&](Index from, Index to) {
    for (Index b = from; b < to; ++b) {
      const Index begin = rows.count * b / blocks;
      const Index end = rows.count * (b + 1) / blocks;
      // more panels than any product has: one piece
      run(begin, end - begin, packed_columns(model.scores.out + widest(model)));
    }
  });
}

}  // namespace heed::kernels
