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

/// What the rows of a matrix are, for optimizers that change whole matrices. It changes nothing
/// that is computed from them.
struct ParameterLayout {
  /// Each row belongs to an item of its own: an id, a position, a distance, a class, a tap, a
  /// head. Not so in a hidden layer's matrix, whose rows are features.
  bool table = false;
  /// The rows of each matrix of a hidden layer, where several are stored one below the other so
  /// that one product serves them. Empty: it is one matrix.
  std::vector<Index> blocks = {};
};

/// A reference to a parameter: a tensor that training changes, with the gradient of the loss with
/// respect to it. Copies refer to the same parameter. The gradient is undefined until a backward
/// pass reaches the parameter. Later passes add to it.
class ParameterRef {
 public:
  ParameterRef() = default;

  bool defined() const { return state_ != nullptr; }
  Tensor& value() const { return state().value; }
  Tensor& gradient() const { return state().gradient; }
  /// False for a frozen parameter, which gets no gradient.
  bool& trainable() const { return state().trainable; }
  ParameterLayout& layout() const { return state().layout; }
  void clear_gradient() const { state().gradient = {}; }
  /// Notes that something trains the parameter. Optimizers do so when they are made.
  void mark_optimized() const { state().optimized = true; }
  const Shape& shape() const { return value().shape(); }
  /// True if both refer to the same parameter.
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
    bool optimized = false;
    ParameterLayout layout = {};
    int missed_steps = 0;  // optimizer steps in which it had a gradient that no optimizer uses
  };
  explicit ParameterRef(std::shared_ptr<State> state) : state_(std::move(state)) {}
  State& state() const {
    check(defined(), "parameter", "expected a parameter; got an undefined one");
    return *state_;
  }
  std::shared_ptr<State> state_;
};

/// A parameter as a member of a layer. It is a value: a copy has elements of its own and no
/// gradient. So code that computes takes layers by reference. To give two layers one weight:
///
///     output.weight = embedding.weight.share();
class Parameter : public ParameterRef {
 public:
  Parameter() = default;
  /// Copies the elements if other tensors share them, since an optimizer would change them for all.
  explicit Parameter(Tensor value);
  /// A parameter that shares the elements of `value`, for a separate backward pass over them.
  static Parameter over(Tensor value);
  /// Throws Error when `other` came from share(): in a copy of a whole module the layers would no
  /// longer share the weight. clone() of framework/module.h keeps them shared.
  Parameter(const Parameter& other);
  Parameter(Parameter&&) noexcept = default;
  /// Copies the elements into this parameter. It stays the parameter that optimizers and layers
  /// refer to. If the shapes differ, it becomes a new parameter.
  Parameter& operator=(const Parameter& other);
  Parameter& operator=(Parameter&&) noexcept = default;

  /// The same parameter, as a member of another layer.
  Parameter share() const;

  /// While it lives, it decides what copies of parameters on this thread do: have weights of their
  /// own, or share them. clone() and share() of framework/module.h use it.
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
    /// Each parameter with its copy, so that shared parameters stay shared.
    std::vector<std::pair<const State*, std::shared_ptr<State>>> made_;
  };

 private:
  explicit Parameter(std::shared_ptr<State> state) : ParameterRef(std::move(state)) {}

  bool tied_ = false;  // came from share()
};

/// A value in a computation: a constant, a parameter, or the result of an op that a tape recorded.
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
  /// The same value as a constant: no gradient flows back through it.
  Variable detach() const { return Variable(value_); }

 private:
  friend class Tape;
  Tensor value_;
  std::shared_ptr<ParameterRef::State> parameter_;
  std::int32_t node_ = -1;  // on the tape, or -1
  std::uint64_t tape_ = 0;  // serial number of the tape that node_ is on
};

/// An argument of an op: a Variable (or a value that converts to one) and the source line of the
/// call, which messages name. The constructor throws Error when the value is undefined.
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

/// An argument that may be undefined, such as a bias. The op then computes without it.
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

