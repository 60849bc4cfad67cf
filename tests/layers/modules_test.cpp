#include "datasets/text/batch.h"
#include "layers/attention/attentions.h"
#include "layers/linear.h"
#include "layers/norm.h"
#include "optim/optimizer.h"
#include "tests/message_of.h"
#include "tests/models/decoding.h"

// What copies of modules share, what modules may hold, and their mode (training or evaluation).

namespace heed {
namespace {

/// For each i, whether the i-th parameters of two modules are one.
std::vector<bool> shared(AnyModule a, AnyModule b) {
  const auto first = parameters(a);
  const auto second = parameters(b);
  std::vector<bool> result;
  for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i)
    result.push_back(first[i].parameter == second[i].parameter);
  return result;
}

std::vector<std::vector<Real>> values(AnyModule module) {
  std::vector<std::vector<Real>> result;
  for (const auto& [name, parameter] : parameters(module))
    result.push_back(parameter.value().to_vector());
  return result;
}

void change(AnyModule module) {
  for (const auto& [name, parameter] : parameters(module))
    for (Real& x : parameter.value().span())
      x += 1;
}

struct Tied {
  Embedding embedding;
  Linear output;
  Dropout dropout{Real(0.5)};

  explicit Tied(Random& random) : embedding(6, 4, random), output(4, 6, random) {
    output.weight = embedding.weight.share();
  }
  void visit(Visitor& v) {
    v("embedding", embedding);
    v("output", output);
    v("dropout", dropout);
  }
};

// Copies -----------------------------------------------------------------------------------------

TEST(Copies, HaveWeightsOfTheirOwn) {
  Random random(1);
  struct Net {
    std::vector<Linear> layers;
    void visit(Visitor& v) { v("layers", layers); }
  };
  Net net{std::vector<Linear>(3, Linear(4, 4, random))};
  EXPECT_EQ(parameter_count(net), 60);
  Linear model(2, 3, random);
  const std::vector<std::vector<Real>> before = values(model);
  Linear constructed = model;
  Linear assigned(2, 3, random);
  Linear of_another_size(5, 1, random);

  Linear cloned = clone(model);
  Linear twin = share(model);
  assigned = model;
  of_another_size = model;
  model.bias.gradient() = ones({3});
  change(model);
  for (Linear* copy : {&constructed, &assigned, &of_another_size, &cloned}) {
    EXPECT_EQ(values(*copy), before);
    EXPECT_FALSE(copy->bias.gradient().defined()) << "a copy has no gradient yet";
  }
  EXPECT_EQ(values(twin), values(model));
  EXPECT_TRUE(twin.bias.gradient().defined()) << "what is shared has one gradient";
  Linear without(2, 3, random, false);
  without = Linear(2, 3, random, false);
  assigned = without;
  EXPECT_FALSE(assigned.bias.defined());
}

TEST(Copies, IntoAModelAreWhatItsOptimizerGoesOnFrom) {
  Random random(1);
  Linear model(2, 3, random);
  Sgd sgd(model, {.lr = 1});
  const Linear best = model;
  change(model);
  model = best;  // back to the best
  model.weight.gradient() = ones({3, 2});
  sgd.step();
  EXPECT_EQ(model.weight.value()[0], best.weight.value()[0] - 1);
}

TEST(Copies, OfTiedWeightsAreTiedAgainOrRefused) {
  Random random(1);
  Tied model(random);
  EXPECT_EQ(parameters(model).size(), 2u) << "a shared one counts once";
  const std::vector<std::vector<Real>> before = values(model);
  Tied cloned = clone(model);
  Tied twin = share(model);
  // NOLINTNEXTLINE(performance-unnecessary-copy-initialization): the copy must fail
  EXPECT_NE(message_of([&] { const Tied copy = model; }), "") << "it would be tied no more";
  EXPECT_TRUE(cloned.output.weight == cloned.embedding.weight);
  EXPECT_EQ(shared(cloned, model), std::vector<bool>(2, false));
  EXPECT_EQ(shared(twin, model), std::vector<bool>(2, true));
  change(model);
  EXPECT_EQ(values(cloned), before);
  cloned = model;  // copies the numbers; ties stay within each model
  EXPECT_EQ(values(cloned), values(model));
  EXPECT_TRUE(cloned.output.weight == cloned.embedding.weight);
  EXPECT_EQ(shared(cloned, model), std::vector<bool>(2, false));
  Tied again = clone(clone(model));
  EXPECT_TRUE(again.output.weight == again.embedding.weight);
  const Tied moved = std::move(again);
  EXPECT_TRUE(moved.output.weight == moved.embedding.weight);
}

TEST(Copies, ThatTrainAndAreGoneAreSaid) {
  Random random(1);
  const std::vector<Linear> layers(2, Linear(3, 3, random));
  const auto train = [&](auto&& forward) {
    Tape tape;
    tape.backward(sum(square(forward(Variable(ones({2, 3}))))));
  };
  const auto by_value = [&](Variable x) {
    for (auto layer : layers)  // NOLINT(performance-for-range-copy): it trains copies
      x = tanh(layer(x));
    return x;
  };
  const auto by_reference = [&](Variable x) {
    for (const auto& layer : layers)
      x = tanh(layer(x));
    return x;
  };
  EXPECT_NE(message_of([&] {
              train(by_value);
            }).find("is gone, and with it what it would learn: take layers by reference"),
            std::string::npos);
  EXPECT_EQ(message_of([&] { train(by_reference); }), "");
  EXPECT_TRUE(layers[0].weight.gradient().defined());
}

/// A model of any kind, and what it says of one batch.
struct Copied {
  AnyModule model;
  std::function<std::vector<Real>()> logits;
};
template <class M>
Copied copied(M& model) {
  return {model, [&model] {
            return logits_of(model, make_batch({{5, 6, 7}}, {{8, 9}})).value().to_vector();
          }};
}

/// Checks a model against a copy of it. `sharing`: they share their weights.
using CopyCheck = std::function<void(const Copied& model, const Copied& copy, bool sharing)>;

struct CopiedFamily {
  std::string name;
  std::function<void(const CopyCheck&)> each;  // for every way to copy a model
};

template <class Make>
CopiedFamily copied_family(const std::string& name, Make make) {
  return {name, [make](const CopyCheck& check_copy) {
            auto model = make();
            auto copy = model;
            auto cloned = clone(model);
            auto twin = share(model);
            check_copy(copied(model), copied(copy), false);
            check_copy(copied(model), copied(cloned), false);
            check_copy(copied(model), copied(twin), true);
            auto assigned = make();
            change(assigned);
            assigned = model;
            check_copy(copied(model), copied(assigned), false);
          }};
}

/// A model of every family, and models with ties and with parts behind pointers.
std::vector<CopiedFamily> copied_families() {
  const auto copying = [] { return tiny_transformer(NormPlace::post, 0, tiny_vocabulary, true); };
  std::vector<CopiedFamily> all = {
      copied_family("transformer", [] { return tiny_transformer(); }),
      copied_family("copying transformer", copying),
      copied_family("conv", [] { return tiny_convolutional(); }),
      copied_family("tied conv", [] { return tiny_convolutional(false); }),
      copied_family("lm", [] { return tiny_language_model(); }),
  };
  for (const TinyRecurrent& row : tiny_recurrents())
    all.push_back(copied_family(row.name, [&row] { return tiny_recurrent(row); }));
  return all;
}

TEST(Copies, OfEveryFamilyComputeTheSameAndShareWhatTheirWordSays) {
  for (const auto& [name, each] : copied_families()) {
    each([&name = name](const Copied& original, const Copied& other, bool sharing) {
      const AnyModule model = original.model;
      const AnyModule copy = other.model;
      EXPECT_EQ(parameter_count(model), parameter_count(copy)) << name;
      EXPECT_EQ(shared(model, copy), std::vector<bool>(parameters(model).size(), sharing)) << name;
      EXPECT_EQ(original.logits(), other.logits()) << name;
      change(copy);
      EXPECT_EQ(values(model) == values(copy), sharing) << name;
      for (const auto& [parameter_name, parameter] : parameters(copy))
        for (Real& x : parameter.value().span())
          x -= 1;
    });
  }
}

// Members ----------------------------------------------------------------------------------------

TEST(Visitor, WalksWhateverHoldsModules) {
  struct Holder {
    std::unique_ptr<AttentionLayer> attention;
    std::unique_ptr<AttentionLayer> no_attention;
    std::optional<Linear> linear;
    std::optional<Linear> no_linear;
    std::optional<Parameter> parameter;
    std::array<LayerNorm, 2> norms{LayerNorm(2), LayerNorm(2)};
    std::vector<std::unique_ptr<Linear>> list;
    SinusoidalPositions positions{4};
    void visit(Visitor& v) {
      v("attention", attention);
      v("no_attention", no_attention);
      v("linear", linear);
      v("no_linear", no_linear);
      v("parameter", parameter);
      v("norms", norms);
      v("list", list);
      v("positions", positions);
    }
  } holder;
  Random random(1);
  holder.attention = make_attention("general", {.query = 2, .memory = 3}, random);
  holder.linear.emplace(2, 1, random);
  holder.parameter.emplace(zeros({3}));
  holder.list.push_back(std::make_unique<Linear>(1, 1, random, false));
  std::vector<std::string> names;
  for (const auto& [name, parameter] : parameters(holder))
    names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"attention.key.weight", "linear.weight", "linear.bias",
                                             "parameter", "norms.0.gain", "norms.0.bias",
                                             "norms.1.gain", "norms.1.bias", "list.0.weight"}));
}

