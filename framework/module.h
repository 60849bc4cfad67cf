#pragma once

#include <array>
#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "framework/random.h"
#include "framework/tape.h"

namespace heed {

class Visitor;

/// A plain struct that lists its parameters and parts:
///
///     void visit(Visitor& v) {
///       v("weight", weight);
///       v("bias", bias);
///     }
template <class T>
concept Module = requires(T& module, Visitor& visitor) { module.visit(visitor); };

/// Visits a module and everything in it. Naming, counting, saving, loading, clearing gradients and
/// switching between training and evaluation are all visits. The name of a parameter joins the
/// names of the modules around it with dots: "encoder.layers.0.attention.weight".
class Visitor {
 public:
  virtual ~Visitor() = default;

  void operator()(std::string_view name, Parameter& parameter) {
    if (parameter.defined()) on_parameter(join(name), parameter);  // an absent bias is left out
  }
  template <Module M>
  void operator()(std::string_view name, M& module) {
    const std::string outer = std::exchange(path_, join(name));
    module.visit(*this);
    path_ = outer;
  }
  template <class T>
  void operator()(std::string_view name, std::vector<T>& items) {
    each(name, items);
  }
  template <class T, std::size_t n>
  void operator()(std::string_view name, std::array<T, n>& items) {
    each(name, items);
  }
  template <class T>
  void operator()(std::string_view name, std::optional<T>& item) {
    if (item) (*this)(name, *item);
  }
  template <class T>
  void operator()(std::string_view name, std::unique_ptr<T>& item) {
    if (item) (*this)(name, *item);
  }
  template <class T>
  void operator()(std::string_view /*name*/, T& /*member*/) {
    static_assert(Module<T>,
                  "visit() lists parameters and modules: this member is neither. Leave it out if "
                  "it has no parameters; else give its type a member  void visit(Visitor&)");
  }
  /// Lists a flag that is true in training and false in evaluation.
  void training(bool& flag) { on_training(flag); }

 protected:
  virtual void on_parameter(const std::string& /*name*/, Parameter& /*parameter*/) {}
  virtual void on_training(bool& /*flag*/) {}

 private:
  template <class Items>
  void each(std::string_view name, Items& items) {
    for (std::size_t i = 0; i < items.size(); ++i)
      (*this)(std::string(name) + "." + std::to_string(i), items[i]);
  }
  std::string join(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  std::string path_;
};

/// A reference to a module of any type, for functions that only visit it.
class AnyModule {
 public:
  template <Module M>
    requires(!std::same_as<M, AnyModule>)
  AnyModule(M& module)
      : module_(&module), visit_([](void* m, Visitor& v) { static_cast<M*>(m)->visit(v); }) {}
  void visit(Visitor& visitor) const { visit_(module_, visitor); }

 private:
  void* module_;
  void (*visit_)(void*, Visitor&);
};

struct NamedParameter {
  std::string name;
  ParameterRef parameter;
};

/// Every parameter once, in the order of the visits. A shared parameter has its first name.
std::vector<NamedParameter> parameters(AnyModule module);
/// The number of elements of all trainable parameters.
Index parameter_count(AnyModule module);
void set_training(AnyModule module, bool training);
void clear_gradients(AnyModule module);

/// A copy of a module with weights of its own, for example to keep the best model, or to add a
/// second layer like the first. Layers that share a parameter in `module` share one in the copy. A
/// plain copy (`best = model`) does the same if no parameter is shared.
template <Module M>
M clone(const M& module) {
  static_assert(std::is_copy_constructible_v<M>,
                "clone() needs a copy constructor; a member such as a unique_ptr takes it away");
  const Parameter::Copying copying(Parameter::Copying::Weights::own);
  return M(module);
}

/// A copy of a module with the same parameters: training one trains the other. Everything else,
/// such as the flags for training, belongs to the copy alone.
template <Module M>
M share(const M& module) {
  static_assert(std::is_copy_constructible_v<M>,
                "share() needs a copy constructor; a member such as a unique_ptr takes it away");
  const Parameter::Copying copying(Parameter::Copying::Weights::shared);
  return M(module);
}

/// Copies the parameters and the flags for training between two modules of the same structure. It
/// is for modules that define their own copy constructor or assignment. Throws Error when the
/// structures differ.
void copy_parameters(AnyModule from, AnyModule to);

/// While it lives, the module is in evaluation (no dropout). Its destructor restores the flag of
/// each part. Do not move the module meanwhile.
class Evaluating {
 public:
  explicit Evaluating(AnyModule module);
  ~Evaluating();
  Evaluating(const Evaluating&) = delete;
  Evaluating& operator=(const Evaluating&) = delete;

 private:
  std::vector<std::pair<bool*, bool>> before_;
};

// Initial values ---------------------------------------------------------------------------------
/// Uniform within +-gain sqrt(6 / (in + out)) for shape (out, in).
/// Source: Glorot and Bengio 2010.
Tensor xavier_uniform(const Shape& shape, Random& random, Real gain = 1);
/// Normal with mean 0 and standard deviation `deviation`.
Tensor normal(const Shape& shape, Random& random, Real deviation);
Tensor uniform(const Shape& shape, Random& random, Real low, Real high);
Tensor zeros(const Shape& shape);
Tensor ones(const Shape& shape);

}  // namespace heed
