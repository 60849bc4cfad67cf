#pragma once

#include "framework/module.h"
#include "framework/parameter_patterns.h"

namespace heed {

/// Freezes the parameters that the patterns choose: they get no gradient any more and do not
/// change. Returns their number.
///
/// Throws Error, and freezes nothing, when
/// - a pattern matches no parameter;
/// - no trainable parameter would be left.
int freeze(AnyModule module, const ParameterPatterns& patterns);

}  // namespace heed
