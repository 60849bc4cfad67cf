#include <map>
#include <numeric>

#include "datasets/text/special_ids.h"
#include "framework/random.h"
#include "models/decode/internal/search.h"
#include "tests/models/decoding.h"

namespace heed {
namespace {

// What may be drawn ------------------------------------------------------------------------------

struct ChoiceRow {
  std::vector<Real> logits;
  double temperature;
  Index top_k;
  double top_p;
  std::map<Id, double> expected;  // probabilities
};

std::vector<ChoiceRow> choice_rows() {
  constexpr Real none = Real(-1e30);
  const auto log = [](double p) { return static_cast<Real>(std::log(p)); };
  const std::vector<Real> four = {log(0.1), log(0.4), log(0.2), log(0.3)};
  const std::map<Id, double> all = {{0, 0.1}, {1, 0.4}, {2, 0.2}, {3, 0.3}};
  const double squares = 0.01 + 0.16 + 0.04 + 0.09;
  const std::map<Id, double> sharper = {
      {0, 0.01 / squares}, {1, 0.16 / squares}, {2, 0.04 / squares}, {3, 0.09 / squares}};
  const std::map<Id, double> best = {{1, 1}};
  const std::map<Id, double> best_two = {{1, 4.0 / 7}, {3, 3.0 / 7}};
  return {
      {four, 1, 0, 1, all},
      {four, 0.5, 0, 1, sharper},
      {four, 1e-9, 0, 1, best},  // the others underflow
      {four, 0, 0, 1, best},
      {four, 1, 1, 1, best},
      {four, 1, 2, 1, best_two},
      {four, 1, 4, 1, all},
      {four, 1, 99, 1, all},
      {four, 1, 0, 0, best},
      {four, 1, 0, 1e-12, best},
      {four, 1, 0, 0.39, best},
      {four, 1, 0, 0.41, best_two},
      {four, 1, 0, 0.69, best_two},
      {four, 1, 0, 0.71, {{1, 4.0 / 9}, {3, 3.0 / 9}, {2, 2.0 / 9}}},
      {four, 1, 0, 0.999, all},
      {four, 1, 2, 0.56, best},  // 4/7 = 0.571 of what top_k left
      {four, 1, 2, 0.58, best_two},
      {four, 0.5, 0, 0.5, best},                      // 16/30 = 0.533 at this temperature
      {{2, 2, 2, 2}, 1, 2, 1, {{0, 0.5}, {1, 0.5}}},  // of equal logits the first
      {{2, 2, 2, 2}, 1, 0, 0.4, {{0, 0.5}, {1, 0.5}}},
      {{2, 2, 2, 2}, 0, 0, 1, {{0, 1}}},
      {{none, 1, none, 1}, 1, 3, 1, {{1, 0.5}, {3, 0.5}}},
      {{none, 1, -INFINITY, NAN}, 1, 0, 1, best},
      {{none, -INFINITY}, 1, 0, 1, {}},
      {{500, -500}, 1, 0, 1, {{0, 1}}},
      {{-5000, -5000}, 1, 0, 1, {{0, 0.5}, {1, 0.5}}},
  };
}

TEST(Choices, AreTheLikeliestByCountAndByShare) {
  for (const ChoiceRow& row : choice_rows()) {
    const auto chosen = choices(
        row.logits,
        {.sample = true, .temperature = row.temperature, .top_k = row.top_k, .top_p = row.top_p});
    double total = 0;
    std::map<Id, double> got;
    for (const TokenChoice& c : chosen)
      total += c.weight;
    for (const TokenChoice& c : chosen)
      if (c.weight > 0) got[c.id] = c.weight / total;
    const std::string what = fmt::format("of {} logits, temperature {}, k {}, p {}",
                                         row.logits.size(), row.temperature, row.top_k, row.top_p);
    EXPECT_EQ(got.size(), row.expected.size()) << what;
    for (const auto& [id, p] : row.expected)
      EXPECT_NEAR(got[id], p, 1e-6) << what << ", id " << id;
  }
}

TEST(Choices, OfAHugeVocabularyAreThoseOfSortingIt) {
  Random random(3);
  std::vector<Real> logits(30000);
  for (Real& x : logits)
    x = static_cast<Real>(3 * random.normal());
  for (const double p : {1e-9, 0.05, 0.5, 0.9, 0.99, 0.9999}) {
    std::vector<Id> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](Id a, Id b) {
      return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
    });
    const std::vector<double> log_p = log_probabilities(logits);
    std::vector<Id> expected;
    std::vector<Id> got;
    double held = 0;
    for (std::size_t i = 0; i < order.size() && held < p; ++i) {
      expected.push_back(order[i]);
      held += std::exp(log_p[static_cast<std::size_t>(order[i])]);
    }
    for (const TokenChoice& c : choices(logits, {.sample = true, .top_p = p}))
      got.push_back(c.id);
    // the sum is rounded
    EXPECT_NEAR(static_cast<double>(got.size()), static_cast<double>(expected.size()), 1) << p;
    const std::size_t both = std::min(got.size(), expected.size());
    got.resize(both);
    expected.resize(both);
    EXPECT_EQ(got, expected) << p;
  }
}

