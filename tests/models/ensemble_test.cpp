// Ensembles against averaging by hand: each model's own forward pass over the whole output so far,
// its probabilities in double, and their mean.

#include "models/ensemble.h"

#include <numeric>

#include "models/decode/generate.h"
#include "tests/message_of.h"
#include "tests/models/decoding.h"

namespace heed {
namespace {

constexpr Index v = tiny_vocabulary;

using Models = std::vector<std::unique_ptr<Seq2Seq>>;
using Make = std::function<std::unique_ptr<Seq2Seq>()>;

template <class M>
Make making(const M& model, std::uint64_t seed) {
  return [model, seed] {
    auto made = std::make_unique<M>(model);
    randomize(*made, seed);
    for (const auto& [name, p] : parameters(*made))  // far from uniform
      if (name == "embedding.weight")
        for (Real& x : p.value().span())
          x *= 3;
    return made;
  };
}

const TinyRecurrent& recurrent(const std::string& name) {
  for (const TinyRecurrent& row : tiny_recurrents())
    if (row.name == name) return row;
  throw std::invalid_argument(name);
}

Make transformer(std::uint64_t seed, bool copy = false) {
  return making(tiny_transformer(NormPlace::pre, 0, v, copy), seed);
}
Make rnn(const std::string& name, std::uint64_t seed) {
  return making(tiny_recurrent(recurrent(name)), seed);
}

struct Row {
  std::string name;
  std::vector<Make> make;

  Models models() const {
    Models all;
    for (const Make& one : make)
      all.push_back(one());
    return all;
  }
  bool copies() const {
    const Models all = models();
    return std::any_of(all.begin(), all.end(), [](const auto& m) { return m->copies(); });
  }
  /// Words that the vocabulary lacks stand in the sources of models that copy.
  Lines sources() const {
    Lines lines = {{5, 9, 6, 8, 9, 2}, {7, 11, 2}, {8, 9, 2}, {4, 5, 6, 7, 8, 9, 10, 2}};
    if (copies()) lines[0] = {5, v, 6, v + 1, v, 2};
    return lines;
  }
};

const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {"one transformer", {transformer(1)}},
      {"two transformers", {transformer(1), transformer(2)}},
      {"transformer and rnn", {transformer(1), rnn("lstm", 3)}},
      {"three families",
       {transformer(1), rnn("lstm, additive", 3), making(tiny_convolutional(), 4)}},
      {"two that copy", {transformer(1, true), rnn("gru, additive, copying with coverage", 2)}},
      {"one that copies and one that does not", {transformer(1, true), transformer(2)}},
      {"one that does not copy, and one that does",
       {rnn("lstm", 3), rnn("lstm, general, copying", 2)}},
  };
  return all;
}

/// log p of each token after `ids`, by hand: as many as `columns`.
std::vector<double> averaged(const Models& models, const std::vector<Id>& source,
                             const std::vector<Id>& ids, std::size_t columns) {
  std::vector<double> mean(columns, 0);
  for (const auto& model : models) {
    const auto known = [&](std::vector<Id> line) {
      for (Id& id : line)
        if (!model->copies() && id >= v) id = unk_id;
      return line;
    };
    const std::vector<double> p =
        log_probabilities(full_logits(*model, known(source), output_so_far(*model, known(ids))));
    for (std::size_t c = 0; c < p.size(); ++c)
      mean[c] += std::exp(p[c]) / static_cast<double>(models.size());
  }
  for (double& p : mean)
    p = std::log(p);
  return mean;
}

std::size_t columns_for(const std::vector<Id>& source, bool copies) {
  const Id last = *std::max_element(source.begin(), source.end());
  return static_cast<std::size_t>(copies ? std::max<Id>(v, last + 1) : v);
}

