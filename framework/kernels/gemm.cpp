#include "framework/kernels/gemm.h"

#include <algorithm>

#include <cblas.h>

#include "framework/kernels/parallel.h"

namespace heed::kernels {

namespace {

/// OpenBLAS keeps threads of its own unless told not to; ours are TBB's.
void use_one_blas_thread() {
  static const bool done = (openblas_set_num_threads(1), true);
  (void)done;
}

void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, Index m, Index n, Index k, const Real* a, Index lda, const Real* b, Index ldb, Real beta,
          Real* c, Index ldc) {
  const auto i = [](Index x) { return static_cast<blasint>(x); };
#ifdef HEED_DOUBLE
  cblas_dgemm(CblasRowMajor, ta, tb, i(m), i(n), i(k), 1, a, i(lda), b, i(ldb), beta, c, i(ldc));
#else
  cblas_sgemm(CblasRowMajor, ta, tb, i(m), i(n), i(k), 1, a, i(lda), b, i(ldb), beta, c, i(ldc));
#endif
}

/// How c is cut into tasks: into rows where they are many, else into columns too. Each task repacks its part of the operands,
/// so it must be large (2^24 multiply-adds are about a fifth of a millisecond) and not thin.
struct Cut {
  Index rows, columns;
};
Cut cut(Index m, Index n, Index k) {
  constexpr Index work = Index{1} << 22, thinnest = 48, most = 32;
  const Index tasks = std::clamp<Index>(m * n / 16 * k / (work / 16), 1, most);
  const auto even = [](Index extent, Index parts) {
    const Index size = (extent + parts - 1) / parts;
    return std::max<Index>((size + 15) / 16 * 16, 16);
  };
  if (m >= n || m >= tasks * thinnest * 2) {
    const Index rows = even(m, std::clamp<Index>(m / thinnest, 1, tasks));
    const Index down = (m + rows - 1) / rows;
    return {rows, even(n, std::clamp<Index>(tasks / down, 1, std::max<Index>(n / thinnest, 1)))};
  }
  const Index columns = even(n, std::clamp<Index>(n / thinnest, 1, tasks));
  const Index across = (n + columns - 1) / columns;
  return {even(m, std::clamp<Index>(tasks / across, 1, std::max<Index>(m / thinnest, 1))), columns};
}

}  // namespace

void gemm_serial(bool transpose_a, bool transpose_b, Index m, Index n, Index k, const Real* a, Index lda, const Real* b, Index ldb, Real* c,
                 Index ldc, Mode mode) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (mode == Mode::assign)
      for (Index i = 0; i < m; ++i) std::fill_n(c + i * ldc, n, Real{0});
    return;
  }
  use_one_blas_thread();
  call(transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, m, n, k, a, lda, b, ldb, mode == Mode::assign ? 0 : 1, c,
       ldc);
}

void gemm(bool transpose_a, bool transpose_b, Index m, Index n, Index k, const Real* a, Index lda, const Real* b, Index ldb, Real* c,
          Index ldc, Mode mode) {
  if (m == 0 || n == 0) return;
  const Cut size = cut(m, n, k);
  const Index across = (n + size.columns - 1) / size.columns, down = (m + size.rows - 1) / size.rows;
  parallel_for(down * across, 1, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index i = task / across * size.rows, j = task % across * size.columns;
      gemm_serial(transpose_a, transpose_b, std::min(size.rows, m - i), std::min(size.columns, n - j), k, a + (transpose_a ? i : i * lda), lda,
                  b + (transpose_b ? j * ldb : j), ldb, c + i * ldc + j, ldc, mode);
    }
  });
}

void linear(Index m, Index n, Index k, const Real* x, const Real* w, const Real* bias, Real* y) {
  if (m == 0 || n == 0) return;
  const Cut size = cut(m, n, k);
  const Index across = (n + size.columns - 1) / size.columns, down = (m + size.rows - 1) / size.rows;
  parallel_for(down * across, 1, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index i = task / across * size.rows, j = task % across * size.columns;
      const Index rows = std::min(size.rows, m - i), columns = std::min(size.columns, n - j);
      if (bias)
        for (Index r = i; r < i + rows; ++r) std::copy_n(bias + j, columns, y + r * n + j);
      gemm_serial(false, true, rows, columns, k, x + i * k, k, w + j * k, k, y + i * n + j, n, bias ? Mode::accumulate : Mode::assign);
    }
  });
}

}  // namespace heed::kernels