TEST(Draw, TakesEachChoiceForItsShareOfTheWay) {
  const std::vector<TokenChoice> from = {{7, 0, 1}, {3, 0, 0}, {5, 0, 2}, {9, 0, 1}, {2, 0, 0}};
  for (const auto& [u, id] : std::vector<std::pair<double, Id>>{
           {0, 7}, {0.249, 7}, {0.25, 5}, {0.5, 5}, {0.749, 5}, {0.75, 9}, {1 - 1e-16, 9}, {1, 9}})
    EXPECT_EQ(draw(from, u), id) << u;
}

// Whole outputs ----------------------------------------------------------------------------------

using Probabilities = std::vector<std::pair<double, Id>>;

void normalise(Probabilities& next) {
  double sum = 0;
  for (const auto& [p, id] : next)
    sum += p;
  for (auto& [p, id] : next)
    p /= sum;
}

/// What sampling may draw after `ids`, by its definition.
Probabilities next_probabilities(const DecoderOf& decoder, const std::vector<Id>& source,
                                 const std::vector<Id>& ids, const DecodeOptions& o) {
  const std::vector<double> log_p =
      log_probabilities(full_logits(decoder, source, output_so_far(decoder, ids)));
  Probabilities next;
  for (Id id = eos_id; id < decoder->vocabulary(); ++id) {
    std::vector<Id> longer = ids;
    if (id != eos_id) longer.push_back(id);
    const bool ruled_out = id == eos_id ? static_cast<Index>(ids.size()) < o.min_length
                                        : repeats(longer, o.no_repeat_ngram);
    const bool forbidden = id == unk_id && o.forbid_unk;
    if (!ruled_out && !forbidden)
      next.push_back({std::exp(log_p[static_cast<std::size_t>(id)] / o.temperature), id});
  }
  std::sort(next.rbegin(), next.rend());
  if (o.top_k > 0) next.resize(std::min(next.size(), static_cast<std::size_t>(o.top_k)));
  normalise(next);
  double held = 0;
  std::size_t kept = 0;
  while (kept < next.size() && (kept == 0 || held < o.top_p)) {
    held += next[kept].first;
    ++kept;
  }
  next.resize(kept);
  normalise(next);
  return next;
}

/// The probability of every output under sampling with `o`. An output that ended has </s>, so that
/// it differs from the same output cut.
std::map<std::vector<Id>, double> exact(const DecoderOf& decoder, const std::vector<Id>& source,
                                        const DecodeOptions& o) {
  std::map<std::vector<Id>, double> all;
  std::vector<std::pair<std::vector<Id>, double>> open = {{{}, 1}};
  while (!open.empty()) {
    const auto [ids, probability] = open.back();
    open.pop_back();
    const Probabilities next = next_probabilities(decoder, source, ids, o);
    if (next.empty()) all[ids] += probability;
    for (const auto& [p, id] : next) {
      std::vector<Id> longer = ids;
      longer.push_back(id);
      if (id == eos_id || static_cast<Index>(longer.size()) == o.max_length)
        all[longer] += probability * p;
      else
        open.push_back({longer, probability * p});
    }
  }
  return all;
}