/// Greedy search by hand.
Hypothesis greedy(const Row& row, const std::vector<Id>& source, std::size_t longest) {
  const Models models = row.models();
  Hypothesis h;
  while (h.ids.size() < longest) {
    const std::vector<double> p =
        averaged(models, source, h.ids, columns_for(source, row.copies()));
    Id best = unk_id;  // neither <pad> nor <s>
    for (Id id = 0; id < static_cast<Id>(p.size()); ++id)
      if (id != pad_id && id != bos_id &&
          p[static_cast<std::size_t>(id)] > p[static_cast<std::size_t>(best)])
        best = id;
    h.log_probability += p[static_cast<std::size_t>(best)];
    h.ended = best == eos_id;
    if (h.ended) break;
    h.ids.push_back(best);
  }
  return h;
}

TEST(Ensemble, DecodesGreedilyAsByHand) {
  const DecodeOptions options{.beam = 1, .length_penalty = 0, .max_length = 12};
  for (const Row& row : rows()) {
    const Ensemble model(row.models());
    EXPECT_EQ(model.copies(), row.copies()) << row.name;
    EXPECT_EQ(model.decoder()->copies(), row.copies()) << row.name;
    const Lines sources = row.sources();
    const auto found = decode(model, sources, options);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const Hypothesis expected = greedy(row, sources[i], 12);
      EXPECT_EQ(found[i][0].ids, expected.ids) << row.name << ", source " << i;
      EXPECT_EQ(found[i][0].ended, expected.ended) << row.name << ", source " << i;
      EXPECT_NEAR(found[i][0].log_probability, expected.log_probability, 1e-4)
          << row.name << ", source " << i;
    }
  }
}

// Scores and the loss, against the mean at each position by hand.
TEST(Ensemble, ScoresAndHasTheLossOfTheMean) {
  for (const Row& row : rows()) {
    const Ensemble model(row.models());
    const Models models = row.models();
    const Lines sources = row.sources();
    Lines targets = random_lines({3, 5, 0, 2}, 8);
    if (row.copies()) targets[0] = {v + 1, 7, v};
    double total = 0;
    Index tokens = 0;
    const std::vector<TargetScore> scores = score_targets(model, sources, targets);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      double expected = 0;
      std::vector<Id> said;
      std::vector<Id> gold = targets[i];
      gold.push_back(eos_id);
      for (const Id id : gold) {
        expected += averaged(models, sources[i], said,
                             columns_for(sources[i], row.copies()))[static_cast<std::size_t>(id)];
        said.push_back(id);
      }
      EXPECT_NEAR(scores[i].log_probability, expected, 1e-4) << row.name << ", source " << i;
      EXPECT_EQ(scores[i].tokens, std::ssize(gold)) << row.name;
      total -= expected;
      tokens += std::ssize(gold);
    }
    const Batch batch = make_batch(sources, targets);
    double nats = 0;
    const Variable sum = model.loss(batch.source, batch.target, batch.gold,
                                    {.ignore = batch.ignored, .divisor = 1, .nats = &nats});
    EXPECT_NEAR(sum.item(), total, 1e-3) << row.name;
    EXPECT_NEAR(nats, total, 1e-3) << row.name;
    const Variable mean =
        model.loss(batch.source, batch.target, batch.gold, {.ignore = batch.ignored});
    EXPECT_NEAR(mean.item(), total / static_cast<double>(tokens), 1e-4) << row.name;
  }
}

// The whole search, against every possible output of the mean.
TEST(Ensemble, FindsTheBestOfAllOutputs) {
  Models models;
  for (const std::uint64_t seed : {1, 2})
    models.push_back(std::make_unique<Transformer>(opinionated(seed)));
  const Ensemble model(std::move(models));
  const DecodeOptions options{
      .beam = 700, .length_penalty = Real(0.6), .nbest = 5, .max_length = 4};
  const std::vector<Id> source = {4, 5, 2};
  const std::vector<Hypothesis> all = enumerate(model, source, options);
  expect_same(decode_one(model, source, options), std::span(all).first(5), "an ensemble");
}

