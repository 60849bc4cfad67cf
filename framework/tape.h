#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <iosfwd>
#include <memory>
#include <new>
#include <source_location>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "framework/error.h"
#include "framework/tensor.h"

namespace heed {

class Tape;

/// A tensor that training changes, with the gradient of the loss towards it. A handle: copies are the same parameter, which is
/// how two layers share a weight. The gradient is undefined until a backward pass reaches the parameter; passes add up.
class Parameter {
 public:
  Parameter() = default;
  explicit Parameter(Tensor value) : state_(std::make_shared<State>(State{std::move(value), {}, true})) {}

  bool defined() const { return state_ != nullptr; }
  Tensor& value() const { return state_->value; }
  Tensor& gradient() const { return state_->gradient; }
  bool& trainable() const { return state_->trainable; }  // a frozen parameter gets no gradient
  void clear_gradient() const { state_->gradient = {}; }
  const Shape& shape() const { return value().shape(); }
  friend bool operator==(const Parameter& a, const Parameter& b) { return a.state_ == b.state_; }

 private:
  friend class Variable;
  friend class Tape;
  struct State;
  explicit Parameter(std::shared_ptr<State> state) : state_(std::move(state)) {}
  struct State {
    Tensor value, gradient;
    bool trainable;
  };
  std::shared_ptr<State> state_;
};

/// A value in a computation: a constant, a parameter, or what an op recorded on the current tape gave.
class Variable {
 public:
  Variable() = default;
  Variable(Tensor value) : value_(std::move(value)) {}
  Variable(const Parameter& parameter) : value_(parameter.value()), parameter_(parameter.state_) {}

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  int rank() const { return value_.rank(); }
  Index size() const { return value_.size(); }
  Index rows() const { return value_.rows(); }
  Index columns() const { return value_.columns(); }
  Index extent(int axis) const { return value_.shape()[value_.shape().axis(axis, "extent")]; }
  const Real* data() const { return value_.data(); }
  Real item() const { return value_.item(); }
  Variable detach() const { return Variable(value_); }  // the value alone: no gradient flows back through it

 private:
  friend class Tape;
  Tensor value_;
  std::shared_ptr<Parameter::State> parameter_;
  std::int32_t node_ = -1;
  std::uint64_t tape_ = 0;  // the serial number of the tape that node_ is on
};

/// An op's argument: a Variable (or what turns into one) and the source line of the call, for messages about it.
class Operand : public Variable {
 public:
  using Where = std::source_location;
  Operand(const Variable& variable, Where where = Where::current()) : Variable(variable), where_(where) {}
  Operand(const Parameter& parameter, Where where = Where::current()) : Variable(parameter), where_(where) {}
  Operand(const Tensor& constant, Where where = Where::current()) : Variable(constant), where_(where) {}
  template <class Number>
    requires std::is_arithmetic_v<Number>
  Operand(Number scalar, Where where = Where::current()) : Variable(Tensor::full({}, static_cast<Real>(scalar))), where_(where) {}
  const Where& where() const { return where_; }

 private:
  Where where_;
};

/// Where a backward function leaves the gradient of one input: assign it or add it, as mode() says, to data().
class Gradient {
 public:
  Gradient() = default;
  /// False when nobody needs this gradient: skip computing it.
  explicit operator bool() const { return target_ != nullptr; }
  Real* data() const { return tensor().data(); }
  Mode mode() const { return mode_; }
  const Shape& shape() const { return *shape_; }
  Tensor& tensor() const;
  /// Hands on a whole tensor of the input's size: shared where it is the first contribution, added otherwise.
  void pass(Tensor gradient) const;

 private:
  friend class Tape;
  Tensor* target_ = nullptr;
  const Shape* shape_ = nullptr;
  Mode mode_ = Mode::assign;
  bool parameter_ = false;  // optimizers scale parameters' gradients in place: those never share storage
};

struct TapeOptions {
  bool check_finite = false;  // throw NotFinite at the first op whose output or gradient holds a NaN or an infinity
  bool profile = false;       // keep op, shape, bytes and milliseconds of every op, for print()
};

/// What TapeOptions::check_finite throws: `what()` names op, element and source line.
struct NotFinite : Error {
  NotFinite(const std::string& what, const char* name, double found, bool in_gradient, std::vector<Parameter> used)
      : Error(what), op(name), value(found), gradient(in_gradient), parameters(std::move(used)) {}
  std::string op;
  double value;
  bool gradient;  // met in a gradient, on the way back
  /// What the computation had used up to this op, the latest first: the op belongs to that one's layer.
  std::vector<Parameter> parameters;
};

/// Records what the ops on this thread compute, from its construction to its end, and runs it backwards once:
///
///     Tape tape;
///     Variable loss = mean(square(model(x) - y));
///     tape.backward(loss);   // every parameter's gradient() has grown by d loss / d parameter
///
/// Without a tape ops only compute. Tapes nest; the innermost records. Nodes lie in execution order, so their reverse is a
/// topological order and backward is one loop, however deep the computation.
class Tape {
 public:
  explicit Tape(TapeOptions options = {});
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Adds d loss / d p to the gradient of every parameter p, freeing each node as it is consumed. `loss` has one element.
  void backward(const Variable& loss);
  /// The same from any variable, given the gradient of some loss towards it.
  void backward(const Variable& output, const Tensor& gradient);

