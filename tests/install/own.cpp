// A family of models with a setting of its own, and an optimizer with one of its own. Both are
// chosen by name.
#include <heed/heed.h>

using namespace heed;

struct TemperedOptions {
  Index d = 32;
  double dropout = 0;
  double temperature = 2;

  void list(Fields& f) {
    f("d", d, even(2, 1024), "width");
    f("dropout", dropout, between(0.0, 0.9), "dropout");
    f("temperature", temperature, between(0.1, 10.0), "divides the logits");
  }
};

/// A small Transformer whose logits are divided by a temperature.
class Tempered : public Transformer {
 public:
  Tempered(const TemperedOptions& o, Index vocabulary, Random& random)
      : Transformer({.vocabulary = vocabulary, .d = o.d, .layers = 1}, random),
        scale_(static_cast<Real>(1 / o.temperature)) {}
  Variable logits(const Sequences& sources, const Sequences& targets,
                  std::vector<AttentionMap>* attention) const override {
    return Transformer::logits(sources, targets, attention) * scale_;
  }
  Variable loss(const Sequences& sources, const Sequences& targets, const Ids& gold,
                const CrossEntropy& options) const override {
    return cross_entropy(logits(sources, targets, nullptr), gold, options);
  }
  std::unique_ptr<const Decoder> decoder() const override {
    return std::make_unique<Scaled>(*this, Transformer::decoder());
  }

 private:
  /// The decoder of a Transformer, with its logits scaled.
  struct Scaled : Decoder {
    struct State : DecoderState {
      std::unique_ptr<DecoderState> inner;
      Real scale;
      State(std::unique_ptr<DecoderState> state, Real by) : inner(std::move(state)), scale(by) {}
      Index rows() const override { return inner->rows(); }
      void select(std::span<const Index> rows) override { inner->select(rows); }
      Tensor step(std::span<const Id> tokens) override {
        return (Operand(inner->step(tokens)) * scale).value();
      }
    };
    const Tempered& model;
    std::unique_ptr<const Decoder> inner;
    Scaled(const Tempered& m, std::unique_ptr<const Decoder> decoder)
        : model(m), inner(std::move(decoder)) {}
    Index vocabulary() const override { return model.vocabulary(); }
    std::unique_ptr<DecoderState> start(const Sequences& sources) const override {
      return std::make_unique<State>(inner->start(sources), model.scale_);
    }
    Variable logits(const Sequences& sources, const Sequences& targets,
                    std::vector<AttentionMap>* attention) const override {
      return model.logits(sources, targets, attention);
    }
  };
  Real scale_;
};

struct SignOptions {
  double lr = 1e-3;
  double decay = 0;

  void list(Fields& f) {
    f("lr", lr, between(0.0, 1.0), "peak learning rate");
    f("decay", decay, between(0.0, 1.0), "share of each weight that a step takes away");
  }
};

/// p <- (1 - decay) p - lr sign(g)
class Sign : public Optimizer {
 public:
  Sign(AnyModule model, const SignOptions& options)
      : Optimizer(model, options.lr, {}), keep_(static_cast<Real>(1 - options.decay)) {}

 private:
  void prepare(UpdateSlot& slot, const Shape&, std::int64_t, double lr) const override {
    slot.rate = static_cast<Real>(lr);
  }
  void update(std::span<const UpdateSlot> slots, Real) override {
    for (const UpdateSlot& slot : slots)
      for (Index i = 0; slot.gradient && i < slot.size; ++i) {
        const Real sign = static_cast<Real>((slot.gradient[i] > 0) - (slot.gradient[i] < 0));
        slot.value[i] = keep_ * slot.value[i] - slot.rate * sign;
      }
  }
  Real keep_;
};

int main() {
  model_families().add({.name = "tempered",
                        .help = "a Transformer whose logits are divided by a temperature",
                        .paper = "",
                        .options = TemperedOptions{},
                        .make = [](const AnyOptions& o, VocabularySizes sizes, Random& random) {
                          return std::make_unique<Tempered>(o.as<TemperedOptions>(), sizes.target,
                                                            random);
                        }});
  optimizers().add({.name = "sign",
                    .paper = "Bernstein et al. 2018",
                    .options = SignOptions{},
                    .make = [](AnyModule model, const AnyOptions& options) {
                      return std::make_unique<Sign>(model, options.as<SignOptions>());
                    }});
  Settings settings = default_settings("tempered", {"toy:copy"});
  for (const auto& [key, value] : {std::pair("model.temperature", "4"),
                                   {"optim.name", "sign"},
                                   {"optim.decay", "0.0001"},
                                   {"optim.warmup", "1"},
                                   {"train.steps", "40"},
                                   {"train.eval_every", "20"}})
    settings.set(key, value);
  std::vector<double> losses;
  TrainingObservers observers;
  observers.on_evaluation = [&](const auto& report) { losses.push_back(report.evaluation.loss); };
  Training(settings, "runs/own").run(observers);

  const Run run = open_run("runs/own");
  if (run.settings.value("model.temperature") != FieldValue(4.0)) return 1;
  if (read_run_settings("runs/own").value("optim.decay") != FieldValue(0.0001)) return 1;
  return losses.size() == 2 && losses[1] < losses[0] ? 0 : 1;
}