TEST(Ensemble, OfAModelWithItselfIsTheModel) {
  const struct {
    const char* name;
    DecodeOptions options;
  } searches[] = {
      {"beam", {.beam = 4, .nbest = 3, .max_length = 12}},
      {"constraints",
       {.beam = 3, .min_length = 4, .max_length = 9, .no_repeat_ngram = 2, .forbid_unk = true}},
      {"samples", {.nbest = 4, .max_length = 12, .sample = true, .top_k = 9, .seed = 5}},
  };
  for (const Row& row : rows()) {
    const Row twice{row.name, {row.make[0], row.make[0]}};
    const Models alone = Row{row.name, {row.make[0]}}.models();
    const Lines sources = twice.sources();
    for (const auto& search : searches) {
      const auto expected = decode(*alone[0], sources, search.options);
      const auto found = decode(Ensemble(twice.models()), sources, search.options);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].size(), expected[i].size()) << row.name << ", " << search.name;
        for (std::size_t j = 0; j < found[i].size(); ++j) {
          EXPECT_EQ(found[i][j].ids, expected[i][j].ids) << row.name << ", " << search.name;
          EXPECT_NEAR(found[i][j].score, expected[i][j].score, 1e-5 * 12)
              << row.name << ", " << search.name;
        }
      }
    }
  }
}

TEST(Ensemble, DoesNotDependOnTheOtherSources) {
  const DecodeOptions options{.beam = 3, .nbest = 2, .max_length = 12};
  for (const Row& row : rows()) {
    const Ensemble model(row.models());
    const Lines sources = row.sources();
    const auto together = decode(model, sources, options);
    const auto backwards = decode(model, Lines(sources.rbegin(), sources.rend()), options);
    for (std::size_t i = 0; i < sources.size(); ++i) {
      expect_same(decode_one(model, sources[i], options), together[i], row.name);
      expect_same(backwards[sources.size() - 1 - i], together[i], row.name + ", backwards");
    }
  }
}

/// The mean over the heads of the last map of a model, by hand: (targets, sources).
std::vector<double> last_map(const Seq2Seq& model, const Batch& batch, std::size_t sequence) {
  std::vector<AttentionMap> maps;
  model.logits(batch.source, batch.target, &maps);
  const Tensor& weights = maps.back().weights[sequence];
  const Index heads = weights.shape()[0];
  const Index cells = weights.size() / heads;
  std::vector<double> mean(static_cast<std::size_t>(cells), 0);
  for (Index i = 0; i < weights.size(); ++i)
    mean[static_cast<std::size_t>(i % cells)] +=
        static_cast<double>(weights[i]) / static_cast<double>(heads);
  return mean;
}

TEST(Ensemble, AttendsWithTheMeanOfItsModels) {
  const Row row{"", {transformer(1), rnn("lstm, additive", 3)}};
  const Models models = row.models();
  const Ensemble model(row.models());
  const Batch batch = make_batch(row.sources(), random_lines({3, 5, 1, 2}, 8));
  std::vector<AttentionMap> maps;
  model.decoder()->logits(batch.source, batch.target, &maps);
  ASSERT_EQ(maps.size(), 1u);
  ASSERT_EQ(maps[0].weights.size(), 4u);
  for (std::size_t s = 0; s < 4; ++s) {
    const Tensor& found = maps[0].weights[s];
    EXPECT_EQ(found.shape()[0], 1);
    const std::vector<double> a = last_map(*models[0], batch, s);
    const std::vector<double> b = last_map(*models[1], batch, s);
    ASSERT_EQ(found.size(), std::ssize(a));
    for (std::size_t i = 0; i < a.size(); ++i)
      EXPECT_NEAR(found[static_cast<Index>(i)], (a[i] + b[i]) / 2, 1e-5);
  }
  // A coverage penalty ranks by it; where a model does not attend, there is nothing to rank by.
  const DecodeOptions options{.beam = 4, .nbest = 4, .max_length = 8, .coverage_penalty = 1};
  for (const Hypothesis& h : decode_one(model, {5, 9, 6, 2}, options))
    EXPECT_NEAR(h.score,
                score_of(h.log_probability, h.ids.size() + (h.ended ? 1 : 0), 0.6) +
                    direct_coverage(model, {5, 9, 6, 2}, h),
                1e-4);
  const Ensemble blind(Row{"", {transformer(1), rnn("lstm", 3)}}.models());
  blind.decoder()->logits(batch.source, batch.target, &maps);
  EXPECT_TRUE(maps.empty());
}