  std::size_t size() const { return storage_.nodes.size(); }  // ops recorded
  /// What TapeOptions::profile keeps of each op, in the order of the calls.
  struct Row {
    const char* op;
    Shape shape;                // of the result
    std::vector<Shape> inputs;  // an undefined one is ()
    double forward_ms, backward_ms;
  };
  std::span<const Row> rows() const { return rows_; }
  /// A table of the recorded ops; needs TapeOptions::profile.
  void print(std::ostream& out) const;

  /// While it lives, ops on this thread are not recorded.
  class Pause {
   public:
    Pause() : paused_(std::exchange(current_, nullptr)) {}
    ~Pause() { current_ = paused_; }
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Tape* paused_;
  };

  /// While it lives, ops on this thread are checked and profiled as the tape's options ask for, but not recorded.
  class Unrecorded {
   public:
    Unrecorded() : tape_(current_), recorded_(tape_ && std::exchange(tape_->recording_, false)) {}
    ~Unrecorded() {
      if (tape_) tape_->recording_ = recorded_;
    }
    Unrecorded(const Unrecorded&) = delete;
    Unrecorded& operator=(const Unrecorded&) = delete;

   private:
    Tape* tape_;
    bool recorded_;
  };

  /// True under TapeOptions::check_finite: ops of several steps then take them one by one, for the message to name the one.
  static bool checks_finite() { return current_ && current_->options_.check_finite; }
  static bool recording() { return current_ && current_->recording_; }
  /// True when a gradient would flow to `variable`: ops that prepare for backward in their forward pass ask first.
  static bool needs_gradient(const Variable& variable);

 private:
  template <std::size_t N, class Backward>
  friend Variable record(const char* op, Tensor y, const Operand (&inputs)[N], Backward backward);
  template <class Backward>
  friend Variable record(const char* op, Tensor y, std::span<const Operand> inputs, Backward backward);

  using Run = void (*)(void* closure, const Tensor& dy, std::span<Gradient> gradients);
  using Destroy = void (*)(void* closure);

  struct Input {
    std::int32_t node = -1;
    std::shared_ptr<Parameter::State> parameter;
  };
  struct Node {
    const char* op;
    Operand::Where where;
    Shape shape;
    Tensor gradient;
    std::uint32_t first_input, inputs;
    std::int32_t row;  // of print(), or -1
    void* closure;
    Run run;
    Destroy destroy;
  };
  /// Bump allocation for closures; the chunks are kept from tape to tape.
  class Arena {
   public:
    void* allocate(std::size_t bytes);
    void reset() { chunk_ = used_ = 0; }

   private:
    static constexpr std::size_t chunk_bytes = std::size_t{1} << 16;
    std::vector<std::unique_ptr<std::byte[]>> chunks_;
    std::size_t chunk_ = 0, used_ = 0;
  };
  struct Storage {
    std::vector<Node> nodes;
    std::vector<Input> inputs;
    std::vector<Gradient> gradients;
    Arena arena;
  };

  /// Adds a node for y unless no input needs a gradient; returns it without its closure, or null.
  static Node* add(const char* op, const Tensor& y, std::span<const Operand> inputs, Variable& result);
  void run_node(std::size_t i);
  Gradient gradient_of(const Input& input);
  void check_finite(const char* op, const Tensor& tensor, bool gradient, const Operand::Where& where, std::size_t used) const;

  static thread_local Tape* current_;
  static thread_local Tape* running_;  // backward: a tape made by a backward function takes its options, and tells it its rows
  static thread_local Storage spare_;

  TapeOptions options_;
  Tape* enclosing_;
  std::uint64_t serial_;
  bool consumed_ = false, recording_ = true;
  Storage storage_;
  std::vector<Row> rows_;
  Tape* outer_ = nullptr;  // what was running_ when this one was made
  std::size_t running_node_ = 0;
  double inner_ms_ = 0;    // of the rows that the running node's own tapes have told
  // Under check_finite alone: the parameters in the order of their use, and how many had been used when each node was added.
  std::vector<std::shared_ptr<Parameter::State>> used_;
  std::vector<std::size_t> used_by_;
  std::chrono::steady_clock::time_point last_;
};

/// Gives `y`, computed by `op` from `inputs`, and records how to go back: `backward(dy, dx1, ..., dxN)` writes each wanted
/// gradient (see Gradient). It may hold tensors but no Variable. Inputs given as a span get `backward(dy, std::span<Gradient>)`.
template <class Backward>
Variable record(const char* op, Tensor y, std::span<const Operand> inputs, Backward backward) {
  static_assert(alignof(Backward) <= alignof(std::max_align_t));
  Variable result(std::move(y));
  if (Tape::Node* node = Tape::add(op, result.value(), inputs, result)) {
    node->closure = new (Tape::current_->storage_.arena.allocate(sizeof(Backward))) Backward(std::move(backward));
    node->run = [](void* closure, const Tensor& dy, std::span<Gradient> gradients) {
      (*static_cast<Backward*>(closure))(dy, gradients);
    };
    node->destroy = [](void* closure) { static_cast<Backward*>(closure)->~Backward(); };
  }
  return result;
}

template <std::size_t N, class Backward>
Variable record(const char* op, Tensor y, const Operand (&inputs)[N], Backward backward) {
  return record(op, std::move(y), std::span<const Operand>(inputs, N),
                [backward = std::move(backward)](const Tensor& dy, std::span<Gradient> gradients) mutable {
                  [&]<std::size_t... I>(std::index_sequence<I...>) { backward(dy, gradients[I]...); }(std::make_index_sequence<N>());
                });
}

}  // namespace heed
