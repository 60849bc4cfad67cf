#pragma once

#include <atomic>
#include <span>
#include <utility>
#include <vector>

#include "framework/shape.h"
#include "framework/types.h"

namespace heed {

/// A contiguous, row-major, reference-counted array. Copies share the elements; so do reshape() and slice().
/// Elements of a new array are uninitialised: whoever creates it writes every one, or starts from zeros() or full().
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(const Shape& shape);
  Array(const Shape& shape, std::span<const T> values);
  Array(const Shape& shape, std::initializer_list<T> values) : Array(shape, std::span<const T>(values.begin(), values.size())) {}
  Array(const Array& other) noexcept;
  Array(Array&& other) noexcept
      : storage_(std::exchange(other.storage_, nullptr)), data_(std::exchange(other.data_, nullptr)), shape_(other.shape_) {}
  Array& operator=(Array other) noexcept {
    std::swap(storage_, other.storage_), std::swap(data_, other.data_), std::swap(shape_, other.shape_);
    return *this;
  }
  ~Array();

  static Array zeros(const Shape& shape) { return full(shape, T{0}); }
  static Array full(const Shape& shape, T value);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  Index size() const { return shape_.size(); }
  Index rows() const { return shape_.rows(); }
  Index columns() const { return shape_.columns(); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  std::span<T> span() { return {data_, static_cast<std::size_t>(size())}; }
  std::span<const T> span() const { return {data_, static_cast<std::size_t>(size())}; }
  T& operator[](Index i) { return data_[i]; }
  const T& operator[](Index i) const { return data_[i]; }
  T item() const;  // the only element

  Array reshape(const Shape& shape) const;               // a view; the same number of elements
  Array slice(Index begin, Index end) const;             // a view of rows [begin, end) of the first axis
  Array clone() const;                                   // elements of its own
  bool unique() const;                                   // nobody else holds the storage
  std::vector<T> to_vector() const { return {span().begin(), span().end()}; }

 private:
  struct Storage {
    std::atomic<Index> references;
  };
  Storage* storage_ = nullptr;
  T* data_ = nullptr;
  Shape shape_;
};

using Tensor = Array<Real>;
using Ids = Array<Id>;

extern template class Array<Real>;
extern template class Array<Id>;

}  // namespace heed
