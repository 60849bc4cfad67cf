#include "framework/tape.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <ostream>

#include "framework/kernels/elementwise.h"

namespace heed {

constinit thread_local Tape::Thread* Tape::thread_ = nullptr;
thread_local Parameter::Copying* Parameter::Copying::current_ = nullptr;

Parameter::Copying::Copying(Weights weights)
    : weights_(weights), enclosing_(std::exchange(current_, this)) {}
Parameter::Copying::~Copying() { current_ = enclosing_; }

// NOLINTNEXTLINE(bugprone-copy-constructor-init): a copy has a state of its own
Parameter::Parameter(const Parameter& other) : ParameterRef() {
  if (!other.defined()) return;
  const auto copy = [&] {
    return std::make_shared<State>(State{.value = other.value().clone(),
                                         .gradient = {},
                                         .trainable = other.trainable(),
                                         .layout = other.layout()});
  };
  Copying* const copying = Copying::current_;
  if (!copying) {
    check(!other.tied_, "parameter",
          "expected a module whose parameters are its own; a copy would lose what share() tied "
          "together: use clone(module)");
    state_ = copy();
    return;
  }
  if (copying->weights_ == Copying::Weights::shared) {
    state_ = other.state_;
    tied_ = other.tied_;
    return;
  }
  const auto made =
      std::find_if(copying->made_.begin(), copying->made_.end(),
                   [&](const auto& pair) { return pair.first == other.state_.get(); });
  tied_ = made != copying->made_.end();
  state_ = tied_ ? made->second : copying->made_.emplace_back(other.state_.get(), copy()).second;
}

Parameter& Parameter::operator=(const Parameter& other) {
  if (this == &other || *this == other) return *this;
  if (!defined() || !other.defined() || shape() != other.shape()) return *this = Parameter(other);
  value() = other.value().clone();
  clear_gradient();
  trainable() = other.trainable();
  layout() = other.layout();
  return *this;
}

Parameter Parameter::share() const {
  Parameter shared;
  shared.state_ = state_;
  shared.tied_ = true;
  return shared;
}

thread_local Tape* Tape::running_ = nullptr;
thread_local Tape::Storage Tape::spare_;
thread_local std::vector<Tape::Unoptimized> Tape::unoptimized_;

namespace {

std::string place(const Operand::Where& where) {
  return fmt::format("{}:{}", where.file_name(), where.line());
}

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// The thread of each living tape. It is read only when an op on a thread without a tape gets an
/// operand that a tape recorded, which is rare.
class LivingTapes {
 public:
  void add(std::uint64_t serial, const void* thread) {
    const std::lock_guard lock(mutex_);
    threads_[serial] = thread;
  }
  void remove(std::uint64_t serial) {
    const std::lock_guard lock(mutex_);
    threads_.erase(serial);
  }
  /// True if the tape lives and belongs to another thread.
  bool elsewhere(std::uint64_t serial, const void* thread) {
    const std::lock_guard lock(mutex_);
    const auto found = threads_.find(serial);
    return found != threads_.end() && found->second != thread;
  }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, const void*> threads_;
};

LivingTapes& living_tapes() {
  // Never destroyed, because a static tape may be destroyed after this object would be.
  static LivingTapes& tapes = *new LivingTapes;
  return tapes;
}

}  // namespace

/// The thread and its tapes share the ownership.
const std::shared_ptr<Tape::Thread>& Tape::owner_of_this_thread() {
  static thread_local const std::shared_ptr<Thread> owner = std::make_shared<Thread>();
  thread_ = owner.get();
  return owner;
}

Parameter::Parameter(Tensor value)
    : Parameter(over(value.unique() || !value.defined() ? std::move(value) : value.clone())) {}

Parameter Parameter::over(Tensor value) {
  auto state = std::make_shared<State>();
  state->value = std::move(value);
  return Parameter(std::move(state));
}

void Operand::refuse_undefined() const {
  fail(
      "[operand] expected a value; got an undefined one (a layer made without bias has none); "
      "called at {}",
      place(where_));
}

Tensor& Gradient::tensor() const {
  if (!target_->defined()) *target_ = Tensor(*shape_);
  return *target_;
}

void Gradient::pass(Tensor gradient) const {
  if (!target_) return;
  if (mode_ == Mode::accumulate) return kernels::add_to(gradient.size(), gradient.data(), data());
  const bool must_copy = parameter_ && !gradient.unique();
  *target_ = (must_copy ? gradient.clone() : std::move(gradient)).reshape(*shape_);
}

Tape::Thread& Tape::this_thread() { return *owner_of_this_thread(); }

Tape::Tape(TapeOptions options)
    : options_(options), owner_(owner_of_this_thread()), storage_(std::move(spare_)) {
  static std::atomic<std::uint64_t> serials{0};
  serial_ = ++serials;
  enclosing_ = std::exchange(owner_->newest, this);
  living_tapes().add(serial_, owner_.get());
  outer_ = running_;
  if (outer_) {
    options_.check_finite |= outer_->options_.check_finite;
    options_.profile |= outer_->options_.profile;
    if (const std::size_t node = outer_->running_node_; node > 0 && !outer_->used_by_.empty())
      used_.assign(outer_->used_.begin(),
                   outer_->used_.begin() + static_cast<std::ptrdiff_t>(outer_->used_by_[node - 1]));
  }
  last_ = std::chrono::steady_clock::now();
}

Tape::~Tape() {
  if (outer_ && outer_->options_.profile) {
    for (const Row& row : rows_) {
      outer_->rows_.push_back(row);
      outer_->inner_ms_ += row.forward_ms + row.backward_ms;
    }
  }
  for (Node& node : storage_.nodes) {
    if (node.closure) node.destroy(node.closure);
  }
  storage_.nodes.clear();
  storage_.inputs.clear();
  storage_.held.clear();
  storage_.arena.reset();
  spare_ = std::move(storage_);
  living_tapes().remove(serial_);
  // Tapes may end in any order: take this one out of the list.
  Tape** link = &owner_->newest;
  while (*link != this)
    link = &(*link)->enclosing_;
  *link = enclosing_;
}

Tape* Tape::living(std::uint64_t serial) {
  Tape* tape = thread_ ? thread_->newest : nullptr;
  while (tape && tape->serial_ != serial)
    tape = tape->enclosing_;
  return tape;
}

Tape::Pause::Pause() : tape_(0) {
  Thread& thread = this_thread();
  ++thread.pauses;
  if (thread.newest) {
    ++thread.newest->paused_;
    tape_ = thread.newest->serial_;
  }
}

Tape::Pause::~Pause() {
  --this_thread().pauses;
  if (Tape* tape = living(tape_)) --tape->paused_;
}

Tape::Unrecorded::Unrecorded() : tape_(0) {
  if (Tape* tape = current()) {
    ++tape->unrecorded_;
    tape_ = tape->serial_;
  }
}

Tape::Unrecorded::~Unrecorded() {
  if (Tape* tape = living(tape_)) --tape->unrecorded_;
}

void Tape::refuse_other_threads(const char* op, std::span<const Operand> inputs) {
  if (thread_ && thread_->pauses > 0) return;
  for (const Operand& input : inputs) {
    if (input.node_ < 0) continue;
    check(!living_tapes().elsewhere(input.tape_, thread_), op,
          "an input was recorded on the tape of another thread, which does not see this op; "
          "compute it there, or under a Tape::Pause; called at {}",
          place(inputs.front().where()));
  }
}

void Tape::check_optimized(const char* optimizer) {
  for (const Unoptimized& reached : unoptimized_) {
    const auto parameter = reached.parameter.lock();
    if (!parameter || parameter->optimized || !parameter->gradient.defined()) continue;
    check(++parameter->missed_steps < 2, optimizer,
          "a parameter of shape {} gets gradients, but no optimizer was made for it; list it in "
          "its module's visit(), or freeze it with trainable() = false (mark_optimized() where you "
          "change it yourself); {} uses it at {}",
          parameter->value.shape(), reached.op, place(reached.where));
  }
  unoptimized_.clear();
}

void Tape::check_finite(const char* op, const Tensor& tensor, bool gradient,
                        const Operand::Where& where, std::size_t used) const {
  const Index bad = kernels::first_nonfinite(tensor.size(), tensor.data());
  if (bad == tensor.size()) return;
  std::vector<ParameterRef> parameters;
  for (std::size_t i = used; i-- > 0;)
    parameters.push_back(ParameterRef(used_[i]));
  throw NotFinite(
      fmt::format("[{}] {} at element {} of the {} of shape {}; called at {}", op, tensor[bad], bad,
                  gradient ? "gradient of an input" : "output", tensor.shape(), place(where)),
      op, static_cast<double>(tensor[bad]), gradient, std::move(parameters));
}

void* Tape::Arena::allocate(std::size_t bytes) {
  constexpr std::size_t alignment = alignof(std::max_align_t);
  bytes = (bytes + alignment - 1) / alignment * alignment;
  check(bytes <= chunk_bytes, "tape", "a backward function of {} bytes; at most {} fit", bytes,
        chunk_bytes);
  if (chunk_ < chunks_.size() && used_ + bytes > chunk_bytes) {
    ++chunk_;
    used_ = 0;
  }
  if (chunk_ == chunks_.size())
    chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(chunk_bytes));
  return chunks_[chunk_].get() + std::exchange(used_, used_ + bytes);
}

