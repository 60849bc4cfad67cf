#include <map>
#include <numeric>

#include "datasets/text/batch.h"
#include "tests/message_of.h"
#include "tests/models/decoding.h"

// Each option of decode(), for every family, against all possible outputs.

namespace heed {
namespace {

struct Family {
  const char* name;
  bool attends;  // to its source
  std::function<std::unique_ptr<BatchModel>(std::uint64_t seed)> make;
};

template <class Model>
std::unique_ptr<BatchModel> opinionated_model(Model model, std::uint64_t seed) {
  randomize(model, seed);
  for (const auto& [name, p] : parameters(model))
    for (Real& x : p.value().span())
      x *= Real(name == "embedding.weight" ? 3 : 1.5);
  return of_batches(std::move(model));
}

std::unique_ptr<BatchModel> recurrent_model(const std::string& attention, std::uint64_t seed) {
  Random random(5);
  return opinionated_model(
      RecurrentSeq2Seq(
          {.vocabulary = small_vocabulary, .d = 16, .attention = attention, .dropout = 0}, random),
      seed);
}

const std::vector<Family>& families() {
  static const std::vector<Family> all = {
      {"transformer", true, [](std::uint64_t seed) { return of_batches(opinionated(seed)); }},
      {"convolutional", true,
       [](std::uint64_t seed) {
         Random random(5);
         return opinionated_model(ConvS2S({.vocabulary = small_vocabulary,
                                           .d = 16,
                                           .layers = 2,
                                           .positions = 20,
                                           .dropout = 0},
                                          random),
                                  seed);
       }},
      {"recurrent", false, [](std::uint64_t seed) { return recurrent_model("", seed); }},
      {"recurrent, additive", true,
       [](std::uint64_t seed) { return recurrent_model("additive", seed); }},
      {"recurrent, multi-head", true,
       [](std::uint64_t seed) { return recurrent_model("multi_head", seed); }},
      {"language model", false,
       [](std::uint64_t seed) {
         Random random(4);
         return opinionated_model(
             LanguageModel(
                 {.vocabulary = small_vocabulary, .d = 16, .layers = 2, .heads = 2, .context = 16},
                 random),
             seed);
       }},
  };
  return all;
}

struct Row {
  Real length_penalty;
  Index min_length;
  Index max_length;
  Index ngram;
  double coverage;
  bool forbid_unk = false;
};
const std::vector<Row>& rows() {
  static const std::vector<Row> all = {
      {0, 0, 4, 1, 0},
      {Real(0.6), 2, 4, 1, 0},
      {Real(0.6), 0, 4, 2, 0},
      {1, 3, 4, 2, 0},
      {1, 0, 4, 3, 0},
      // after three words no token may follow, and it is too early to end
      {Real(0.6), 4, 4, 4, 0},
      {0, 4, 4, 1, 0},
      {0, 0, 3, 0, 0.2},
      {1, 0, 3, 0, 1.5},
      {Real(0.6), 1, 4, 0, 0.5},
      {Real(0.6), 0, 4, 2, 0.4},
      {0, 4, 4, 1, 0.3},
      {Real(0.6), 0, 4, 0, 0, true},
      {1, 2, 4, 2, 0, true},
      {0, 3, 4, 1, 0, true},  // there are two words
      {Real(0.6), 0, 3, 0, 0.5, true},
  };
  return all;
}

std::string name_of(const Family& family, std::uint64_t seed, const Row& r) {
  return fmt::format("{}, seed {}, penalty {}, {} to {} words, n-grams of {}, coverage {}{}",
                     family.name, seed, r.length_penalty, r.min_length, r.max_length, r.ngram,
                     r.coverage, r.forbid_unk ? ", no <unk>" : "");
}

TEST(DecodeOptions, GiveTheBestOfAllOutputsThatTheyAllow) {
  for (const Family& family : families())
    for (std::uint64_t seed : {1, 2}) {
      const auto model = family.make(seed);
      const Lines sources = random_lines({3, 1, 4}, seed + 40, small_vocabulary);
      for (const Row& r : rows()) {
        if (r.coverage > 0 && !family.attends) continue;
        // 1 + 3 + 9 + 27 outputs that end and 81 that are cut.
        for (int nbest : {1, 5, 121}) {
          const DecodeOptions o{.beam = 121,
                                .length_penalty = r.length_penalty,
                                .nbest = nbest,
                                .min_length = r.min_length,
                                .max_length = r.max_length,
                                .no_repeat_ngram = r.ngram,
                                .coverage_penalty = r.coverage,
                                .forbid_unk = r.forbid_unk};
          const auto found = decode(*model, sources, o);
          ASSERT_EQ(found.size(), sources.size());
          for (std::size_t i = 0; i < sources.size(); ++i) {
            std::vector<Hypothesis> all = enumerate(*model, sources[i], o);
            ASSERT_FALSE(all.empty());
            all.resize(std::min<std::size_t>(all.size(), static_cast<std::size_t>(nbest)));
            expect_same(found[i], all,
                        fmt::format("{}, {} best, source {}", name_of(family, seed, r), nbest, i));
            for (std::size_t h = 0; h < all.size(); ++h)
              EXPECT_EQ(found[i][h].ended, all[h].ended);
          }
        }
      }
    }
}

TEST(DecodeOptions, OfASourceDoNotDependOnTheOthers) {
  for (const Family& family : families()) {
    const auto model = family.make(3);
    const Lines sources = random_lines({3, 1, 6, 2, 5}, 70, small_vocabulary);
    for (const Row& r : rows())
      for (int beam : {1, 3}) {
        if (r.coverage > 0 && !family.attends) continue;
        const DecodeOptions o{.beam = beam,
                              .length_penalty = r.length_penalty,
                              .nbest = beam,
                              .min_length = r.min_length,
                              .max_length = r.max_length,
                              .no_repeat_ngram = r.ngram,
                              .coverage_penalty = r.coverage,
                              .forbid_unk = r.forbid_unk};
        const auto together = decode(*model, sources, o);
        for (std::size_t i = 0; i < sources.size(); ++i)
          expect_same(together[i], decode(*model, Lines{sources[i]}, o)[0],
                      fmt::format("{}, beam {}, source {}", name_of(family, 3, r), beam, i));
      }
  }
}

TEST(NoRepeatNgram, HoldsForEveryModelAndEverySearch) {
  for (const Family& family : families())
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      const auto model = family.make(seed);
      const Lines sources = random_lines({3, 1, 5}, seed, small_vocabulary);
      for (Index n : {1, 2, 3})
        for (int way = 0; way < 3; ++way) {
          const auto found = decode(*model, sources,
                                    {.beam = 3,
                                     .nbest = way == 0 ? 1 : 3,
                                     .min_length = 6,
                                     .max_length = 10,
                                     .no_repeat_ngram = n,
                                     .sample = way == 2,
                                     .seed = seed});
          for (const auto& hypotheses : found) {
            EXPECT_GE(hypotheses.size(), 1u);
            for (const Hypothesis& h : hypotheses) {
              EXPECT_FALSE(repeats(h.ids, n)) << family.name << ", seed " << seed << ", n = " << n;
              if (n == 1) {  // there are only three words
                EXPECT_LE(h.ids.size(), 3u);
                EXPECT_FALSE(h.ended) << "too early";
              }
              if (n == 3) {
                EXPECT_GE(h.ids.size(), 6u) << family.name << ": there was more to say";
              }
            }
          }
        }
    }
}

bool says_unk(const Hypothesis& h) {
  return std::find(h.ids.begin(), h.ids.end(), unk_id) != h.ids.end();
}

TEST(ForbidUnk, LeavesTheBestOfTheOutputsThatDoNotSayIt) {
  int changed = 0;
  for (const Family& family : families())
    for (std::uint64_t seed : {1, 2, 3}) {
      const auto model = family.make(seed);
      for (const auto& source : random_lines({3, 1, 4}, seed + 40, small_vocabulary)) {
        DecodeOptions o{.beam = 121, .max_length = 4};
        std::vector<Hypothesis> all = enumerate(*model, source, o);
        if (says_unk(all.front())) ++changed;
        std::erase_if(all, says_unk);
        o.forbid_unk = true;
        expect_same(decode_one(*model, source, o), std::span(all).first(1),
                    fmt::format("{}, seed {}", family.name, seed));
      }
    }
  EXPECT_GE(changed, 10) << "<unk> was among the best";
}

/// After every word the same probabilities: 0.5 for <unk>, 0.3 for 4, and 0.2 for </s>; with
/// `copies` 0.25 for <unk>, and as much for the first id beyond the vocabulary.
class SayingUnk : public Decoder {
 public:
  explicit SayingUnk(bool copies) : copies_(copies) {}
  Index vocabulary() const override { return small_vocabulary; }
  bool copies() const override { return copies_; }
  Variable logits(const Sequences&, const Sequences&, std::vector<AttentionMap>*) const override {
    return {};
  }
  std::unique_ptr<DecoderState> start(const Sequences& source) const override {
    return std::make_unique<State>(*this, source.spans.count());
  }

