#include "datasets/text/batch.h"
#include "tests/message_of.h"
#include "tests/models/decoding.h"

namespace heed {
namespace {

// Cached decoding --------------------------------------------------------------------------------

/// Decodes step by step, selecting rows in between, and compares each row's logits with the whole
/// forward pass over what it has read.
void expect_cache_exact(const DecoderOf& decoder, const Lines& sources,
                        const std::vector<std::vector<Index>>& selections,
                        const std::string& what) {
  const auto state = decoder->start(pack(sources));
  Lines sentences = sources;
  Lines prefixes(sources.size());
  ASSERT_EQ(state->rows(), static_cast<Index>(sources.size())) << what;
  Random random(17);
  for (std::size_t t = 0; t < selections.size(); ++t) {
    std::vector<Id> tokens;
    for (auto& prefix : prefixes) {
      prefix.push_back(t == 0 ? bos_id
                              : first_free_id +
                                    static_cast<Id>(random.below(static_cast<std::uint64_t>(
                                        decoder->vocabulary() - first_free_id))));
      tokens.push_back(prefix.back());
    }
    const Tensor logits = state->step(tokens);
    ASSERT_EQ(to_string(logits.shape()),
              fmt::format("({}, {})", tokens.size(), decoder->vocabulary()))
        << what << ", step " << t;
    for (std::size_t r = 0; r < prefixes.size(); ++r)
      EXPECT_LE(difference(logits.slice(static_cast<Index>(r), static_cast<Index>(r) + 1).span(),
                           full_logits(decoder, sentences[r], prefixes[r])),
                10 * close)
          << what << ", step " << t << ", row " << r;
    state->select(selections[t]);
    Lines chosen_sentences;
    Lines chosen_prefixes;
    for (Index r : selections[t]) {
      chosen_sentences.push_back(sentences[static_cast<std::size_t>(r)]);
      chosen_prefixes.push_back(prefixes[static_cast<std::size_t>(r)]);
    }
    sentences = chosen_sentences;
    prefixes = chosen_prefixes;
    ASSERT_EQ(state->rows(), static_cast<Index>(prefixes.size())) << what;
  }
}

struct StepPlan {
  const char* name;
  std::vector<Index> lengths;                  // of the sources, or of the text so far
  std::vector<std::vector<Index>> selections;  // after each step
};

const std::vector<StepPlan>& step_plans() {
  static const std::vector<StepPlan> all = {
      {"one row", {3}, {{0}, {0}, {0}, {0}, {0}}},
      {"ragged", {3, 7, 1, 5}, {{0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}}},
      {"reordered", {3, 7, 1}, {{2, 0, 1}, {1, 0, 2}, {0, 2, 1}, {2, 1, 0}}},
      {"repeated", {4, 2}, {{0, 0, 1, 1}, {3, 0, 0, 2}, {1, 1, 1, 0}, {0, 1, 2, 3}}},
      {"dropped", {4, 2, 6, 3}, {{3, 1, 0}, {2, 0}, {0}, {0}}},
      {"all of it", {4, 2, 6}, {{2, 2, 0, 1}, {3, 1, 1}, {2, 0, 0, 0, 1}, {4, 2}, {1}, {}, {}}},
      {"past the cache's first size",
       {2, 3, 4, 1, 5, 2, 3, 1},
       std::vector<std::vector<Index>>(14, {1, 0, 3, 2, 5, 4, 7, 7})},
  };
  return all;
}

TEST(Cache, GivesWhatTheWholeForwardPassGives) {
  for (NormPlace norm : {NormPlace::pre, NormPlace::post}) {
    const Transformer model = tiny_transformer(norm);
    for (const StepPlan& plan : step_plans())
      expect_cache_exact(
          model, random_lines(plan.lengths, 31), plan.selections,
          fmt::format("{}-norm, {}", norm == NormPlace::pre ? "pre" : "post", plan.name));
  }
}

TEST(Cache, OfModelsWhoseSidesDifferInDepth) {
  for (const auto& [encoder, decoder] : {std::pair(3, 1), std::pair(1, 3), std::pair(2, 0)}) {
    Random random(3);
    Transformer transformer({.vocabulary = tiny_vocabulary,
                             .d = 16,
                             .layers = 1,
                             .encoder_layers = encoder,
                             .decoder_layers = decoder,
                             .heads = 4,
                             .dropout = 0,
                             .copy = encoder == 3},
                            random);
    ConvS2S convolutional({.vocabulary = tiny_vocabulary,
                           .d = 16,
                           .layers = 1,
                           .encoder_layers = encoder,
                           .decoder_layers = decoder,
                           .positions = 48,
                           .dropout = 0},
                          random);
    randomize(transformer);
    randomize(convolutional);
    const std::string depths = fmt::format("{} and {} layers, ", encoder, decoder);
    for (const StepPlan& plan : step_plans()) {
      const Lines lines = random_lines(plan.lengths, 31);
      expect_cache_exact(transformer, lines, plan.selections, depths + plan.name);
      expect_cache_exact(convolutional, lines, plan.selections, "conv, " + depths + plan.name);
    }
  }
}

// More rows than the layers compute as one block, then few again, and more keys than one block.
TEST(Cache, OfManyRowsAndOfLongSources) {
  std::vector<Index> lengths;
  std::vector<Index> backwards;
  std::vector<Index> some;
  std::vector<Index> few;
  for (Index r = 0; r < 520; ++r) {
    lengths.push_back(1 + r * 5 % 11);
    backwards.push_back(519 - r);
  }
  for (Index r = 0; r < 35; ++r)
    some.push_back(2 * r % 35);
  for (Index r = 0; r < 20; ++r)
    few.push_back(34 - r);
  const std::vector<std::vector<Index>> selections = {backwards, some, few, {19, 0, 17}, {0, 1, 2}};
  expect_cache_exact(tiny_transformer(), random_lines(lengths, 34), selections, "520 sources");
  expect_cache_exact(tiny_language_model(), random_lines(lengths, 34), selections, "520 texts");
  const std::vector<std::vector<Index>> swaps(3, {2, 0, 1});
  expect_cache_exact(tiny_transformer(NormPlace::post), random_lines({70, 3, 130}, 35), swaps,
                     "long sources");
  expect_cache_exact(tiny_language_model(0, 140), random_lines({64, 3, 130}, 35), swaps,
                     "long texts");
}

TEST(Cache, KeepsWhatIsPointedAt) {
  const Transformer model = tiny_transformer(NormPlace::pre, 0, tiny_vocabulary, true);
  for (const StepPlan& plan : step_plans())
    expect_cache_exact(model, random_lines(plan.lengths, 31), plan.selections, plan.name);
}

TEST(Cache, KeepsWhatConvolutionsSee) {
  for (const ConvKind kind : {ConvKind::full, ConvKind::lightweight})
    for (const Index kernel : {1, 3, 5})
      for (const bool plain : {true, false}) {
        const ConvS2S model = tiny_convolutional(plain, 0, kernel, 48, kind);
        const auto what =
            fmt::format("{}, kernel {}, {}", kind == ConvKind::full ? "full" : "lightweight",
                        kernel, plain ? "plain" : "normalised");
        for (const StepPlan& plan : step_plans())
          expect_cache_exact(model, random_lines(plan.lengths, 31), plan.selections,
                             what + ", " + plan.name);
      }
}

TEST(Cache, OfRecurrentModelsIsTheirState) {
  for (const TinyRecurrent& row : tiny_recurrents()) {
    const RecurrentSeq2Seq model = tiny_recurrent(row);
    for (const StepPlan& plan : step_plans())
      expect_cache_exact(model, random_lines(plan.lengths, 31), plan.selections,
                         fmt::format("{}, {}", row.name, plan.name));
    expect_cache_exact(model, {{}, {5, 6}}, {{0, 1}, {1, 0, 0}, {0, 1, 2}},
                       fmt::format("{}, an empty source", row.name));
  }
}

TEST(Cache, GoesOnFromPromptsOfDifferentLengths) {
  const LanguageModel model = tiny_language_model();
  for (const StepPlan& plan : step_plans())
    expect_cache_exact(model, random_lines(plan.lengths, 32), plan.selections, plan.name);
  const std::vector<std::vector<Index>> steps(3, {1, 0});
  for (const std::vector<Index>& lengths :
       {std::vector<Index>{0, 0}, {0, 4}, {4, 0}, {1, 1}, {0, 1}, {1, 0}, {2, 0}})
    expect_cache_exact(model, random_lines(lengths, 33), steps,
                       fmt::format("prompts of {} and {}", lengths[0], lengths[1]));
}

TEST(Cache, ReadsASourceOfNothing) {
  const Transformer model = tiny_transformer();
  expect_cache_exact(model, {{}, {5, 6}}, {{0, 1}, {1, 0, 0}, {0, 1, 2}}, "an empty source");
  expect_cache_exact(tiny_convolutional(), {{}, {5, 6}}, {{0, 1}, {1, 0, 0}, {0, 1, 2}},
                     "an empty source of convolutions");
}

TEST(Decode, EndsWhereThePositionsEndAndPromisesNoMore) {
  const ConvS2S convolutional = tiny_convolutional(true, 0, 3, 6);
  const LanguageModel lm = tiny_language_model(0, 9);
  const Transformer transformer = tiny_transformer();
  const std::string refused =
      "[decode] expected max_length and min_length of at most 6, the positions of the model; got ";
  const struct {
    const Model& model;
    Index min_length;
    Index max_length;
    std::size_t longest;
    std::string message;
  } rows[] = {
      {convolutional, 6, 0, 6, ""},
      {convolutional, 4, 4, 4, ""},
      {convolutional, 6, 6, 6, ""},
      {convolutional, 0, 7, 0, refused + "7 and 0"},
      {convolutional, 7, 0, 0, refused + "0 and 7"},
      {lm, 50, 50, 50, ""},
      {transformer, 50, 50, 50, ""},
      {transformer, 5, 4, 0, "[decode] min_length: expected at most max_length, 4; got 5"},
  };
  for (const auto& row : rows)
    for (const bool sample : {false, true}) {
      const Lines sources = {{5, 6}, {7}};
      const DecodeOptions o{
          .beam = 2, .min_length = row.min_length, .max_length = row.max_length, .sample = sample};
      std::size_t longest = 0;
      const std::string message = message_of([&] {
        for (const auto& best : decode(*row.model.decoder(), sources, o))
          for (const Hypothesis& h : best)
            longest = std::max(longest, h.ids.size());
      });
      EXPECT_EQ(message, row.message);
      EXPECT_EQ(longest, row.longest)
          << row.min_length << " to " << row.max_length << (sample ? ", sampled" : "");
    }
}

TEST(Cache, NeedsATokenForEachRow) {
  const Transformer transformer = tiny_transformer();
  const LanguageModel lm = tiny_language_model();
  const ConvS2S convolutional = tiny_convolutional();
  for (const Model* model :
       std::initializer_list<const Model*>{&transformer, &lm, &convolutional}) {
    const auto decoder = model->decoder();
    const auto state = decoder->start(pack(Lines{{5, 6}, {7}}));
    const std::vector<Id> one = {bos_id};
    EXPECT_EQ(message_of([&] { state->step(one); }),
              "[step] expected a token for each of 2 rows; got 1");
  }
}

// Search -----------------------------------------------------------------------------------------

TEST(BeamSearch, FindsTheBestOfAllOutputsWithABeamAsWideAsTheyAre) {
  struct Row {
    Real length_penalty;
    Index min_length;
    Index max_length;
  };
  for (std::uint64_t seed : {1, 2, 3})
    for (const Row& row :
         {Row{0, 0, 3}, Row{Real(0.6), 0, 3}, Row{1, 0, 3}, Row{3, 0, 3}, Row{Real(0.6), 1, 3},
          Row{Real(0.6), 2, 3}, Row{0, 3, 3}, Row{1, 0, 1}, Row{1, 2, 2}}) {
      const Transformer model = opinionated(seed);
      const Lines sources = random_lines({3, 1, 4}, seed + 40, small_vocabulary);
      // 1 + 3 + 9 outputs that end and 27 that are cut: 40, and no more than 27 rows at once.
      for (int nbest : {1, 7, 40}) {
        const DecodeOptions o{.beam = 40,
                              .length_penalty = row.length_penalty,
                              .nbest = nbest,
                              .min_length = row.min_length,
                              .max_length = row.max_length};
        const auto found = decode(model, sources, o);
        ASSERT_EQ(found.size(), sources.size());
        for (std::size_t i = 0; i < sources.size(); ++i) {
          std::vector<Hypothesis> all = enumerate(model, sources[i], o);
          all.resize(std::min<std::size_t>(all.size(), static_cast<std::size_t>(nbest)));
          expect_same(found[i], all,
                      fmt::format("seed {}, penalty {}, {} to {} words, {} best, source {}", seed,
                                  row.length_penalty, row.min_length, row.max_length, nbest, i));
        }
      }
    }
}

/// Every continuation of the live hypotheses by one token, which may be </s>.
std::vector<Hypothesis> continuations(const DecoderOf& decoder, const std::vector<Id>& source,
                                      const std::vector<Hypothesis>& live, const DecodeOptions& o) {
  std::vector<Hypothesis> all;
  for (const Hypothesis& h : live) {
    const bool may_end = static_cast<Index>(h.ids.size()) >= o.min_length;
    std::vector<Id> prefix = h.ids;
    prefix.insert(prefix.begin(), bos_id);
    const std::vector<double> p = log_probabilities(full_logits(decoder, source, prefix));
    for (Id id = eos_id; id < decoder->vocabulary(); ++id) {
      if (id == eos_id && !may_end) continue;
      if (id == unk_id && o.forbid_unk) continue;
      Hypothesis longer = h;
      longer.ids.push_back(id);
      longer.log_probability += p[static_cast<std::size_t>(id)];
      if (id == eos_id || !repeats(longer.ids, o.no_repeat_ngram)) all.push_back(longer);
    }
  }
  return all;
}

/// Beam search of one source by its definition and without a cache. Of all continuations of the
/// prefixes the `beam` best are kept. Those that end are finished; the others go on until none is
/// left or the length is reached.
std::vector<Hypothesis> plain_search(const DecoderOf& decoder, const std::vector<Id>& source,
                                     const DecodeOptions& o) {
  const auto by_probability = [](const Hypothesis& a, const Hypothesis& b) {
    return a.log_probability > b.log_probability;
  };
  const auto by_score = [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; };
  const auto score = [&](Hypothesis& h) {
    h.score = score_of(h.log_probability, h.ids.size(), static_cast<double>(o.length_penalty));
  };
  std::vector<Hypothesis> live = {{}};
  std::vector<Hypothesis> finished;
  for (Index length = 0; length < o.max_length; ++length) {
    std::vector<Hypothesis> all = continuations(decoder, source, live, o);
    std::sort(all.begin(), all.end(), by_probability);
    all.resize(std::min(all.size(), static_cast<std::size_t>(o.beam)));
    live.clear();
    for (Hypothesis& h : all) {
      if (h.ids.back() != eos_id) {
        live.push_back(h);
        continue;
      }
      score(h);
      h.ids.pop_back();
      finished.push_back(h);
    }
  }
  for (Hypothesis& h : live) {
    score(h);
    finished.push_back(h);
  }
  std::sort(finished.begin(), finished.end(), by_score);
  finished.resize(std::min(finished.size(), static_cast<std::size_t>(o.nbest)));
  return finished;
}

TEST(BeamSearch, KeepsTheBestPrefixesOfEachStep) {
  for (std::uint64_t seed : {4, 5})
    for (int beam : {2, 3, 5})
      for (const auto& [alpha, ngram, forbid_unk] :
           std::vector<std::tuple<Real, Index, bool>>{{0, 0, false},
                                                      {Real(0.6), 0, false},
                                                      {Real(1.5), 0, false},
                                                      {Real(0.6), 1, false},
                                                      {Real(1.5), 1, false},
                                                      {1, 2, false},
                                                      {Real(0.6), 0, true},
                                                      {1, 2, true}}) {
        const Transformer model = opinionated(seed, 12);
        const Lines sources = random_lines({3, 1, 5}, seed + 50, 12);
        const DecodeOptions o{.beam = beam,
                              .length_penalty = alpha,
                              .nbest = 1,
                              .min_length = 0,
                              .max_length = 6,
                              .no_repeat_ngram = ngram,
                              .forbid_unk = forbid_unk};
        const auto found = decode(model, sources, o);
        for (std::size_t i = 0; i < sources.size(); ++i) {
          // Ending the search early may not change the best, only what follows it.
          expect_same(found[i], plain_search(model, sources[i], o),
                      fmt::format("seed {}, beam {}, penalty {}, n-grams of {}, source {}{}", seed,
                                  beam, alpha, ngram, i, forbid_unk ? ", no <unk>" : ""));
        }
      }
}

/// Gives 4 5 </s> with a probability of nearly 1. The other tokens after <s> are improbable, and
/// the output ends after them.
class SureDecoder : public Decoder {
 public:
  struct State : DecoderState {
    std::vector<Index> lengths;
    Index rows() const override { return static_cast<Index>(lengths.size()); }
    void select(std::span<const Index> rows) override {
      std::vector<Index> chosen;
      for (Index row : rows)
        chosen.push_back(lengths[row]);
      lengths = chosen;
    }
    Tensor step(std::span<const Id> tokens) override {
      Tensor logits = Tensor::full({static_cast<Index>(tokens.size()), 20}, 0);
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        const Index length = lengths[i]++;
        const bool on_path = length == 0 || (length < 8 && tokens[i] == 4);
        logits[static_cast<Index>(i) * 20 + (on_path && length < 7 ? 4 : eos_id)] = 12;
      }
      return logits;
    }
  };
  Index vocabulary() const override { return 20; }
  Variable logits(const Sequences&, const Sequences&, std::vector<AttentionMap>*) const override {
    return {};
  }
  std::unique_ptr<DecoderState> start(const Sequences& source) const override {
    auto state = std::make_unique<State>();
    state->lengths.assign(static_cast<std::size_t>(source.spans.count()), 0);
    return state;
  }
};

TEST(BeamSearch, ReordersTheStatesOfRecurrentModels) {
  for (const TinyRecurrent& row : tiny_recurrents()) {
    RecurrentSeq2Seq model = tiny_recurrent(row, 0, 12);
    for (const auto& [name, p] : parameters(model))
      for (Real& x : p.value().span())
        x *= 3;  // far from uniform
    const Lines sources = random_lines({3, 1, 5}, 55, 12);
    const DecodeOptions o{
        .beam = 3, .length_penalty = Real(0.6), .nbest = 1, .min_length = 0, .max_length = 6};
    const auto found = decode(model, sources, o);
    for (std::size_t i = 0; i < sources.size(); ++i)
      expect_same(found[i], plain_search(model, sources[i], o),
                  fmt::format("{}, source {}", row.name, i));
  }
}

TEST(BeamSearch, DoesNotEndWithPoorOutputsBecauseTheyEndedFirst) {
  // Seven times 4, then </s>, each with probability 1 / (1 + 19 exp -12) > 0.9998. After any other
  // token an output ends, so that five poor outputs have ended long before the good one.
  const auto found = decode(SureDecoder(), Lines{{4}}, {.beam = 5, .length_penalty = Real(0.6)});
  EXPECT_EQ(found[0][0].ids, std::vector<Id>(7, 4));
}

TEST(GreedySearch, SaysTheLikeliestWordAtEachStep) {
  for (std::uint64_t seed : {1, 2, 3, 4}) {
    const Transformer model = opinionated(seed, tiny_vocabulary);
    const Lines sources = random_lines({3, 1, 6, 2}, seed + 60);
    for (const auto& [min_length, forbid_unk] :
         std::vector<std::pair<Index, bool>>{{0, false}, {4, false}, {4, true}}) {
      const auto found = decode(model, sources,
                                {.beam = 1,
                                 .length_penalty = 0,
                                 .min_length = min_length,
                                 .max_length = 8,
                                 .forbid_unk = forbid_unk});
      for (std::size_t i = 0; i < sources.size(); ++i) {
        Hypothesis expected;
        std::vector<Id> prefix = {bos_id};
        while (expected.ids.size() < 8) {
          std::vector<double> p = log_probabilities(full_logits(model, sources[i], prefix));
          p[pad_id] = p[bos_id] = -INFINITY;
          if (forbid_unk) p[unk_id] = -INFINITY;
          if (static_cast<Index>(expected.ids.size()) < min_length) p[eos_id] = -INFINITY;
          const Id best = static_cast<Id>(std::max_element(p.begin(), p.end()) - p.begin());
          expected.log_probability += p[static_cast<std::size_t>(best)];
          if (best == eos_id) break;
          expected.ids.push_back(best);
          prefix.push_back(best);
        }
        expected.score = expected.log_probability;  // without a penalty
        expect_same(found[i], {&expected, 1},
                    fmt::format("seed {}, at least {}, source {}", seed, min_length, i));
      }
    }
  }
}

TEST(Decode, OfASourceDoesNotDependOnTheOthers) {
  for (int beam : {1, 4}) {
    const Transformer model = opinionated(6, tiny_vocabulary);
    const Lines sources = random_lines({3, 1, 6, 2, 9, 4}, 70);
    const DecodeOptions o{.beam = beam, .nbest = beam};
    const auto together = decode(model, sources, o);
    for (std::size_t i = 0; i < sources.size(); ++i)
      expect_same(together[i], decode(model, Lines{sources[i]}, o)[0],
                  fmt::format("beam {}, source {}", beam, i));
    Lines backwards(sources.rbegin(), sources.rend());
    const auto reversed = decode(model, backwards, o);
    for (std::size_t i = 0; i < sources.size(); ++i)
      expect_same(reversed[sources.size() - 1 - i], together[i],
                  fmt::format("reversed, source {}", i));
  }
}

TEST(Decode, KeepsToItsLengthsAndItsOrder) {
  for (std::uint64_t seed : {1, 2, 3}) {
    const Transformer model = opinionated(seed, tiny_vocabulary);
    const Lines sources = random_lines({3, 1, 6}, 80);
    struct Row {
      int beam;
      int nbest;
      Index min_length;
      Index max_length;
    };
    for (const Row& row :
         {Row{1, 1, 0, 1}, Row{5, 5, 0, 4}, Row{5, 3, 4, 4}, Row{3, 3, 2, 7}, Row{30, 30, 0, 2}}) {
      const auto found = decode(model, sources,
                                {.beam = row.beam,
                                 .nbest = row.nbest,
                                 .min_length = row.min_length,
                                 .max_length = row.max_length});
      for (const auto& hypotheses : found) {
        EXPECT_EQ(hypotheses.size(), static_cast<std::size_t>(row.nbest));
        for (std::size_t i = 0; i < hypotheses.size(); ++i) {
          EXPECT_GE(static_cast<Index>(hypotheses[i].ids.size()), row.min_length);
          EXPECT_LE(static_cast<Index>(hypotheses[i].ids.size()), row.max_length);
          for (Id id : hypotheses[i].ids)
            EXPECT_GE(id, unk_id) << "no mark within an output";
          if (i > 0) {
            EXPECT_LE(hypotheses[i].score, hypotheses[i - 1].score);
            for (std::size_t j = 0; j < i; ++j)
              EXPECT_NE(hypotheses[i].ids, hypotheses[j].ids) << "no output twice";
          }
        }
      }
    }
  }
}

TEST(Decode, StopsAtTwiceTheSourceAndTwentyUnlessToldOtherwise) {
  // A model that never ends: </s> has the least likely embedding of all, being minus the decoder's
  // constant output.
  Transformer model = tiny_transformer();
  for (const auto& [name, p] : parameters(model)) {
    if (name == "decoder_norm.gain") std::fill_n(p.value().data(), p.value().size(), Real(0));
    if (name == "decoder_norm.bias") std::fill_n(p.value().data(), p.value().size(), Real(1));
    if (name == "embedding.weight")
      for (Index c = 0; c < 16; ++c)
        p.value()[eos_id * 16 + c] = -1;
  }
  const auto found = decode(model, random_lines({3, 1, 0}, 1), {.beam = 2});
  EXPECT_EQ(found[0][0].ids.size(), 26u);
  EXPECT_EQ(found[1][0].ids.size(), 22u);
  EXPECT_EQ(found[2][0].ids.size(), 20u);
}

TEST(Decode, OfNoSourcesIsNoOutputs) {
  const Transformer model = tiny_transformer();
  EXPECT_TRUE(decode(model, {}, {}).empty());
}

TEST(Decode, RefusesBeamsThatAreNone) {
  const Transformer model = tiny_transformer();
  struct Row {
    int beam;
    int nbest;
    const char* message;
  };
  for (const Row& row :
       {Row{0, 1, "[decode] beam: expected a whole number from 1 to 1000; got 0"},
        Row{-1, 1, "[decode] beam: expected a whole number from 1 to 1000; got -1"},
        Row{3, 0, "[decode] nbest: expected a whole number above 0; got 0"},
        Row{3, 4, "[decode] nbest: expected at most beam, 3; got 4"}})
    EXPECT_EQ(message_of([&] {
                decode(model, random_lines({2}, 1), {.beam = row.beam, .nbest = row.nbest});
              }),
              row.message);
}

}  // namespace
}  // namespace heed
