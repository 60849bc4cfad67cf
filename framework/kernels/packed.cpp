#include "framework/kernels/packed.h"

#include <algorithm>

#include "framework/kernels/panel.h"
#include "framework/kernels/parallel.h"
#include "framework/kernels/scratch.h"
#include "framework/kernels/transpose.h"

namespace heed::kernels {

namespace {

// of k at a time: a panel's part is 48 KB, the rows of a task stay in the second cache level
constexpr Index depth = 256;
constexpr Index tall = 96;  // rows of a task
// multiply-adds that are worth a task, tasks that keep all threads busy
constexpr Index least_task = Index{1} << 19;
constexpr Index enough_tasks = 32;
// A task packs its panels of a large b for itself, sparing memory, where a has rows enough to be
// worth it and is small enough to stay in cache: every panel reads it anew.
constexpr Index large = Index{1} << 19;
constexpr Index fewest_alone = 192;
constexpr Index most_alone = 1024;
constexpr Index cached = Index{1} << 20;

constexpr Index parts(Index extent, Index size) { return (extent + size - 1) / size; }

/// c's rows [0, m) and columns [0, n), n within panels that begin at `packed`
void block(Index m, Index n, Index k, const Left& a, const Real* packed, const Real* bias, Real* c,
           Index ldc, Mode mode) {
  for (Index p = 0; p == 0 || p < k; p += depth) {  // once where k is 0: c is then its start
    const Index deep = std::min(depth, k - p);
    const Left part{a.at(0, p), a.row, a.step};
    for (Index j = 0; j < n; j += panel_columns)
      panel_product(m, std::min(panel_columns, n - j), deep, part,
                    packed + j * k + p * panel_columns, bias && p == 0 ? bias + j : nullptr, c + j,
                    ldc, p == 0 ? mode : Mode::accumulate);
  }
}

/// b's rows [0, k) of one panel
void pack_panel(Index k, Index columns, const Real* b, Index row, Index column, Real* out) {
  if (columns < panel_columns) std::fill_n(out, k * panel_columns, Real{0});
  if (column == 1)
    for (Index p = 0; p < k; ++p, out += panel_columns)
      std::copy_n(b + p * row, columns, out);
  else
    transpose(columns, k, b, column, out, panel_columns);
}

}  // namespace

void pack(Index k, Index n, const Real* b, Index row, Index column, Real* packed) {
  const Index bands = parts(k, depth);
  parallel_for(parts(n, panel_columns) * bands, grain_of(depth * panel_columns),
               [=](Index begin, Index end) {
                 for (Index task = begin; task < end; ++task) {
                   const Index j = task / bands * panel_columns;
                   const Index top = task % bands * depth;
                   pack_panel(std::min(depth, k - top), std::min(panel_columns, n - j),
                              b + top * row + j * column, row, column,
                              packed + j * k + top * panel_columns);
                 }
               });
}

void panel_gemm(Index m, Index n, Index k, const Real* a, Index row, Index step, const Real* b,
                Index b_row, Index b_column, const Real* bias, Real* c, Index ldc, Mode mode) {
  const Index panels = parts(n, panel_columns);
  if (m < fewest_alone || m > most_alone || m * k > cached || k * n < large) {
    const Scratch packed(packed_size(k, n));
    pack(k, n, b, b_row, b_column, packed.data());
    return packed_gemm(m, n, k, a, row, step, packed.data(), bias, c, ldc, mode);
  }
  parallel_for(panels, std::max<Index>(1, least_task / std::max<Index>(1, m * panel_columns * k)),
               [=](Index begin, Index end) {
                 alignas(64) Real packed[depth * panel_columns];
                 for (Index panel = begin; panel < end; ++panel) {
                   const Index j = panel * panel_columns;
                   const Index columns = std::min(panel_columns, n - j);
                   for (Index p = 0; p == 0 || p < k; p += depth) {
                     const Index deep = std::min(depth, k - p);
                     pack_panel(deep, columns, b + p * b_row + j * b_column, b_row, b_column,
                                packed);
                     panel_product(m, columns, deep, {a + p * step, row, step}, packed,
                                   bias && p == 0 ? bias + j : nullptr, c + j, ldc,
                                   p == 0 ? mode : Mode::accumulate);
                   }
                 }
               });
}

void packed_gemm(Index m, Index n, Index k, const Real* a, Index row, Index step,
                 const Real* packed, const Real* bias, Real* c, Index ldc, Mode mode) {
  if (m == 0 || n == 0) return;
  // A task is a band of rows and some neighbouring panels: of half a million to 16 million
  // multiply-adds, where there are so many. Cutting costs nothing but the tasks themselves: nothing
  // is packed in them.
  const Index panels = parts(n, panel_columns);

  const Index rows = parts(parts(m, parts(m, tall)), strip_rows) * strip_rows;

  const Index bands = parts(m, rows);
  Index wide = panels;
  while (wide > 1 &&
         (bands * parts(panels, wide) < enough_tasks ||
          rows * wide * panel_columns * k > 32 * least_task) &&
         rows * wide * panel_columns * k >= 2 * least_task)
    wide = parts(wide, 2);
  const Index across = parts(panels, wide);

  const Index of_task = std::max<Index>(1, rows * wide * panel_columns * k);
  parallel_for(bands * across, std::max<Index>(1, least_task / of_task),
               [=](Index begin, Index end) {
                 for (Index task = begin; task < end; ++task) {
                   const Index i = task / across * rows;
                   const Index j = task % across * wide * panel_columns;
                   block(std::min(rows, m - i), std::min(wide * panel_columns, n - j), k,
                         {a + i * row, row, step}, packed + j * k, bias ? bias + j : nullptr,
                         c + i * ldc + j, ldc, mode);
                 }
               });
}

void packed_product(Index m, Index n, Index k, const Real* a, Index lda, const Real* packed,
                    const Real* bias, Real* c, Index ldc, Mode mode) {
  block(m, n, k, {a, lda, 1}, packed, bias, c, ldc, mode);
}

}  // namespace heed::kernels