bool Tape::needs_gradient(const Variable& variable) {
  if (!recording()) return false;
  return variable.parameter_ ? variable.parameter_->trainable : variable.node_ >= 0;
}

/// Under check_finite: notes the parameters that the op uses, then checks its result.
void Tape::check_output(const char* op, const Tensor& y, std::span<const Operand> inputs,
                        const Operand::Where& where) {
  // From the last input to the first, so that a weight is noted after its bias: messages name the
  // layer of the parameter that was noted last.
  for (std::size_t i = inputs.size(); i-- > 0;) {
    const auto& parameter = inputs[i].parameter_;
    if (!parameter) continue;
    if (used_.empty() || used_.back() != parameter) used_.push_back(parameter);
  }
  check_finite(op, y, false, where, used_.size());
}

/// Under profile: the row of an op that has just run.
void Tape::add_row(const char* op, const Tensor& y, std::span<const Operand> inputs) {
  rows_.push_back({op, y.shape(), {}, since(last_), 0});
  for (const Operand& input : inputs)
    rows_.back().inputs.push_back(input.shape());
  last_ = std::chrono::steady_clock::now();
}

Tape::Node& Tape::push_node(const char* op, const Tensor& y, std::span<const Operand> inputs,
                            const Operand::Where& where) {
  const auto first = static_cast<std::uint32_t>(storage_.inputs.size());
  for (const Operand& input : inputs) {
    const bool trained = input.parameter_ && input.parameter_->trainable;
    storage_.inputs.push_back({input.node_, trained ? input.parameter_ : nullptr, input.shape()});
  }
  storage_.nodes.push_back({.op = op,
                            .where = where,
                            .shape = y.shape(),
                            .gradient = {},
                            .first_input = first,
                            .inputs = static_cast<std::uint32_t>(inputs.size()),
                            .first_held = storage_.held.size(),
                            .row = static_cast<std::int32_t>(rows_.size()) - 1,
                            .closure = nullptr,
                            .run = nullptr,
                            .destroy = nullptr});
  if (options_.check_finite) used_by_.push_back(used_.size());
  return storage_.nodes.back();
}