// Modes ------------------------------------------------------------------------------------------

TEST(Evaluating, RestoresEachModeThatItFound) {
  struct Parts {
    Dropout a{Real(0.5)};
    Dropout b{Real(0.5)};
    void visit(Visitor& v) {
      v("a", a);
      v("b", b);
    }
  };
  for (const bool a : {true, false})
    for (const bool b : {true, false}) {
      Parts parts;
      parts.a.active = a;
      parts.b.active = b;
      {
        const Evaluating evaluating(parts);
        EXPECT_FALSE(parts.a.active || parts.b.active);
        {
          const Evaluating inner(parts);
          EXPECT_FALSE(parts.a.active || parts.b.active);
        }
        EXPECT_FALSE(parts.a.active || parts.b.active) << "an inner one gives back what it found";
      }
      EXPECT_EQ(parts.a.active, a);
      EXPECT_EQ(parts.b.active, b);
      try {
        const Evaluating evaluating(parts);
        fail("thrown");
      } catch (const Error&) {}
      EXPECT_EQ(parts.a.active, a);
    }
}

TEST(Dropout, IsAProbability) {
  for (const Real p :
       {Real(-1), Real(-0.001), Real(1), Real(2), std::numeric_limits<Real>::quiet_NaN()})
    EXPECT_NE(message_of([&] { Dropout{p}; }), "") << p;
  EXPECT_FALSE(Dropout(0).drops());
  EXPECT_TRUE(Dropout(Real(0.5)).drops());
}

