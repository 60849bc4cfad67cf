#pragma once

#include <string>

namespace heed {

/// In which numbers large matrix products are computed. Storage, sums and everything else stay in
/// float: docs/precision.md.
enum class Precision { fp32, bf16 };

/// Of the whole process. bf16 rounds the operands of large products to bfloat16. Throws Error where
/// precision_obstacle() says why.
void set_precision(Precision precision);
Precision precision();

/// Why this machine, or this build, cannot compute in it, such as "needs a processor with
/// AVX512-BF16 or AMX-BF16"; empty where it can.
std::string precision_obstacle(Precision precision);

}  // namespace heed
