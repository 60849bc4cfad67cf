#include "optim/optimizers.h"

#include "optim/muon.h"
#include "optim/schedule_free.h"

namespace heed {

namespace {

template <class Kind, class Options>
std::unique_ptr<Optimizer> make(AnyModule model, const AnyOptions& options) {
  return std::make_unique<Kind>(model, options.as<Options>());
}

void list_rate(Fields& f, double& lr) { f("lr", lr, between(0.0, 1e3), "peak learning rate"); }

template <class Options>
void list_adam(Fields& f, Options& o, const char* decay) {
  list_rate(f, o.lr);
  f("weight_decay", o.weight_decay, between(0.0, 1e3), decay);
  f("beta1", o.beta1, between(0.0, 1.0), "decay rate of the first moment");
  f("beta2", o.beta2, between(0.0, 1.0), "decay rate of the second moment");
  f("epsilon", o.epsilon, between(0.0, 1.0), "added to the denominator");
}

void list_momentum(Fields& f, double& momentum) {
  f("momentum", momentum, between(0.0, 1.0), "momentum");
}

constexpr const char* penalty = "factor of an L2 penalty";
constexpr const char* decoupled = "share of each weight that a step of rate 1 takes away";

}  // namespace

void SgdOptions::list(Fields& f) {
  list_rate(f, lr);
  f("weight_decay", weight_decay, between(0.0, 1e3), penalty);
  list_momentum(f, momentum);
}

void AdamOptions::list(Fields& f) { list_adam(f, *this, penalty); }

void AdamWOptions::list(Fields& f) { list_adam(f, *this, decoupled); }

void MuonOptions::list(Fields& f) {
  list_adam(f, *this, decoupled);
  list_momentum(f, momentum);
  f("hidden", hidden, any_value(),
    "patterns of the hidden layers' matrices that are orthogonalised, such as '!decoder*'; AdamW "
    "trains the rest; empty: all of them");
}

void ScheduleFreeOptions::list(Fields& f) { list_adam(f, *this, decoupled); }

Registry<OptimizerKind>& optimizers() {
  static Registry<OptimizerKind> table(
      "optimizer",
      {{.name = "adam",
        .paper = "Kingma and Ba 2015",
        .options = AdamOptions{.lr = 2e-3, .beta2 = 0.98, .epsilon = 1e-9},
        .make = make<Adam, AdamOptions>},
       {.name = "adamw",
        .paper = "Loshchilov and Hutter 2019",
        .options = AdamWOptions{.lr = 2e-3, .beta2 = 0.98, .epsilon = 1e-9, .weight_decay = 0},
        .make = make<AdamW, AdamWOptions>},
       {.name = "sgd",
        .paper = "Polyak 1964",
        .options = SgdOptions{.lr = 2e-3, .momentum = 0.9},
        .make = make<Sgd, SgdOptions>,
        .follows_scale = true},
       {.name = "muon",
        .paper = "Jordan 2024; Liu et al. 2025",
        .options = MuonOptions{},
        .make = make<Muon, MuonOptions>,
        // Of 3e-3, 5e-3, 8e-3 and 1.6e-2 the first two are best where AdamW has 1.8e-3 (d 128,
        // 4 layers, batches of 768 characters, rotary positions).
        .rate = 2.5},
       {.name = "schedule_free",
        .paper = "Defazio et al. 2024",
        .options = ScheduleFreeOptions{},
        .make = make<ScheduleFree, ScheduleFreeOptions>,
        .averages = true,
        .schedule = "constant"}});
  return table;
}

}  // namespace heed
