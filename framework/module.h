#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

#include "framework/random.h"
#include "framework/tape.h"

namespace heed {

class Visitor;

/// A plain struct that lists what it is made of:  void visit(Visitor& v) { v("weight", weight), v("bias", bias); }
template <class T>
concept Module = requires(T& module, Visitor& visitor) { module.visit(visitor); };

/// Walks a module and what it contains. Naming, counting, saving, loading, clearing gradients and switching between training
/// and evaluation are all visits. Names join with dots: "encoder.layers.0.attention.weight".
class Visitor {
 public:
  virtual ~Visitor() = default;

  void operator()(std::string_view name, Parameter& parameter) {
    if (parameter.defined()) on_parameter(join(name), parameter);  // an absent bias is no parameter
  }
  template <Module M>
  void operator()(std::string_view name, M& module) {
    const std::string outer = std::exchange(path_, join(name));
    module.visit(*this);
    path_ = outer;
  }
  template <class T>
  void operator()(std::string_view name, std::vector<T>& items) {
    for (std::size_t i = 0; i < items.size(); ++i) (*this)(std::string(name) + "." + std::to_string(i), items[i]);
  }
  /// A flag that is true in training and false in evaluation.
  void training(bool& flag) { on_training(flag); }

 protected:
  virtual void on_parameter(const std::string& /*name*/, Parameter& /*parameter*/) {}
  virtual void on_training(bool& /*flag*/) {}

 private:
  std::string join(std::string_view name) const { return path_.empty() ? std::string(name) : path_ + "." + std::string(name); }
  std::string path_;
};

/// A borrowed module of any type, for functions that only visit it.
class AnyModule {
 public:
  template <Module M>
    requires(!std::same_as<M, AnyModule>)
  AnyModule(M& module) : module_(&module), visit_([](void* m, Visitor& v) { static_cast<M*>(m)->visit(v); }) {}
  void visit(Visitor& visitor) const { visit_(module_, visitor); }

 private:
  void* module_;
  void (*visit_)(void*, Visitor&);
};

struct NamedParameter {
  std::string name;
  Parameter parameter;
};

/// Every parameter once, in the order of the visits; a shared one under its first name.
std::vector<NamedParameter> parameters(AnyModule module);
/// How many numbers training can change.
Index parameter_count(AnyModule module);
void set_training(AnyModule module, bool training);
void clear_gradients(AnyModule module);

/// Switches to evaluation (no dropout), and back at the end.
class Evaluating {
 public:
  explicit Evaluating(AnyModule module) : module_(module) { set_training(module_, false); }
  ~Evaluating() { set_training(module_, true); }
  Evaluating(const Evaluating&) = delete;
  Evaluating& operator=(const Evaluating&) = delete;

 private:
  AnyModule module_;
};

// Initial values --------------------------------------------------------------------------------------------------------------
/// Uniform in +-sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010); shape (out, in).
Tensor xavier_uniform(const Shape& shape, Random& random, Real gain = 1);
Tensor normal(const Shape& shape, Random& random, Real deviation);
Tensor uniform(const Shape& shape, Random& random, Real low, Real high);
Tensor zeros(const Shape& shape);
Tensor ones(const Shape& shape);

}  // namespace heed
