#include "framework/kernels/packed.h"

#include <algorithm>

#include "framework/kernels/panel.h"
#include "framework/kernels/parallel.h"
#include "framework/kernels/scratch.h"
#include "framework/kernels/transpose.h"

namespace heed::kernels {

namespace {

// Rows of b that are read at a time: a panel's part is 48 KB, and the rows of a task stay in the
// second cache level.
constexpr Index depth = 256;
constexpr Index most_task_rows = 96;
// in multiply-adds: what is worth a task, and what one takes at most
constexpr Index least_task = Index{1} << 19;
constexpr Index largest_task = 32 * least_task;
constexpr Index enough_tasks = 32;  // that keep all threads busy

constexpr Index parts(Index extent, Index size) { return (extent + size - 1) / size; }

/// c = or += a b + bias for some columns of b. `panels` is where the first of their panels begins.
void multiply_panels(const ConstMatrix& a, const Real* panels, const Real* bias, const Matrix& c,
                     Mode mode) {
  const Index k = a.columns;
  for (Index p = 0; p == 0 || p < k; p += depth) {  // once where k is 0: c is then its start
    const ConstMatrix part = a.block(0, p, a.rows, std::min(depth, k - p));
    for (Index j = 0; j < c.columns; j += panel_columns)
      panel_product(part, panels + j * k + p * panel_columns, bias && p == 0 ? bias + j : nullptr,
                    c.block(0, j, c.rows, std::min(panel_columns, c.columns - j)),
                    p == 0 ? mode : Mode::accumulate);
  }
}

/// Copies some rows of b, (rows, at most panel_columns), to a panel.
void pack_panel(const ConstMatrix& b, Real* out) {
  if (b.columns < panel_columns) std::fill_n(out, b.rows * panel_columns, Real{0});
  if (b.column_stride == 1)
    for (Index p = 0; p < b.rows; ++p, out += panel_columns)
      std::copy_n(b.row(p), b.columns, out);
  else
    transpose(transposed(b), out, panel_columns);
}

}  // namespace

void pack_panels(const ConstMatrix& b, Real* panels) {
  const Index k = b.rows;
  const Index bands = parts(k, depth);
  parallel_for(parts(b.columns, panel_columns) * bands, grain_of(depth * panel_columns),
               [=](Index begin, Index end) {
                 for (Index task = begin; task < end; ++task) {
                   const Index j = task / bands * panel_columns;
                   const Index top = task % bands * depth;
                   pack_panel(b.block(top, j, std::min(depth, k - top),
                                      std::min(panel_columns, b.columns - j)),
                              panels + j * k + top * panel_columns);
                 }
               });
}

namespace {

/// Whether each task should pack its own panels of a (k, n) operand, which spares memory: where the
/// operand is large, where m rows are enough to be worth it, and where the left operand stays in
/// cache, since every panel reads all of it.
bool packs_in_tasks(Index m, Index n, Index k) {
  constexpr Index large = Index{1} << 19;
  constexpr Index fewest_rows = 192;
  constexpr Index most_rows = 1024;
  constexpr Index cached = Index{1} << 20;
  return m >= fewest_rows && m <= most_rows && m * k <= cached && k * n >= large;
}

/// c = or += a b + bias, where c has at most panel_columns columns.
void packing_panel_product(const ConstMatrix& a, const ConstMatrix& b, const Real* bias,
                           const Matrix& c, Mode mode) {
  alignas(64) Real packed[depth * panel_columns];
  const Index k = a.columns;
  for (Index p = 0; p == 0 || p < k; p += depth) {
    const Index deep = std::min(depth, k - p);
    pack_panel(b.block(p, 0, deep, b.columns), packed);
    panel_product(a.block(0, p, a.rows, deep), packed, p == 0 ? bias : nullptr, c,
                  p == 0 ? mode : Mode::accumulate);
  }
}

}  // namespace

void packing_gemm(const ConstMatrix& a, const ConstMatrix& b, const Real* bias, const Matrix& c,
                  Mode mode) {
  const Index m = c.rows;
  const Index n = c.columns;
  const Index k = a.columns;
  if (!packs_in_tasks(m, n, k)) {
    const Scratch panels(packed_size(k, n));
    pack_panels(b, panels.data());
    return packed_gemm(a, panels.data(), bias, c, mode);
  }
  parallel_for(parts(n, panel_columns),
               std::max<Index>(1, least_task / std::max<Index>(1, m * panel_columns * k)),
               [=](Index begin, Index end) {
                 for (Index panel = begin; panel < end; ++panel) {
                   const Index j = panel * panel_columns;
                   const Index columns = std::min(panel_columns, n - j);
                   packing_panel_product(a, b.block(0, j, k, columns), bias ? bias + j : nullptr,
                                         c.block(0, j, m, columns), mode);
                 }
               });
}

namespace {

/// A task is a band of rows and some neighbouring panels. Halves its width until there are enough
/// tasks to keep all threads busy and none is too large, but keeps each worth its overhead. Cutting
/// costs nothing besides: tasks do not pack.
Index panels_of_task(Index bands, Index band_rows, Index panels, Index k) {
  Index wide = panels;
  const auto work = [&] { return band_rows * wide * panel_columns * k; };
  const auto too_few = [&] { return bands * parts(panels, wide) < enough_tasks; };
  const auto too_large = [&] { return work() > largest_task; };
  const auto can_halve = [&] { return wide > 1 && work() >= 2 * least_task; };
  while (can_halve() && (too_few() || too_large()))
    wide = parts(wide, 2);
  return wide;
}

}  // namespace

void packed_gemm(const ConstMatrix& a, const Real* panels, const Real* bias, const Matrix& c,
                 Mode mode) {
  const Index m = c.rows;
  const Index n = c.columns;
  const Index k = a.columns;
  if (m == 0 || n == 0) return;
  const Index band_rows = parts(parts(m, parts(m, most_task_rows)), strip_rows) * strip_rows;
  const Index bands = parts(m, band_rows);
  const Index all_panels = parts(n, panel_columns);
  const Index wide = panels_of_task(bands, band_rows, all_panels, k);
  const Index across = parts(all_panels, wide);
  const Index work = std::max<Index>(1, band_rows * wide * panel_columns * k);
  parallel_for(bands * across, std::max<Index>(1, least_task / work), [=](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index i = task / across * band_rows;
      const Index j = task % across * wide * panel_columns;
      const Index rows = std::min(band_rows, m - i);
      multiply_panels(a.block(i, 0, rows, k), panels + j * k, bias ? bias + j : nullptr,
                      c.block(i, j, rows, std::min(wide * panel_columns, n - j)), mode);
    }
  });
}

void packed_gemm_serial(const ConstMatrix& a, const Real* panels, const Real* bias, const Matrix& c,
                        Mode mode) {
  multiply_panels(a, panels, bias, c, mode);
}

}  // namespace heed::kernels
