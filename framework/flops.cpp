#include "framework/flops.h"

namespace heed::detail {

Index& multiply_adds() {
  thread_local Index count = 0;
  return count;
}

}  // namespace heed::detail
