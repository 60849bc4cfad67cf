#include <vector>

#include "framework/ops.h"

namespace heed {

Variable recompute(const std::function<Variable(std::span<const Variable>)>& fn, std::span<const Operand> inputs) {
  const Random before = step_random();
  Tensor y;
  {
    Tape::Unrecorded pause;
    const std::vector<Variable> values(inputs.begin(), inputs.end());
    y = fn(values).value();
  }
  if (!Tape::recording()) return y;
  // fn may use parameters that are not among its inputs: one more input that wants a gradient makes sure of a place on the tape.
  static const Parameter always{Tensor::zeros({})};
  std::vector<Operand> operands(inputs.begin(), inputs.end());
  operands.push_back(operands.empty() ? Operand(always) : Operand(always, operands.front().where()));
  std::vector<Tensor> kept;
  for (const Operand& input : inputs) kept.push_back(input.value());
  return record("recompute", y, operands, [fn, before, kept](const Tensor& dy, std::span<Gradient> dxs) {
    const Random after = std::exchange(step_random(), before);
    std::vector<Parameter> leaves;
    std::vector<Variable> values;
    for (std::size_t i = 0; i < kept.size(); ++i) {
      leaves.emplace_back(kept[i]);
      values.push_back(dxs[i] ? Variable(leaves[i]) : Variable(kept[i]));
    }
    Tape tape;
    tape.backward(fn(values), dy);
    step_random() = after;
    for (std::size_t i = 0; i < leaves.size(); ++i)
      if (Tensor& gradient = leaves[i].gradient(); gradient.defined()) dxs[i].pass(std::move(gradient));
  });
}

Random& step_random() {
  static thread_local Random random;
  return random;
}

}  // namespace heed
