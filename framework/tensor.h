#pragma once

#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "framework/shape.h"
#include "framework/types.h"

namespace heed {

namespace detail {

/// The header in front of the elements of an array.
struct Storage {
  std::atomic<Index> references;
  std::atomic<std::uint64_t> version;  // grows with each access that could write to the elements
};

/// A storage, with its version at some time.
struct Held {
  const Storage* storage;
  std::uint64_t version;
};

/// Where not null, every array that is copied or moved on this thread is added here. A tape sets it
/// while it moves the closure of an op, to learn which arrays backward will read.
inline constinit thread_local std::vector<Held>* holding = nullptr;

}  // namespace detail

/// A contiguous, row-major, reference-counted array.
///
/// - Copies share the elements, and so do reshape() and slice().
/// - The elements of a new array are uninitialised: write every one, or start from zeros() or
///   full().
/// - data(), span() and [] of an array that is not const count as a change of the elements. A tape
///   does not compute gradients with operands that have changed since the op ran.
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(const Shape& shape);
  Array(const Shape& shape, std::span<const T> values);
  Array(const Shape& shape, std::initializer_list<T> values)
      : Array(shape, std::span<const T>(values.begin(), values.size())) {}
  /// From numbers of any type. Throws Error when a number does not fit in an Id.
  template <class Number>
    requires std::is_arithmetic_v<Number>
  Array(const Shape& shape, const std::vector<Number>& values)
      : Array(shape, std::span<const T>(converted(values))) {}
  /// With one axis.
  template <class Number>
    requires std::is_arithmetic_v<Number>
  explicit Array(const std::vector<Number>& values)
      : Array({static_cast<Index>(values.size())}, values) {}
  Array(const Array& other) noexcept;
  Array(Array&& other) noexcept
      : storage_(std::exchange(other.storage_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        shape_(std::exchange(other.shape_, {})) {
    note_held();
  }
  Array& operator=(Array other) noexcept {
    std::swap(storage_, other.storage_);
    std::swap(data_, other.data_);
    std::swap(shape_, other.shape_);
    return *this;
  }
  ~Array();

  static Array zeros(const Shape& shape) { return full(shape, T{0}); }
  static Array full(const Shape& shape, T value);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  Index size() const { return defined() ? shape_.size() : 0; }
  Index rows() const { return defined() ? shape_.rows() : 0; }
  Index columns() const { return defined() ? shape_.columns() : 0; }

  T* data() {
    count_change();
    return data_;
  }
  const T* data() const { return data_; }
  std::span<T> span() { return {data(), static_cast<std::size_t>(size())}; }
  std::span<const T> span() const { return {data_, static_cast<std::size_t>(size())}; }
  T& operator[](Index i) { return data()[i]; }
  const T& operator[](Index i) const { return data_[i]; }
  T item() const;  // the only element

  /// A view. `shape` must have the same number of elements.
  Array reshape(const Shape& shape) const;
  /// A view of rows [begin, end) of the first axis.
  Array slice(Index begin, Index end) const;
  /// A copy with elements of its own.
  Array clone() const;
  /// True if no other array shares the storage.
  bool unique() const;
  std::vector<T> to_vector() const { return {span().begin(), span().end()}; }
  /// True if both arrays have the same storage.
  bool shares_with(const Array& other) const { return storage_ && storage_ == other.storage_; }

 private:
  template <class Number>
  static std::vector<T> converted(const std::vector<Number>& values) {
    std::vector<T> result;
    result.reserve(values.size());
    for (const Number value : values) {
      if constexpr (std::is_integral_v<T>) {
        if (!std::in_range<T>(value)) refuse_value();
      }
      result.push_back(static_cast<T>(value));
    }
    return result;
  }
  [[noreturn]] static void refuse_value();

  /// One thread writes the count at a time, as with the elements. Others may read it meanwhile.
  void count_change() {
    if (!storage_) return;
    const std::uint64_t version = storage_->version.load(std::memory_order_relaxed);
    storage_->version.store(version + 1, std::memory_order_relaxed);
  }
  void note_held() const {
    if (detail::holding && storage_) [[unlikely]]
      detail::holding->push_back({storage_, storage_->version.load(std::memory_order_relaxed)});
  }

  detail::Storage* storage_ = nullptr;
  T* data_ = nullptr;
  Shape shape_;
};

using Tensor = Array<Real>;
using Ids = Array<Id>;

extern template class Array<Real>;
extern template class Array<Id>;

/// Prints the shape, then the elements in nested brackets as NumPy does. Of a long axis, only the
/// first and last elements are printed.
template <class T>
std::ostream& operator<<(std::ostream& out, const Array<T>& array);
extern template std::ostream& operator<<(std::ostream& out, const Tensor& array);
extern template std::ostream& operator<<(std::ostream& out, const Ids& array);

}  // namespace heed
