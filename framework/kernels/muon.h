#pragma once

#include "framework/types.h"

namespace heed::kernels {

/// A matrix that Muon changes, (rows, columns), with its gradient and its momentum. All are dense.
struct MuonMatrix {
  Index rows = 0;
  Index columns = 0;
  Real* value = nullptr;
  const Real* gradient = nullptr;
  Real* momentum = nullptr;
  Real rate = 0;
  Real keep = 1;  // multiplies the value first: decoupled decay
};

/// With g = factor gradient and u = beta m + g, Nesterov's momentum:
///   m = beta m + g
///   value = keep value - rate NS(beta m + g)
/// NS(U) is U V^T of the singular value decomposition U S V^T, about: the quintic iteration makes
/// singular values of 0.7 to 1.2 of all that are not tiny.
void muon(const MuonMatrix& matrix, Real factor, Real beta);

}  // namespace heed::kernels
