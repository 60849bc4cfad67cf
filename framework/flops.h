#pragma once

#include "framework/types.h"

namespace heed {

namespace detail {

/// Of this thread so far. Kernels add to it on the thread that calls them, before they hand out
/// their work.
Index& multiply_adds();

}  // namespace detail

/// Counts the floating-point operations that this thread asks for while it exists, by whatever
/// threads they are computed:
///
///     count = 2 * multiply-adds
///
/// of matrix products, scores and sums of attention, recurrent steps and convolutions, forward and
/// backward. Of attention, the pairs of a query and a key that it sees count. What is done number
/// by number (norms, activations, softmax, dropout, an optimizer's update) does not. The count
/// depends on shapes alone: it is the same on every machine and on any number of threads.
class FlopCounter {
 public:
  Index count() const { return 2 * (detail::multiply_adds() - begin_); }

 private:
  Index begin_ = detail::multiply_adds();
};

}  // namespace heed
