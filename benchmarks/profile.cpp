#include "benchmarks/profile.h"

#include <algorithm>
#include <map>
#include <ostream>

#include "datasets/text/batch.h"
#include "framework/ops.h"
#include "framework/threads.h"

namespace heed::bench {

namespace {

/// The number of scores that an attention computes for one head. Its numbers of rows tell whether
/// its queries and keys are those of the source or of the target.
double scores_of_head(Index queries, Index keys, bool causal, const Batch& batch) {
  const bool target = queries == batch.target.spans.rows();
  const Spans& q = target ? batch.target.spans : batch.source.spans;
  const Spans& k = keys == q.rows() ? q : batch.source.spans;
  double sum = 0;
  for (Index i = 0; i < q.count(); ++i) {
    const auto n = static_cast<double>(q.length(i));
    const auto m = static_cast<double>(k.length(i));
    sum += causal ? n * (n + 1) / 2 : n * m;
  }
  return sum;
}

/// The operations of the matrix products of one call, in 1e9. Operands that are frozen or constant
/// are counted as if they needed a gradient.
double gflop(const Tape::Row& row, const Batch& batch) {
  const std::string_view op = row.op;
  const auto rows = static_cast<double>(row.shape.rows());
  const auto extent = [&](std::size_t input, int axis) {
    return static_cast<double>(row.inputs[input][axis]);
  };
  const auto size = [&](std::size_t input) {
    return static_cast<double>(row.inputs[input].size());
  };
  constexpr double passes = 3;  // products for y, dx and dW
  if (op == "linear" || op == "conv1d" || op == "conv2d") return 2e-9 * passes * rows * size(1);
  if (op == "feed_forward") return 2e-9 * passes * rows * (size(1) + size(3));
  if (op == "matmul" && row.shape.rank() >= 2) {
    const Index out_rows = row.inputs[0].rows() == 0 ? 1 : row.shape.size() / row.shape.columns();
    return 2e-9 * passes * static_cast<double>(row.shape.size()) * size(0) /
           static_cast<double>(out_rows);
  }
  if (op == "linear_cross_entropy" || op == "copy_cross_entropy")
    return 2e-9 * passes * static_cast<double>(row.inputs[0].rows()) * size(1);
  if (op == "elman" || op == "gru" || op == "lstm" || op == "norm_lstm")
    return 2e-9 * passes * extent(0, 0) * size(1);
  if (op == "dot_scores" || op == "weighted_values" || op == "weighted_queries") {
    // Of one head, as in the recurrent decoder.
    const double scores = op == "dot_scores" ? static_cast<double>(row.shape.size()) : size(0);
    return 2e-9 * passes * scores * static_cast<double>(row.inputs[1].columns());
  }
  if (op == "attention") {
    const Index queries = row.shape.rows();
    const Index keys = row.inputs.back().rows();
    const bool causal = row.inputs.size() == 1 && queries == batch.target.spans.rows();
    constexpr double products = 2 + 5;  // forward and backward
    return 2e-9 * products * scores_of_head(queries, keys, causal, batch) *
           static_cast<double>(row.shape.columns());
  }
  return 0;
}

}  // namespace

double StepProfile::gflop() const {
  double sum = 0;
  for (const OpTime& op : ops)
    sum += op.gflop;
  return sum;
}

StepProfile profile(TrainingStep& step, const Batch& batch, int steps) {
  StepProfile result;
  std::map<std::string, OpTime> by_name;
  for (int i = 0; i < steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    step(batch, {.profile = true}, [&](const Tape& tape) {
      for (const Tape::Row& row : tape.rows()) {
        OpTime& op = by_name[row.op];
        op.op = row.op;
        ++op.calls;
        op.forward_ms += row.forward_ms / steps;
        op.backward_ms += row.backward_ms / steps;
        op.gflop += gflop(row, batch) / steps;
      }
    });
    result.step_ms += seconds_since(start) * 1e3 / steps;
    result.update_ms += step.update_ms() / steps;
  }
  for (auto& [name, op] : by_name) {
    op.calls /= steps;
    result.ops.push_back(op);
  }
  std::sort(result.ops.begin(), result.ops.end(),
            [](const OpTime& a, const OpTime& b) { return a.ms() > b.ms(); });
  return result;
}

double peak_gflops() {
  constexpr Index n = 1536;
  const Tensor a = Tensor::full({n, n}, 1);
  const Tensor b = Tensor::full({n, n}, 1);
  double best = 0;
  for (int i = 0; i < 8; ++i) {
    const auto start = std::chrono::steady_clock::now();
    matmul(a, b);
    best = std::max(best, 2e-9 * n * n * n / seconds_since(start));
  }
  return best;
}

void print(std::ostream& out, const std::string& name, const StepProfile& p, double peak) {
  const double rate = p.gflop() / (p.step_ms * 1e-3);
  out << fmt::format(
      "**{}**, {} threads: {:.1f} ms a step for {:.1f} GFLOP of products, {:.0f} GFLOP/s: {:.0f} % "
      "of the {:.0f} that a large product reaches.\n\n",
      name, threads(), p.step_ms, p.gflop(), rate, 100 * rate / peak, peak);
  out << "| op | calls | forward, ms | backward, ms | share of the step | GFLOP/s |\n"
         "|---|---|---|---|---|---|\n";
  double rest = p.step_ms - p.update_ms;
  double small = 0;
  Index small_calls = 0;
  for (const OpTime& op : p.ops) {
    rest -= op.ms();
    if (op.ms() < 0.005 * p.step_ms) {
      small += op.ms();
      small_calls += op.calls;
      continue;
    }
    const std::string gflops =
        op.gflop > 0 ? fmt::format("{:.0f}", op.gflop / (op.ms() * 1e-3)) : "";
    out << fmt::format("| {} | {} | {:.2f} | {:.2f} | {:.1f} % | {} |\n", op.op, op.calls,
                       op.forward_ms, op.backward_ms, 100 * op.ms() / p.step_ms, gflops);
  }
  out << fmt::format("| ops of less than 0.5 % | {} | {:.2f} | | {:.1f} % | |\n", small_calls,
                     small, 100 * small / p.step_ms);
  out << fmt::format("| clearing gradients, clipping, Adam | | {:.2f} | | {:.1f} % | |\n",
                     p.update_ms, 100 * p.update_ms / p.step_ms);
  out << fmt::format("| between ops | | {:.2f} | | {:.1f} % | |\n\n", rest, 100 * rest / p.step_ms);
}

}  // namespace heed::bench
