#include "framework/build_info.h"

#include <fstream>

#include <fmt/format.h>

#include "framework/kernels/gemm.h"
#include "framework/version.h"

namespace heed {

namespace {

std::string compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  return fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
}

std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

BuildInfo build_info() {
  return {.version = version(),
          .compiler = compiler(),
          .processor = processor(),
          .blas = kernels::blas_name()};
}

}  // namespace heed
