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

/// A plain struct that lists what it is made of:  void visit(Visitor& v) { v("weight", weight),
/// v("bias", bias); }
template <class T>
concept Module = requires(T& module, Visitor& visitor) { module.visit(visitor); };

/// Walks a module and what it contains. Naming, counting, saving, loading, clearing gradients and
/// switching between training and evaluation are all visits. Names join with dots:
/// "encoder.layers.0.attention.weight".
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
    each(name, items);
  }
  template <class T, std::size_t n>
  void operator()(std::string_view name, std::array<T, n>& items) {
    each(name, items);
  }
  template <class T>
  void operator()(std::string_view name, std::optional<T>& item) {
    if (item) (*this)(name, *item);  // an absent one has no parameters
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
  /// A flag that is true in training and false in evaluation.
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

/// A borrowed module of any type, for functions that only visit it.
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

/// Every parameter once, in the order of the visits; a shared one under its first name.
std::vector<NamedParameter> parameters(AnyModule module);
/// How many numbers training can change.
Index parameter_count(AnyModule module);
void set_training(AnyModule module, bool training);
void clear_gradients(AnyModule module);

/// A module whose weights are its own, equal to those of `module` now: "keep the best", or a second
/// layer like the first. What shares a parameter within `module` shares one within the copy. A
/// plain copy (`best = model`) is the same where nothing is tied.
template <Module M>
M clone(const M& module) {
  static_assert(std::is_copy_constructible_v<M>,
                "clone() needs a copy constructor; a member such as a unique_ptr takes it away");
  const Parameter::Copying copying(Parameter::Copying::Weights::own);
  return M(module);
}

/// A module with the same parameters: training one trains the other. Everything else, as whether it
/// drops, is its own.
template <Module M>
M share(const M& module) {
  static_assert(std::is_copy_constructible_v<M>,
                "share() needs a copy constructor; a member such as a unique_ptr takes it away");
  const Parameter::Copying copying(Parameter::Copying::Weights::shared);
  return M(module);
}

/// For a module that writes its own copy constructor or assignment: copies parameters and modes
/// from one of the same structure.
void copy_parameters(AnyModule from, AnyModule to);

/// Switches to evaluation (no dropout). At the end each part is again in the mode it was in. The
/// module may not move meanwhile.
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
/// Uniform in +-sqrt(6 / (fan in + fan out)) (Glorot and Bengio 2010); shape (out, in).
Tensor xavier_uniform(const Shape& shape, Random& random, Real gain = 1);
Tensor normal(const Shape& shape, Random& random, Real deviation);
Tensor uniform(const Shape& shape, Random& random, Real low, Real high);
Tensor zeros(const Shape& shape);
Tensor ones(const Shape& shape);

}  // namespace heed