Tape::Node* Tape::add(const char* op, const Tensor& y, std::span<const Operand> inputs,
                      Variable& result) {
  Tape* tape = current();
  if (!tape) {
    refuse_other_threads(op, inputs);
    return nullptr;
  }
  const Operand::Where where = inputs.empty() ? Operand::Where::current() : inputs.front().where();
  if (tape->options_.check_finite) tape->check_output(op, y, inputs, where);
  if (tape->options_.profile) tape->add_row(op, y, inputs);
  bool any_needs_gradient = false;
  for (const Operand& input : inputs) {
    check(input.node_ < 0 || input.tape_ == tape->serial_, op,
          "an input was recorded on another tape; detach() it; called at {}", place(where));
    any_needs_gradient |= needs_gradient(input);
  }
  if (!any_needs_gradient) return nullptr;
  check(!tape->consumed_, op,
        "the tape has run backward already; record on a new one; called at {}", place(where));

  Node& node = tape->push_node(op, y, inputs, where);
  result.node_ = static_cast<std::int32_t>(tape->storage_.nodes.size() - 1);
  result.tape_ = tape->serial_;
  return &node;
}

Gradient Tape::gradient_of(const char* op, const Operand::Where& where, const Input& input) {
  Gradient gradient;
  if (input.node >= 0) {
    Node& from = storage_.nodes[input.node];
    gradient.target_ = &from.gradient;
    gradient.shape_ = &from.shape;
  } else if (input.parameter) {
    ParameterRef::State& parameter = *input.parameter;
    check(parameter.value.shape() == input.shape, op,
          "a parameter of shape {} had shape {} when it was used; called at {}",
          parameter.value.shape(), input.shape, place(where));
    check(!parameter.gradient.defined() || parameter.gradient.shape() == input.shape, op,
          "a parameter of shape {} has a gradient of shape {}; call clear_gradient() where its "
          "value is replaced; called at {}",
          input.shape, parameter.gradient.shape(), place(where));
    gradient.target_ = &parameter.gradient;
    gradient.shape_ = &parameter.value.shape();
    gradient.parameter_ = true;
    if (!parameter.optimized) reached_.push_back({input.parameter, op, where});
  } else {
    return gradient;
  }
  if (gradient.target_->defined()) {
    gradient.mode_ = Mode::accumulate;
    // Gradient::pass() may have shared it with other nodes: add to a copy.
    if (!gradient.target_->unique()) *gradient.target_ = gradient.target_->clone();
  }
  return gradient;
}