/// Models with a dropout of one half.
std::vector<std::pair<std::string, std::unique_ptr<BatchModel>>> dropping() {
  const Real p = Real(0.5);
  std::vector<std::pair<std::string, std::unique_ptr<BatchModel>>> all;
  all.emplace_back("transformer", of_batches(tiny_transformer(NormPlace::pre, p)));
  all.emplace_back("transformer that copies",
                   of_batches(tiny_transformer(NormPlace::post, p, tiny_vocabulary, true)));
  all.emplace_back("conv", of_batches(tiny_convolutional(true, p)));
  all.emplace_back("lm", of_batches(tiny_language_model(p, 10)));
  for (const TinyRecurrent& row : tiny_recurrents())
    all.emplace_back(row.name, of_batches(tiny_recurrent(row, p)));
  return all;
}

TEST(Decode, DropsNothingWhateverTheMode) {
  const Lines sources = {{5, 6, 7, 8, 9, 2}, {4, 5}};
  const Lines targets = {{6, 7, 8}, {9}};
  for (const auto& [name, model] : dropping()) {
    const auto everything = [&, &model = model] {
      std::vector<std::vector<Id>> ids;
      std::vector<double> numbers;
      for (const DecodeOptions& o :
           {DecodeOptions{.beam = 1, .max_length = 6},
            DecodeOptions{.beam = 3, .nbest = 2, .max_length = 6},
            DecodeOptions{.nbest = 2, .max_length = 12, .sample = true, .seed = 3}})
        for (const auto& hypotheses : decode(*model, sources, o))
          for (const Hypothesis& h : hypotheses) {
            ids.push_back(h.ids);
            numbers.push_back(h.log_probability);
          }
      for (const TargetScore& score : score_targets(*model, sources, targets))
        numbers.push_back(score.log_probability);
      const auto decoder = model->decoder();
      const std::vector<Id> tokens = {4, 5};
      const Tensor logits = decoder->start(pack(sources))->step(tokens);
      numbers.insert(numbers.end(), logits.span().begin(), logits.span().end());
      return std::pair(ids, numbers);
    };
    set_training(*model, false);
    const auto evaluated = everything();
    set_training(*model, true);
    step_random() = Random(3, 4);
    EXPECT_EQ(everything(), evaluated) << name;
    // The model is in training as before.
    const Batch batch = make_batch(model->reads_source() ? sources : Lines{}, targets);
    EXPECT_NE(model->loss(batch, {}).item(), model->loss(batch, {}).item()) << name;
  }
}

// Positions --------------------------------------------------------------------------------------

TEST(SinusoidalPositions, AreSinesOfAnyPositionAndOfNoneBelowZero) {
  const SinusoidalPositions positions(4);
  for (const Index offset : {0, 5, 255, 256, 3000, 65535, 65536, 1000000}) {
    const Tensor p = positions(Spans::packed({2}), offset);
    for (Index t = 0; t < 2; ++t) {
      const auto place = static_cast<double>(offset + t);
      EXPECT_NEAR(p[t * 4], std::sin(place), 1e-6) << place;
      EXPECT_NEAR(p[t * 4 + 1], std::cos(place), 1e-6) << place;
      EXPECT_NEAR(p[t * 4 + 2], std::sin(place / 100), 1e-6) << place;
    }
  }
  Random random(1);
  const LearnedPositions learned(8, 4, random);
  for (const Index offset : {Index{-1}, Index{-1000000000}, std::numeric_limits<Index>::min(),
                             std::numeric_limits<Index>::max()}) {
    EXPECT_NE(message_of([&] { positions(Spans::packed({3}), offset); }), "") << offset;
    EXPECT_NE(message_of([&] { learned(Spans::packed({3}), offset); }), "") << offset;
  }
}

}  // namespace
}  // namespace heed
