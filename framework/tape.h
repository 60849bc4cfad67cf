#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
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

/// A tensor that training changes, with the gradient of the loss towards it, held by whoever asks
/// for it: copies name the same parameter. The gradient is undefined until a backward pass reaches
/// the parameter; passes add up.
class ParameterRef {
 public:
  ParameterRef() = default;

  bool defined() const { return state_ != nullptr; }
  Tensor& value() const { return state().value; }
  Tensor& gradient() const { return state().gradient; }
  bool& trainable() const { return state().trainable; }  // a frozen parameter gets no gradient
  void clear_gradient() const { state().gradient = {}; }
  void mark_optimized() const { state().optimized = true; }  // what optimizers do at their start
  const Shape& shape() const { return value().shape(); }
  /// Whether both name one parameter.
  friend bool operator==(const ParameterRef& a, const ParameterRef& b) {
    return a.state_ == b.state_;
  }

 protected:
  friend class Variable;
  friend class Tape;
  struct State {
    Tensor value;
    Tensor gradient;
    bool trainable = true;
    bool optimized = false;  // an optimizer was made for it
    int missed_steps = 0;    // of optimizers, since it got a gradient that none of them uses
  };
  explicit ParameterRef(std::shared_ptr<State> state) : state_(std::move(state)) {}
  State& state() const {
    check(defined(), "parameter", "expected a parameter; got an undefined one");
    return *state_;
  }
  std::shared_ptr<State> state_;
};

/// A parameter as a member of a layer. It is a value: a copy has numbers of its own and no
/// gradient, so what computes takes layers by reference. Two layers have one weight where one was
/// given share() of the other's:
///     output.weight = embedding.weight.share();
class Parameter : public ParameterRef {
 public:
  Parameter() = default;
  /// Elements that others hold too are copied: an optimizer would change them for all.
  explicit Parameter(Tensor value);
  /// A parameter over elements that others keep, for a backward pass of its own.
  static Parameter over(Tensor value);
  /// Throws Error for what share() gave: the copy of a whole module would lose the tie. clone() of
  /// framework/module.h keeps it.
  Parameter(const Parameter& other);
  Parameter(Parameter&&) noexcept = default;
  /// Copies the numbers into this parameter, which stays the one that optimizers and ties know; of
  /// another shape it is a new one.
  Parameter& operator=(const Parameter& other);
  Parameter& operator=(Parameter&&) noexcept = default;

  /// The same parameter once more, for a member of another layer.
  Parameter share() const;

  /// What copies on this thread do while it lives: clone() and share() of framework/module.h.
  class Copying {
   public:
    enum class Weights : std::uint8_t { own, shared };
    explicit Copying(Weights weights);
    ~Copying();
    Copying(const Copying&) = delete;
    Copying& operator=(const Copying&) = delete;
    static bool active() { return current_ != nullptr; }

   private:
    friend class Parameter;
    static thread_local Copying* current_;
    Weights weights_;
    Copying* enclosing_;
    /// Of each parameter its copy, so that ties stay.
    std::vector<std::pair<const State*, std::shared_ptr<State>>> made_;
  };

 private:
  explicit Parameter(std::shared_ptr<State> state) : ParameterRef(std::move(state)) {}

  bool tied_ = false;  // by share()
};

/// A value in a computation: a constant, a parameter, or what an op recorded on the current tape
/// gave.
class Variable {
 public:
  Variable() = default;
  Variable(Tensor value) : value_(std::move(value)) {}
  Variable(const ParameterRef& parameter) {
    if (!parameter.defined()) return;
    value_ = parameter.value();
    parameter_ = parameter.state_;
  }

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
  // the value alone: no gradient flows back through it
  Variable detach() const { return Variable(value_); }

 private:
  friend class Tape;
  Tensor value_;
  std::shared_ptr<ParameterRef::State> parameter_;
  std::int32_t node_ = -1;
  std::uint64_t tape_ = 0;  // the serial number of the tape that node_ is on
};

