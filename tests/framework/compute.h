#pragma once

#include <functional>
#include <span>

#include "framework/ops.h"

// How the rows of tests say what they compute.

namespace heed::test {

/// The inputs of a row.
using Xs = std::span<const Variable>;
using Compute = std::function<Variable(Xs)>;

/// OP(relu(x[0])): a function of the inputs x that captures nothing.
#define OP(...) [](Xs x) -> Variable { return __VA_ARGS__; }

}  // namespace heed::test
