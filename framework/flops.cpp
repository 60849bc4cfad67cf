#include "framework/flops.h"

#include "framework/kernels/multiply_adds.h"

namespace heed {

FlopCounter::FlopCounter() : begin_(kernels::multiply_adds()) {}

Index FlopCounter::count() const { return 2 * (kernels::multiply_adds() - begin_); }

}  // namespace heed
