#include "framework/kernels/gemm.h"

#include <algorithm>

#include <cblas.h>
#include <sys/mman.h>

#include "framework/kernels/bf16.h"
#include "framework/kernels/packed.h"
#include "framework/kernels/parallel.h"
#include "framework/memory.h"

namespace heed::kernels {

namespace {

/// OpenBLAS takes its buffer at the first product, and asks for ever where the system refuses it.
void check_room_for_blas() {
  constexpr std::size_t buffer = (std::size_t{1} << 27) + 4096;
  void* const room = mmap(nullptr, buffer, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) {
    throw OutOfMemory(
        fmt::format("[memory] the system has no {} MiB, which OpenBLAS needs", buffer >> 20));
  }
  munmap(room, buffer);
}

/// OpenBLAS keeps threads of its own unless told not to; ours are TBB's.
void use_one_blas_thread() {
  static const bool done = [] {
    check_room_for_blas();
    openblas_set_num_threads(1);
    return true;
  }();
  (void)done;
}

void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, Index m, Index n, Index k, const Real* a,
          Index lda, const Real* b, Index ldb, Real beta, Real* c, Index ldc) {
  const auto i = [](Index x) { return static_cast<blasint>(x); };
#ifdef HEED_DOUBLE
  cblas_dgemm(CblasRowMajor, ta, tb, i(m), i(n), i(k), 1, a, i(lda), b, i(ldb), beta, c, i(ldc));
#else
  cblas_sgemm(CblasRowMajor, ta, tb, i(m), i(n), i(k), 1, a, i(lda), b, i(ldb), beta, c, i(ldc));
#endif
}

/// How c is cut into tasks of rows x columns.
struct Cut {
  Index rows;
  Index columns;
};

/// A task packs its rows of one operand and its columns of the other for itself: of the cuts into
/// as many tasks as the work is worth, the one that packs least, unless its tasks would be thin.
Cut cut(Index m, Index n, Index k) {
  // multiply-adds of a task: some 50 microseconds
  constexpr Index work = Index{1} << 22;
  constexpr Index most = 16;
  constexpr Index thinnest = 48;
  const auto part = [](Index extent, Index parts) {
    return ((extent + parts - 1) / parts + 15) / 16 * 16;
  };
  Index tasks = 1;
  while (tasks < most && 2 * tasks * work <= m * n * k)
    tasks *= 2;
  Cut best{part(m, 1), part(n, 1)};
  Index least = 0;
  for (; tasks > 1 && least == 0; tasks /= 2)
    for (Index down = 1; down <= tasks; down *= 2) {
      const Index across = tasks / down;
      const Index packed = across * m + down * n;
      if ((down > 1 && m / down < thinnest) || (across > 1 && n / across < thinnest)) continue;
      if (least == 0 || packed < least) {
        least = packed;
        best = {part(m, down), part(n, across)};
      }
    }
  return best;
}

}  // namespace

void gemm_serial(bool transpose_a, bool transpose_b, Index m, Index n, Index k, const Real* a,
                 Index lda, const Real* b, Index ldb, Real* c, Index ldc, Mode mode) {
  if (m == 0 || n == 0) return;
  if (k == 0) {
    if (mode == Mode::assign)
      for (Index i = 0; i < m; ++i)
        std::fill_n(c + i * ldc, n, Real{0});
    return;
  }
  use_one_blas_thread();
  call(transpose_a ? CblasTrans : CblasNoTrans, transpose_b ? CblasTrans : CblasNoTrans, m, n, k, a,
       lda, b, ldb, mode == Mode::assign ? 0 : 1, c, ldc);
}

namespace {

/// Whether our own kernel beats OpenBLAS's: it does by a tenth on AVX-512, where b is used often
/// enough to be worth packing for all threads. Elsewhere OpenBLAS chooses one for the processor at
/// run time.
constexpr Index fewest_rows = 32;
bool own_kernel(Index m, Index n, Index k) {
  return packed_beats_blas && m >= fewest_rows && m * n * k >= Index{1} << 17;
}

/// c = bias, in every row, or = or += 0, before op(a) op(b) is added
void product(bool transpose_a, bool transpose_b, Index m, Index n, Index k, const Real* a,
             Index lda, const Real* b, Index ldb, const Real* bias, Real* c, Index ldc, Mode mode) {
  if (m == 0 || n == 0) return;
  if (uses_bf16() && bf16_is_worth(m, n, k, ldc))
    return bf16_gemm(m, n, k, a, transpose_a ? 1 : lda, transpose_a ? lda : 1, b,
                     transpose_b ? 1 : ldb, transpose_b ? ldb : 1, bias, c, mode);
  if (own_kernel(m, n, k))
    return panel_gemm(m, n, k, a, transpose_a ? 1 : lda, transpose_a ? lda : 1, b,
                      transpose_b ? 1 : ldb, transpose_b ? ldb : 1, bias, c, ldc, mode);
  const Cut size = cut(m, n, k);
  const Index across = (n + size.columns - 1) / size.columns;

  const Index down = (m + size.rows - 1) / size.rows;
  parallel_for(down * across, 1, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index i = task / across * size.rows;
      const Index j = task % across * size.columns;
      const Index rows = std::min(size.rows, m - i);
      const Index columns = std::min(size.columns, n - j);
      if (bias)
        for (Index r = i; r < i + rows; ++r)
          std::copy_n(bias + j, columns, c + r * ldc + j);
      gemm_serial(transpose_a, transpose_b, rows, columns, k, a + (transpose_a ? i : i * lda), lda,
                  b + (transpose_b ? j * ldb : j), ldb, c + i * ldc + j, ldc,
                  bias ? Mode::accumulate : mode);
    }
  });
}

}  // namespace

void gemm(bool transpose_a, bool transpose_b, Index m, Index n, Index k, const Real* a, Index lda,
          const Real* b, Index ldb, Real* c, Index ldc, Mode mode) {
  product(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, nullptr, c, ldc, mode);
}

RightOperand::RightOperand(Index rows, bool transpose, Index k, Index n, const Real* b, Index ldb)
    : transpose_(transpose), k_(k), n_(n), b_(b), ldb_(ldb) {
  // numbers: a larger one is packed by the way, sparing memory
  constexpr Index most = Index{1} << 21;
  if (!own_kernel(rows, n, k) || k * n > most || uses_bf16()) return;
  packed_.emplace(packed_size(k, n));
  pack(k, n, b, transpose ? 1 : ldb, transpose ? ldb : 1, packed_->data());
}

void RightOperand::multiply(Index m, const Real* a, Index lda, const Real* bias, Real* c, Index ldc,
                            Mode mode) const {
  if (packed_)
    packed_gemm(m, n_, k_, a, lda, 1, packed_->data(), bias, c, ldc, mode);
  else
    product(false, transpose_, m, n_, k_, a, lda, b_, ldb_, bias, c, ldc, mode);
}

void linear(Index m, Index n, Index k, const Real* x, const Real* w, const Real* bias, Real* y) {
  product(false, true, m, n, k, x, k, w, k, bias, y, n, Mode::assign);
}

}  // namespace heed::kernels
