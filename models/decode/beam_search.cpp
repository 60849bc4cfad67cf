#include <algorithm>

#include "framework/kernels/top_k.h"
#include "models/decode/internal/search.h"

namespace heed {

namespace {

/// The search for one source. Its unfinished outputs are neighbouring rows of the decoder's state.
struct Search {
  std::vector<Hypothesis> live;
  std::vector<Hypothesis> finished;
  std::vector<Hypothesis> stuck;  // no token may follow them
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
std::vector<Candidate> candidates_of(Search& search, Index first_row, const NextTokens& next,
                                     Real length_penalty) {
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
    if (candidates.size() == before) search.stuck.push_back(cut(search.live[h], length_penalty));
  }
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate& a, const Candidate& b) { return a.log_probability > b.log_probability; });
  return candidates;
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
      const double score = penalised(c.log_probability, parent.ids.size() + 1, o.length_penalty);
      search.finished.push_back({parent.ids, c.log_probability, score, true});
      continue;
    }
    next.push_back({parent.ids, c.log_probability});
    next.back().ids.push_back(c.token);
    rows.push_back(first_row + c.parent);
  }
  sort_best_first(search.finished);
  search.live = std::move(next);
}

/// Whether no live hypothesis can still be among the outputs that are wanted.
///
/// `beam` finished outputs are not enough to stop: a confident model's poor alternatives end first,
/// and would win unopposed.
bool is_decided(const Search& search, const DecodeOptions& o) {
  // Coverage may change the order of what has finished, so as many as the beam are needed then.
  const auto wanted = static_cast<std::size_t>(o.coverage_penalty > 0 ? o.beam : o.nbest);
  if (search.finished.size() < wanted) return false;
  const Hypothesis& best = search.live.front();
  const auto score_at = [&](std::size_t length) {
    return penalised(best.log_probability, length + 1, o.length_penalty);
  };
  const double hope =
      std::max(score_at(best.ids.size()), score_at(static_cast<std::size_t>(search.max_length)));
  return hope <= search.finished[wanted - 1].score;
}

/// One step of a search.
void advance(Search& search, std::span<const Candidate> candidates, Index first_row,
             const DecodeOptions& o, std::vector<Index>& rows) {
  extend(search, candidates, first_row, o, rows);
  search.done = search.live.empty() || is_decided(search, o);
  if (!search.done && static_cast<Index>(search.live.front().ids.size()) >= search.max_length) {
    for (Hypothesis& h : search.live)
      search.finished.push_back(cut(std::move(h), o.length_penalty));
    sort_best_first(search.finished);
    search.done = true;
  }
  if (search.done) {
    rows.resize(rows.size() - search.live.size());
    search.live.clear();
  }
}

void add_coverage(const Decoding& d, std::vector<Search>& searches) {
  std::vector<Forced> outputs;
  for (std::size_t i = 0; i < searches.size(); ++i)
    for (const auto* list : {&searches[i].finished, &searches[i].stuck})
      for (const Hypothesis& h : *list)
        outputs.push_back({d.sources[i], h.ids, h.ended});
  const std::vector<double> covered = coverage(*d.decoder, outputs, d.options.special);
  auto next = covered.begin();
  for (Search& search : searches)
    for (auto* list : {&search.finished, &search.stuck})
      for (Hypothesis& h : *list)
        h.score += d.options.coverage_penalty * *next++;
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
      const std::vector<Candidate> candidates =
          candidates_of(search, first, next, d.options.length_penalty);
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
std::vector<Hypothesis> best_of(Search& search, std::size_t nbest) {
  sort_best_first(search.finished);
  sort_best_first(search.stuck);
  std::move(search.stuck.begin(), search.stuck.end(), std::back_inserter(search.finished));
  search.finished.resize(std::min(search.finished.size(), nbest));
  return std::move(search.finished);
}

}  // namespace

std::vector<std::vector<Hypothesis>> beam_search(Decoding& d) {
  std::vector<Search> searches(d.start.tokens.size());
  for (std::size_t i = 0; i < searches.size(); ++i) {
    searches[i].live.emplace_back();
    searches[i].max_length = d.start.longest[i];
  }
  search_all(d, searches);
  const auto nbest = static_cast<std::size_t>(d.options.nbest);
  for (Search& search : searches) {
    if (search.finished.size() >= nbest) search.stuck.clear();
  }
  if (d.options.coverage_penalty > 0) add_coverage(d, searches);
  std::vector<std::vector<Hypothesis>> results;
  for (Search& search : searches)
    results.push_back(best_of(search, nbest));
  return results;
}

}  // namespace heed
