#include "framework/tensor.h"

#include <algorithm>
#include <new>

#include "framework/error.h"
#include "framework/memory.h"

namespace heed {

namespace {
constexpr std::size_t header = 64;  // the reference count, and the elements still aligned to a cache line
}

template <class T>
Array<T>::Array(const Shape& shape) : shape_(shape) {
  static_assert(sizeof(Storage) <= header);
  auto* block = static_cast<std::byte*>(memory::allocate(header + static_cast<std::size_t>(shape.size()) * sizeof(T)));
  storage_ = new (block) Storage{1};
  data_ = reinterpret_cast<T*>(block + header);
}

template <class T>
Array<T>::Array(const Shape& shape, std::span<const T> values) : Array(shape) {
  check(static_cast<Index>(values.size()) == size(), "tensor", "expected {} values for shape {}; got {}", size(), shape, values.size());
  std::copy(values.begin(), values.end(), data_);
}

template <class T>
Array<T>::Array(const Array& other) noexcept : storage_(other.storage_), data_(other.data_), shape_(other.shape_) {
  if (storage_) storage_->references.fetch_add(1, std::memory_order_relaxed);
}

template <class T>
Array<T>::~Array() {
  if (storage_ && storage_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) memory::release(storage_);
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
  check(shape.size() == size(), "reshape", "expected {} elements, as in {}; got {}", size(), shape_, shape);
  Array result = *this;
  result.shape_ = shape;
  return result;
}

template <class T>
Array<T> Array<T>::slice(Index begin, Index end) const {
  check(rank() >= 1 && 0 <= begin && begin <= end && end <= shape_[0], "slice", "expected rows within {}; got [{}, {})", shape_, begin, end);
  Array result = *this;
  result.data_ += begin * (shape_[0] == 0 ? 0 : size() / shape_[0]);
  result.shape_ = shape_.with(0, end - begin);
  return result;
}

template <class T>
Array<T> Array<T>::clone() const {
  return Array(shape_, span());
}

template <class T>
bool Array<T>::unique() const {
  return storage_ && storage_->references.load(std::memory_order_acquire) == 1;
}

template class Array<Real>;
template class Array<Id>;

}  // namespace heed
