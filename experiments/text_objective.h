#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datasets/text/batch.h"
#include "experiments/inference/interrupted.h"
#include "models/classifier.h"
#include "models/language_model.h"
#include "models/seq2seq.h"
#include "training/objective.h"

namespace heed {

/// The cross entropy of a batch by a model.
using BatchLoss = std::function<Variable(const Batch& batch, const CrossEntropy& options)>;
/// The loss of such a model. It refers to the model.
BatchLoss batch_loss(const Seq2Seq& model);
/// The same of a language model, which reads the targets alone.
BatchLoss batch_loss(const LanguageModel& model);
/// The same of a model that reads the sources alone and gives each a class.
BatchLoss batch_loss(const Classifier& model);

/// The logits of a batch by a model: a row for each gold id.
using BatchLogits = std::function<Variable(const Batch& batch)>;
BatchLogits batch_logits(const Seq2Seq& model);
BatchLogits batch_logits(const LanguageModel& model);
BatchLogits batch_logits(const Classifier& model);

/// The loss of R-Drop (Liang et al. 2021, section 2.2). Two passes over the batch, each with
/// dropout of its own, give P1 and P2. With their cross entropies CE1 and CE2,
///
///     1/2 (CE1 + CE2) + alpha/2 * 1/2 (KL(P1 || P2) + KL(P2 || P1))
///
/// summed over the gold ids that count and divided by the divisor. It is half of the paper's
/// equation 4, so that the learning rate means what it means without R-Drop. `nats` is the mean of
/// the plain cross entropies of both passes.
BatchLoss r_drop_loss(BatchLogits logits, Real alpha);

struct TotalLoss {
  double sum = 0;    // nats
  Index tokens = 0;  // gold ids
  double per_token() const { return sum / static_cast<double>(tokens > 0 ? tokens : 1); }
};
/// The cross entropy of all gold ids. The caller switches the model to evaluation. Throws
/// Interrupted where it should stop.
TotalLoss total_loss(const BatchLoss& loss, std::span<const Batch> batches,
                     const ShouldStop& should_stop = {});

struct TextObjectiveOptions {
  Real label_smoothing = 0;
  BatchLoss train_loss = {};  // what is optimised, where it is not the loss of validation
  /// What is added for each gold token, as Model::penalty() says.
  std::function<Variable()> penalty = {};
  ShouldStop should_stop = {};  // is asked during a validation
};

/// The loss of a model, batches to learn from and batches to validate on: what the Trainer trains.
/// It keeps references to the model and to both.
class TextObjective final : public Objective {
 public:
  TextObjective(BatchLoss loss, BatchStream& train, std::span<const Batch> valid,
                TextObjectiveOptions options = {});

  std::shared_ptr<const Draw> draw() override;
  std::shared_ptr<const Draw> only(const Draw& draw, Index item) const override;
  Loss loss(const Draw& draw, Real divisor) const override;
  /// The mean cross entropy of a gold id of the validation data. Throws Interrupted.
  std::optional<Evaluation> evaluate() override;
  bool evaluates() const override { return !valid_.empty(); }
  /// The entropy of the gold ids of the validation data; nothing without them. With the correction
  /// for a finite sample of Miller (1955): -sum_i p_i log p_i + (k - 1) / 2n nats, for k ids with
  /// frequencies p_i among n. Few data have each id less often than it will be met.
  std::optional<double> baseline() const override;
  double epochs() const override { return train_.epochs(); }
  std::vector<std::int64_t> position() const override { return train_.position(); }
  void seek(std::span<const std::int64_t> position) override { train_.seek(position); }
  std::string describe(std::span<const Index> items) const override {
    return train_.describe(items);
  }

 private:
  const BatchLoss& train_loss() const { return options_.train_loss ? options_.train_loss : loss_; }

  BatchLoss loss_;
  BatchStream& train_;
  std::span<const Batch> valid_;
  TextObjectiveOptions options_;
};

}  // namespace heed
