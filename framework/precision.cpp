#include "framework/precision.h"

#include "framework/error.h"
#include "framework/kernels/bf16.h"
#include "framework/kernels/onednn.h"

namespace heed {

std::string precision_obstacle(Precision precision) {
  return precision == Precision::bf16 ? kernels::onednn::obstacle() : "";
}

void set_precision(Precision precision) {
  const std::string why = precision_obstacle(precision);
  check(why.empty(), "set_precision", "expected fp32; got bf16, which {}", why);
  kernels::use_bf16(precision == Precision::bf16);
}

Precision precision() { return kernels::uses_bf16() ? Precision::bf16 : Precision::fp32; }

}  // namespace heed
