// Fits y = w x + b to noisy points by gradient descent.
// Expected: weights of (2, -3.4) and a bias of 4.2, each within 0.01, in well under a second.

#include <cmath>

#include <fmt/core.h>

#include "framework/ops.h"
#include "layers/linear.h"
#include "optim/optimizer.h"

using namespace heed;

int main() {
  const Real true_w[] = {2, Real(-3.4)};
  const Real true_b = Real(4.2);
  constexpr Index n = 1000;
  Random random(1);
  Tensor x = normal({n, 2}, random, 1);
  Tensor y({n, 1});
  for (Index i = 0; i < n; ++i) {
    const Real noise = static_cast<Real>(0.01 * random.normal());
    y[i] = true_w[0] * x[2 * i] + true_w[1] * x[2 * i + 1] + true_b + noise;
  }

  Linear model(2, 1, random);
  Sgd sgd(model, {.lr = 0.1});
  for (int step = 1; step <= 100; ++step) {
    Tape tape;
    const Variable loss = mean(square(model(x) - y));
    tape.backward(loss);
    sgd.step();
    sgd.clear_gradients();
    if (step % 20 == 0) fmt::print("step {:3}  loss {:.6f}\n", step, loss.item());
  }

  const Tensor& w = model.weight.value();
  const Real b = model.bias.value()[0];
  fmt::print("w = ({:.3f}, {:.3f}), b = {:.3f}\n", w[0], w[1], b);
  const auto close = [](Real got, Real expected) { return std::abs(got - expected) < 0.01; };
  const bool found = close(w[0], true_w[0]) && close(w[1], true_w[1]) && close(b, true_b);
  if (!found) fmt::print("missed: expected w = (2, -3.4), b = 4.2\n");
  return found ? 0 : 1;
}
