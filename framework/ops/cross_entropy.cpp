#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "framework/kernels/gemm.h"
#include "framework/kernels/rows.h"
#include "framework/ops.h"
#include "framework/ops/views.h"

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

/// The factor of a row's loss, 1 / divisor.
Real share_of(const char* op, const CrossEntropy& options, Index counted) {
  const Real divisor = options.divisor.value_or(static_cast<Real>(std::max<Index>(counted, 1)));
  check(divisor > 0 && std::isfinite(divisor), op,
        "expected a divisor above 0, or none, which counts the rows; got {}", divisor);
  return 1 / divisor;
}

/// The losses of some rows and, where they are asked for, the plain cross entropies. Rows are
/// summed in their order, on any number of threads.
struct RowLosses {
  std::vector<double> losses;
  std::vector<double> plain;
  double total = 0;
  double nats = 0;

  RowLosses(Index rows, const CrossEntropy& options)
      : losses(static_cast<std::size_t>(rows)),
        plain(static_cast<std::size_t>(options.nats ? rows : 0)) {}
  kernels::LossRows rows(bool gradient, Real factor) {
    return {.loss = losses.data(),
            .nats = plain.empty() ? nullptr : plain.data(),
            .gradient = gradient,
            .factor = factor};
  }
  /// Adds those of the first `rows`.
  void add(Index rows) {
    for (Index i = 0; i < rows; ++i)
      total += losses[i];
    if (plain.empty()) return;
    for (Index i = 0; i < rows; ++i)
      nats += plain[i];
  }
};

/// Rows of a block in linear_cross_entropy. All blocks have one size: some 8 MB of logits, or 16
/// where each block packs the weight anew.
Index block_rows(Index rows, Index classes, bool packed) {
  const Index logits = Index{1} << (packed ? 21 : 22);
  const Index most = std::clamp<Index>(logits / std::max<Index>(classes, 1), 64, 4096);
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
  kernels::cross_entropy({.x = detail::rows_of(work),
                          .gold = gold.data(),
                          .smoothing = options.label_smoothing,
                          .ignore = options.ignore},
                         rows.rows(gradient, share));
  rows.add(m);
  if (options.nats) *options.nats = rows.nats;
  Tensor y = Tensor::full({}, static_cast<Real>(rows.total * share));
  return record("cross_entropy", y, {logits}, [work](const Tensor& dy, Gradient dx) mutable {
    if (dy.item() != 1) kernels::scale(work.size(), dy.item(), work.data());
    dx.pass(std::move(work));
  });
}

Variable symmetric_kl(const Operand& a, const Operand& b, const Ids& gold,
                      const CrossEntropy& options) {
  check(a.rank() == 2 && a.shape() == b.shape(), "symmetric_kl",
        "expected two logits (n, classes) of one shape; got {} and {}", a.shape(), b.shape());
  const Index m = a.rows();
  const Index counted = counted_rows("symmetric_kl", m, a.columns(), gold, options);
  const Real share = share_of("symmetric_kl", options, counted);
  // Gradients are computed in this pass, while the probabilities are in cache.
  Tensor da = Tape::needs_gradient(a) ? Tensor(a.shape()) : Tensor();
  Tensor db = Tape::needs_gradient(b) ? Tensor(b.shape()) : Tensor();
  std::vector<double> losses(static_cast<std::size_t>(m));
  kernels::symmetric_kl({.a = detail::rows_of(a.value()),
                         .b = detail::rows_of(b.value()),
                         .gold = gold.data(),
                         .ignore = options.ignore},
                        {.loss = losses.data(),
                         .da = da.defined() ? da.data() : nullptr,
                         .db = db.defined() ? db.data() : nullptr,
                         .factor = share});
  double total = 0;
  for (const double loss : losses)
    total += loss;
  Tensor y = Tensor::full({}, static_cast<Real>(total * share));
  return record("symmetric_kl", y, {a, b},
                [da, db](const Tensor& dy, Gradient to_a, Gradient to_b) mutable {
                  const auto give = [factor = dy.item()](Tensor& part, Gradient& to) {
                    if (factor != 1) kernels::scale(part.size(), factor, part.data());
                    to.pass(std::move(part));
                  };
                  if (to_a) give(da, to_a);
                  if (to_b) give(db, to_b);
                });
}

