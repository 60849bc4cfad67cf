#include "framework/check_gradients.h"

#include <algorithm>
#include <cmath>

#include "framework/random.h"

namespace heed {

namespace {

double dot(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (Index i = 0; i < a.size(); ++i)
    total += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return total;
}

/// A parameter for each input, with its gradient from the tape, and the projection.
struct TapeGradients {
  Tensor projection;
  std::vector<Parameter> parameters;

  Tensor of_input(std::size_t i) const {
    const Parameter& parameter = parameters[i];
    return parameter.gradient().defined() ? parameter.gradient() : Tensor::zeros(parameter.shape());
  }
};

using Function = std::function<Variable(std::span<const Variable>)>;

TapeGradients tape_gradients(const Function& fn, std::span<const Tensor> inputs,
                             std::uint64_t seed) {
  TapeGradients result;
  for (const Tensor& input : inputs)
    result.parameters.emplace_back(input.clone());
  Tape tape;
  const std::vector<Variable> variables(result.parameters.begin(), result.parameters.end());
  const Variable y = fn(variables);
  result.projection = Tensor(y.shape());
  Random random(seed);
  for (Real& weight : result.projection.span())
    weight = static_cast<Real>(random.uniform(-1, 1));
  tape.backward(y, result.projection);
  return result;
}

/// (f(x + step) - f(x - step)) / (2 step) for each element of x, which is restored. f reads x.
std::vector<double> central_differences(Tensor& x, double step, const std::function<double()>& f) {
  std::vector<double> differences;
  for (Index k = 0; k < x.size(); ++k) {
    const Real kept = x[k];
    const Real above = kept + static_cast<Real>(step);
    const Real below = kept - static_cast<Real>(step);
    x[k] = above;
    const double high = f();
    x[k] = below;
    const double low = f();
    x[k] = kept;
    // The step as it was rounded.
    const double width = static_cast<double>(above) - static_cast<double>(below);
    differences.push_back((high - low) / width);
  }
  return differences;
}

/// The largest absolute value of both gradients of an input, at least 0.01.
double error_unit(const std::vector<double>& differences, const Tensor& gradient) {
  double largest = 0.01;
  for (Index k = 0; k < gradient.size(); ++k) {
    largest =
        std::max({largest, std::abs(differences[k]), std::abs(static_cast<double>(gradient[k]))});
  }
  return largest;
}

}  // namespace

std::string GradientCheck::report() const {
  return fmt::format(
      "gradient check {}: worst error {:.2e} (allowed {:.0e}) at input {}, element {} of {}: the "
      "tape gives {:.9g}, the difference {:.9g}",
      passed ? "passed" : "failed", error, tolerance, input, element, shape, tape, difference);
}

GradientCheck check_gradients(const std::function<Variable(std::span<const Variable>)>& fn,
                              std::span<const Tensor> inputs, const GradientCheckOptions& options) {
  const TapeGradients gradients = tape_gradients(fn, inputs, options.seed);
  std::vector<Tensor> values;
  for (const Tensor& input : inputs)
    values.push_back(input.clone());
  const Tape::Pause pause;
  const auto projected = [&] {
    const std::vector<Variable> variables(values.begin(), values.end());
    return dot(fn(variables).value(), gradients.projection);
  };

  GradientCheck worst;
  worst.tolerance = options.tolerance;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Tensor gradient = gradients.of_input(i);
    const std::vector<double> differences = central_differences(values[i], options.step, projected);
    const double unit = error_unit(differences, gradient);
    for (Index k = 0; k < gradient.size(); ++k) {
      const double tape = static_cast<double>(gradient[k]);
      const double error = std::abs(tape - differences[k]) / unit;
      if (error <= worst.error) continue;  // false for NaN, which fails the check
      worst = {.passed = !std::isnan(error) && error <= options.tolerance,
               .error = error,
               .input = static_cast<int>(i),
               .element = k,
               .shape = gradient.shape(),
               .tape = tape,
               .difference = differences[k],
               .tolerance = options.tolerance};
      if (std::isnan(error)) return worst;
    }
  }
  return worst;
}

}  // namespace heed
