#include "framework/kernels/decoder_step.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/gelu.h"
#include "framework/kernels/packed.h"
#include "framework/kernels/rows.h"
#include "framework/kernels/vector_loops.h"

namespace heed::kernels {

namespace {

// Where there are more rows than a block may have, blocks of rows go through all sublayers as one
// task each.
constexpr Index fewest_rows = 32;
constexpr Index most_rows = 64;
constexpr Index enough_blocks = 8;
constexpr Index row_group = 256;  // rows of which one task of a product computes a panel
constexpr Real epsilon = Real(1e-5);

/// Columns of the widest thing between the products of a sublayer.
Index widest(const DecoderStep& model) {
  Index columns = 0;
  for (Index i = 0; i < model.sublayer_count; ++i)
    columns = std::max(columns, model.sublayers[i].in.out);
  return columns;
}

/// Some rows on their way through all sublayers.
struct StepBlock {
  const DecoderStep& model;
  Matrix x;             // (m, d)
  Matrix wide;          // (m, widest): scratch
  Matrix narrow;        // (m, d): scratch
  Index first;          // the cache row of the first one
  const KeyList* past;  // (m)
  const KeyList* source;
  Index grain;  // panels a piece of the products; 0: the products are shared out

  bool serial() const { return grain > 0; }
  /// The first `columns` of the wide scratch.
  Matrix wide_part(Index columns) const { return wide.block(0, 0, x.rows, columns); }

  void norm(const StepNorm& n, const Matrix& to) const {
    const Index at_once = serial() ? 1 : x.rows;  // one row is not shared out
    for (Index r = 0; r < x.rows; r += at_once)
      layer_norm({x.block(r, 0, at_once, model.d), n.gain, n.bias, epsilon}, to.row(r), nullptr);
  }
  /// y = x W^T + b
  void linear(const StepLinear& w, const ConstMatrix& in, const Matrix& y,
              bool relu = false) const {
    step_linear(w, in, y, {.relu = relu, .mode = Mode::assign, .grain = grain});
  }
  /// x += in W^T + b
  void add_linear(const StepLinear& w, const ConstMatrix& in) const {
    step_linear(w, in, x, {.mode = Mode::accumulate, .grain = grain});
  }
  /// narrow = concat(heads)
  void attend(const StepSublayer& s, const Real* cache, const KeyList* keys) const {
    const Real width = static_cast<Real>(model.d / s.heads);
    attend_rows({.heads = s.heads,
                 .scale = 1 / std::sqrt(width),
                 .queries = wide_part(model.d),
                 .cache = cache,
                 .keys = keys,
                 .serial = serial()},
                narrow.data);
  }

  void add_self_attention(const StepSublayer& s, const Matrix& z) const {
    const Index d = model.d;
    const Matrix qkv = wide_part(3 * d);
    linear(s.in, z, qkv);
    for (Index r = 0; r < x.rows; ++r)
      std::copy_n(qkv.row(r) + d, 2 * d, s.cache + (first + r) * 2 * d);
    attend(s, s.cache, past);
    add_linear(s.out, narrow);
  }
  void add_cross_attention(const StepSublayer& s, const Matrix& z) const {
    linear(s.in, z, wide_part(model.d));
    attend(s, s.memory, source);
    add_linear(s.out, narrow);
  }
  void add_feed_forward(const StepSublayer& s, const Matrix& z) const {
    const Matrix hidden = wide_part(s.in.out);
    linear(s.in, z, hidden, !s.gelu);
    if (s.gelu)
      for (Index r = 0; r < x.rows; ++r)
        transform_serial(
            hidden.columns, hidden.row(r), Mode::assign, [](Vec v) { return Gelu(v).value(); },
            hidden.row(r));
    add_linear(s.out, hidden);
  }
  /// x += f(z)
  void add(const StepSublayer& s, const Matrix& z) const {
    switch (s.kind) {
      case StepKind::self_attention:
        return add_self_attention(s, z);
      case StepKind::cross_attention:
        return add_cross_attention(s, z);
      case StepKind::feed_forward:
        return add_feed_forward(s, z);
    }
  }