Accuracy accuracy(const Operand& logits, const Ids& gold, std::optional<Id> ignore) {
  check(logits.rank() == 2, "accuracy", "expected logits (n, classes); got {}", logits.shape());
  const Index classes = logits.columns();
  Accuracy result;
  result.counted = counted_rows("accuracy", logits.rows(), classes, gold, {.ignore = ignore});
  if (result.counted == 0) return result;
  const Ids best = argmax(logits);
  for (Index i = 0; i < gold.size(); ++i) {
    const bool number = !std::isnan(logits.data()[i * classes + std::as_const(best)[i]]);
    result.correct += ignore != gold[i] && best[i] == gold[i] && number;
  }
  return result;
}

namespace {

/// The rows that are not ignored.
struct CountedRows {
  Ids rows;     // (counted): their numbers
  Ids answers;  // (counted): their gold ids
  bool all;     // none is ignored

  CountedRows(const Ids& gold, const CrossEntropy& options, Index counted)
      : rows({counted}), answers({counted}), all(counted == gold.size()) {
    Index to = 0;
    for (Index i = 0; i < gold.size(); ++i) {
      if (options.ignore == gold[i]) continue;
      rows[to] = static_cast<Id>(i);
      answers[to] = gold[i];
      ++to;
    }
  }
  Tensor gather(const Tensor& x) const {  // (n, ...) -> (counted, ...)
    if (all) return x;
    const Index width = x.shape()[0] > 0 ? x.size() / x.shape()[0] : 0;
    Tensor part(x.shape().with(0, rows.size()));
    for (Index i = 0; i < rows.size(); ++i)
      std::copy_n(x.data() + rows[i] * width, width, part.data() + i * width);
    return part;
  }
  /// Gives `to` (n, ...) the gradient `part` (counted, ...), zeros for the ignored rows.
  void scatter(Tensor part, Gradient& to) const {
    if (all) return to.pass(std::move(part));
    const Index width = part.shape()[0] > 0 ? part.size() / part.shape()[0] : 0;
    if (to.mode() == Mode::assign) std::fill_n(to.data(), to.shape().size(), Real{0});
    for (Index i = 0; i < rows.size(); ++i)
      for (Index j = 0; j < width; ++j)
        to.data()[rows[i] * width + j] += part[i * width + j];
  }
};

/// The operands of a loss that reads a linear layer. A `gate` that is defined makes it the loss
/// that may copy.
struct LinearLossOperands {
  const Operand& x;
  const Operand& weight;
  const OptionalOperand& bias;
  const OptionalOperand& gate;
  const OptionalOperand& copied;

  bool copies() const { return gate.defined(); }
  Index classes() const { return weight.shape()[0]; }
  void check_shapes(const char* op) const {
    check(x.rank() == 2 && weight.rank() == 2 && x.columns() == weight.columns(), op,
          "expected x (n, d) and weight (classes, d); got {} and {}", x.shape(), weight.shape());
    check(!bias.defined() || bias.shape() == Shape{classes()}, op,
          "expected a bias of shape {}; got {}", Shape{classes()}, bias.shape());
    const Index n = x.rows();
    check(!copies() || (gate.shape() == Shape{n} && copied.shape() == Shape{n}), op,
          "expected a gate and a probability for each of {} rows; got {} and {}", n,
          copies() ? gate.shape() : Shape{}, copies() ? copied.shape() : Shape{});
  }
};

/// The gradients of the counted rows. The forward pass computes them, while the probabilities are
/// in cache. Undefined: not wanted.
struct LossGradients {
  Tensor x;       // (counted, d)
  Tensor weight;  // (classes, d)
  Tensor bias;    // (classes)
  // (counted): at first the gates and the probabilities of copying themselves
  Tensor gates;
  Tensor copied;
  bool any;  // whether anything is wanted

