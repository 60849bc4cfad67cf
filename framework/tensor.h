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

/// What stands before the elements of an array.
struct Storage {
  std::atomic<Index> references;
  std::atomic<std::uint64_t> version;  // how often somebody asked to write to the elements
};

/// A storage and its version at some time.
struct Held {
  const Storage* storage;
  std::uint64_t version;
};

/// Where the arrays that are copied or moved on this thread are noted; null where nobody asks. A
/// tape does so while it takes over the closure of an op, and so learns what backward will read.
inline constinit thread_local std::vector<Held>* holding = nullptr;

}  // namespace detail

/// A contiguous, row-major, reference-counted array. Copies share the elements; so do reshape() and
/// slice(). Elements of a new array are uninitialised: whoever creates it writes every one, or
/// starts from zeros() or full().
///
/// Access that could write (data(), span() and [] of an array that is not const) counts as a change
/// of the elements. A tape refuses to go back through an op whose operands have changed since.
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(const Shape& shape);
  Array(const Shape& shape, std::span<const T> values);
  Array(const Shape& shape, std::initializer_list<T> values)
      : Array(shape, std::span<const T>(values.begin(), values.size())) {}
  /// From numbers of any type. Throws Error where an id does not hold one.
  template <class Number>
    requires std::is_arithmetic_v<Number>
  Array(const Shape& shape, const std::vector<Number>& values)
      : Array(shape, std::span<const T>(converted(values))) {}
  /// Of one axis.
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

  Array reshape(const Shape& shape) const;  // a view; the same number of elements
  // a view of rows [begin, end) of the first axis
  Array slice(Index begin, Index end) const;
  Array clone() const;  // elements of its own
  bool unique() const;  // nobody else holds the storage
  std::vector<T> to_vector() const { return {span().begin(), span().end()}; }
  /// Both have the same elements in memory, or some of them.
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

  /// One thread writes at a time, as with the elements; others may read the count meanwhile.
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

/// Shape and elements, in nested brackets as NumPy prints them; of long axes the ends alone.
template <class T>
std::ostream& operator<<(std::ostream& out, const Array<T>& array);
extern template std::ostream& operator<<(std::ostream& out, const Tensor& array);
extern template std::ostream& operator<<(std::ostream& out, const Ids& array);

}  // namespace heed