/// Checks Pearson's statistic of `count` draws. Its mean, and half its variance, are its degrees of
/// freedom. Outputs that are too rare for it are one class.
void expect_frequencies(const std::map<std::vector<Id>, double>& expected,
                        std::map<std::vector<Id>, int>& counts, int count,
                        const std::string& what) {
  double statistic = 0;
  int classes = 0;
  const auto add = [&](double e, int n) {
    if (e <= 0) return;
    statistic += (n - e) * (n - e) / e;
    ++classes;
  };
  double rare_expected = 0;
  int rare = 0;
  double total = 0;
  for (const auto& [ids, p] : expected) {
    total += p;
    const double e = p * count;
    if (e < 5) {
      rare_expected += e;
      rare += counts[ids];
    } else {
      add(e, counts[ids]);
    }
  }
  add(rare_expected, rare);
  EXPECT_NEAR(total, 1, 1e-9) << what;
  const double freedom = std::max(1, classes - 1);
  EXPECT_LE(statistic, freedom + 5 * std::sqrt(2 * freedom))
      << what << ", " << classes << " classes";
  for (const auto& [ids, n] : counts)
    EXPECT_TRUE(expected.contains(ids)) << what << ": an impossible output";
}

std::vector<std::unique_ptr<BatchModel>> models_to_sample() {
  std::vector<std::unique_ptr<BatchModel>> models;
  models.push_back(of_batches(opinionated(2)));
  Random random(4);
  LanguageModel lm({.vocabulary = small_vocabulary, .d = 16, .layers = 1, .heads = 2, .context = 8},
                   random);
  randomize(lm, 3);
  models.push_back(of_batches(std::move(lm)));
  return models;
}

TEST(Sampling, DrawsOutputsAsOftenAsTheyAreLikely) {
  constexpr int count = 20000;
  const std::vector<DecodeOptions> rows = {
      {.max_length = 2},
      {.max_length = 2, .temperature = 2.5},
      {.max_length = 2, .temperature = 0.6},
      {.max_length = 2, .top_k = 2},
      {.max_length = 2, .top_p = 0.8},
      {.max_length = 2, .temperature = 1.5, .top_k = 3, .top_p = 0.9},
      {.min_length = 1, .max_length = 3, .no_repeat_ngram = 1},
      {.min_length = 5, .max_length = 6, .no_repeat_ngram = 1, .temperature = 3},
      {.max_length = 2, .forbid_unk = true},
      {.max_length = 2, .forbid_unk = true, .temperature = 1.5, .top_k = 2, .top_p = 0.9},
  };
  for (const auto& model : models_to_sample()) {
    for (DecodeOptions o : rows) {
      o.sample = true;
      o.nbest = count;
      o.seed = 11;
      const std::vector<Id> source = {5, 4};
      std::map<std::vector<Id>, int> counts;
      for (const Hypothesis& h : decode_one(*model, source, o)) {
        std::vector<Id> key = h.ids;
        if (h.ended) key.push_back(eos_id);
        ++counts[key];
      }
      expect_frequencies(
          exact(*model, source, o), counts, count,
          fmt::format("{} to {} words, temperature {}, k {}, p {}{}", o.min_length, o.max_length,
                      o.temperature, o.top_k, o.top_p, o.forbid_unk ? ", no <unk>" : ""));
    }
  }
}

TEST(Sampling, SaysTheLogProbabilityOfTheModelWhateverTheTemperature) {
  const Transformer model = opinionated(3);
  const Lines sources = random_lines({3, 1}, 5, small_vocabulary);
  const auto found = decode(model, sources,
                            {.nbest = 20,
                             .max_length = 4,
                             .no_repeat_ngram = 2,
                             .sample = true,
                             .temperature = 3,
                             .top_k = 3});
  for (std::size_t i = 0; i < sources.size(); ++i)
    for (const Hypothesis& h : found[i]) {
      double sum = 0;
      std::vector<Id> prefix = {bos_id};
      std::vector<Id> said = h.ids;
      if (h.ended) said.push_back(eos_id);
      for (Id id : said) {
        sum +=
            log_probabilities(full_logits(model, sources[i], prefix))[static_cast<std::size_t>(id)];
        prefix.push_back(id);
      }
      EXPECT_NEAR(h.log_probability, sum, 1e-4);
      EXPECT_EQ(h.score, h.log_probability);
    }
}

