#pragma once

#include <span>

#include "framework/types.h"

namespace heed::kernels {

/// Distributions over classes, one a row.
struct Distributions {
  const Real* logits = nullptr;    // (rows, columns)
  const Real* log_sums = nullptr;  // (rows): log sum exp of each row of logits
  Index columns = 0;
};

/// The logarithm of the mean of several distributions: y_rc = log mean_i exp(logits_i,rc -
/// log_sums_i,r), for y (rows, columns). A distribution with fewer columns has the probability 0 in
/// the others. `least` stands for the logarithm of 0, and for what is below it.
void log_mean(Index rows, Index columns, std::span<const Distributions> of, Real least, Real* y);

}  // namespace heed::kernels