void Tape::check_held(std::size_t i) const {
  const Node& node = storage_.nodes[i];
  const bool last = i + 1 == storage_.nodes.size();
  const std::size_t end = last ? storage_.held.size() : storage_.nodes[i + 1].first_held;
  for (std::size_t k = node.first_held; k < end; ++k) {
    const detail::Held& held = storage_.held[k];
    check(held.storage->version.load(std::memory_order_relaxed) == held.version, node.op,
          "what backward needs has changed since it was computed; change it later, or a clone() of "
          "it, and read it through a const Tensor; called at {}",
          place(node.where));
  }
}

/// Fills storage_.gradients with a Gradient for each input of the node.
void Tape::collect_gradients(const Node& node) {
  const std::span<const Input> inputs(storage_.inputs.data() + node.first_input, node.inputs);
  auto& gradients = storage_.gradients;
  gradients.clear();
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    Gradient gradient = gradient_of(node.op, node.where, inputs[k]);
    // The same variable twice, as in x * x: start from zeros and add both contributions, because
    // the backward function may write them in any order.
    for (std::size_t j = 0; j < k && gradient; ++j) {
      if (gradients[j].target_ != gradient.target_) continue;
      if (!gradient.target_->defined()) *gradient.target_ = Tensor::zeros(*gradient.shape_);
      gradient.mode_ = Mode::accumulate;
      gradients[j].mode_ = Mode::accumulate;
    }
    gradients.push_back(gradient);
  }
}

void Tape::run_node(std::size_t i) {
  Node& node = storage_.nodes[i];
  running_node_ = i;
  check_held(i);
  const auto start = std::chrono::steady_clock::now();
  collect_gradients(node);
  const Tensor dy = std::exchange(node.gradient, {});
  node.run(node.closure, dy, storage_.gradients);
  node.destroy(std::exchange(node.closure, nullptr));
  if (options_.check_finite) {
    for (const Gradient& gradient : storage_.gradients) {
      if (gradient && gradient.target_->defined())
        check_finite(node.op, *gradient.target_, true, node.where, used_by_[i]);
    }
  }
  if (options_.profile) rows_[node.row].backward_ms = since(start) - std::exchange(inner_ms_, 0);
}