/// The place for the gradient of one input. A backward function assigns the gradient to data(), or
/// adds it there, as mode() says.
class Gradient {
 public:
  Gradient() = default;
  /// False if the gradient is not needed: do not compute it.
  explicit operator bool() const { return target_ != nullptr; }
  Real* data() const { return tensor().data(); }
  Mode mode() const { return mode_; }
  const Shape& shape() const { return *shape_; }
  Tensor& tensor() const;
  /// Takes a whole tensor of the input's size as the gradient. The first contribution is shared,
  /// not copied; later ones are added.
  void pass(Tensor gradient) const;

 private:
  friend class Tape;
  Tensor* target_ = nullptr;
  const Shape* shape_ = nullptr;
  Mode mode_ = Mode::assign;
  // Optimizers scale the gradients of parameters in place, so these never share storage.
  bool parameter_ = false;
};

struct TapeOptions {
  /// Throw NotFinite at the first op whose output or gradient contains a NaN or an infinity.
  bool check_finite = false;
  /// Keep op, shape, bytes and milliseconds of every op, for rows() and print().
  bool profile = false;
};

/// Thrown under TapeOptions::check_finite. `what()` names op, element and source line.
struct NotFinite : Error {
  NotFinite(const std::string& what, const char* name, double found, bool in_gradient,
            std::vector<ParameterRef> used)
      : Error(what), op(name), value(found), gradient(in_gradient), parameters(std::move(used)) {}
  std::string op;
  double value;
  bool gradient;  // true if it was found in a gradient, during backward
  /// The parameters that were used up to this op, the latest first. The op belongs to the layer of
  /// the first one.
  std::vector<ParameterRef> parameters;
};

/// Records the ops of this thread while it lives, and computes their gradients once:
///
///     Tape tape;
///     Variable loss = mean(square(model(x) - y));
///     tape.backward(loss);   // adds d loss / d parameter to the gradient() of every parameter
///
/// - Without a tape, ops compute and record nothing.
/// - Tapes nest. The newest one that still lives records, in whatever order they end.
/// - The nodes are in the order of execution. The reverse is a topological order, so backward is
///   one loop, however deep the computation is.
/// - A tape records the ops of its own thread only. An op on another thread throws Error when this
///   tape recorded one of its operands.
class Tape {
 public:
  explicit Tape(TapeOptions options = {});
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Adds d loss / d p to the gradient of every parameter p. Frees the closure of each node once it
  /// has run.
  ///
  /// Throws Error when
  /// - `loss` does not have exactly one element;
  /// - `loss` depends on no trainable parameter, or was computed before the tape began;
  /// - this tape has run backward already;
  /// - a tensor that an op needs for its gradient has changed since the op ran;
  /// - the value or gradient of a parameter no longer has the shape that the op saw;
  /// - a parameter that got a gradient belongs to nothing but the tape.
  void backward(const Variable& loss);
  /// The same for any output, given the gradient of a loss with respect to it.
  void backward(const Variable& output, const Tensor& gradient);

  std::size_t size() const { return storage_.nodes.size(); }  // number of recorded ops
  /// The profile of one op. TapeOptions::profile keeps one for each op, in the order of the calls.
  struct Row {
    const char* op;
    Shape shape;                // of the result
    std::vector<Shape> inputs;  // () for an undefined input
    double forward_ms;
    double backward_ms;
  };
  std::span<const Row> rows() const { return rows_; }
  /// Prints rows() as a table. Throws Error without TapeOptions::profile.
  void print(std::ostream& out) const;

  /// While it lives, ops on this thread are not recorded. A tape that begins meanwhile records.
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    static void* operator new(std::size_t) = delete;

