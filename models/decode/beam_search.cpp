#include <algorithm>
#include <utility>

#include "framework/kernels/top_k.h"
#include "models/decode/internal/search.h"

namespace heed {

namespace {

/// What a search has found under one length penalty. The penalty ranks what has finished, and so
/// says when the search may stop.
struct Found {
  Real length_penalty;
  std::vector<Hypothesis> finished;
  std::vector<Hypothesis> stuck;  // no token may follow them
  bool done = false;
};

/// The search for one source. Its unfinished outputs are neighbouring rows of the decoder's state.
/// They are chosen by probability alone, so one search serves every length penalty. It is done when
/// it is under all of them.
struct Search {
  std::vector<Hypothesis> live;
  std::vector<Found> found;  // of each length penalty
  Index max_length = 0;
  bool done = false;
};

struct Candidate {
  double log_probability;
  Index parent;  // which live hypothesis
  Id token;
};

/// The likeliest tokens after each live row.
struct NextTokens {
  Index count;      // a row
  Tensor log_sums;  // log sum exp of each row's logits, (rows)
  Tensor logits;    // (rows, count), in descending order
  Array<Id> ids;    // (rows, count)
};

bool better(const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; }

void sort_best_first(std::vector<Hypothesis>& list) {
  std::stable_sort(list.begin(), list.end(), better);
}

Hypothesis cut(Hypothesis h, Real length_penalty) {
  h.score = penalised(h.log_probability, h.ids.size(), length_penalty);
  return h;
}

NextTokens next_tokens(Tensor& logits, const std::vector<Search>& searches,
                       const DecodeOptions& o) {
  const Index m = logits.shape()[0];
  const Index n = logits.shape()[1];
  const Index k = std::min<Index>(n, o.beam);
  NextTokens next{k, Tensor({m}), Tensor({m, k}), Array<Id>({m, k})};
  // The sums come first: a token that is ruled out keeps its share of the probability.
  kernels::log_sum_exp(m, n, logits.data(), next.log_sums.data());
  Index row = 0;
  for (const Search& search : searches) {
    for (const Hypothesis& h : search.live) {
      rule_out(
          h.ids, o,
          logits.span().subspan(static_cast<std::size_t>(row * n), static_cast<std::size_t>(n)));
      ++row;
    }
  }
  kernels::top_k(m, n, k, logits.data(), next.logits.data(), next.ids.data());
  return next;
}

/// The continuations of a search whose live hypotheses begin at `first_row`, best first.
std::vector<Candidate> candidates_of(Search& search, Index first_row, const NextTokens& next) {
  std::vector<Candidate> candidates;
  for (std::size_t h = 0; h < search.live.size(); ++h) {
    const Index row = first_row + static_cast<Index>(h);
    const std::size_t before = candidates.size();
    for (Index c = row * next.count; c < (row + 1) * next.count; ++c) {
      const Real step = next.logits[c] - next.log_sums[row];
      if (usable(step))
        candidates.push_back({search.live[h].log_probability + static_cast<double>(step),
                              static_cast<Index>(h), next.ids[c]});
    }
    if (candidates.size() > before) continue;
    for (Found& found : search.found)
      if (!found.done) found.stuck.push_back(cut(search.live[h], found.length_penalty));
  }
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate& a, const Candidate& b) { return a.log_probability > b.log_probability; });
  return candidates;
}

/// Finishes an output under each length penalty whose search goes on.
void finish(Search& search, const Hypothesis& output) {
  for (Found& found : search.found) {
    if (found.done) continue;
    found.finished.push_back(output);
    found.finished.back().score = penalised(
        output.log_probability, output.ids.size() + (output.ended ? 1 : 0), found.length_penalty);
  }
}

/// Replaces the live hypotheses by the best candidates; those that end are finished. Appends the
/// parent's row of each new live hypothesis to `rows`.
void extend(Search& search, std::span<const Candidate> candidates, Index first_row,
            const DecodeOptions& o, std::vector<Index>& rows) {
  const std::size_t kept = std::min(static_cast<std::size_t>(o.beam), candidates.size());
  std::vector<Hypothesis> next;
  for (const Candidate& c : candidates.first(kept)) {
    const Hypothesis& parent = search.live[c.parent];
    if (c.token == o.special.eos) {
      finish(search, {parent.ids, c.log_probability, 0, true});
      continue;
    }
    next.push_back({parent.ids, c.log_probability});
    next.back().ids.push_back(c.token);
    rows.push_back(first_row + c.parent);
  }
  for (Found& found : search.found)
    if (!found.done) sort_best_first(found.finished);
  search.live = std::move(next);
}

