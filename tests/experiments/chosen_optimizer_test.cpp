// The optimizer that the settings name, in whole trainings.

#include "experiments/chosen_optimizer.h"

#include <gtest/gtest.h>

#include "experiments/training.h"
#include "framework/checkpoint.h"
#include "framework/files.h"
#include "framework/run_folder.h"
#include "models/families.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

struct Chosen {
  Settings settings = default_settings("transformer", {"toy:copy"});

  explicit Chosen(const std::vector<std::string>& assignments) {
    for (const char* small : {"model.d=16", "model.heads=2", "model.layers=1", "train.steps=6",
                              "optim.warmup=2", "data.batch_tokens=200"})
      set(small);
    for (const std::string& assignment : assignments)
      set(assignment);
  }
  void set(const std::string& assignment) {
    const auto equals = assignment.find('=');
    settings.set(assignment.substr(0, equals), assignment.substr(equals + 1));
  }
};

/// The tensors of the last checkpoint of a training.
Checkpoint trained(const TemporaryFolder& folder, const char* name,
                   const std::vector<std::string>& assignments) {
  Training(Chosen(assignments).settings, folder.path(name)).run();
  return load(RunFolder(folder.path(name)).last());
}

TEST(ChosenOptimizer, ScalesTheRatesOfWhatMatches) {
  const TemporaryFolder folder;
  const Checkpoint begun = trained(folder, "begun", {"optim.lr=0"});
  const Checkpoint held = trained(folder, "held", {"optim.rates=embedding*=0,*.up.*=1"});
  for (const auto& [name, tensor] : held.tensors) {
    if (!name.starts_with("model.")) continue;
    const bool same = tensor.to_vector() == begun.find(name)->to_vector();
    EXPECT_EQ(same, name == "model.embedding.weight") << name;
  }
}

TEST(ChosenOptimizer, SaysWhatMuonChanges) {
  const TemporaryFolder folder;
  Training training(Chosen({"optim.name=muon"}).settings, folder.path("run"));
  training.run();
  std::string log = read_file(folder.path("run/log.txt"), 1 << 20);
  EXPECT_NE(log.find("optimizer Muon for 11 matrices of hidden layers, 7168 of 8224 "),
            std::string::npos)
      << log;
  const Checkpoint last = load(RunFolder(folder.path("run")).last());
  EXPECT_TRUE(last.find("optimizer.muon.m.encoder.0.attention.input.weight"));
  EXPECT_TRUE(last.find("optimizer.adamw.v.embedding.weight"));
  EXPECT_FALSE(last.find("optimizer.adamw.v.encoder.0.attention.input.weight"));
}

/// A run can be used with the averaged weights, from the last checkpoint as from the best.
TEST(ChosenOptimizer, SavesTheWeightsThatScheduleFreeIsUsedWith) {
  const TemporaryFolder folder;
  const Checkpoint last = trained(folder, "run", {"optim.name=schedule_free"});
  const Checkpoint best = load(RunFolder(folder.path("run")).best());
  const Tensor* x = last.find("model.embedding.weight");
  EXPECT_EQ(x->to_vector(), best.find("model.embedding.weight")->to_vector());
  EXPECT_NE(x->to_vector(), last.find("optimizer.schedule_free.z.embedding.weight")->to_vector());
  EXPECT_TRUE(last.lists.contains("optimizer.sums"));
}

TEST(ChosenOptimizer, KeepsTheMovingAverageAsBest) {
  const TemporaryFolder folder;
  const Checkpoint last = trained(folder, "run", {"train.ema=0.9"});
  const Checkpoint best = load(RunFolder(folder.path("run")).best());
  EXPECT_EQ(best.find("model.embedding.weight")->to_vector(),
            last.find("ema.embedding.weight")->to_vector());
  EXPECT_NE(best.find("model.embedding.weight")->to_vector(),
            last.find("model.embedding.weight")->to_vector());
}

/// Checkpoints of today's optimizers hold nothing new.
TEST(ChosenOptimizer, ChangesNoCheckpointOfTheOthers) {
  const TemporaryFolder folder;
  const Checkpoint last = trained(folder, "run", {});
  EXPECT_FALSE(last.lists.contains("optimizer.sums"));
  EXPECT_FALSE(last.numbers.contains("ema_steps"));
  for (const auto& [name, tensor] : last.tensors)
    EXPECT_TRUE(name.starts_with("model.") || name.starts_with("optimizer.adam.m.") ||
                name.starts_with("optimizer.adam.v."))
        << name;
}

}  // namespace
}  // namespace heed
