#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "framework/kernels/gemm.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"

namespace heed {

namespace {

/// Checks gold and counts the rows that are not ignored.
Index counted_rows(const char* op, Index rows, Index classes, const Ids& gold,
                   const CrossEntropy& options) {
  check(gold.shape() == Shape{rows}, op, "expected a gold id for each of {} rows; got {}", rows,
        gold.shape());
  check(options.label_smoothing >= 0 && options.label_smoothing < 1, op,
        "expected label smoothing within [0, 1); got {}", options.label_smoothing);
  Index counted = 0;
  for (Id id : gold.span()) {
    if (options.ignore == id) continue;
    check(id >= 0 && id < classes, op, "expected gold ids within [0, {}); got {}", classes, id);
    ++counted;
  }
  return counted;
}

/// What a row's loss counts: 1 / divisor.
Real share_of(const char* op, const CrossEntropy& options, Index counted) {
  const Real divisor = options.divisor.value_or(static_cast<Real>(std::max<Index>(counted, 1)));
  check(divisor > 0 && std::isfinite(divisor), op,
        "expected a divisor above 0, or none, which counts the rows; got {}", divisor);
  return 1 / divisor;
}

/// The losses of some rows, and beside them the plain cross entropies where they are asked for.
/// Rows are summed in their order, whatever the threads.
struct RowLosses {
  std::vector<double> losses;
  std::vector<double> plain;
  double total = 0;
  double nats = 0;

  RowLosses(Index rows, const CrossEntropy& options)
      : losses(static_cast<std::size_t>(rows)),
        plain(static_cast<std::size_t>(options.nats ? rows : 0)) {}
  double* loss() { return losses.data(); }
  double* nats_or_null() { return plain.empty() ? nullptr : plain.data(); }
  /// Adds those of the first `rows`.
  void add(Index rows) {
    for (Index i = 0; i < rows; ++i)
      total += losses[i];
    if (plain.empty()) return;
    for (Index i = 0; i < rows; ++i)
      nats += plain[i];
  }
};

/// Rows of a block in linear_cross_entropy, all of one size: some 8 MB of logits, or 16 where each
/// block packs the weight anew.
Index block_rows(Index rows, Index classes, bool packed) {
  const Index most =
      std::clamp<Index>((Index{1} << (packed ? 21 : 22)) / std::max<Index>(classes, 1), 64, 4096);

  const Index blocks = std::max<Index>(1, (rows + most - 1) / most);
  return std::max<Index>(1, (rows + blocks - 1) / blocks);
}

}  // namespace

Variable cross_entropy(const Operand& logits, const Ids& gold, const CrossEntropy& options) {
  check(logits.rank() == 2, "cross_entropy", "expected logits (n, classes); got {}",
        logits.shape());
  const Index m = logits.rows();
  const Index n = logits.columns();
  const Index counted = counted_rows("cross_entropy", m, n, gold, options);
  const Real share = share_of("cross_entropy", options, counted);
  const bool gradient = Tape::needs_gradient(logits);
  Tensor work = logits.value().clone();  // becomes d loss / d logits where that is wanted
  RowLosses rows(m, options);
  kernels::cross_entropy(m, n, work.data(), gold.data(), options.label_smoothing,
                         options.ignore.has_value(), options.ignore.value_or(0), rows.loss(),
                         rows.nats_or_null(), gradient, share);
  rows.add(m);
  if (options.nats) *options.nats = rows.nats;
  Tensor y = Tensor::full({}, static_cast<Real>(rows.total * share));
  return record("cross_entropy", y, {logits}, [work](const Tensor& dy, Gradient dx) mutable {
    if (dy.item() != 1) kernels::scale(work.size(), dy.item(), work.data());
    dx.pass(std::move(work));
  });
}

namespace {

/// The rows that count, packed together unless all do.
struct Counted {
  Ids rows;
  Ids answers;
  bool all;

