#pragma once

#include <cstdint>

#include "framework/module.h"
#include "framework/ops.h"

namespace heed {

/// y = (x - mean) / sqrt(variance + 1e-5) * gain + bias, over the last axis (Ba et al. 2016).
/// x, y (..., d), gain, bias (d)
struct LayerNorm {
  Parameter gain;
  Parameter bias;

  explicit LayerNorm(Index d) : gain(ones({d})), bias(zeros({d})) {}
  Variable operator()(const Operand& x) const { return layer_norm(x, gain, bias); }
  void visit(Visitor& v) {
    v("gain", gain);
    v("bias", bias);
  }
};

/// y = x / sqrt(mean x^2 + 1e-5) * gain, over the last axis (Zhang and Sennrich 2019).  x, y (...,
/// d), gain (d)
struct RmsNorm {
  Parameter gain;

  explicit RmsNorm(Index d) : gain(ones({d})) {}
  Variable operator()(const Operand& x) const { return rms_norm(x, gain); }
  void visit(Visitor& v) { v("gain", gain); }
};

enum class NormKind : std::uint8_t { layer, rms };

/// LayerNorm or RmsNorm, by its kind.  x, y (..., d)
struct Norm {
  Parameter gain;  // (d)
  Parameter bias;  // (d); undefined: RmsNorm, which has none

  explicit Norm(Index d, NormKind kind = NormKind::layer) : gain(ones({d})) {
    if (kind == NormKind::layer) bias = Parameter(zeros({d}));
  }
  Variable operator()(const Operand& x) const {
    return bias.defined() ? layer_norm(x, gain, bias) : rms_norm(x, gain);
  }
  void visit(Visitor& v) {
    v("gain", gain);
    v("bias", bias);
  }
};

}  // namespace heed
