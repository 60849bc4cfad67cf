// Times
// - every fused op and its composition from plain ops, on the shapes of the cases: forward, and
//   forward with backward;
// - clipping with Adam, in one pass and as plain ops;
// - matrix products, in GFLOP/s.
//
// The options of Google Benchmark choose and repeat. --table prints one row of Markdown for each op
// and shape: the time of the composition, that of the fused op, and their ratio.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iostream>
#include <map>

#include <benchmark/benchmark.h>

#include "framework/error.h"
#include "framework/module.h"
#include "framework/threads.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "tests/framework/ops_table/table.h"

namespace {

using namespace heed;

/// Keeps the latest inputs, because Google Benchmark calls a benchmark several times until it has
/// run for long enough.
const std::vector<Tensor>& inputs_of(const test::OpRow& c) {
  static const test::OpRow* drawn = nullptr;
  static std::vector<Tensor> inputs;
  if (drawn != &c) {
    inputs = test::draw(c, 1);
    drawn = &c;
  }
  return inputs;
}

void forward(benchmark::State& state, const test::OpRow& c, const test::Compute& f) {
  const std::vector<Tensor>& inputs = inputs_of(c);
  const std::vector<Variable> xs(inputs.begin(), inputs.end());
  f(xs);  // the first call requests memory from the system
  for (auto _ : state)
    benchmark::DoNotOptimize(f(xs).data());
}

void both(benchmark::State& state, const test::OpRow& c, const test::Compute& f) {
  const std::vector<Tensor>& inputs = inputs_of(c);
  const std::vector<Parameter> parameters(inputs.begin(), inputs.end());
  const std::vector<Variable> xs(parameters.begin(), parameters.end());
  const Tensor dy = Tensor::full(f(xs).shape(), Real(0.5));
  const auto pass = [&] {
    for (const Parameter& p : parameters)
      p.clear_gradient();
    Tape tape;
    tape.backward(f(xs), dy);
  };
  pass();
  for (auto _ : state)
    pass();
}

/// About as many parameters as `small` has, with gradients: an embedding table and six of each
/// other shape.
struct Weights {
  std::vector<Parameter> all;
  Weights() {
    Random random(1);
    for (const Shape& shape :
         {Shape{8000, 256}, {1024, 256}, {256, 1024}, {768, 256}, {256, 256}, {256}}) {
      const int count = shape.rows() == 8000 ? 1 : 6;
      for (int i = 0; i < count; ++i) {
        all.emplace_back(uniform(shape, random, Real(-0.1), Real(0.1)));
        all.back().gradient() = uniform(shape, random, -1, 1);
      }
    }
  }
  void visit(Visitor& v) {
    for (std::size_t i = 0; i < all.size(); ++i)
      v(std::to_string(i), all[i]);
  }
};

void fused_update(benchmark::State& state) {
  Weights weights;
  Adam adam(weights, {.lr = 1e-3});
  for (auto _ : state) {
    clip_gradients(weights, 1);
    adam.step();
  }
}

/// The same update from plain ops.
void plain_update(benchmark::State& state) {
  Weights weights;
  std::vector<Tensor> m;
  std::vector<Tensor> v;
  for (const Parameter& p : weights.all) {
    m.push_back(Tensor::zeros(p.shape()));
    v.push_back(Tensor::zeros(p.shape()));
  }
  double step = 0;
  for (auto _ : state) {
    double squares = 0;
    for (const Parameter& p : weights.all)
      squares += static_cast<double>(sum(square(p.gradient())).item());
    const double factor = clip_factor(std::sqrt(squares), 1);
    ++step;
    const double rate = 1e-3 / (1 - std::pow(0.9, step));
    const double root = 1 / std::sqrt(1 - std::pow(0.999, step));
    for (std::size_t i = 0; i < weights.all.size(); ++i) {
      const Parameter& p = weights.all[i];
      const Variable g = Variable(p.gradient()) * factor;
      m[i] = (Variable(m[i]) * 0.9 + g * 0.1).value();
      v[i] = (Variable(v[i]) * 0.999 + square(g) * 0.001).value();
      p.value() =
          (Variable(p.value()) - Variable(m[i]) * rate / (sqrt(v[i]) * root + 1e-8)).value();
    }
  }
}

void product(benchmark::State& state, Index m, Index k, Index n, Transpose transpose) {
  Random random(1);
  const Tensor a = uniform(transpose.a ? Shape{k, m} : Shape{m, k}, random, -1, 1);
  const Tensor b = uniform(transpose.b ? Shape{n, k} : Shape{k, n}, random, -1, 1);
  for (auto _ : state)
    benchmark::DoNotOptimize(matmul(a, b, transpose).data());
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * static_cast<double>(m * k * n),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

template <class F>
void add(const std::string& name, F f) {
  benchmark::RegisterBenchmark(name.c_str(), f)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

void register_fused() {
  for (const test::OpRow& c : test::timed_rows()) {
    const std::string name = fmt::format("{}/{} {}", c.op, c.what, to_string(c.inputs[0].shape));
    add(name + "/forward/before", [&c](benchmark::State& s) { forward(s, c, c.composed); });
    add(name + "/forward/after", [&c](benchmark::State& s) { forward(s, c, c.compute); });
    add(name + "/both/before", [&c](benchmark::State& s) { both(s, c, c.composed); });
    add(name + "/both/after", [&c](benchmark::State& s) { both(s, c, c.compute); });
  }
  add("clip + Adam/small/both/before", plain_update);
  add("clip + Adam/small/both/after", fused_update);
}

void register_products() {
  struct Extents {
    const char* what;
    Index rows;
    Index in;
    Index out;
  };
  for (const auto& [what, m, k, n] : {Extents{"peak", 2048, 2048, 2048},
                                      {"tiny, ff", 960, 128, 512},
                                      {"tiny, words", 960, 128, 8000},
                                      {"small, ff", 960, 256, 1024},
                                      {"base, ff", 768, 512, 2048},
                                      {"base, words", 768, 512, 8000},
                                      {"gptlong, ff", 4096, 256, 1024},
                                      {"one row, words", 1, 256, 8000}}) {
    const std::string name = fmt::format("matmul/{}: {} x {} -> {}", what, m, k, n);
    add(name + "/x W^T", [=](benchmark::State& s) { product(s, m, k, n, {.b = true}); });
    add(name + "/dy W", [=](benchmark::State& s) { product(s, m, n, k, {}); });
    add(name + "/dy^T x", [=](benchmark::State& s) { product(s, n, m, k, {.a = true}); });
  }
}

/// Prints one row of Markdown for each op and shape: the times of composition and fused op in
/// microseconds and their ratio, for forward and for both passes. A time is the smallest of all
/// repetitions.
class Table : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    std::cout << "| op | shapes | forward: composed, us | fused, us | faster | with backward: "
                 "composed, us | fused, us | faster |\n"
                 "|---|---|---|---|---|---|---|---|\n";
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      const std::string& name = run.run_name.function_name;  // op/shapes/pass/which
      const std::size_t which = name.rfind('/');
      const std::size_t pass = which == std::string::npos ? which : name.rfind('/', which - 1);
      if (pass == std::string::npos) continue;
      if (const std::string row = name.substr(0, pass); row != row_) {
        print_row();
        row_ = row;
      }
      const auto [at, first] = times_.try_emplace(name.substr(pass + 1), run.GetAdjustedRealTime());
      at->second = std::min(at->second, run.GetAdjustedRealTime());
    }
  }
  void Finalize() override { print_row(); }

