#pragma once

#include <string>

namespace heed {

/// What computes: results have the same bits where all of it is the same.
struct BuildInfo {
  std::string version;    // of Heed: "0.1.0"
  std::string compiler;   // "g++ 12.2.0"
  std::string processor;  // "AMD EPYC 9R14"; "unknown" where the system does not say
  std::string blas;       // "OpenBLAS 0.3.21 ... SkylakeX"
};

/// Of this program on this machine.
BuildInfo build_info();

}  // namespace heed
