#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/kernels/parallel.h"
#include "framework/kernels/top_k.h"
#include "framework/random.h"
#include "layers/seq2seq/search.h"

namespace heed {

namespace {

constexpr std::size_t first_head = 64;  // of the likeliest tokens, sorted before more are looked at

bool likelier(const Choice& a, const Choice& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

void keep_top_k(std::vector<Choice>& all, std::size_t k) {
  if (k == 0 || k >= all.size()) return;
  std::nth_element(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(k), all.end(), likelier);
  all.resize(k);
}

/// Sorts no more of them than may be needed.
void keep_top_p(std::vector<Choice>& all, double p) {
  if (p >= 1) return;
  double total = 0;
  double held = 0;
  for (const Choice& c : all)
    total += c.weight;
  std::size_t sorted = 0;
  std::size_t kept = 0;
  while (kept < all.size() && (kept == 0 || held < p * total)) {
    if (kept == sorted) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(sorted);
      sorted = std::min(all.size(), std::max(first_head, 4 * sorted));
      std::partial_sort(begin, all.begin() + static_cast<std::ptrdiff_t>(sorted), all.end(),
                        likelier);
    }
    held += all[kept++].weight;
  }
  all.resize(kept);
}

/// One sample: a row of the decoder's state.
struct Row {
  Hypothesis* output;
  Index max_length;
  RandomKey key;
};

}  // namespace

std::vector<Choice> choices(std::span<const Real> logits, const DecodeOptions& o) {
  std::vector<Choice> all;
  Real best = -std::numeric_limits<Real>::infinity();
  for (std::size_t j = 0; j < logits.size(); ++j)
    if (usable(logits[j])) {
      all.push_back({static_cast<Id>(j), logits[j], 0});
      best = std::max(best, logits[j]);
    }
  // 0, or so near that its reciprocal overflows
  const bool greedy = !std::isfinite(1 / o.temperature);
  keep_top_k(all, greedy ? 1 : static_cast<std::size_t>(o.top_k));
  const double sharper = greedy ? 1 : 1 / o.temperature;
  for (Choice& c : all)
    c.weight = std::exp(static_cast<double>(c.logit - best) * sharper);
  keep_top_p(all, o.top_p);
  return all;
}

Id draw(std::span<const Choice> choices, double u) {
  double total = 0;
  double passed = 0;
  for (const Choice& c : choices)
    total += c.weight;
  Id last = choices.front().id;
  for (const Choice& c : choices) {
    if (c.weight > 0) last = c.id;  // rounding may leave the sum short of the total
    passed += c.weight;
    if (passed > u * total) break;
  }
  return last;
}

std::vector<std::vector<Hypothesis>> draw_samples(const Decoding& d,
                                                  std::span<const std::uint64_t> numbers) {
  const DecodeOptions& o = d.options;
  std::vector<std::vector<Hypothesis>> results(
      d.sources.size(), std::vector<Hypothesis>(static_cast<std::size_t>(o.nbest)));
  const auto [state, first] = begin(d);
  std::vector<Row> live;
  std::vector<Index> rows;
  std::vector<Id> tokens;
  std::vector<Id> chosen;
  for (std::size_t i = 0; i < results.size(); ++i)
    for (std::size_t s = 0; s < results[i].size(); ++s) {
      live.push_back(
          {&results[i][s], d.most[i], {o.seed, mix(numbers.empty() ? i : numbers[i], s)}});
      rows.push_back(static_cast<Index>(i));
      tokens.push_back(first[i]);
    }
  state->select(rows);
  for (Index position = 0; !live.empty(); ++position) {
    Tensor logits = d.model.step(*state, tokens);
    const Index m = logits.shape()[0];
    const Index n = logits.shape()[1];
    Tensor sums({m});
    kernels::log_sum_exp(m, n, logits.data(), sums.data());
    chosen.assign(live.size(), pad_id);  // nothing: all are ruled out
    kernels::parallel_for(m, kernels::grain_of(16 * n), [&](Index begin, Index end) {
      for (Index r = begin; r < end; ++r) {
        const std::span<Real> row(logits.data() + r * n, static_cast<std::size_t>(n));
        rule_out(live[r].output->ids, o, row);
        Random random(live[r].key.seed, live[r].key.stream);
        random.seek(static_cast<std::uint64_t>(2 * position));  // two words a number
        if (const auto from = choices(row, o); !from.empty())
          chosen[r] = draw(from, random.uniform());
      }
    });
    rows.clear();
    tokens.clear();
    std::vector<Row> next;
    for (std::size_t r = 0; r < live.size(); ++r) {
      Hypothesis& h = *live[r].output;
      if (chosen[r] == pad_id) continue;
      h.log_probability += static_cast<double>(logits[static_cast<Index>(r) * n + chosen[r]] -
                                               sums[static_cast<Index>(r)]);
      h.ended = chosen[r] == eos_id;
      if (h.ended) continue;
      h.ids.push_back(chosen[r]);
      if (static_cast<Index>(h.ids.size()) >= live[r].max_length) continue;
      next.push_back(live[r]);
      rows.push_back(static_cast<Index>(r));
      tokens.push_back(chosen[r]);
    }
    live = std::move(next);
    state->select(rows);
  }
  for (auto& samples : results)
    for (Hypothesis& h : samples)
      h.score = h.log_probability;
  return results;
}

}  // namespace heed
