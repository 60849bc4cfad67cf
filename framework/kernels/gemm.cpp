#include "framework/kernels/gemm.h"

#include <algorithm>

#include <cblas.h>
#include <sys/mman.h>

#include "framework/kernels/bf16.h"
#include "framework/kernels/multiply_adds.h"
#include "framework/kernels/packed.h"
#include "framework/kernels/parallel.h"
#include "framework/memory.h"

namespace heed::kernels {

namespace {

/// OpenBLAS takes its buffer at the first product. Where the system refuses it, OpenBLAS asks again
/// without end.
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

/// OpenBLAS keeps threads of its own unless told not to. Heed's threads are TBB's.
void use_one_blas_thread() {
  static const bool done = [] {
    check_room_for_blas();
    openblas_set_num_threads(1);
    return true;
  }();
  (void)done;
}

/// An operand as BLAS takes it: row-major with a leading dimension, transposed or not.
struct BlasOperand {
  CBLAS_TRANSPOSE transpose;
  blasint leading_dimension;

  explicit BlasOperand(const ConstMatrix& m)
      : transpose(is_transposed(m) ? CblasTrans : CblasNoTrans),
        leading_dimension(static_cast<blasint>(is_transposed(m) ? m.column_stride : m.row_stride)) {
  }
  /// Where both strides are 1 the matrix has one row or one column: one row is a transposed column.
  static bool is_transposed(const ConstMatrix& m) {
    return m.column_stride != 1 || (m.row_stride == 1 && m.columns > 1);
  }
};

/// c = a b + beta c
void call_blas(const ConstMatrix& a, const ConstMatrix& b, Real beta, const Matrix& c) {
  const auto m = static_cast<blasint>(c.rows);
  const auto n = static_cast<blasint>(c.columns);
  const auto k = static_cast<blasint>(a.columns);
  const auto ldc = static_cast<blasint>(c.row_stride);
  const BlasOperand left(a);
  const BlasOperand right(b);
#ifdef HEED_DOUBLE
  const auto product = cblas_dgemm;
#else
  const auto product = cblas_sgemm;
#endif
  product(CblasRowMajor, left.transpose, right.transpose, m, n, k, 1, a.data,
          left.leading_dimension, b.data, right.leading_dimension, beta, c.data, ldc);
}

/// How c is cut into tasks of rows x columns.
struct Cut {
  Index rows;
  Index columns;
};

/// A task packs its rows of one operand and its columns of the other for itself. Of the cuts into
/// as many tasks as the work is worth, this is the one that packs least, but no task may be thin.
Cut cut(Index m, Index n, Index k) {
  constexpr Index work = Index{1} << 22;  // multiply-adds of a task: some 50 microseconds
  constexpr Index most_tasks = 16;
  constexpr Index thinnest = 48;
  const auto part = [](Index extent, Index parts) {
    return ((extent + parts - 1) / parts + 15) / 16 * 16;
  };
  const auto is_thin = [](Index extent, Index parts) {
    return parts > 1 && extent / parts < thinnest;
  };
  Index tasks = 1;
  while (tasks < most_tasks && 2 * tasks * work <= m * n * k)
    tasks *= 2;
  Cut best{part(m, 1), part(n, 1)};
  Index least = 0;
  for (; tasks > 1 && least == 0; tasks /= 2)
    for (Index down = 1; down <= tasks; down *= 2) {
      const Index across = tasks / down;
      const Index packed = across * m + down * n;
      if (is_thin(m, down) || is_thin(n, across)) continue;
      if (least == 0 || packed < least) {
        least = packed;
        best = {part(m, down), part(n, across)};
      }
    }
  return best;
}

}  // namespace

void gemm_serial(const ConstMatrix& a, const ConstMatrix& b, const Matrix& c, Mode mode) {
  if (c.rows == 0 || c.columns == 0) return;
  if (a.columns == 0) {
    if (mode == Mode::assign)
      for (Index i = 0; i < c.rows; ++i)
        std::fill_n(c.row(i), c.columns, Real{0});
    return;
  }
  use_one_blas_thread();
  call_blas(a, b, mode == Mode::assign ? 0 : 1, c);
}

namespace {

/// Whether our own kernel beats OpenBLAS. On AVX-512 it does by a tenth, where b is used often
/// enough to be worth packing for all threads. Elsewhere OpenBLAS chooses a kernel for the
/// processor at run time.
bool own_kernel(Index m, Index n, Index k) {
  constexpr Index fewest_rows = 32;
  return packed_beats_blas && m >= fewest_rows && m * n * k >= Index{1} << 17;
}

/// c = a b by OpenBLAS, a part of c a task. c starts from `bias` in every row, or from what `mode`
/// says where there is none.
void blas_gemm(const ConstMatrix& a, const ConstMatrix& b, const Real* bias, const Matrix& c,
               Mode mode) {
  const Cut size = cut(c.rows, c.columns, a.columns);
  const Index across = (c.columns + size.columns - 1) / size.columns;
  const Index down = (c.rows + size.rows - 1) / size.rows;
  parallel_for(down * across, 1, [&](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index i = task / across * size.rows;
      const Index j = task % across * size.columns;
      const Index rows = std::min(size.rows, c.rows - i);
      const Index columns = std::min(size.columns, c.columns - j);
      const Matrix part = c.block(i, j, rows, columns);
      if (bias)
        for (Index r = 0; r < rows; ++r)
          std::copy_n(bias + j, columns, part.row(r));
      gemm_serial(a.block(i, 0, rows, a.columns), b.block(0, j, b.rows, columns), part,
                  bias ? Mode::accumulate : mode);
    }
  });
}

/// c = or += a b + bias, by the kernel that suits its shape and the precision asked for.
void product(const ConstMatrix& a, const ConstMatrix& b, const Real* bias, const Matrix& c,
             Mode mode) {
  const Index m = c.rows;
  const Index n = c.columns;
  const Index k = a.columns;
  if (m == 0 || n == 0) return;
  multiply_adds() += m * n * k;
  if (uses_bf16() && bf16_is_worth(m, n, k, c.row_stride)) {
    bf16_gemm(a, b, bias, c, mode);
  } else if (own_kernel(m, n, k)) {
    packing_gemm(a, b, bias, c, mode);
  } else {
    blas_gemm(a, b, bias, c, mode);
  }
}

}  // namespace

void gemm(const ConstMatrix& a, const ConstMatrix& b, const Matrix& c, Mode mode) {
  product(a, b, nullptr, c, mode);
}

RightOperand::RightOperand(Index rows, const ConstMatrix& b) : b_(b) {
  // Each product packs a larger operand for itself, a panel at a time, which spares memory.
  constexpr Index most_numbers = Index{1} << 21;
  if (!own_kernel(rows, b.columns, b.rows) || b.rows * b.columns > most_numbers || uses_bf16())
    return;
  packed_.emplace(packed_size(b.rows, b.columns));
  pack_panels(b, packed_->data());
}

void RightOperand::multiply(const ConstMatrix& a, const Real* bias, const Matrix& c,
                            Mode mode) const {
  if (!packed_) return product(a, b_, bias, c, mode);
  multiply_adds() += c.rows * c.columns * a.columns;
  packed_gemm(a, packed_->data(), bias, c, mode);
}

void linear(const ConstMatrix& x, const ConstMatrix& w, const Real* bias, const Matrix& y) {
  product(x, transposed(w), bias, y, Mode::assign);
}

std::string blas_name() { return openblas_get_config(); }

}  // namespace heed::kernels
