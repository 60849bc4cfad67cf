#pragma once

#include <string>

namespace heed {

/// The number format of the operands of large matrix products. Storage, sums and everything else
/// stay in float (docs/precision.md).
enum class Precision { fp32, bf16 };

/// Sets the precision of the whole process. bf16 rounds the operands of large products to bfloat16.
/// Throws Error when precision_obstacle() is not empty.
void set_precision(Precision precision);
Precision precision();

/// The reason why this machine or this build cannot use `precision`, such as "needs a processor
/// with AVX512-BF16 or AMX-BF16". Empty if it can.
std::string precision_obstacle(Precision precision);

}  // namespace heed
