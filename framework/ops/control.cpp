#include <bit>
#include <cstdint>
#include <vector>

#include "framework/ops.h"

namespace heed {

namespace {

/// A hash of the elements' bits, in order (Fowler, Noll and Vo's, an element at a time).
std::uint64_t checksum(const Tensor& x) {
  using Bits = std::conditional_t<sizeof(Real) == 4, std::uint32_t, std::uint64_t>;
  std::uint64_t hash = 14695981039346656037u;
  for (const Real value : x.span())
    hash = (hash ^ std::bit_cast<Bits>(value)) * 1099511628211u;
  return hash;
}

std::vector<Tensor> values_of(std::span<const Operand> inputs) {
  std::vector<Tensor> values;
  for (const Operand& input : inputs)
    values.push_back(input.value());
  return values;
}

/// Sets step_random() to another place, and back at the end of its scope.
class StepRandom {
 public:
  explicit StepRandom(const Random& place) : after_(std::exchange(step_random(), place)) {}
  ~StepRandom() { step_random() = after_; }
  StepRandom(const StepRandom&) = delete;
  StepRandom& operator=(const StepRandom&) = delete;

 private:
  Random after_;
};

}  // namespace

Variable recompute(const std::function<Variable(std::span<const Variable>)>& fn,
                   std::span<const Operand> inputs) {
  const Random before = step_random();
  Tensor y;
  {
    Tape::Unrecorded pause;
    const std::vector<Variable> values(inputs.begin(), inputs.end());
    y = fn(values).value();
    check(y.defined(), "recompute", "expected fn to give a value; got an undefined one");
  }
  if (!Tape::recording()) return y;
  // fn may use parameters that are not among its inputs. One more input, which wants a gradient,
  // makes sure that the op is recorded.
  static const Parameter always{Tensor::zeros({})};
  std::vector<Operand> operands(inputs.begin(), inputs.end());
  operands.push_back(operands.empty() ? Operand(always)
                                      : Operand(always, operands.front().where()));
  // const, so that the closure's copy is copied again when the tape takes it. A vector that is
  // moved does not move its tensors, and the tape would not notice them.
  const std::vector<Tensor> kept = values_of(inputs);
  const std::uint64_t sum = checksum(y);
  return record("recompute", y, operands,
                [fn, before, kept, sum](const Tensor& dy, std::span<Gradient> dxs) {
                  const StepRandom again_from(before);
                  std::vector<Parameter> leaves;
                  std::vector<Variable> values;
                  for (std::size_t i = 0; i < kept.size(); ++i) {
                    leaves.push_back(Parameter::over(kept[i]));
                    values.push_back(dxs[i] ? Variable(leaves[i]) : Variable(kept[i]));
                  }
                  Tape tape;
                  const Variable again = fn(values);
                  check(again.shape() == dy.shape() && checksum(again.value()) == sum, "recompute",
                        "fn computed something else the second time: what it uses has changed, or "
                        "it keeps a state");
                  if (Tape::needs_gradient(again)) tape.backward(again, dy);
                  for (std::size_t i = 0; i < leaves.size(); ++i)
                    if (Tensor& gradient = leaves[i].gradient(); gradient.defined())
                      dxs[i].pass(std::move(gradient));
                });
}

Random& step_random() {
  static thread_local Random random;
  return random;
}

}  // namespace heed
