#include <algorithm>

#include "framework/kernels/top_k.h"
#include "layers/seq2seq/search.h"

namespace heed {

namespace {

/// One source's search: the unfinished outputs are rows of the decoder's state, in order.
struct Search {
  std::vector<Hypothesis> live;
  std::vector<Hypothesis> finished;
  std::vector<Hypothesis> stuck;  // those that might not go on
  Index max_length = 0;
  bool done = false;
};

struct Candidate {
  double log_probability;
  Index parent;  // which live hypothesis
  Id token;
};

bool better(const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; }

Hypothesis cut(Hypothesis h, Real length_penalty) {
  h.score = penalised(h.log_probability, h.ids.size(), length_penalty);
  return h;
}

/// Finishes and extends one search by its candidates (best first); appends each new live row's
/// parent row to `rows`.
void advance(Search& search, std::span<const Candidate> candidates, Index first_row,
             const DecodeOptions& o, std::vector<Index>& rows) {
  // Coverage may change the order of what has finished: enough of them, then.
  const auto wanted = static_cast<std::size_t>(o.coverage_penalty > 0 ? o.beam : o.nbest);
  std::vector<Hypothesis> next;
  for (const Candidate& c :
       candidates.first(std::min(static_cast<std::size_t>(o.beam), candidates.size()))) {
    const Hypothesis& parent = search.live[c.parent];
    if (c.token == eos_id) {
      search.finished.push_back(
          {parent.ids, c.log_probability,
           penalised(c.log_probability, parent.ids.size() + 1, o.length_penalty), true});
      continue;
    }
    next.push_back({parent.ids, c.log_probability});
    next.back().ids.push_back(c.token);
    rows.push_back(first_row + c.parent);
  }
  std::stable_sort(search.finished.begin(), search.finished.end(), better);
  search.live = std::move(next);
  const auto length = static_cast<Index>(search.live.empty() ? 0 : search.live.front().ids.size());
  // Not when `beam` outputs have finished: a sure model's poor alternatives end first, and would
  // win unopposed.
  search.done = search.live.empty();
  if (!search.done && search.finished.size() >= wanted) {
    const double hope =
        std::max(penalised(search.live.front().log_probability,
                           static_cast<std::size_t>(length) + 1, o.length_penalty),
                 penalised(search.live.front().log_probability,
                           static_cast<std::size_t>(search.max_length) + 1, o.length_penalty));
    search.done = hope <= search.finished[wanted - 1].score;
  }
  if (!search.done && length >= search.max_length) {
    for (Hypothesis& h : search.live)
      search.finished.push_back(cut(std::move(h), o.length_penalty));
    std::stable_sort(search.finished.begin(), search.finished.end(), better);
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
  const std::vector<double> covered = coverage(d.model, outputs);
  auto next = covered.begin();
  for (Search& search : searches)
    for (auto* list : {&search.finished, &search.stuck})
      for (Hypothesis& h : *list)
        h.score += d.options.coverage_penalty * *next++;
}

}  // namespace

std::vector<std::vector<Hypothesis>> beam_search(const Decoding& d) {
  const DecodeOptions& o = d.options;
  std::vector<Search> searches(d.sources.size());
  for (std::size_t i = 0; i < searches.size(); ++i) {
    searches[i].live.emplace_back();
    searches[i].max_length = d.most[i];
  }
  auto [state, tokens] = begin(d);
  std::vector<Index> rows;
  std::vector<Candidate> candidates;
  while (!tokens.empty()) {
    Tensor logits = d.model.step(*state, tokens);
    const Index m = logits.shape()[0];
    const Index n = logits.shape()[1];
    const Index k = std::min<Index>(n, o.beam);
    Tensor sums({m});
    Tensor values({m, k});
    Array<Id> columns({m, k});
    kernels::log_sum_exp(m, n, logits.data(), sums.data());
    Index row = 0;
    for (const Search& search : searches)
      for (const Hypothesis& h : search.live)
        rule_out(h.ids, o,
                 logits.span().subspan(static_cast<std::size_t>(row++ * n),
                                       static_cast<std::size_t>(n)));
    kernels::top_k(m, n, k, logits.data(), values.data(), columns.data());
    rows.clear();
    row = 0;
    for (Search& search : searches) {
      if (search.done) continue;
      const Index first = row;
      candidates.clear();
      for (std::size_t h = 0; h < search.live.size(); ++h, ++row) {
        const std::size_t before = candidates.size();
        for (Index c = row * k; c < (row + 1) * k; ++c)
          if (const Real step = values[c] - sums[row]; usable(step))
            candidates.push_back({search.live[h].log_probability + static_cast<double>(step),
                                  static_cast<Index>(h), columns[c]});
        if (candidates.size() == before)
          search.stuck.push_back(cut(search.live[h], o.length_penalty));
      }
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) {
                         return a.log_probability > b.log_probability;
                       });
      advance(search, candidates, first, o, rows);
    }
    state->select(rows);
    tokens.clear();
    for (const Search& search : searches)
      for (const Hypothesis& h : search.live)
        tokens.push_back(h.ids.back());
  }
  const auto nbest = static_cast<std::size_t>(o.nbest);
  for (Search& search : searches)
    if (search.finished.size() >= nbest) search.stuck.clear();
  if (o.coverage_penalty > 0) add_coverage(d, searches);
  std::vector<std::vector<Hypothesis>> results;
  for (Search& search : searches) {
    for (auto* list : {&search.finished, &search.stuck})
      std::stable_sort(list->begin(), list->end(), better);
    std::move(search.stuck.begin(), search.stuck.end(), std::back_inserter(search.finished));
    search.finished.resize(std::min(search.finished.size(), nbest));
    results.push_back(std::move(search.finished));
  }
  return results;
}

}  // namespace heed