  /// x becomes x + f(norm(x)) or norm(x + f(x)).
  void run(const StepSublayer& s) const {
    const Matrix normed = s.place == NormPlace::pre ? narrow : x;
    const auto norm_x = [&](const Matrix&) {
      norm(s.norm, normed);
      return normed;
    };
    const auto add_to_x = [&](const Matrix&, const Matrix& z) {
      add(s, z);
      return x;
    };
    residual(s.place, x, norm_x, add_to_x);
  }

  /// logits (m, classes)
  void run(Real* logits) const {
    for (Index i = 0; i < model.sublayer_count; ++i)
      run(model.sublayers[i]);
    norm(model.norm, x);
    linear(model.scores, x, dense(logits, x.rows, model.scores.out));
  }
};

/// One panel of the columns of y = x W^T + b, from column j on.
void panel_linear(const StepLinear& w, const ConstMatrix& x, const Matrix& y, Index j,
                  const StepLinearOptions& o) {
  packed_gemm_serial(x, w.packed + j * w.in, w.bias ? w.bias + j : nullptr, y, o.mode);
  if (o.relu)
    for (Index r = 0; r < y.rows; ++r)
      transform_serial(
          y.columns, y.row(r), Mode::assign, [](Vec v) { return max(v, Vec(Real{0})); }, y.row(r));
}

}  // namespace

void step_linear(const StepLinear& w, const ConstMatrix& x, const Matrix& y,
                 const StepLinearOptions& o) {
  const Index m = x.rows;
  const Index panels = packed_columns(w.out) / panel_columns;
  const Index groups = (m + row_group - 1) / row_group;
  parallel_for(groups * panels, o.grain > 0 ? o.grain : grain_of(std::min(m, row_group) * w.in),
               [=](Index begin, Index end) {
                 for (Index task = begin; task < end; ++task) {
                   const Index i = task / panels * row_group;
                   const Index j = task % panels * panel_columns;
                   const Index rows = std::min(row_group, m - i);
                   const Index columns = std::min(panel_columns, w.out - j);
                   panel_linear(w, x.block(i, 0, rows, w.in), y.block(i, j, rows, columns), j, o);
                 }
               });
}

Index decoder_step_scratch(const DecoderStep& model, Index rows) {
  return rows * (widest(model) + model.d);
}

void decoder_step(const DecoderStep& model, const StepRows& rows, Real* x, Real* scratch,
                  Real* logits) {
  const auto parts = [&rows](Index size) { return (rows.count + size - 1) / size; };
  // Each block reads all the weights: there are no more than keep threads busy.
  const Index blocks = std::max(std::min(parts(fewest_rows), enough_blocks), parts(most_rows));
  if (blocks == 0) return;
  const Index columns = widest(model);
  const auto run = [&](Index begin, Index m, Index grain) {
    Real* const space = scratch + begin * (columns + model.d);
    const StepBlock block{.model = model,
                          .x = dense(x + begin * model.d, m, model.d),
                          .wide = dense(space, m, columns),
                          .narrow = dense(space + m * columns, m, model.d),
                          .first = rows.first + begin,
                          .past = rows.past + begin,
                          .source = rows.source ? rows.source + begin : nullptr,
                          .grain = grain};
    block.run(logits + begin * model.scores.out);
  };
  if (blocks == 1) return run(0, rows.count, 0);
  parallel_for(blocks, 1, [&](Index from, Index to) {
    for (Index b = from; b < to; ++b) {
      const Index begin = rows.count * b / blocks;
      const Index end = rows.count * (b + 1) / blocks;
      // More panels than any product has: one piece.
      run(begin, end - begin, packed_columns(model.scores.out + columns));
    }
  });
}

}  // namespace heed::kernels
