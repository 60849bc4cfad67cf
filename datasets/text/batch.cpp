#include "datasets/text/batch.h"

#include <algorithm>

namespace heed {

Index Batch::weight() const {
  const auto ids = gold.span();
  const auto all = static_cast<Index>(ids.size());
  return ignored ? all - std::count(ids.begin(), ids.end(), *ignored) : all;
}

}  // namespace heed