void Tape::backward(const Variable& loss) {
  check(loss.defined(), "backward", "expected a loss; got an undefined variable");
  check(loss.size() == 1, "backward", "expected a loss of one element; got shape {}", loss.shape());
  backward(loss, Tensor::full(loss.shape(), 1));
}

void Tape::backward(const Variable& output, const Tensor& gradient) {
  check(output.defined() && gradient.defined(), "backward",
        "expected a variable and a gradient; got an undefined one");
  check(output.shape() == gradient.shape(), "backward", "expected a gradient of shape {}; got {}",
        output.shape(), gradient.shape());
  check(!consumed_, "backward",
        "the tape has run backward already; record the computation on a new one");
  if (output.parameter_ && output.parameter_->trainable) {
    consumed_ = true;
    const Input input{-1, output.parameter_, output.shape()};
    gradient_of("backward", Operand::Where::current(), input).pass(gradient);
    return;
  }
  check(output.node_ >= 0, "backward",
        "expected what this tape recorded; got a constant: it depends on no parameter that can be "
        "trained, or was computed before the tape began");
  check(output.tape_ == serial_, "backward", "the variable was recorded on another tape");
  consumed_ = true;
  run_all(output, gradient);
  auto& reached = outer_ ? outer_->reached_ : unoptimized_;
  if (!outer_) reached.clear();
  reached.insert(reached.end(), reached_.begin(), reached_.end());
  release_parameters();
}

/// Runs the backward function of every node that `output` depends on, the newest node first.
void Tape::run_all(const Variable& output, const Tensor& gradient) {
  const Pause pause;
  const struct Running {
    explicit Running(Tape* tape) : outer(std::exchange(running_, tape)) {}
    ~Running() { running_ = outer; }
    Tape* outer;
  } running(this);
  storage_.nodes[output.node_].gradient = gradient;
  for (std::size_t i = storage_.nodes.size(); i-- > 0;) {
    Node& node = storage_.nodes[i];
    if (node.gradient.defined())
      run_node(i);
    else
      node.destroy(std::exchange(node.closure, nullptr));
  }
}

/// Throws Error when a parameter got a gradient, but only the tape still refers to the parameter.
void Tape::release_parameters() {
  for (const Node& node : storage_.nodes) {
    for (std::uint32_t k = 0; k < node.inputs; ++k) {
      const std::shared_ptr<ParameterRef::State> parameter =
          std::move(storage_.inputs[node.first_input + k].parameter);
      if (!parameter || parameter.use_count() > 1 || !parameter->gradient.defined()) continue;
      fail(
          "[{}] its parameter of shape {} is gone, and with it what it would learn: take layers "
          "by reference, as in for (const auto& layer : layers), for a copy has parameters of its "
          "own; called at {}",
          node.op, parameter->value.shape(), place(node.where));
    }
  }
}

void Tape::print(std::ostream& out) const {
  check(options_.profile, "print",
        "this tape kept no profile; open it with Tape tape({{.profile = true}})");
  out << fmt::format("{:<28} {:<24} {:>12} {:>10} {:>10}\n", "op", "shape", "bytes", "forward ms",
                     "back ms");
  double forward = 0;
  double back = 0;
  std::size_t bytes = 0;
  for (const Row& row : rows_) {
    const std::size_t row_bytes = static_cast<std::size_t>(row.shape.size()) * sizeof(Real);
    out << fmt::format("{:<28} {:<24} {:>12} {:>10.3f} {:>10.3f}\n", row.op, to_string(row.shape),
                       row_bytes, row.forward_ms, row.backward_ms);
    forward += row.forward_ms;
    back += row.backward_ms;
    bytes += row_bytes;
  }
  out << fmt::format("{:<28} {:<24} {:>12} {:>10.3f} {:>10.3f}\n", "total", "", bytes, forward,
                     back);
}

}  // namespace heed
