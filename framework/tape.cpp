#include "framework/tape.h"

#include <atomic>
#include <ostream>

#include "framework/kernels/elementwise.h"

namespace heed {

thread_local Tape* Tape::current_ = nullptr;
thread_local Tape* Tape::running_ = nullptr;
thread_local Tape::Storage Tape::spare_;

namespace {

std::string place(const Operand::Where& where) { return fmt::format("{}:{}", where.file_name(), where.line()); }

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Tensor& Gradient::tensor() const {
  if (!target_->defined()) *target_ = Tensor(*shape_);
  return *target_;
}

void Gradient::pass(Tensor gradient) const {
  if (!target_) return;
  if (mode_ == Mode::assign)
    *target_ = (parameter_ && !gradient.unique() ? gradient.clone() : std::move(gradient)).reshape(*shape_);
  else
    kernels::add_to(gradient.size(), gradient.data(), data());
}

Tape::Tape(TapeOptions options) : options_(options), enclosing_(current_), storage_(std::move(spare_)) {
  static std::atomic<std::uint64_t> serials{0};
  serial_ = ++serials;
  current_ = this;
  if ((outer_ = running_)) {
    options_.check_finite |= outer_->options_.check_finite, options_.profile |= outer_->options_.profile;
    if (const std::size_t node = outer_->running_node_; node > 0 && !outer_->used_by_.empty())
      used_.assign(outer_->used_.begin(), outer_->used_.begin() + static_cast<std::ptrdiff_t>(outer_->used_by_[node - 1]));
  }
  last_ = std::chrono::steady_clock::now();
}

Tape::~Tape() {
  if (outer_ && outer_->options_.profile)
    for (const Row& row : rows_) outer_->rows_.push_back(row), outer_->inner_ms_ += row.forward_ms + row.backward_ms;
  for (Node& node : storage_.nodes)
    if (node.closure) node.destroy(node.closure);
  storage_.nodes.clear(), storage_.inputs.clear(), storage_.arena.reset();
  spare_ = std::move(storage_);
  current_ = enclosing_;
}

void Tape::check_finite(const char* op, const Tensor& tensor, bool gradient, const Operand::Where& where, std::size_t used) const {
  const Index bad = kernels::first_nonfinite(tensor.size(), tensor.data());
  if (bad == tensor.size()) return;
  std::vector<Parameter> parameters;
  for (std::size_t i = used; i-- > 0;) parameters.push_back(Parameter(used_[i]));
  throw NotFinite(fmt::format("[{}] {} at element {} of the {} of shape {}; called at {}", op, tensor[bad], bad,
                              gradient ? "gradient of an input" : "output", tensor.shape(), place(where)),
                  op, static_cast<double>(tensor[bad]), gradient, std::move(parameters));
}

void* Tape::Arena::allocate(std::size_t bytes) {
  constexpr std::size_t alignment = alignof(std::max_align_t);
  bytes = (bytes + alignment - 1) / alignment * alignment;
  check(bytes <= chunk_bytes, "tape", "a backward function of {} bytes; at most {} fit", bytes, chunk_bytes);
  if (chunk_ < chunks_.size() && used_ + bytes > chunk_bytes) ++chunk_, used_ = 0;
  if (chunk_ == chunks_.size()) chunks_.push_back(std::make_unique_for_overwrite<std::byte[]>(chunk_bytes));
  return chunks_[chunk_].get() + std::exchange(used_, used_ + bytes);
}

bool Tape::needs_gradient(const Variable& variable) {
  if (!recording()) return false;
  return variable.parameter_ ? variable.parameter_->trainable : variable.node_ >= 0;
}

Tape::Node* Tape::add(const char* op, const Tensor& y, std::span<const Operand> inputs, Variable& result) {
  Tape* tape = current_;
  if (!tape) return nullptr;
  const Operand::Where where = inputs.empty() ? Operand::Where::current() : inputs.front().where();
  if (tape->options_.check_finite) {
    for (std::size_t i = inputs.size(); i-- > 0;)  // a weight stands before its bias, and names the layer
      if (const auto& p = inputs[i].parameter_; p && (tape->used_.empty() || tape->used_.back() != p)) tape->used_.push_back(p);
    tape->check_finite(op, y, false, where, tape->used_.size());
  }
  if (tape->options_.profile) {
    tape->rows_.push_back({op, y.shape(), {}, since(tape->last_), 0});
    for (const Operand& input : inputs) tape->rows_.back().inputs.push_back(input.shape());
    tape->last_ = std::chrono::steady_clock::now();
  }
  bool wanted = false;
  for (const Operand& input : inputs) {
    check(input.node_ < 0 || input.tape_ == tape->serial_, op, "an input was recorded on another tape; detach() it; called at {}", place(where));
    wanted |= needs_gradient(input);
  }
  if (!wanted) return nullptr;
  check(!tape->consumed_, op, "the tape has run backward already; record on a new one; called at {}", place(where));

  Storage& storage = tape->storage_;
  const auto first = static_cast<std::uint32_t>(storage.inputs.size());
  for (const Operand& input : inputs)
    storage.inputs.push_back({input.node_, input.parameter_ && input.parameter_->trainable ? input.parameter_ : nullptr});
  storage.nodes.push_back({op, where, y.shape(), {}, first, static_cast<std::uint32_t>(inputs.size()),
                           static_cast<std::int32_t>(tape->rows_.size()) - 1, nullptr, nullptr, nullptr});
  if (tape->options_.check_finite) tape->used_by_.push_back(tape->used_.size());
  result.node_ = static_cast<std::int32_t>(storage.nodes.size() - 1);
  result.tape_ = tape->serial_;
  return &storage.nodes.back();
}

Gradient Tape::gradient_of(const Input& input) {
  Gradient gradient;
  if (input.node >= 0) {
    Node& node = storage_.nodes[input.node];
    gradient.target_ = &node.gradient, gradient.shape_ = &node.shape;
  } else if (input.parameter) {
    gradient.target_ = &input.parameter->gradient, gradient.shape_ = &input.parameter->value.shape();
    gradient.parameter_ = true;
  } else {
    return gradient;
  }
  if (gradient.target_->defined()) {
    gradient.mode_ = Mode::accumulate;
    if (!gradient.target_->unique()) *gradient.target_ = gradient.target_->clone();  // pass() shares: add to a copy
  }
  return gradient;
}

void Tape::run_node(std::size_t i) {
  Node& node = storage_.nodes[i];
  running_node_ = i;
  const auto start = std::chrono::steady_clock::now();
  const std::span<const Input> inputs(storage_.inputs.data() + node.first_input, node.inputs);
  auto& gradients = storage_.gradients;
  gradients.clear();
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    Gradient gradient = gradient_of(inputs[k]);
    // The same variable twice (x * x): both contributions must add up, in whatever order they are written.
    for (std::size_t j = 0; j < k && gradient; ++j) {
      if (gradients[j].target_ != gradient.target_) continue;
      if (!gradient.target_->defined()) *gradient.target_ = Tensor::zeros(*gradient.shape_);
      gradients[j].mode_ = gradient.mode_ = Mode::accumulate;
    }
    gradients.push_back(gradient);
  }
  const Tensor dy = std::exchange(node.gradient, {});
  node.run(node.closure, dy, gradients);
  node.destroy(std::exchange(node.closure, nullptr));
  if (options_.check_finite)
    for (const Gradient& gradient : gradients)
      if (gradient && gradient.target_->defined()) check_finite(node.op, *gradient.target_, true, node.where, used_by_[i]);
  if (options_.profile) rows_[node.row].backward_ms = since(start) - std::exchange(inner_ms_, 0);
}

void Tape::backward(const Variable& loss) {
  check(loss.defined(), "backward", "expected a loss; got an undefined variable");
  check(loss.size() == 1, "backward", "expected a loss of one element; got shape {}", loss.shape());
  backward(loss, Tensor::full(loss.shape(), 1));
}

void Tape::backward(const Variable& output, const Tensor& gradient) {
  check(output.shape() == gradient.shape(), "backward", "expected a gradient of shape {}; got {}", output.shape(), gradient.shape());
  check(!consumed_, "backward", "the tape has run backward already; record the computation on a new one");
  consumed_ = true;
  if (output.parameter_ && output.parameter_->trainable) {
    gradient_of({-1, output.parameter_}).pass(gradient);
    return;
  }
  if (output.node_ < 0) return;  // a constant: every gradient is zero
  check(output.tape_ == serial_, "backward", "the variable was recorded on another tape");
  Pause pause;
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

void Tape::print(std::ostream& out) const {
  check(options_.profile, "print", "this tape kept no profile; open it with Tape tape({{.profile = true}})");
  out << fmt::format("{:<28} {:<24} {:>12} {:>10} {:>10}\n", "op", "shape", "bytes", "forward ms", "back ms");
  double forward = 0, back = 0;
  std::size_t bytes = 0;
  for (const Row& row : rows_) {
    const std::size_t row_bytes = static_cast<std::size_t>(row.shape.size()) * sizeof(Real);
    out << fmt::format("{:<28} {:<24} {:>12} {:>10.3f} {:>10.3f}\n", row.op, to_string(row.shape), row_bytes, row.forward_ms, row.backward_ms);
    forward += row.forward_ms, back += row.backward_ms, bytes += row_bytes;
  }
  out << fmt::format("{:<28} {:<24} {:>12} {:>10.3f} {:>10.3f}\n", "total", "", bytes, forward, back);
}

}  // namespace heed
