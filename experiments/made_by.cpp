#include "experiments/made_by.h"

#include <fmt/format.h>

#include "framework/build_info.h"

namespace heed {

std::string made_by_comment() {
  const BuildInfo by = build_info();
  return fmt::format("# heed {}, {}\n# {}\n# {}\n\n", by.version, by.compiler, by.processor,
                     by.blas);
}

}  // namespace heed
