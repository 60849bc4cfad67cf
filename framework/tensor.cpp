#include "framework/tensor.h"

#include <algorithm>
#include <new>
#include <ostream>

#include "framework/error.h"
#include "framework/memory.h"

namespace heed {

namespace {

// Bytes before the elements: room for detail::Storage, and a whole cache line, so that the elements
// are aligned to one.
constexpr std::size_t header = 64;

/// Checks the number of elements: Shape::with() and [] may have set extents that are too large
/// together.
const Shape& checked(const Shape& shape) {
  static_cast<void>(Shape(std::span(shape.begin(), shape.end())));
  return shape;
}

}  // namespace

template <class T>
Array<T>::Array(const Shape& shape) : shape_(checked(shape)) {
  static_assert(sizeof(detail::Storage) <= header);
  auto* block = static_cast<std::byte*>(
      memory::allocate(header + static_cast<std::size_t>(shape.size()) * sizeof(T)));
  storage_ = new (block) detail::Storage{1, 0};
  data_ = reinterpret_cast<T*>(block + header);
}

template <class T>
Array<T>::Array(const Shape& shape, std::span<const T> values) : Array(shape) {
  check(static_cast<Index>(values.size()) == size(), "tensor",
        "expected {} values for shape {}; got {}", size(), shape, values.size());
  std::copy(values.begin(), values.end(), data_);
}

template <class T>
Array<T>::Array(const Array& other) noexcept
    : storage_(other.storage_), data_(other.data_), shape_(other.shape_) {
  if (storage_) storage_->references.fetch_add(1, std::memory_order_relaxed);
  note_held();
}

template <class T>
Array<T>::~Array() {
  if (storage_ && storage_->references.fetch_sub(1, std::memory_order_acq_rel) == 1)
    memory::release(storage_);
}

template <class T>
Array<T> Array<T>::full(const Shape& shape, T value) {
  Array result(shape);
  std::fill_n(result.data_, result.size(), value);
  return result;
}

template <class T>
T Array<T>::item() const {
  check(defined() && size() == 1, "item", "expected one element; got shape {}", shape_);
  return data_[0];
}

template <class T>
Array<T> Array<T>::reshape(const Shape& shape) const {
  check(defined(), "reshape", "expected a tensor; got an undefined one");
  check(shape.size() == size(), "reshape", "expected {} elements, as in {}; got {}", size(), shape_,
        shape);
  Array result = *this;
  result.shape_ = shape;
  return result;
}

template <class T>
Array<T> Array<T>::slice(Index begin, Index end) const {
  check(defined(), "slice", "expected a tensor; got an undefined one");
  check(rank() >= 1 && 0 <= begin && begin <= end && end <= shape_[0], "slice",
        "expected rows within {}; got [{}, {})", shape_, begin, end);
  Array result = *this;
  const Index row_size = shape_[0] == 0 ? 0 : size() / shape_[0];
  result.data_ += begin * row_size;
  result.shape_ = shape_.with(0, end - begin);
  return result;
}

template <class T>
Array<T> Array<T>::clone() const {
  check(defined(), "clone", "expected a tensor; got an undefined one");
  return Array(shape_, span());
}

template <class T>
bool Array<T>::unique() const {
  return storage_ && storage_->references.load(std::memory_order_acquire) == 1;
}

template <class T>
void Array<T>::refuse_value() {
  fail("[tensor] expected whole numbers that an id holds");
}

template class Array<Real>;
template class Array<Id>;

namespace {

// Elements printed at each end of an axis that has more than twice as many.
constexpr Index shown_at_ends = 3;

/// Prints axis `axis` and the axes after it, in brackets. `data` is their first element.
template <class T>
void print(std::ostream& out, const Shape& shape, int axis, const T* data) {
  if (axis == shape.rank()) {
    out << fmt::format("{}", *data);
    return;
  }
  const Index extent = shape[axis];
  Index stride = 1;
  for (int i = axis + 1; i < shape.rank(); ++i)
    stride *= shape[i];
  out << '[';
  for (Index i = 0; i < extent; ++i) {
    if (i > 0) out << ", ";
    if (i == shown_at_ends && extent > 2 * shown_at_ends) {
      out << "..., ";
      i = extent - shown_at_ends;
    }
    print(out, shape, axis + 1, data + i * stride);
  }
  out << ']';
}

}  // namespace

template <class T>
std::ostream& operator<<(std::ostream& out, const Array<T>& array) {
  if (!array.defined()) return out << "undefined";
  out << to_string(array.shape()) << ' ';
  print(out, array.shape(), 0, array.data());
  return out;
}
template std::ostream& operator<<(std::ostream& out, const Tensor& array);
template std::ostream& operator<<(std::ostream& out, const Ids& array);

}  // namespace heed