TEST(Sampling, DependsOnTheSeedTheSourceTheSampleAndThePositionAlone) {
  const Transformer model = opinionated(3, tiny_vocabulary);
  const Lines sources = random_lines({3, 1, 6, 2}, 9);
  const std::vector<std::uint64_t> numbers = {100, 7, 3, 1ull << 40};
  DecodeOptions o{.nbest = 4, .max_length = 12, .sample = true, .temperature = 1.5, .seed = 5};
  const auto together = decode(model, sources, o, numbers);
  for (std::size_t i = 0; i < sources.size(); ++i)
    for (int nbest : {1, 2, 7}) {
      o.nbest = nbest;
      const auto alone = decode(model, Lines{sources[i]}, o, std::span(numbers).subspan(i, 1))[0];
      for (std::size_t s = 0; s < std::min<std::size_t>(alone.size(), 4); ++s)
        EXPECT_EQ(alone[s].ids, together[i][s].ids) << i << ", " << s;
    }
  // Outputs do depend on each of them. Eight samples of twelve tokens are not equal by chance.
  const auto all_of = [&](std::uint64_t seed, std::uint64_t number) {
    std::vector<std::vector<Id>> ids;
    const DecodeOptions eight{.nbest = 8,
                              .min_length = 12,
                              .max_length = 12,
                              .sample = true,
                              .temperature = 2,
                              .seed = seed};
    for (const Hypothesis& h : decode_one(model, sources[2], eight, number))
      ids.push_back(h.ids);
    return ids;
  };
  EXPECT_EQ(all_of(1, 1), all_of(1, 1));
  EXPECT_NE(all_of(1, 1), all_of(2, 1));
  EXPECT_NE(all_of(1, 1), all_of(1, 2));
  const auto samples = all_of(1, 1);
  EXPECT_EQ(std::set<std::vector<Id>>(samples.begin(), samples.end()).size(), 8u);
  EXPECT_GT(std::set<Id>(samples[0].begin(), samples[0].end()).size(), 3u)
      << "positions draw numbers of their own";
}

TEST(Sampling, TakesTheNextNumberOfItsStreamForEachToken) {
  const Transformer model = opinionated(3, tiny_vocabulary);
  const std::vector<Id> source = {5, 9, 7};
  for (const std::uint64_t seed : {1, 2, 3}) {
    const DecodeOptions o{
        .nbest = 3, .max_length = 12, .sample = true, .temperature = 1.5, .seed = seed};
    const auto found = decode_one(model, source, o, 40);
    for (std::size_t sample = 0; sample < found.size(); ++sample) {
      Random random(seed, mix(40, sample));
      std::vector<Id> expected;
      while (expected.size() < 12) {
        std::vector<Real> logits = full_logits(model, source, output_so_far(model, expected));
        logits[pad_id] = logits[bos_id] = -INFINITY;
        const Id id = draw(choices(logits, o), random.uniform());
        if (id == eos_id) break;
        expected.push_back(id);
      }
      EXPECT_EQ(found[sample].ids, expected) << "seed " << seed << ", sample " << sample;
    }
  }
}

TEST(Sampling, WithoutTemperatureIsGreedySearch) {
  const Transformer model = opinionated(4, tiny_vocabulary);
  const Lines sources = random_lines({3, 1, 6, 2}, 9);
  const auto greedy = decode(model, sources, {.beam = 1, .max_length = 8});
  for (const DecodeOptions& o :
       {DecodeOptions{.max_length = 8, .sample = true, .temperature = 0},
        DecodeOptions{.max_length = 8, .sample = true, .top_k = 1},
        DecodeOptions{.max_length = 8, .sample = true, .top_p = 0},
        DecodeOptions{.max_length = 8, .sample = true, .temperature = 1e-6}}) {
    const auto sampled = decode(model, sources, o);
    for (std::size_t i = 0; i < sources.size(); ++i)
      EXPECT_EQ(sampled[i][0].ids, greedy[i][0].ids);
  }
}

}  // namespace
}  // namespace heed
