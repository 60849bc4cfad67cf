#include "layers/seq2seq/decode.h"

#include <algorithm>
#include <cmath>

#include "framework/kernels/top_k.h"

namespace heed {

namespace {

/// One source's search: the unfinished outputs are rows of the decoder's state, in order.
struct Search {
  std::vector<Hypothesis> live, finished;
  Index max_length = 0;
  bool done = false;
};

struct Candidate {
  double log_probability;
  Index parent;  // which live hypothesis
  Id token;
};

double penalised(double log_probability, std::size_t length, Real alpha) {
  return log_probability / std::pow((5.0 + static_cast<double>(length)) / 6.0, static_cast<double>(alpha));
}

bool better(const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; }

/// Finishes and extends one search by its candidates (best first); appends each new live row's parent row to `rows`.
void advance(Search& search, std::span<const Candidate> candidates, Index first_row, const DecodeOptions& o, std::vector<Index>& rows) {
  const std::size_t beam = static_cast<std::size_t>(o.beam), wanted = static_cast<std::size_t>(std::clamp(o.nbest, 1, o.beam));
  std::vector<Hypothesis> next;
  for (const Candidate& c : candidates.first(std::min(beam, candidates.size()))) {
    const Hypothesis& parent = search.live[c.parent];
    if (c.token == eos_id) {
      search.finished.push_back({parent.ids, c.log_probability, penalised(c.log_probability, parent.ids.size() + 1, o.length_penalty), true});
      continue;
    }
    next.push_back({parent.ids, c.log_probability, 0});
    next.back().ids.push_back(c.token);
    rows.push_back(first_row + c.parent);
  }
  std::stable_sort(search.finished.begin(), search.finished.end(), better);
  search.live = std::move(next);
  const auto length = static_cast<Index>(search.live.empty() ? 0 : search.live.front().ids.size());
  // Not when `beam` outputs have finished: a sure model's poor alternatives end first, and would win unopposed.
  search.done = search.live.empty();
  if (!search.done && search.finished.size() >= wanted) {
    const double hope = std::max(penalised(search.live.front().log_probability, static_cast<std::size_t>(length) + 1, o.length_penalty),
                                 penalised(search.live.front().log_probability, static_cast<std::size_t>(search.max_length) + 1, o.length_penalty));
    search.done = hope <= search.finished[wanted - 1].score;
  }
  if (!search.done && length >= search.max_length) {
    for (Hypothesis& h : search.live) {
      h.score = penalised(h.log_probability, h.ids.size(), o.length_penalty);
      search.finished.push_back(std::move(h));
    }
    std::stable_sort(search.finished.begin(), search.finished.end(), better);
    search.done = true;
  }
  if (search.done) {
    rows.resize(rows.size() - search.live.size());
    search.live.clear();
  }
}

}  // namespace

std::vector<std::vector<Hypothesis>> decode(const Seq2Seq& model, std::span<const std::vector<Id>> sources, const DecodeOptions& o) {
  check(o.beam >= 1 && o.nbest >= 1 && o.nbest <= o.beam, "decode", "expected 1 <= nbest <= beam; got {} and {}", o.nbest, o.beam);
  std::vector<Search> searches(sources.size());
  if (sources.empty()) return {};
  for (std::size_t i = 0; i < sources.size(); ++i) {
    searches[i].live.emplace_back();
    searches[i].max_length = o.max_length > 0 ? o.max_length : 2 * static_cast<Index>(sources[i].size()) + 20;
    if (const Index most = model.longest_output(static_cast<Index>(sources[i].size())); most > 0)
      searches[i].max_length = std::min(searches[i].max_length, most);
  }
  const auto state = model.start(pack(sources));
  const Index vocabulary = model.vocabulary();
  // Two of each row's best may be ruled out, and one may end it.
  const Index k = std::min<Index>(vocabulary, 2 * o.beam + 2);
  std::vector<Id> tokens(sources.size(), bos_id);
  std::vector<Index> rows;
  std::vector<Candidate> candidates;
  Array<Id> columns;
  while (!tokens.empty()) {
    const Tensor logits = model.step(*state, tokens);
    const Index m = logits.shape()[0];
    Tensor values({m, k});
    columns = Array<Id>({m, k});
    kernels::top_k_log_softmax(m, vocabulary, k, logits.data(), values.data(), columns.data());
    rows.clear();
    Index row = 0;
    for (Search& search : searches) {
      if (search.done) continue;
      const Index first = row;
      candidates.clear();
      for (std::size_t h = 0; h < search.live.size(); ++h, ++row)
        for (Index c = 0; c < k; ++c) {
          const Id token = columns[row * k + c];
          const bool early = token == eos_id && static_cast<Index>(search.live[h].ids.size()) < o.min_length;
          if (token == pad_id || token == bos_id || early) continue;
          candidates.push_back({search.live[h].log_probability + static_cast<double>(values[row * k + c]), static_cast<Index>(h), token});
        }
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const Candidate& a, const Candidate& b) { return a.log_probability > b.log_probability; });
      advance(search, candidates, first, o, rows);
    }
    state->select(rows);
    tokens.clear();
    for (const Search& search : searches)
      for (const Hypothesis& h : search.live) tokens.push_back(h.ids.back());
  }
  std::vector<std::vector<Hypothesis>> results;
  for (Search& search : searches) {
    search.finished.resize(std::min(search.finished.size(), static_cast<std::size_t>(o.nbest)));
    results.push_back(std::move(search.finished));
  }
  return results;
}

}  // namespace heed