/// Whether no live hypothesis can still be among the outputs that are wanted.
///
/// `beam` finished outputs are not enough to stop: a confident model's poor alternatives end first,
/// and would win unopposed.
bool is_decided(const Search& search, const Found& found, const DecodeOptions& o) {
  // Coverage may change the order of what has finished, so as many as the beam are needed then.
  const auto wanted = static_cast<std::size_t>(o.coverage_penalty > 0 ? o.beam : o.nbest);
  if (found.finished.size() < wanted) return false;
  const Hypothesis& best = search.live.front();
  const auto score_at = [&](std::size_t length) {
    return penalised(best.log_probability, length + 1, found.length_penalty);
  };
  const double hope =
      std::max(score_at(best.ids.size()), score_at(static_cast<std::size_t>(search.max_length)));
  return hope <= found.finished[wanted - 1].score;
}

/// One step of a search.
void advance(Search& search, std::span<const Candidate> candidates, Index first_row,
             const DecodeOptions& o, std::vector<Index>& rows) {
  extend(search, candidates, first_row, o, rows);
  search.done = true;
  for (Found& found : search.found) {
    found.done = found.done || search.live.empty() || is_decided(search, found, o);
    search.done = search.done && found.done;
  }
  if (!search.done && static_cast<Index>(search.live.front().ids.size()) >= search.max_length) {
    for (const Hypothesis& h : search.live)
      finish(search, h);
    for (Found& found : search.found)
      if (!found.done) sort_best_first(found.finished);
    search.done = true;
  }
  if (search.done) {
    rows.resize(rows.size() - search.live.size());
    search.live.clear();
  }
}

/// Calls `take` with each output of a search that may be the best.
template <class S, class Take>
void for_each_output(S& search, Take take) {
  for (auto& found : search.found)
    for (auto* list : {&found.finished, &found.stuck})
      for (auto& h : *list)
        take(h);
}

void add_coverage(const Decoding& d, std::vector<Search>& searches) {
  std::vector<Forced> outputs;
  for (std::size_t i = 0; i < searches.size(); ++i)
    for_each_output(std::as_const(searches[i]), [&](const Hypothesis& h) {
      outputs.push_back({d.sources[i], h.ids, h.ended});
    });
  const std::vector<double> covered = coverage(*d.decoder, outputs, d.options.special);
  auto next = covered.begin();
  for (Search& search : searches)
    for_each_output(search,
                    [&](Hypothesis& h) { h.score += d.options.coverage_penalty * *next++; });
}

/// Steps until every search is done.
void search_all(Decoding& d, std::vector<Search>& searches) {
  DecoderState& state = *d.start.state;
  std::vector<Id>& tokens = d.start.tokens;
  std::vector<Index> rows;
  while (!tokens.empty()) {
    Tensor logits = state.step(tokens);
    const NextTokens next = next_tokens(logits, searches, d.options);
    rows.clear();
    Index first = 0;
    for (Search& search : searches) {
      if (search.done) continue;
      const auto live = static_cast<Index>(search.live.size());
      const std::vector<Candidate> candidates = candidates_of(search, first, next);
      advance(search, candidates, first, d.options, rows);
      first += live;
    }
    state.select(rows);
    tokens.clear();
    for (const Search& search : searches)
      for (const Hypothesis& h : search.live)
        tokens.push_back(h.ids.back());
  }
}

/// The best outputs. Those that got stuck come after all others.
std::vector<Hypothesis> best_of(Found& found, std::size_t nbest) {
  sort_best_first(found.finished);
  sort_best_first(found.stuck);
  std::move(found.stuck.begin(), found.stuck.end(), std::back_inserter(found.finished));
  found.finished.resize(std::min(found.finished.size(), nbest));
  return std::move(found.finished);
}

}  // namespace

std::vector<std::vector<std::vector<Hypothesis>>> beam_search(
    Decoding& d, std::span<const Real> length_penalties) {
  std::vector<Search> searches(d.start.tokens.size());
  for (std::size_t i = 0; i < searches.size(); ++i) {
    searches[i].live.emplace_back();
    for (const Real penalty : length_penalties)
      searches[i].found.push_back({.length_penalty = penalty, .finished = {}, .stuck = {}});
    searches[i].max_length = d.start.longest[i];
  }
  search_all(d, searches);
  const auto nbest = static_cast<std::size_t>(d.options.nbest);
  for (Search& search : searches)
    for (Found& found : search.found)
      if (found.finished.size() >= nbest) found.stuck.clear();
  if (d.options.coverage_penalty > 0) add_coverage(d, searches);
  std::vector<std::vector<std::vector<Hypothesis>>> results(length_penalties.size());
  for (std::size_t p = 0; p < results.size(); ++p)
    for (Search& search : searches)
      results[p].push_back(best_of(search.found[p], nbest));
  return results;
}

}  // namespace heed