   private:
    std::uint64_t tape_;  // serial number of the paused tape; 0: none
  };

  /// While it lives, ops on this thread are not recorded, but still checked and profiled as the
  /// options of the tape say.
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

  /// True under TapeOptions::check_finite. A fused op then computes its parts as separate ops, so
  /// that the message names the right one.
  static bool checks_finite() {
    const Tape* tape = current();
    return tape && tape->options_.check_finite;
  }
  static bool recording() {
    const Tape* tape = current();
    return tape && tape->unrecorded_ == 0;
  }
  /// True if a gradient would flow to `variable`. Ops whose forward pass does extra work for
  /// backward use it to skip that work.
  static bool needs_gradient(const Variable& variable);
  /// Optimizers call it before a step. Throws Error, in the name of `optimizer`, when a parameter
  /// has had gradients for two steps and no optimizer was made for it: it is missing in visit(),
  /// and would never be trained.
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
    Shape shape;  // of the parameter when the op ran
  };
  struct Node {
    const char* op;
    Operand::Where where;
    Shape shape;
    Tensor gradient;
    std::uint32_t first_input;
    std::uint32_t inputs;
    std::size_t first_held;  // index in Storage::held of the closure's first array
    std::int32_t row;        // index in rows(), or -1
    void* closure;
    Run run;
    Destroy destroy;
  };
  /// Allocates closures one after the other in large chunks. The next tape reuses the chunks.
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
    std::vector<detail::Held> held;  // the arrays in the closure of each node, with their versions
    std::vector<Gradient> gradients;
    Arena arena;
  };
  /// The tapes of one thread, and the number of Pause objects that live on it.
  struct Thread {
    Tape* newest = nullptr;
    int pauses = 0;
  };
  /// While it lives, records which arrays are copied or moved into a closure.
  class Holding {
   public:
    explicit Holding(Storage& storage) { detail::holding = &storage.held; }
    ~Holding() { detail::holding = nullptr; }
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;
  };
  /// A parameter that got a gradient from backward, although no optimizer was made for it.
  struct Unoptimized {
    std::weak_ptr<ParameterRef::State> parameter;
    const char* op;
    Operand::Where where;
  };

  /// Adds a node for y if any input needs a gradient. Returns the node, still without its closure,
  /// or null.
  static Node* add(const char* op, const Tensor& y, std::span<const Operand> inputs,
                   Variable& result);
  static Tape* current() {
    Tape* tape = thread_ ? thread_->newest : nullptr;
    return tape && tape->paused_ == 0 ? tape : nullptr;
  }
  static const std::shared_ptr<Thread>& owner_of_this_thread();
  static Thread& this_thread();
  /// The tape of this thread with this serial number, or null if it no longer lives.
  static Tape* living(std::uint64_t serial);
  static void refuse_other_threads(const char* op, std::span<const Operand> inputs);
  void check_output(const char* op, const Tensor& y, std::span<const Operand> inputs,
                    const Operand::Where& where);
  void add_row(const char* op, const Tensor& y, std::span<const Operand> inputs);
  Node& push_node(const char* op, const Tensor& y, std::span<const Operand> inputs,
                  const Operand::Where& where);
  void run_all(const Variable& output, const Tensor& gradient);
  void run_node(std::size_t i);
  void collect_gradients(const Node& node);
  void check_held(std::size_t i) const;
  Gradient gradient_of(const char* op, const Operand::Where& where, const Input& input);
  void release_parameters();
  void check_finite(const char* op, const Tensor& tensor, bool gradient,
                    const Operand::Where& where, std::size_t used) const;

  static constinit thread_local Thread* thread_;  // null until the thread has a tape or a pause
  // The tape whose backward runs now. A tape that a backward function makes takes over its options,
  // and passes its rows on to it.
  static thread_local Tape* running_;
  static thread_local Storage spare_;
  static thread_local std::vector<Unoptimized> unoptimized_;  // of the last backward

  TapeOptions options_;
  std::shared_ptr<Thread> owner_;  // keeps the thread's list of tapes alive
  Tape* enclosing_;                // the next older tape of the thread
  std::uint64_t serial_;
  bool consumed_ = false;
  int paused_ = 0;
  int unrecorded_ = 0;
  Storage storage_;
  std::vector<Unoptimized> reached_;
  std::vector<Row> rows_;
  Tape* outer_ = nullptr;  // running_ when this tape was made
  std::size_t running_node_ = 0;
  double inner_ms_ = 0;  // time of the rows that tapes inside the running node have passed on
  // Only under check_finite: the parameters in the order of their use, and how many had been used
  // when each node was added.
  std::vector<std::shared_ptr<ParameterRef::State>> used_;
  std::vector<std::size_t> used_by_;
  std::chrono::steady_clock::time_point last_;
};

/// Returns `y`, which `op` computed from `inputs`, and records its backward function:
/// `backward(dy, dx1, ..., dxN)` writes the gradient of each input that needs one (see Gradient).
/// Where the inputs are a span, it is called as `backward(dy, std::span<Gradient>)`. The function
/// may hold tensors, but no Variable.
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
