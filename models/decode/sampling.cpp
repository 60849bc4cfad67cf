#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/parallel.h"
#include "framework/kernels/top_k.h"
#include "framework/random.h"
#include "models/decode/internal/search.h"

namespace heed {

namespace {

constexpr std::size_t first_sorted = 64;  // of the likeliest tokens, before more are needed

bool likelier(const TokenChoice& a, const TokenChoice& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

void keep_top_k(std::vector<TokenChoice>& all, std::size_t k) {
  if (k == 0 || k >= all.size()) return;
  std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k), all.end(), likelier);
  all.resize(k);
}

/// Keeps the likeliest choices that together hold the share p. Sorts only as many as are needed.
void keep_top_p(std::vector<TokenChoice>& all, double p) {
  if (p >= 1) return;
  double total = 0;
  double held = 0;
  for (const TokenChoice& c : all)
    total += c.weight;
  std::size_t sorted = 0;
  std::size_t kept = 0;
  while (kept < all.size() && (kept == 0 || held < p * total)) {
    if (kept == sorted) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(sorted);
      sorted = std::min(all.size(), std::max(first_sorted, 4 * sorted));
      std::partial_sort(begin, all.begin() + static_cast<std::ptrdiff_t>(sorted), all.end(),
                        likelier);
    }
    held += all[kept++].weight;
  }
  all.resize(kept);
}

/// One sample: a row of the decoder's state.
struct Sample {
  Hypothesis* output;
  Index max_length;
  RandomKey key;
};

/// The samples under way, and for each the row of the state that it continues and the token it
/// feeds.
struct Samples {
  std::vector<Sample> live;
  std::vector<Index> rows;
  std::vector<Id> tokens;

  void add(const Sample& sample, std::size_t row, Id token) {
    live.push_back(sample);
    rows.push_back(static_cast<Index>(row));
    tokens.push_back(token);
  }
};

/// Draws the next token of each sample, as draw_next().
std::vector<Id> draw_tokens(const Samples& samples, Tensor& logits, const DecodeOptions& o) {
  const Index m = logits.shape()[0];
  const Index n = logits.shape()[1];
  std::vector<Id> drawn(samples.live.size());
  kernels::parallel_for(m, kernels::grain_of(16 * n), [&](Index begin, Index end) {
    for (Index r = begin; r < end; ++r) {
      const Sample& sample = samples.live[r];
      const std::span<Real> row(logits.data() + r * n, static_cast<std::size_t>(n));
      drawn[r] = draw_next(sample.output->ids, sample.key, o, row);
    }
  });
  return drawn;
}

/// Adds its drawn token to each sample. Returns those that go on.
Samples extended(const Samples& samples, std::span<const Id> drawn, const Tensor& logits,
                 const Tensor& log_sums, const SpecialIds& special) {
  const Index n = logits.shape()[1];
  Samples next;
  for (std::size_t r = 0; r < drawn.size(); ++r) {
    const Sample& sample = samples.live[r];
    Hypothesis& h = *sample.output;
    const auto row = static_cast<Index>(r);
    if (drawn[r] == special.pad) continue;
    h.log_probability += static_cast<double>(logits[row * n + drawn[r]] - log_sums[row]);
    h.ended = drawn[r] == special.eos;
    if (h.ended) continue;
    h.ids.push_back(drawn[r]);
    if (static_cast<Index>(h.ids.size()) < sample.max_length) next.add(sample, r, drawn[r]);
  }
  return next;
}

}  // namespace

std::vector<TokenChoice> choices(std::span<const Real> logits, const DecodeOptions& o) {
  std::vector<TokenChoice> all;
  Real best = -std::numeric_limits<Real>::infinity();
  for (std::size_t j = 0; j < logits.size(); ++j)
    if (usable(logits[j])) {
      all.push_back({static_cast<Id>(j), logits[j], 0});
      best = std::max(best, logits[j]);
    }
  // The temperature is 0, or so small that its reciprocal overflows.
  const bool greedy = !std::isfinite(1 / o.temperature);
  keep_top_k(all, greedy ? 1 : static_cast<std::size_t>(o.top_k));
  const double sharper = greedy ? 1 : 1 / o.temperature;
  for (TokenChoice& c : all)
    c.weight = std::exp(static_cast<double>(c.logit - best) * sharper);
  keep_top_p(all, o.top_p);
  return all;
}

Id draw(std::span<const TokenChoice> choices, double u) {
  double total = 0;
  double passed = 0;
  for (const TokenChoice& c : choices)
    total += c.weight;
  Id last = choices.front().id;
  for (const TokenChoice& c : choices) {
    if (c.weight > 0) last = c.id;  // by rounding the sum may stay below the total
    passed += c.weight;
    if (passed > u * total) break;
  }
  return last;
}

Id draw_next(std::span<const Id> ids, RandomKey key, const DecodeOptions& o,
             std::span<Real> logits) {
  rule_out(ids, o, logits);
  Random random(key.seed, key.stream);
  random.seek(2 * ids.size());  // uniform() takes two words
  const std::vector<TokenChoice> from = choices(logits, o);
  return from.empty() ? o.special.pad : draw(from, random.uniform());
}

std::vector<std::vector<Hypothesis>> draw_samples(Decoding& d,
                                                  std::span<const std::uint64_t> numbers) {
  const DecodeOptions& o = d.options;
  std::vector<std::vector<Hypothesis>> results(
      d.start.tokens.size(), std::vector<Hypothesis>(static_cast<std::size_t>(o.nbest)));
  DecoderState& state = *d.start.state;
  Samples samples;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const std::uint64_t number = numbers.empty() ? i : numbers[i];
    for (std::size_t s = 0; s < results[i].size(); ++s)
      samples.add({&results[i][s], d.start.longest[i], sample_key(o.seed, number, s)}, i,
                  d.start.tokens[i]);
  }
  state.select(samples.rows);
  while (!samples.live.empty()) {
    Tensor logits = state.step(samples.tokens);
    Tensor log_sums({logits.shape()[0]});
    // before tokens are ruled out: each keeps the probability that the model gives it
    kernels::log_sum_exp(logits.shape()[0], logits.shape()[1], logits.data(), log_sums.data());
    const std::vector<Id> drawn = draw_tokens(samples, logits, o);
    samples = extended(samples, drawn, logits, log_sums, o.special);
    state.select(samples.rows);
  }
  for (auto& outputs : results)
    for (Hypothesis& h : outputs)
      h.score = h.log_probability;
  return results;
}

}  // namespace heed