 protected:
  virtual Tensor step(Index rows) const {
    const Index n = small_vocabulary + (copies_ ? 1 : 0);
    Tensor logits = Tensor::full({rows, n}, Seq2Seq::never_copied);
    for (Index r = 0; r < rows; ++r) {
      Real* const row = logits.data() + r * n;
      row[unk_id] = static_cast<Real>(std::log(copies_ ? 0.25 : 0.5));
      row[4] = static_cast<Real>(std::log(0.3));
      row[eos_id] = static_cast<Real>(std::log(0.2));
      if (copies_) row[small_vocabulary] = static_cast<Real>(std::log(0.25));
    }
    return logits;
  }

 private:
  struct State : DecoderState {
    State(const SayingUnk& d, Index n) : decoder(d), count(n) {}
    Index rows() const override { return count; }
    void select(std::span<const Index> rows) override { count = std::ssize(rows); }
    Tensor step(std::span<const Id>) override { return decoder.step(count); }
    const SayingUnk& decoder;
    Index count;
  };
  bool copies_;
};

TEST(ForbidUnk, TakesTheNextTokenInEveryWayOfDecoding) {
  constexpr int draws = 4000;
  for (const bool copies : {false, true})
    for (const int beam : {1, 2}) {
      const SayingUnk model(copies);
      const auto best = decode_one(model, {5},
                                   {.beam = beam,
                                    .length_penalty = 0,
                                    .min_length = 2,
                                    .max_length = 2,
                                    .forbid_unk = true});
      EXPECT_EQ(best[0].ids, (std::vector<Id>{4, 4}));
      EXPECT_NEAR(best[0].log_probability, 2 * std::log(0.3), 1e-5) << "that of the model";
      std::map<Id, int> counts;
      for (const Hypothesis& h : decode_one(model, {5},
                                            {.nbest = draws,
                                            .min_length = 1,
                                            .max_length = 1,
                                            .forbid_unk = true,
                                            .sample = true,
                                            .seed = 7}))
        ++counts[h.ids.at(0)];
      const double word = copies ? 0.3 / 0.55 : 1;
      const double deviation = std::sqrt(word * (1 - word) * draws);
      EXPECT_NEAR(counts[4], word * draws, 4 * deviation);
      EXPECT_EQ(counts[4] + counts[small_vocabulary], draws)
          << "the words of the source stay allowed";
    }
}

TEST(ForbidUnk, EndsAnOutputWhereNothingElseMayFollow) {
  struct OnlyUnk : SayingUnk {
    OnlyUnk() : SayingUnk(false) {}
    Tensor step(Index rows) const override {
      Tensor logits = Tensor::full({rows, small_vocabulary}, Seq2Seq::never_copied);
      for (Index r = 0; r < rows; ++r)
        logits[r * small_vocabulary + unk_id] = 0;
      return logits;
    }
  };
  for (const bool sample : {false, true}) {
    const auto found = decode_one(OnlyUnk(), {5}, {.forbid_unk = true, .sample = sample});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_TRUE(found[0].ids.empty());
    EXPECT_FALSE(found[0].ended);
  }
}

/// A decoder whose rows can copy words of their own source. The distribution does not depend on the
/// words before.
class CopyingDecoder : public Decoder {
 public:
  struct State : DecoderState {
    explicit State(const CopyingDecoder& d) : decoder(d) {}
    const CopyingDecoder& decoder;
    std::vector<Index> own;  // words that the row's source has beyond the vocabulary
    Index rows() const override { return static_cast<Index>(own.size()); }
    void select(std::span<const Index> rows) override {
      std::vector<Index> chosen;
      for (Index row : rows)
        chosen.push_back(own[row]);
      own = chosen;
    }
    Tensor step(std::span<const Id> tokens) override { return decoder.step(own, tokens); }
  };
  Index vocabulary() const override { return small_vocabulary; }
  Variable logits(const Sequences&, const Sequences&, std::vector<AttentionMap>*) const override {
    return {};
  }
  std::unique_ptr<DecoderState> start(const Sequences& source) const override {
    auto state = std::make_unique<State>(*this);
    for (Index i = 0; i < source.spans.count(); ++i)
      state->own.push_back(source.spans.length(i));
    return state;
  }
  /// As many columns as the row with most words needs. The row's own words and </s> are equally
  /// likely; all else is impossible.
  virtual Tensor step(const std::vector<Index>& own, std::span<const Id> tokens) const {
    const Index n = small_vocabulary + *std::max_element(own.begin(), own.end());
    Tensor logits = Tensor::full({static_cast<Index>(tokens.size()), n}, Real(-1e30));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      fed.insert(tokens[i]);
      const Index usable = own[i] + 1;
      for (Index j = 0; j < own[i]; ++j)
        logits[static_cast<Index>(i) * n + small_vocabulary + j] =
            -std::log(static_cast<Real>(usable));
      logits[static_cast<Index>(i) * n + eos_id] = -std::log(static_cast<Real>(usable));
    }
    return logits;
  }
  mutable std::set<Id> fed;
};