/// An op's argument: a Variable (or what turns into one) and the source line of the call, for
/// messages about it. Throws Error where it is undefined.
class Operand : public Variable {
 public:
  using Where = std::source_location;
  Operand(const Variable& variable, Where where = Where::current())
      : Variable(variable), where_(where) {
    check_defined();
  }
  Operand(const ParameterRef& parameter, Where where = Where::current())
      : Variable(parameter), where_(where) {
    check_defined();
  }
  Operand(const Tensor& constant, Where where = Where::current())
      : Variable(constant), where_(where) {
    check_defined();
  }
  template <class Number>
    requires std::is_arithmetic_v<Number>
  Operand(Number scalar, Where where = Where::current())
      : Variable(Tensor::full({}, static_cast<Real>(scalar))), where_(where) {}
  const Where& where() const { return where_; }

 protected:
  struct MayBeUndefined {};
  Operand(const Variable& variable, Where where, MayBeUndefined)
      : Variable(variable), where_(where) {}

 private:
  void check_defined() const {
    if (!defined()) [[unlikely]]
      refuse_undefined();
  }
  [[noreturn]] void refuse_undefined() const;

  Where where_;
};

/// An argument that an op does without where it is undefined, such as a bias.
class OptionalOperand : public Operand {
 public:
  OptionalOperand(const Variable& variable, Where where = Where::current())
      : Operand(variable, where, MayBeUndefined{}) {}
  OptionalOperand(const ParameterRef& parameter, Where where = Where::current())
      : Operand(parameter, where, MayBeUndefined{}) {}
  OptionalOperand(const Tensor& constant, Where where = Where::current())
      : Operand(constant, where, MayBeUndefined{}) {}
  OptionalOperand(const Operand& operand) : Operand(operand, operand.where(), MayBeUndefined{}) {}
};

/// Where a backward function leaves the gradient of one input: assign it or add it, as mode() says,
/// to data().
class Gradient {
 public:
  Gradient() = default;
  /// False when nobody needs this gradient: skip computing it.
  explicit operator bool() const { return target_ != nullptr; }
  Real* data() const { return tensor().data(); }
  Mode mode() const { return mode_; }
  const Shape& shape() const { return *shape_; }
  Tensor& tensor() const;
  /// Hands on a whole tensor of the input's size: shared where it is the first contribution, added
  /// otherwise.
  void pass(Tensor gradient) const;

 private:
  friend class Tape;
  Tensor* target_ = nullptr;
  const Shape* shape_ = nullptr;
  Mode mode_ = Mode::assign;
  // optimizers scale parameters' gradients in place: those never share storage
  bool parameter_ = false;
};

struct TapeOptions {
  // throw NotFinite at the first op whose output or gradient holds a NaN or an infinity
  bool check_finite = false;
  bool profile = false;  // keep op, shape, bytes and milliseconds of every op, for print()
};

/// What TapeOptions::check_finite throws: `what()` names op, element and source line.
struct NotFinite : Error {
  NotFinite(const std::string& what, const char* name, double found, bool in_gradient,
            std::vector<ParameterRef> used)
      : Error(what), op(name), value(found), gradient(in_gradient), parameters(std::move(used)) {}
  std::string op;
  double value;
  bool gradient;  // met in a gradient, on the way back
  /// What the computation had used up to this op, the latest first: the op belongs to that one's
  /// layer.
  std::vector<ParameterRef> parameters;
};