  Counted(const Ids& gold, const CrossEntropy& options, Index counted)
      : rows({counted}), answers({counted}), all(counted == gold.size()) {
    for (Index i = 0, to = 0; i < gold.size(); ++i)
      if (options.ignore != gold[i]) {
        rows[to] = static_cast<Id>(i);
        answers[to++] = gold[i];
      }
  }
  Tensor pack(const Tensor& x) const {  // (n, ...) -> (counted, ...)
    if (all) return x;
    const Index width = x.shape()[0] > 0 ? x.size() / x.shape()[0] : 0;
    Shape shape = x.shape();
    shape[0] = rows.size();
    Tensor packed(shape);
    for (Index i = 0; i < rows.size(); ++i)
      std::copy_n(x.data() + rows[i] * width, width, packed.data() + i * width);
    return packed;
  }
  void unpack(Tensor part, Gradient& to) const {
    if (all) return to.pass(std::move(part));
    const Index width = part.shape()[0] > 0 ? part.size() / part.shape()[0] : 0;
    if (to.mode() == Mode::assign) std::fill_n(to.data(), to.shape().size(), Real{0});
    for (Index i = 0; i < rows.size(); ++i)
      for (Index j = 0; j < width; ++j)
        to.data()[rows[i] * width + j] += part[i * width + j];
  }
};

/// Both losses that read a linear layer; a `gate` that is defined makes it the one that may copy.
Variable linear_loss(const char* op, const Operand& x, const Operand& weight,
                     const OptionalOperand& bias, const OptionalOperand& gate,
                     const OptionalOperand& copied, const Ids& gold, const CrossEntropy& options) {
  check(x.rank() == 2 && weight.rank() == 2 && x.columns() == weight.columns(), op,
        "expected x (n, d) and weight (classes, d); got {} and {}", x.shape(), weight.shape());
  const Index n = x.rows();
  const Index d = x.columns();
  const Index classes = weight.shape()[0];
  check(!bias.defined() || bias.shape() == Shape{classes}, op,
        "expected a bias of shape {}; got {}", Shape{classes}, bias.shape());
  const bool copies = gate.defined();
  check(!copies || (gate.shape() == Shape{n} && copied.shape() == Shape{n}), op,
        "expected a gate and a probability for each of {} rows; got {} and {}", n,
        copies ? gate.shape() : Shape{}, copies ? copied.shape() : Shape{});
  const Index counted =
      counted_rows(op, n, copies ? std::numeric_limits<Id>::max() : classes, gold, options);
  const Real share = share_of(op, options, counted);
  const bool wants_x = Tape::needs_gradient(x);
  const bool wants_w = Tape::needs_gradient(weight);

  const bool wants_b = Tape::needs_gradient(bias);
  const bool wants_copy = copies && (Tape::needs_gradient(gate) || Tape::needs_gradient(copied));
  const bool gradient = wants_x || wants_w || wants_b || wants_copy;

  const Counted chosen(gold, options, counted);
  const Tensor packed = chosen.pack(x.value());
  // These become their own gradients.
  Tensor gates = copies ? chosen.pack(gate.value()).clone() : Tensor();

  Tensor pointed = copies ? chosen.pack(copied.value()).clone() : Tensor();
  Tensor dpacked = wants_x ? Tensor({counted, d}) : Tensor();

  Tensor dw = wants_w ? Tensor(weight.shape()) : Tensor();

  Tensor db = wants_b ? Tensor(bias.shape()) : Tensor();
  if (counted == 0 && wants_w) std::fill_n(dw.data(), dw.size(), Real{0});
  if (counted == 0 && wants_b) std::fill_n(db.data(), db.size(), Real{0});
  const kernels::RightOperand forward(counted, true, d, classes, weight.data(), d);

  const kernels::RightOperand backward(wants_x ? counted : 0, false, classes, d, weight.data(), d);
  const Index block = block_rows(counted, classes, forward.packed());
  Tensor logits({block, classes});
  RowLosses losses(block, options);
  for (Index begin = 0; begin < counted; begin += block) {
    const Index m = std::min(block, counted - begin);
    const Mode mode = begin == 0 ? Mode::assign : Mode::accumulate;
    const Real* in = packed.data() + begin * d;
    const Id* answers = chosen.answers.data() + begin;
    forward.multiply(m, in, d, bias.data(), logits.data(), classes, Mode::assign);
    if (copies)
      kernels::copy_cross_entropy(m, classes, logits.data(), gates.data() + begin,
                                  pointed.data() + begin, answers, options.label_smoothing,
                                  losses.loss(), losses.nats_or_null(), gradient, share);
    else
      kernels::cross_entropy(m, classes, logits.data(), answers, options.label_smoothing, false, 0,
                             losses.loss(), losses.nats_or_null(), gradient, share);
    losses.add(m);
    if (wants_x)
      backward.multiply(m, logits.data(), classes, nullptr, dpacked.data() + begin * d, d,
                        Mode::assign);
    if (wants_w)
      kernels::gemm(true, false, classes, d, m, logits.data(), classes, in, d, dw.data(), d, mode);
    if (wants_b) kernels::sum_rows(m, classes, logits.data(), db.data(), mode);
  }

  if (options.nats) *options.nats = losses.nats;
  Tensor y = Tensor::full({}, static_cast<Real>(losses.total * share));
  return record(op, y, {x, weight, bias, gate, copied},
                [chosen, dpacked, dw, db, gates, pointed](const Tensor& dy, Gradient gx,
                                                          Gradient gw, Gradient gb, Gradient ggate,
                                                          Gradient gcopied) mutable {
                  const auto scaled = [factor = dy.item()](Tensor& part) {
                    if (factor != 1) kernels::scale(part.size(), factor, part.data());
                    return std::move(part);
                  };
                  if (gx) chosen.unpack(scaled(dpacked), gx);
                  if (gw) gw.pass(scaled(dw));
                  if (gb) gb.pass(scaled(db));
                  if (ggate) chosen.unpack(scaled(gates), ggate);
                  if (gcopied) chosen.unpack(scaled(pointed), gcopied);
                });
}

}  // namespace

Variable linear_cross_entropy(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                              const Ids& gold, const CrossEntropy& options) {
  const OptionalOperand none(Variable(), x.where());
  return linear_loss("linear_cross_entropy", x, weight, bias, none, none, gold, options);
}

Variable linear_cross_entropy(const Operand& x, const Operand& weight, const Ids& gold,
                              const CrossEntropy& options) {
  return linear_cross_entropy(x, weight, OptionalOperand(Variable(), x.where()), gold, options);
}

Variable copy_cross_entropy(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                            const Operand& gate, const Operand& copied, const Ids& gold,
                            const CrossEntropy& options) {
  check(gate.defined() && copied.defined(), "copy_cross_entropy",
        "expected a gate and what copying gives the gold");
  return linear_loss("copy_cross_entropy", x, weight, bias, gate, copied, gold, options);
}

}  // namespace heed