  LossGradients(const LinearLossOperands& operands, const CountedRows& counted) {
    const Index rows = counted.rows.size();
    const bool wants_x = Tape::needs_gradient(operands.x);
    const bool wants_weight = Tape::needs_gradient(operands.weight);
    const bool wants_bias = Tape::needs_gradient(operands.bias);
    const bool wants_copy = operands.copies() && (Tape::needs_gradient(operands.gate) ||
                                                  Tape::needs_gradient(operands.copied));
    any = wants_x || wants_weight || wants_bias || wants_copy;
    if (operands.copies()) {
      gates = counted.gather(operands.gate.value()).clone();
      copied = counted.gather(operands.copied.value()).clone();
    }
    if (wants_x) x = Tensor({rows, operands.x.columns()});
    if (wants_weight) weight = Tensor(operands.weight.shape());
    if (wants_bias) bias = Tensor(operands.bias.shape());
    if (rows > 0) return;  // else no block writes them
    for (Tensor* sum : {&weight, &bias})
      if (sum->defined()) std::fill_n(sum->data(), sum->size(), Real{0});
  }
};

/// The sums of the losses of all blocks of rows; fills the gradients.
RowLosses losses_of_blocks(const LinearLossOperands& operands, const CountedRows& counted,
                           const CrossEntropy& options, Real share, LossGradients& to) {
  const Tensor x = counted.gather(operands.x.value());
  const Index rows = counted.rows.size();
  const Index d = x.columns();
  const Index classes = operands.classes();
  const kernels::ConstMatrix weight = detail::rows_of(operands.weight.value());
  const kernels::RightOperand forward(rows, transposed(weight));
  const kernels::RightOperand backward(to.x.defined() ? rows : 0, weight);
  const Index block = block_rows(rows, classes, forward.packed());
  Tensor logits({block, classes});
  RowLosses losses(block, options);
  for (Index begin = 0; begin < rows; begin += block) {
    const Index m = std::min(block, rows - begin);
    const Mode mode = begin == 0 ? Mode::assign : Mode::accumulate;
    const kernels::ConstMatrix in = detail::rows_of(x).block(begin, 0, m, d);
    const kernels::Matrix z = kernels::dense(logits.data(), m, classes);
    const kernels::CrossEntropyInputs inputs{.x = z,
                                             .gold = counted.answers.data() + begin,
                                             .smoothing = options.label_smoothing,
                                             .ignore = std::nullopt};
    forward.multiply(in, operands.bias.data(), z, Mode::assign);
    if (operands.copies())
      kernels::copy_cross_entropy(inputs, to.gates.data() + begin, to.copied.data() + begin,
                                  losses.rows(to.any, share));
    else
      kernels::cross_entropy(inputs, losses.rows(to.any, share));
    losses.add(m);
    // z holds its gradient now.
    if (to.x.defined())
      backward.multiply(z, nullptr, detail::rows_of(to.x).block(begin, 0, m, d), Mode::assign);
    if (to.weight.defined()) kernels::gemm(transposed(z), in, detail::rows_of(to.weight), mode);
    if (to.bias.defined()) kernels::sum_rows(z, {to.bias.data(), mode});
  }
  return losses;
}

/// Both losses that read a linear layer.
Variable linear_loss(const char* op, const LinearLossOperands& operands, const Ids& gold,
                     const CrossEntropy& options) {
  operands.check_shapes(op);
  // An id that P does not know can still be copied.
  const Index ids = operands.copies() ? std::numeric_limits<Id>::max() : operands.classes();
  const Index rows = counted_rows(op, operands.x.rows(), ids, gold, options);
  const Real share = share_of(op, options, rows);
  const CountedRows counted(gold, options, rows);
  LossGradients gradients(operands, counted);
  const RowLosses losses = losses_of_blocks(operands, counted, options, share, gradients);
  if (options.nats) *options.nats = losses.nats;
  Tensor y = Tensor::full({}, static_cast<Real>(losses.total * share));
  return record(
      op, y, {operands.x, operands.weight, operands.bias, operands.gate, operands.copied},
      [counted, of = gradients](const Tensor& dy, Gradient dx, Gradient dweight, Gradient dbias,
                                Gradient dgate, Gradient dcopied) mutable {
        const auto scaled = [factor = dy.item()](Tensor& part) {
          if (factor != 1) kernels::scale(part.size(), factor, part.data());
          return std::move(part);
        };
        if (dx) counted.scatter(scaled(of.x), dx);
        if (dweight) dweight.pass(scaled(of.weight));
        if (dbias) dbias.pass(scaled(of.bias));
        if (dgate) counted.scatter(scaled(of.gates), dgate);
        if (dcopied) counted.scatter(scaled(of.copied), dcopied);
      });
}

}  // namespace

Variable linear_cross_entropy(const Operand& x, const Operand& weight, const OptionalOperand& bias,
                              const Ids& gold, const CrossEntropy& options) {
  const OptionalOperand none(Variable(), x.where());
  return linear_loss("linear_cross_entropy", {x, weight, bias, none, none}, gold, options);
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
  return linear_loss("copy_cross_entropy", {x, weight, bias, gate, copied}, gold, options);
}

}  // namespace heed
