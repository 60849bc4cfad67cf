#include "framework/module.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace heed {

namespace {

struct Collect : Visitor {
  std::vector<NamedParameter> found;
  void on_parameter(const std::string& name, Parameter& parameter) override {
    const auto same = [&](const NamedParameter& other) { return other.parameter == parameter; };
    if (std::none_of(found.begin(), found.end(), same)) found.push_back({name, parameter});
  }
};

/// Pointers to all parameters and flags, in the order of the visits.
struct CollectMembers : Visitor {
  std::vector<Parameter*> parameters;
  std::vector<bool*> flags;
  void on_parameter(const std::string& /*name*/, Parameter& parameter) override {
    parameters.push_back(&parameter);
  }
  void on_training(bool& flag) override { flags.push_back(&flag); }
};

struct SetTraining : Visitor {
  explicit SetTraining(bool v) : value(v) {}
  void on_training(bool& flag) override { flag = value; }
  bool value;
};

template <class Draw>
Tensor drawn(const Shape& shape, const Random& random, Draw draw) {
  Tensor result(shape);
  if (random.is_blank()) return result;
  for (Real& x : result.span())
    x = static_cast<Real>(draw());
  return result;
}

}  // namespace

std::vector<NamedParameter> parameters(AnyModule module) {
  Collect collect;
  module.visit(collect);
  return std::move(collect.found);
}

Index parameter_count(AnyModule module) {
  Index count = 0;
  for (const auto& [name, parameter] : parameters(module))
    if (parameter.trainable()) count += parameter.value().size();
  return count;
}

void set_training(AnyModule module, bool training) {
  SetTraining visitor(training);
  module.visit(visitor);
}

void copy_parameters(AnyModule from, AnyModule to) {
  CollectMembers source;
  CollectMembers target;
  from.visit(source);
  to.visit(target);
  check(source.parameters.size() == target.parameters.size() &&
            source.flags.size() == target.flags.size(),
        "copy_parameters", "expected two modules of one structure; got {} and {} parameters",
        source.parameters.size(), target.parameters.size());
  for (std::size_t i = 0; i < source.parameters.size(); ++i) {
    // The copy constructor copies or shares, as clone() or share() says; assignment copies the
    // elements.
    if (Parameter::Copying::active())
      *target.parameters[i] = Parameter(*source.parameters[i]);
    else
      *target.parameters[i] = *source.parameters[i];
  }
  for (std::size_t i = 0; i < source.flags.size(); ++i)
    *target.flags[i] = *source.flags[i];
}

Evaluating::Evaluating(AnyModule module) {
  CollectMembers members;
  module.visit(members);
  for (bool* flag : members.flags)
    before_.emplace_back(flag, *flag);
  for (bool* flag : members.flags)
    *flag = false;
}

Evaluating::~Evaluating() {
  for (auto flag = before_.rbegin(); flag != before_.rend(); ++flag)
    *flag->first = flag->second;
}

void clear_gradients(AnyModule module) {
  for (const auto& [name, parameter] : parameters(module))
    parameter.clear_gradient();
}

Tensor xavier_uniform(const Shape& shape, Random& random, Real gain) {
  check(shape.rank() == 2, "xavier_uniform", "expected shape (out, in); got {}", shape);
  const Real bound = gain * std::sqrt(Real{6} / static_cast<Real>(shape[0] + shape[1]));
  return uniform(shape, random, -bound, bound);
}

Tensor normal(const Shape& shape, Random& random, Real deviation) {
  return drawn(shape, random, [&] { return deviation * random.normal(); });
}

Tensor uniform(const Shape& shape, Random& random, Real low, Real high) {
  return drawn(shape, random, [&] { return random.uniform(low, high); });
}

Tensor zeros(const Shape& shape) { return Tensor::zeros(shape); }
Tensor ones(const Shape& shape) { return Tensor::full(shape, 1); }

}  // namespace heed
