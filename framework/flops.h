#pragma once

#include "framework/types.h"

namespace heed {

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
  FlopCounter();
  Index count() const;

 private:
  Index begin_;
};

}  // namespace heed