TEST(Ensemble, OfLanguageModelsGoesOnFromAText) {
  const LanguageModel a = tiny_language_model();
  LanguageModel b = tiny_language_model();
  randomize(b, 11);
  std::vector<std::unique_ptr<const Decoder>> decoders;
  decoders.push_back(a.decoder());
  decoders.push_back(b.decoder());
  const auto both = ensemble(std::move(decoders));
  EXPECT_TRUE(both->continues());
  std::vector<Id> text = {5, 6, 7};
  const std::vector<Id> found = generate(*both, text, {.count = 8, .temperature = 0});
  for (const Id id : found) {
    const std::vector<double> p = log_probabilities(full_logits(a, text, {}));
    const std::vector<double> q = log_probabilities(full_logits(b, text, {}));
    Id best = unk_id;
    const auto mean = [&](Id t) {
      return std::exp(p[static_cast<std::size_t>(t)]) + std::exp(q[static_cast<std::size_t>(t)]);
    };
    for (Id t = 0; t < v; ++t)
      if (t != pad_id && t != bos_id && mean(t) > mean(best)) best = t;
    EXPECT_EQ(id, best);
    text.push_back(best);
  }
}

// Far beyond what exp() can hold, and so improbable that a sum of probabilities would be 0.
TEST(Ensemble, IsStable) {
  struct Fixed : Decoder {
    struct State : DecoderState {
      explicit State(Tensor t) : logits(std::move(t)) {}
      Index rows() const override { return 1; }
      void select(std::span<const Index>) override {}
      Tensor step(std::span<const Id>) override { return logits; }
      Tensor logits;
    };
    explicit Fixed(std::vector<Real> z) : given_logits({1, std::ssize(z)}, z) {}
    Index vocabulary() const override { return given_logits.columns(); }
    std::unique_ptr<DecoderState> start(const Sequences&) const override {
      return std::make_unique<State>(given_logits);
    }
    Variable logits(const Sequences&, const Sequences&, std::vector<AttentionMap>*) const override {
      return Variable(given_logits);
    }
    Tensor given_logits;
  };
  std::vector<std::unique_ptr<const Decoder>> decoders;
  decoders.push_back(std::make_unique<Fixed>(std::vector<Real>{1000, 700, 0}));
  decoders.push_back(std::make_unique<Fixed>(std::vector<Real>{-500, -200, -900}));
  const auto both = ensemble(std::move(decoders));
  const Tensor y = both->start(Sequences{})->step(std::vector<Id>{1});
  // p = (1, e^-300, e^-1000) and (e^-300, 1, e^-700)
  EXPECT_NEAR(y[0], -std::log(2), 1e-5);
  EXPECT_NEAR(y[1], -std::log(2), 1e-5);
  EXPECT_NEAR(y[2], -700 - std::log(2), 1e-3);
}

TEST(Ensemble, RefusesWhatDoesNotFit) {
  EXPECT_EQ(message_of([] { Ensemble({}); }), "[ensemble] expected at least one model; got none");
  Models models;
  models.push_back(transformer(1)());
  models.push_back(std::make_unique<Transformer>(opinionated(1)));
  EXPECT_EQ(message_of([&] { Ensemble(std::move(models)); }),
            "[ensemble] expected models of one vocabulary; got 30 and 6 tokens");
  const Transformer answers = tiny_transformer();
  const LanguageModel continues = tiny_language_model();
  std::vector<std::unique_ptr<const Decoder>> decoders;
  decoders.push_back(answers.decoder());
  decoders.push_back(continues.decoder());
  EXPECT_EQ(
      message_of([&] { ensemble(std::move(decoders)); }),
      "[ensemble] expected models that all answer a source, or all continue a text; got both");
}

}  // namespace
}  // namespace heed
