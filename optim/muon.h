#pragma once

#include <string>
#include <vector>

#include "optim/optimizer.h"

namespace heed {

/// Whether a parameter is a matrix of a hidden layer: it has two axes, neither of length 1, and is
/// no table (ParameterLayout). Embeddings, positions and output layers are tables; so are the
/// filters of depthwise convolutions.
bool is_hidden_matrix(const ParameterRef& parameter);

struct MuonOptions {
  double lr = 2e-3;
  double momentum = 0.95;
  double beta1 = 0.9;  // of AdamW, for all that is no hidden matrix
  double beta2 = 0.98;
  double epsilon = 1e-9;
  double weight_decay = 0;
  /// Patterns of the hidden matrices that Muon changes (ParameterPatterns); AdamW changes the
  /// others. Empty: all of them.
  std::vector<std::string> hidden = {};

  void list(Fields& f);
};

/// Muon for the matrices of hidden layers (Jordan 2024), AdamW for everything else. At each step of
/// a matrix (m, n)
///   M <- momentum M + G
///   W <- (1 - lr weight_decay) W - lr 0.2 sqrt(max(m, n)) NS(G + momentum M)
/// NS: five quintic Newton-Schulz iterations, which bring all singular values near 1. The factor
/// makes the step as large as AdamW's usual one, so that both share a learning rate and a weight
/// decay (Liu et al. 2025, section 2.2).
///
/// A parameter that stores several matrices one below the other (ParameterLayout::blocks), such as
/// the projections to queries, keys and values, is changed matrix by matrix: how a model stores its
/// matrices then makes no difference, and each has singular values of its own.
///
/// The constructor throws Error when
/// - a number of the options is out of its range;
/// - a pattern of `hidden` matches no parameter.
class Muon : public Optimizer {
 public:
  explicit Muon(AnyModule model, const MuonOptions& options = {});

  std::string summary() const override;

 private:
  void prepare(UpdateSlot& slot, const Shape& shape, std::int64_t step, double lr) const override;
  void update(std::span<const UpdateSlot> slots, Real gradient_scale) override;
  void prepare_in_group(std::size_t group, std::size_t number, UpdateSlot& slot, std::int64_t step,
                        double lr) override;
  void update_group(std::size_t group, std::span<const UpdateSlot> slots,
                    Real gradient_scale) override;
  void update_matrices(std::size_t number, const UpdateSlot& slot, Real gradient_scale);
  MuonOptions options_;
};

}  // namespace heed