TEST(Decode, SaysWordsThatOnlyTheSourceHas) {
  for (const bool sample : {false, true})
    for (Index n : {0, 1}) {
      const CopyingDecoder model;
      // The first source has one word of its own, the second four, the third none: it can only end.
      const auto found = decode(model, Lines{{5}, {4, 4, 4, 4}, {}},
                                {.beam = 7,
                                 .nbest = 7,
                                 .min_length = 0,
                                 .max_length = 3,
                                 .no_repeat_ngram = n,
                                 .sample = sample});
      ASSERT_EQ(found.size(), 3u);
      const std::vector<Index> own = {1, 4, 0};
      for (std::size_t i = 0; i < found.size(); ++i)
        for (const Hypothesis& h : found[i]) {
          for (Id id : h.ids)
            EXPECT_TRUE(id >= small_vocabulary && id < small_vocabulary + own[i])
                << "source " << i << " said " << id;
          EXPECT_NEAR(h.log_probability,
                      -static_cast<double>(h.ids.size() + (h.ended ? 1 : 0)) *
                          std::log(static_cast<double>(own[i] + 1)),
                      1e-5);
        }
      if (!sample) {
        EXPECT_EQ(found[0].size(), n == 0 ? 4u : 2u) << "no word, one, two, three";
        EXPECT_EQ(found[1].size(), 7u);
        EXPECT_EQ(found[2].size(), 1u);
      }
      EXPECT_TRUE(model.fed.contains(small_vocabulary)) << "copied words are fed back as they are";
    }
}

