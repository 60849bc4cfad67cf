#pragma once

#include <functional>
#include <numeric>
#include <span>
#include <vector>

#include "framework/ops.h"
#include "models/decoder.h"
#include "models/internal/checks.h"

namespace heed {

/// The part of a decoder's state that all models share: which source each row reads, and what
/// follows the rows when some are selected. A model derives its state from it and adds step().
class RowState : public DecoderState {
 public:
  /// One row for each source.
  explicit RowState(Index sources) : source_(static_cast<std::size_t>(sources)) {
    std::iota(source_.begin(), source_.end(), Index{0});
  }
  // What follows is referred to by its address.
  RowState(const RowState&) = delete;
  RowState& operator=(const RowState&) = delete;

  Index rows() const final { return std::ssize(source_); }
  void select(std::span<const Index> chosen) final {
    detail::check_selected("select", chosen, rows());
    for (const auto& follow : followers_)
      follow(chosen);
    source_ = selected(source_, chosen);
  }
  /// Which source each row reads.
  std::span<const Index> source() const { return source_; }

 protected:
  using Follow = std::function<void(std::span<const Index> chosen)>;
  /// Calls `follow` with the rows that are selected, before source() changes.
  void follow(Follow follow) { followers_.push_back(std::move(follow)); }
  /// A value of each row.
  template <class T>
  void follow(std::vector<T>& of_rows) {
    follow(Follow([&](std::span<const Index> chosen) { of_rows = selected(of_rows, chosen); }));
  }
  /// A tensor (rows, ...), which may be undefined.
  void follow(Tensor& of_rows) {
    follow(Follow([&](std::span<const Index> chosen) { of_rows = selected(of_rows, chosen); }));
  }

 private:
  template <class T>
  static std::vector<T> selected(const std::vector<T>& from, std::span<const Index> chosen) {
    std::vector<T> result;
    result.reserve(chosen.size());
    for (const Index row : chosen)
      result.push_back(from[static_cast<std::size_t>(row)]);
    return result;
  }
  static Tensor selected(const Tensor& from, std::span<const Index> chosen) {
    if (!from.defined()) return from;
    const Tape::Pause pause;
    Ids ids({std::ssize(chosen)});
    for (std::size_t i = 0; i < chosen.size(); ++i)
      ids[static_cast<Index>(i)] = static_cast<Id>(chosen[i]);
    return gather(from, ids).value();
  }

  std::vector<Index> source_;
  std::vector<Follow> followers_;
};

}  // namespace heed
