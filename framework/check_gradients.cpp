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

}  // namespace

std::string GradientCheck::report() const {
  return fmt::format(
      "gradient check {}: worst error {:.2e} (allowed {:.0e}) at input {}, element {} of {}: the "
      "tape gives {:.9g}, the difference {:.9g}",
      passed ? "passed" : "failed", error, tolerance, input, element, shape, tape, difference);
}

GradientCheck check_gradients(const std::function<Variable(std::span<const Variable>)>& fn,
                              std::span<const Tensor> inputs, const GradientCheckOptions& options) {
  std::vector<Tensor> values;
  std::vector<Parameter> parameters;
  for (const Tensor& input : inputs) {
    values.push_back(input.clone());
    parameters.emplace_back(input.clone());
  }
  Tensor projection;
  {
    Tape tape;
    const std::vector<Variable> variables(parameters.begin(), parameters.end());
    const Variable y = fn(variables);
    projection = Tensor(y.shape());
    Random random(options.seed);
    for (Real& weight : projection.span())
      weight = static_cast<Real>(random.uniform(-1, 1));
    tape.backward(y, projection);
  }
  Tape::Pause pause;
  const auto projected = [&] {
    return dot(fn(std::vector<Variable>(values.begin(), values.end())).value(), projection);
  };

  GradientCheck result;
  result.tolerance = options.tolerance;
  for (std::size_t i = 0; i < values.size(); ++i) {
    Tensor& x = values[i];
    const Tensor gradient =
        parameters[i].gradient().defined() ? parameters[i].gradient() : Tensor::zeros(x.shape());
    std::vector<double> differences;
    double largest = 0.01;
    for (Index k = 0; k < x.size(); ++k) {
      const Real kept = x[k];
      const Real above = kept + static_cast<Real>(options.step);

      const Real below = kept - static_cast<Real>(options.step);
      x[k] = above;
      const double high = projected();
      x[k] = below;
      const double low = projected();
      x[k] = kept;
      differences.push_back((high - low) /
                            (static_cast<double>(above) - static_cast<double>(below)));
      largest = std::max(
          {largest, std::abs(differences.back()), std::abs(static_cast<double>(gradient[k]))});
    }
    for (Index k = 0; k < x.size(); ++k) {
      const double tape = static_cast<double>(gradient[k]);

      const double error = std::abs(tape - differences[k]) / largest;
      if (error <= result.error) continue;  // false for NaN, which fails
      result = {!std::isnan(error) && error <= options.tolerance,
                error,
                static_cast<int>(i),
                k,
                x.shape(),
                tape,
                differences[k],
                options.tolerance};
      if (std::isnan(error)) return result;
    }
  }
  return result;
}

}  // namespace heed