TEST(Decode, EndsWithAModelOfNoNumbers) {
  struct Broken : CopyingDecoder {
    Tensor step(const std::vector<Index>& own, std::span<const Id>) const override {
      return Tensor::full({std::ssize(own), small_vocabulary}, value);
    }
    Real value = 0;
  };
  for (const Real value :
       {std::numeric_limits<Real>::quiet_NaN(), -std::numeric_limits<Real>::infinity(),
        std::numeric_limits<Real>::infinity(), Real(-1e30)})
    for (const bool sample : {false, true}) {
      Broken model;
      model.value = value;
      const auto found = decode(model, Lines{{5}, {4, 4}},
                                {.beam = 2, .nbest = 2, .max_length = 4, .sample = sample});
      for (const auto& hypotheses : found)
        EXPECT_GE(hypotheses.size(), 1u) << value;
    }
}

TEST(DecodeOptions, AreCheckedAndSayWhatIsWrong) {
  struct Bad {
    DecodeOptions options;
    const char* message;
  };
  const auto transformer = families()[0].make(1);
  const auto recurrent = families()[2].make(1);

  const auto lm = families()[5].make(1);
  const Lines sources = {{4, 5}};
  const auto expect = [&](const BatchModel& model, const DecodeOptions& o,
                          const std::string& message) {
    try {
      decode(model, sources, o);
      ADD_FAILURE() << "no error: " << message;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  };
  for (const Bad& bad : std::vector<Bad>{
           {{.beam = 1001}, "[decode] beam: expected a whole number from 1 to 1000; got 1001"},
           {{.length_penalty = NAN}, "[decode] length_penalty: expected a number from 0 to 100"},
           {{.min_length = -1}, "min_length: expected a whole number from 0 to 1048576; got -1"},
           {{.max_length = -1}, "max_length: expected a whole number from 0 to 1048576; got -1"},
           {{.usual_length = -1}, "usual_length: expected a whole number of at least 0; got -1"},
           {{.no_repeat_ngram = -2}, "no_repeat_ngram: expected a whole number from 0 to 1048576"},
           {{.coverage_penalty = -1}, "coverage_penalty: expected a number from 0 to 100; got -1"},
           {{.coverage_penalty = NAN}, "coverage_penalty: expected a number from 0 to 100"},
           {{.coverage_penalty = 1, .sample = true},
            "coverage_penalty: expected 0, because samples are not ranked; got 1"},
           {{.nbest = 0, .sample = true}, "nbest: expected a whole number above 0; got 0"},
           {{.sample = true, .temperature = -1}, "temperature: expected a number from 0 to 1000"},
           {{.sample = true, .temperature = INFINITY}, "temperature: expected a number from 0 to"},
           {{.sample = true, .top_k = -1}, "top_k: expected a whole number of at least 0; got -1"},
           {{.sample = true, .top_p = 1.5}, "top_p: expected a number from 0 to 1; got 1.5"},
           {{.sample = true, .top_p = NAN}, "top_p: expected a number from 0 to 1"},
           {{.sample = true, .seed = ~std::uint64_t{0}},
            "seed: expected a whole number from 0 to 9223372036854775807; got "
            "18446744073709551615"},
       })
    expect(*transformer, bad.options, bad.message);
  expect(*recurrent, {.coverage_penalty = 1},
         "[coverage] expected a model that attends to its source; this one does not");
  expect(*lm, {.coverage_penalty = 1},
         "[coverage] expected a model that attends to its source; this one has none");
  const std::vector<std::uint64_t> two = {1, 2};
  EXPECT_THROW(decode(*transformer, sources, {}, two), Error);
}

TEST(DecodeOptions, AreListedAsAConfigurationKeepsThem) {
  DecodeOptions o;
  const Fields kept = fields_of(o);
  EXPECT_EQ(kept.keys(),
            (std::vector<std::string>{"beam", "length_penalty", "min_length", "max_length",
                                      "no_repeat_ngram", "coverage_penalty", "forbid_unk"}));
  Fields sampling;
  o.list_sampling(sampling);
  EXPECT_EQ(sampling.keys(), (std::vector<std::string>{"temperature", "top_k", "top_p", "seed"}));
  for (const Fields* list : std::initializer_list<const Fields*>{&kept, &sampling})
    for (const Field& field : *list) {
      std::string option = field.key();
      std::replace(option.begin(), option.end(), '_', '-');
      EXPECT_EQ(field.option(), option);
      EXPECT_EQ(field.resume(), Resume::free) << option;
      EXPECT_NO_THROW(field.check()) << option << ": a default";
      field.set(field.parse(to_text(field.value())));
    }
  kept.find("length_penalty")->set(kept.find("length_penalty")->parse("0.25"));
  kept.find("forbid_unk")->set(true);
  sampling.find("seed")->set(sampling.find("seed")->parse("9223372036854775807"));
  EXPECT_EQ(o.length_penalty, Real(0.25));
  EXPECT_TRUE(o.forbid_unk);
  EXPECT_EQ(o.seed, 9223372036854775807u);
  EXPECT_EQ(message_of([&] { sampling.find("seed")->parse("9223372036854775808"); }),
            "seed: expected a whole number from 0 to 9223372036854775807; got 9223372036854775808");
  EXPECT_EQ(message_of([] { DecodeOptions{.min_length = 3, .max_length = 2}.check(); }),
            "min_length: expected at most max_length, 2; got 3");
  EXPECT_NO_THROW((DecodeOptions{.min_length = 3, .max_length = 0}.check()));
}

TEST(Decode, StopsWhereOutputsUsuallyDoUnlessToldOtherwise) {
  const CopyingDecoder model;
  const auto longest = [&](const DecodeOptions& o) {
    std::size_t most = 0;
    for (const Hypothesis& h : decode_one(model, std::vector<Id>(30, 5), o))
      most = std::max(most, h.ids.size());
    return most;
  };
  // Thirty words and </s> are equally likely. With so strong a penalty longer outputs score better.
  EXPECT_EQ(longest({.beam = 3, .length_penalty = 50, .nbest = 3}), 80u);
  EXPECT_EQ(longest({.beam = 3, .length_penalty = 50, .nbest = 3, .usual_length = 12}), 12u);
  EXPECT_EQ(longest({.beam = 3, .length_penalty = 50, .nbest = 3, .usual_length = 400}), 80u);
  EXPECT_EQ(
      longest({.beam = 3, .length_penalty = 50, .nbest = 3, .max_length = 15, .usual_length = 12}),
      15u)
      << "asked for";
  EXPECT_EQ(
      longest({.beam = 3, .length_penalty = 50, .nbest = 3, .min_length = 20, .usual_length = 12}),
      20u)
      << "asked for";
  EXPECT_EQ(longest({.beam = 3, .length_penalty = 50, .nbest = 3, .min_length = 95}), 95u)
      << "asked for";
}

// Given targets ----------------------------------------------------------------------------------

/// The log probability of each token of `gold` after those before it.
std::vector<double> token_log_probabilities(const DecoderOf& decoder, const std::vector<Id>& source,
                                            const std::vector<Id>& gold) {
  std::vector<double> result;
  std::vector<Id> prefix = output_so_far(decoder, {});
  for (Id id : gold) {
    const auto log_p = log_probabilities(full_logits(decoder, source, prefix));
    result.push_back(log_p[static_cast<std::size_t>(id)]);
    prefix.push_back(id);
  }
  return result;
}

TEST(ScoreTargets, SumsTheirLogProbabilities) {
  for (const Family& family : families()) {
    const auto model = family.make(5);
    const Index least = model->reads_source() ? 0 : 1;  // a language model needs a text
    const Lines sources = random_lines({3, 1, 6, 2, least, 4}, 71, small_vocabulary);
    const Lines targets = random_lines({2, 5, 0, 1, 3, 8}, 72, small_vocabulary);
    const auto scores = score_targets(*model, sources, targets, true);
    ASSERT_EQ(scores.size(), sources.size());
    for (std::size_t i = 0; i < sources.size(); ++i) {
      std::vector<Id> gold = targets[i];
      gold.push_back(eos_id);
      const auto log_p = token_log_probabilities(*model, sources[i], gold);
      const double sum = std::accumulate(log_p.begin(), log_p.end(), 0.0);
      const Lines source{sources[i]};
      const Lines target{targets[i]};
      EXPECT_NEAR(scores[i].log_probability, sum, 1e-4) << family.name << ", " << i;
      EXPECT_EQ(scores[i].tokens, static_cast<Index>(gold.size()));
      const TargetScore open = score_targets(*model, source, target, false)[0];
      EXPECT_NEAR(open.log_probability, sum - log_p.back(), 1e-4)
          << family.name << ", " << i << ", without </s>";
      EXPECT_EQ(open.tokens, static_cast<Index>(targets[i].size()));
      const TargetScore alone = score_targets(*model, source, target, true)[0];
      EXPECT_NEAR(alone.log_probability, scores[i].log_probability, 1e-4);
    }
  }
}

TEST(ScoreTargets, AgreesWithDecoding) {
  for (const Family& family : families()) {
    const auto model = family.make(5);
    for (const std::vector<Id>& source : random_lines({3, 1, 6, 2, 4}, 71, small_vocabulary)) {
      for (const Hypothesis& h :
           decode_one(*model, source, {.beam = 4, .nbest = 4, .max_length = 6})) {
        if (!h.ended) continue;
        const TargetScore score = score_targets(*model, Lines{source}, Lines{h.ids}, true)[0];
        EXPECT_NEAR(score.log_probability, h.log_probability, 1e-4) << family.name;
      }
    }
  }
}

TEST(ScoreTargets, OfManyOutputsAndOfNone) {
  const auto model = families()[0].make(5);
  EXPECT_TRUE(score_targets(*model, {}, {}).empty());
  Lines sources;
  Lines targets;
  for (Index i = 0; i < 200; ++i) {  // more than one pass
    sources.push_back(
        random_lines({1 + i % 7}, static_cast<std::uint64_t>(i), small_vocabulary)[0]);
    targets.push_back(
        random_lines({i * 5 % 11}, static_cast<std::uint64_t>(i), small_vocabulary)[0]);
  }
  const auto scores = score_targets(*model, sources, targets);
  for (std::size_t i = 0; i < sources.size(); i += 17)
    EXPECT_NEAR(score_targets(*model, Lines{sources[i]}, Lines{targets[i]})[0].log_probability,
                scores[i].log_probability, 1e-4)
        << i;
  EXPECT_THROW(score_targets(*model, Lines{{4}}, Lines{}), Error);
  EXPECT_THROW(score_targets(*model, Lines{{4}}, Lines{{small_vocabulary}}), Error)
      << "an id that is none";
}

}  // namespace
}  // namespace heed