/// Records what the ops on this thread compute, from its construction to its end, and runs it
/// backwards once:
///
///     Tape tape;
///     Variable loss = mean(square(model(x) - y));
///     tape.backward(loss);   // every parameter's gradient() has grown by d loss / d parameter
///
/// - Without a tape ops only compute. Tapes nest: the newest that lives records, in whatever order
///   they end.
/// - Nodes lie in execution order, so their reverse is a topological order and backward is one
/// loop,
///   however deep the computation.
/// - A tape records its own thread. An op on another thread whose operand it recorded throws Error.
/// - backward() throws Error where what an op needs to go back has changed since, and where a
///   parameter's value or gradient has another shape than the op saw.
class Tape {
 public:
  explicit Tape(TapeOptions options = {});
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Adds d loss / d p to the gradient of every parameter p, freeing each node as it is consumed.
  /// `loss` has one element. Throws Error where it depends on no parameter that can be trained, as
  /// one does that was computed before the tape began.
  void backward(const Variable& loss);
  /// The same from any variable, given the gradient of some loss towards it.
  void backward(const Variable& output, const Tensor& gradient);

  std::size_t size() const { return storage_.nodes.size(); }  // ops recorded
  /// What TapeOptions::profile keeps of each op, in the order of the calls.
  struct Row {
    const char* op;
    Shape shape;                // of the result
    std::vector<Shape> inputs;  // an undefined one is ()
    double forward_ms;
    double backward_ms;
  };
  std::span<const Row> rows() const { return rows_; }
  /// A table of the recorded ops; needs TapeOptions::profile.
  void print(std::ostream& out) const;

  /// While it lives, ops on this thread are not recorded; a tape that begins meanwhile records.
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    static void* operator new(std::size_t) = delete;

   private:
    std::uint64_t tape_;  // the serial number of the one that pauses, 0: none
  };

  /// While it lives, ops on this thread are checked and profiled as the tape's options ask for, but
  /// not recorded.
  class Unrecorded {
   public:
    Unrecorded();
    ~Unrecorded();
    Unrecorded(const Unrecorded&) = delete;
    Unrecorded& operator=(const Unrecorded&) = delete;
    static void* operator new(std::size_t) = delete;

   private:
    std::uint64_t tape_;
  };

  /// True under TapeOptions::check_finite: ops of several steps then take them one by one, for the
  /// message to name the one.
  static bool checks_finite() {
    const Tape* tape = current();
    return tape && tape->options_.check_finite;
  }
  static bool recording() {
    const Tape* tape = current();
    return tape && tape->unrecorded_ == 0;
  }
  /// True when a gradient would flow to `variable`: ops that prepare for backward in their forward
  /// pass ask first.
  static bool needs_gradient(const Variable& variable);
  /// For optimizers, before a step: throws Error in the name of one where a parameter that no
  /// optimizer was made for has had gradients for two steps. It was left out of visit(), and would
  /// never learn.
  static void check_optimized(const char* optimizer);

 private:
  template <std::size_t N, class Backward>
  friend Variable record(const char* op, Tensor y, const Operand (&inputs)[N], Backward backward);
  template <class Backward>
  friend Variable record(const char* op, Tensor y, std::span<const Operand> inputs,
                         Backward backward);

  using Run = void (*)(void* closure, const Tensor& dy, std::span<Gradient> gradients);
  using Destroy = void (*)(void* closure);

  struct Input {
    std::int32_t node = -1;
    std::shared_ptr<ParameterRef::State> parameter;
    Shape shape;  // of the parameter, when it was used
  };
  struct Node {
    const char* op;
    Operand::Where where;
    Shape shape;
    Tensor gradient;
    std::uint32_t first_input;
    std::uint32_t inputs;
    std::size_t first_held;  // of what the closure holds
    std::int32_t row;        // of print(), or -1
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
    std::size_t chunk_ = 0;
    std::size_t used_ = 0;
  };
  struct Storage {
    std::vector<Node> nodes;
    std::vector<Input> inputs;
    std::vector<detail::Held> held;  // the arrays in each node's closure, with their versions
    std::vector<Gradient> gradients;
    Arena arena;
  };
  /// The living tapes of one thread, and how often it has paused them.
  struct Thread {
    Tape* newest = nullptr;
    int pauses = 0;
  };
  /// Notes the arrays that a closure takes along.
  class Holding {
   public:
    explicit Holding(Storage& storage) { detail::holding = &storage.held; }
    ~Holding() { detail::holding = nullptr; }
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;
  };
  /// A parameter that backward gave a gradient though no optimizer was made for it.
  struct Unoptimized {
    std::weak_ptr<ParameterRef::State> parameter;
    const char* op;
    Operand::Where where;
  };

  /// Adds a node for y unless no input needs a gradient; returns it without its closure, or null.
  static Node* add(const char* op, const Tensor& y, std::span<const Operand> inputs,
                   Variable& result);
  static Tape* current() {
    Tape* tape = thread_ ? thread_->newest : nullptr;
    return tape && tape->paused_ == 0 ? tape : nullptr;
  }
  static const std::shared_ptr<Thread>& owner_of_this_thread();
  static Thread& this_thread();
  /// The living tape of this thread that has the serial number, or null.
  static Tape* living(std::uint64_t serial);
  static void refuse_other_threads(const char* op, std::span<const Operand> inputs);
  void run_node(std::size_t i);
  void check_held(std::size_t i) const;
  Gradient gradient_of(const char* op, const Operand::Where& where, const Input& input);
  void release_parameters();
  void check_finite(const char* op, const Tensor& tensor, bool gradient,
                    const Operand::Where& where, std::size_t used) const;

  static constinit thread_local Thread* thread_;  // null until it has a tape or a pause
  // backward: a tape made by a backward function takes its options, and tells it its rows
  static thread_local Tape* running_;
  static thread_local Storage spare_;
  static thread_local std::vector<Unoptimized> unoptimized_;  // of the last backward

  TapeOptions options_;
  std::shared_ptr<Thread> owner_;  // kept as long as a tape may be linked to it
  Tape* enclosing_;                // the next older one of the thread
  std::uint64_t serial_;
  bool consumed_ = false;
  int paused_ = 0;
  int unrecorded_ = 0;
  Storage storage_;
  std::vector<Unoptimized> reached_;
  std::vector<Row> rows_;
  Tape* outer_ = nullptr;  // what was running_ when this one was made
  std::size_t running_node_ = 0;
  double inner_ms_ = 0;  // of the rows that the running node's own tapes have told
  // Under check_finite alone: the parameters in the order of their use, and how many had been used
  // when each node was added.
  std::vector<std::shared_ptr<ParameterRef::State>> used_;
  std::vector<std::size_t> used_by_;
  std::chrono::steady_clock::time_point last_;
};