 private:
  void print_row() {
    const std::size_t slash = row_.find('/');
    if (times_.contains("forward/after") || times_.contains("both/after"))
      std::cout << fmt::format("| {} | {} |{}{}\n", row_.substr(0, slash), row_.substr(slash + 1),
                               pass("forward"), pass("both"))
                << std::flush;
    times_.clear();
  }
  std::string pass(const std::string& name) const {
    const auto before = times_.find(name + "/before");
    const auto after = times_.find(name + "/after");
    if (before == times_.end() || after == times_.end()) return " | | |";
    return fmt::format(" {:.0f} | {:.0f} | {:.1f} |", before->second, after->second,
                       before->second / after->second);
  }
  std::string row_;
  std::map<std::string, double> times_;
};

/// The options of the command line; `others` are those of Google Benchmark.
struct Arguments {
  int threads = 2;
  bool table = false;
  std::vector<char*> others;
};

/// Throws Error on a number of threads that is not one.
Arguments parse(int argc, char** argv) {
  constexpr std::string_view threads = "--threads=";
  Arguments result;
  result.others.push_back(argv[0]);
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--table") {
      result.table = true;
    } else if (option.starts_with(threads)) {
      const std::string_view number = option.substr(threads.size());
      const char* number_end = number.data() + number.size();
      const auto [end, error] = std::from_chars(number.data(), number_end, result.threads);
      if (error != std::errc() || end != number_end || result.threads < 1)
        fail("expected --threads=N, 1 or more; got '{}'", option);
    } else {
      result.others.push_back(argv[i]);
    }
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  try {
    arguments = parse(argc, argv);
  } catch (const Error& error) {
    std::cerr << "ops_bench: error: " << error.what() << '\n';
    return 2;
  }
  int count = static_cast<int>(arguments.others.size());
  benchmark::Initialize(&count, arguments.others.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.others.data())) return 2;
  set_threads(arguments.threads);
  try {
    register_fused();
    register_products();
    Table rows;
    if (arguments.table)
      benchmark::RunSpecifiedBenchmarks(&rows);
    else
      benchmark::RunSpecifiedBenchmarks();
  } catch (const Error& error) {
    std::cerr << "ops_bench: error: " << error.what() << '\n';
    return 1;
  }
}
