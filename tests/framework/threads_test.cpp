#include "tests/framework/threads.h"

#include <gtest/gtest.h>

#include "framework/kernels/parallel.h"
#include "framework/kernels/top_k.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "tests/framework/ops_table/table.h"

// Ops give the same bits on any number of threads: the divided rows of the table of ops, and
// updates and choices.

namespace heed::test {
namespace {

struct Ran {
  std::vector<Tensor> tensors;  // the output, then the gradient of each input
  // The pieces that each pass is divided into.
  std::uint64_t forward = 0;
  std::uint64_t backward = 0;
};

Ran run(const OpRow& op, const std::vector<Tensor>& inputs) {
  std::vector<Parameter> parameters;
  for (const Tensor& x : inputs)
    parameters.emplace_back(x.clone());
  Tape tape;
  const std::vector<Variable> xs(parameters.begin(), parameters.end());
  const std::uint64_t start = kernels::pieces_cut();
  const Variable y = op.compute(xs);
  const std::uint64_t middle = kernels::pieces_cut();
  Tensor dy(y.shape());
  for (Index k = 0; k < dy.size(); ++k)
    dy[k] = static_cast<Real>(k % 7) * Real(0.3) - Real(0.7);
  if (Tape::needs_gradient(y)) tape.backward(y, dy);
  Ran ran{{y.value().clone()}, middle - start, kernels::pieces_cut() - middle};
  for (const Parameter& p : parameters)
    ran.tensors.push_back(p.gradient().defined() ? p.gradient() : Tensor());
  return ran;
}

TEST(Threads, EveryOpGivesTheSameBits) {
  for (const OpRow& row : op_table().rows) {
    if (row.size != Size::divided) continue;
    const std::string what = fmt::format("{}, {}", row.op, row.what);
    const std::vector<Tensor> inputs = draw(row, 3);
    Ran serial;
    for (int count : thread_counts) {
      const Threads threads(count);
      Ran ran = run(row, inputs);
      if (count == 1) {
        serial = std::move(ran);
        EXPECT_EQ(serial.forward > 1, row.cuts_forward)
            << what << ": forward in " << serial.forward << " pieces";
        EXPECT_EQ(serial.backward > 1, row.cuts_backward)
            << what << ": backward in " << serial.backward << " pieces";
        continue;
      }
      EXPECT_EQ(ran.forward, serial.forward) << what << ", on " << count << " threads";
      EXPECT_EQ(ran.backward, serial.backward) << what << ", on " << count << " threads";
      EXPECT_EQ(first_difference(ran.tensors, serial.tensors), "")
          << what << ", on " << count << " threads";
    }
  }
}

// Optimizers, clipping and choices ----------------------------------------------------------------

struct Parameters {
  std::vector<Parameter> all;
  void visit(Visitor& v) { v("p", all); }
};

/// Three steps of an optimizer: the norms of the gradients, then the parameters and the state of
/// the optimizer.
template <class Optimizer, class Options>
std::vector<Tensor> steps(const Options& options) {
  Parameters model;
  for (const Shape& shape : {Shape{300, 301}, Shape{7}, Shape{40, 41}, Shape{70001}})
    model.all.emplace_back(uniform_tensor(shape, 5));
  Optimizer optimizer(model, options);
  std::vector<Tensor> results;
  for (std::uint64_t step = 0; step < 3; ++step) {
    for (Parameter& p : model.all)
      p.gradient() = uniform_tensor(p.value().shape(), 6 + step);
    const double norm = optimizer.gradient_norm();
    // One element for each byte, since a double has more digits than a Real.
    Tensor bytes({sizeof norm});
    for (std::size_t i = 0; i < sizeof norm; ++i)
      bytes[static_cast<Index>(i)] = reinterpret_cast<const unsigned char*>(&norm)[i];
    results.push_back(bytes);
    optimizer.step(options.lr, norm > 1 ? 1 / norm : 1);
  }
  for (const Parameter& p : model.all)
    results.push_back(p.value());
  for (const NamedTensor& t : optimizer.state())
    results.push_back(t.tensor);
  return results;
}

/// What top_k and log_sum_exp give.
std::vector<Tensor> chosen() {
  const Index m = 53;
  const Index n = 2003;
  const Index k = 17;
  const Tensor x = uniform_tensor({m, n}, 9);
  Tensor values({m, k});
  Tensor places({m, k});
  Tensor sums({m});
  Ids columns({m, k});
  kernels::top_k(m, n, k, x.data(), values.data(), columns.data());
  kernels::log_sum_exp(m, n, x.data(), sums.data());
  for (Index i = 0; i < columns.size(); ++i)
    places[i] = static_cast<Real>(columns[i]);
  return {values, places, sums};
}

/// Gradients after clipping.
std::vector<Tensor> clipped() {
  Parameters model;
  for (const Shape& shape : {Shape{300, 301}, Shape{7}, Shape{70001}}) {
    model.all.emplace_back(zeros(shape));
    model.all.back().gradient() = uniform_tensor(shape, 8);
  }
  clip_gradients(model, 1.0);
  std::vector<Tensor> results;
  for (const Parameter& p : model.all)
    results.push_back(p.gradient());
  return results;
}

TEST(Threads, UpdatesAndChoicesGiveTheSameBits) {
  struct Work {
    const char* what;
    std::vector<Tensor> (*compute)();
  };
  for (const Work& work :
       {Work{"sgd", [] { return steps<Sgd>(SgdOptions{.momentum = 0.9, .weight_decay = 0.01}); }},
        Work{"adam", [] { return steps<Adam>(AdamOptions{}); }},
        Work{"adamw", [] { return steps<AdamW>(AdamWOptions{}); }},
        Work{"top_k and log_sum_exp", chosen}, Work{"clip_gradients", clipped}}) {
    std::vector<Tensor> serial;
    std::uint64_t pieces = 0;
    for (int count : thread_counts) {
      const Threads threads(count);
      const std::uint64_t start = kernels::pieces_cut();
      std::vector<Tensor> results = work.compute();
      if (count == 1) {
        pieces = kernels::pieces_cut() - start;
        EXPECT_GT(pieces, 1u) << work.what << ": not divided";
        serial = std::move(results);
        continue;
      }
      EXPECT_EQ(kernels::pieces_cut() - start, pieces) << work.what;
      EXPECT_EQ(first_difference(results, serial), "")
          << work.what << ", on " << count << " threads";
    }
  }
}

}  // namespace
}  // namespace heed::test