/// Gives `y`, computed by `op` from `inputs`, and records how to go back: `backward(dy, dx1, ...,
/// dxN)` writes each wanted gradient (see Gradient). It may hold tensors but no Variable. Inputs
/// given as a span get `backward(dy, std::span<Gradient>)`.
template <class Backward>
Variable record(const char* op, Tensor y, std::span<const Operand> inputs, Backward backward) {
  static_assert(alignof(Backward) <= alignof(std::max_align_t));
  Variable result(std::move(y));
  if (Tape::Node* node = Tape::add(op, result.value(), inputs, result)) {
    Tape::Storage& storage = Tape::current()->storage_;
    void* place = storage.arena.allocate(sizeof(Backward));
    const Tape::Holding holding(storage);
    node->closure = new (place) Backward(std::move(backward));
    node->run = [](void* closure, const Tensor& dy, std::span<Gradient> gradients) {
      (*static_cast<Backward*>(closure))(dy, gradients);
    };
    node->destroy = [](void* closure) { static_cast<Backward*>(closure)->~Backward(); };
  }
  return result;
}

template <std::size_t N, class Backward>
Variable record(const char* op, Tensor y, const Operand (&inputs)[N], Backward backward) {
  return record(
      op, std::move(y), std::span<const Operand>(inputs, N),
      [backward = std::move(backward)](const Tensor& dy, std::span<Gradient> gradients) mutable {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
          backward(dy, gradients[I]...);
        }(std::make_index_sequence<N>());
      });
}

}  // namespace heed
