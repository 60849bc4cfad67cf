#pragma once

#include <string>

namespace heed {

/// A comment of TOML that says what makes a run: version, compiler, processor, BLAS.
std::string made_by_comment();

}  // namespace heed
