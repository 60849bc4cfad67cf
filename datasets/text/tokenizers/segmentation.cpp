#include "datasets/text/tokenizers/segmentation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <queue>
#include <utility>

namespace heed {

namespace {

void append_bytes(std::string_view text, std::vector<Id>& ids) {
  for (const char c : text)
    ids.push_back(first_byte_id + static_cast<unsigned char>(c));
}

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }
std::size_t character_end(std::string_view text, std::size_t at) {
  do
    ++at;
  while (at < text.size() && continues(text[at]));
  return at;
}

// A prefix tree of the pieces. The children of a node are stored together, sorted by their byte.
class Trie {
 public:
  explicit Trie(const std::vector<ScoredPiece>& pieces) {
    Sorted sorted;
    for (std::size_t i = 0; i < pieces.size(); ++i)
      sorted.emplace_back(pieces[i].text, static_cast<Id>(i));
    std::sort(sorted.begin(), sorted.end());
    nodes_.push_back({});
    bytes_.push_back(0);
    std::queue<Range> queue;
    for (queue.push({0, sorted.size(), 0, 0}); !queue.empty(); queue.pop())
      add_children(sorted, queue.front(), queue);
  }

  // Calls take(end, piece) for every piece that equals text[begin, end), the shortest first.
  template <class Take>
  void for_each(std::string_view text, std::size_t begin, Take&& take) const {
    std::size_t node = 0;
    for (std::size_t at = begin; at < text.size(); ++at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      const auto first = bytes_.begin() + nodes_[node].first;
      const auto last = bytes_.begin() + nodes_[node].last;
      const auto found = std::lower_bound(first, last, byte);
      if (found == last || *found != byte) return;
      node = static_cast<std::size_t>(found - bytes_.begin());
      if (nodes_[node].piece >= 0) take(at + 1, nodes_[node].piece);
    }
  }

 private:
  using Sorted = std::vector<std::pair<std::string_view, Id>>;
  // The sorted pieces [begin, end) share their first `depth` bytes, which lead to `node`.
  struct Range {
    std::size_t begin;
    std::size_t end;
    std::size_t depth;
    std::size_t node;
  };
  struct Node {
    // The children are the nodes [first, last).
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    Id piece = -1;
  };

  // Adds one child for each next byte of the pieces in `range`, and queues their ranges.
  void add_children(const Sorted& sorted, Range range, std::queue<Range>& queue) {
    auto [begin, end, depth, node] = range;
    if (begin < end && sorted[begin].first.size() == depth) {
      nodes_[node].piece = sorted[begin].second;
      ++begin;
    }
    nodes_[node].first = static_cast<std::uint32_t>(nodes_.size());
    while (begin < end) {
      const char byte = sorted[begin].first[depth];
      std::size_t next = begin;
      while (next < end && sorted[next].first[depth] == byte)
        ++next;
      queue.push({begin, next, depth + 1, nodes_.size()});
      nodes_.push_back({});
      bytes_.push_back(static_cast<unsigned char>(byte));
      begin = next;
    }
    nodes_[node].last = static_cast<std::uint32_t>(nodes_.size());
  }

  std::vector<Node> nodes_;
  std::vector<unsigned char> bytes_;  // the byte that leads to each node; apart, for fast search
};

constexpr double nothing = -std::numeric_limits<double>::infinity();  // log 0

class Unigram final : public Segmentation {
 public:
  explicit Unigram(const std::vector<ScoredPiece>& pieces) : trie_(pieces) {
    double lowest = 0;
    for (const ScoredPiece& piece : pieces) {
      scores_.push_back(piece.score);
      lowest = std::min(lowest, piece.score);
    }
    unknown_score_ = lowest - 10;  // as in SentencePiece
  }

  void best(std::string_view word, std::vector<Id>& ids) const override {
    struct Place {
      double score = nothing;
      std::size_t begin = 0;
      Id piece = -1;
    };
    std::vector<Place> places(word.size() + 1);
    places[0].score = 0;
    for (std::size_t begin = 0; begin < word.size(); begin = character_end(word, begin))
      arcs(word, begin, [&](std::size_t end, Id piece, double score) {
        if (const double total = places[begin].score + score; total > places[end].score)
          places[end] = {total, begin, piece};
      });
    const std::size_t start = ids.size();
    for (std::size_t end = word.size(); end > 0; end = places[end].begin) {
      const Place& place = places[end];
      if (place.piece >= 0)
        ids.push_back(first_piece_id + place.piece);
      else
        for (std::size_t i = end; i > place.begin; --i)
          append_bytes(word.substr(i - 1, 1), ids);
    }
    std::reverse(ids.begin() + static_cast<std::ptrdiff_t>(start), ids.end());
  }

  // Filters from the end of the word and draws from its beginning. This gives the same distribution
  // as forward filtering and backward sampling.
  void sample(std::string_view word, double strength, Random& random,
              std::vector<Id>& ids) const override {
    const std::vector<double> rest = log_sums(word, strength);
    for (std::size_t begin = 0; begin < word.size();) {
      double left = random.uniform();
      std::size_t chosen_end = begin;
      Id chosen = -1;
      arcs(word, begin, [&](std::size_t end, Id piece, double score) {
        if (left < 0) return;
        left -= std::exp(strength * score + rest[end] - rest[begin]);
        chosen_end = end;
        chosen = piece;
      });
      if (chosen >= 0)
        ids.push_back(first_piece_id + chosen);
      else
        append_bytes(word.substr(begin, chosen_end - begin), ids);
      begin = chosen_end;
    }
  }

 private:
  // For each place of the word: log of the sum of p(x)^strength over all segmentations x of the
  // rest of the word. A running maximum keeps the exponentials from underflow.
  std::vector<double> log_sums(std::string_view word, double strength) const {
    std::vector<double> rest(word.size() + 1, nothing);
    rest[word.size()] = 0;
    for (std::size_t begin = word.size(); begin-- > 0;) {
      if (continues(word[begin])) continue;
      double largest = nothing;
      double sum = 0;
      arcs(word, begin, [&](std::size_t end, Id, double score) {
        const double x = strength * score + rest[end];
        if (x > largest) {
          sum *= std::exp(largest - x);
          largest = x;
        }
        sum += std::exp(x - largest);
      });
      rest[begin] = largest + std::log(sum);
    }
    return rest;
  }

  // Calls take(end, piece, score) for each piece at `begin`, and with piece -1 for the character at
  // `begin` if that is no piece.
  template <class Take>
  void arcs(std::string_view word, std::size_t begin, Take&& take) const {
    const std::size_t character = character_end(word, begin);
    bool known = false;
    trie_.for_each(word, begin, [&](std::size_t end, Id piece) {
      known |= end == character;
      take(end, piece, scores_[static_cast<std::size_t>(piece)]);
    });
    if (!known) take(character, Id{-1}, unknown_score_);
  }

  Trie trie_;
  std::vector<double> scores_;
  double unknown_score_;
};

class Merges final : public Segmentation {
 public:
  explicit Merges(const std::vector<ScoredPiece>& pieces) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      pieces_.emplace(pieces[i].text, static_cast<Id>(i));
      scores_.push_back(pieces[i].score);
    }
  }
  void best(std::string_view word, std::vector<Id>& ids) const override {
    merge(word, 0, nullptr, ids);
  }
  void sample(std::string_view word, double strength, Random& random,
              std::vector<Id>& ids) const override {
    merge(word, strength, &random, ids);
  }

 private:
  struct Symbol {
    std::size_t begin;
    std::size_t size;  // 0: merged into the one before
    // The neighbours; -1: none.
    int before;
    int next;
  };
  struct Candidate {
    double score;
    int left;
    int right;
    // The size of the union when the candidate was found. If it is different now, one of the two
    // has merged and the candidate is void.
    std::size_t size;
    bool operator<(const Candidate& other) const {
      return score != other.score ? score < other.score : left > other.left;
    }
  };

  static std::vector<Symbol> symbols_of(std::string_view word) {
    std::vector<Symbol> symbols;
    for (std::size_t at = 0; at < word.size();) {
      const std::size_t end = character_end(word, at);
      const int i = static_cast<int>(symbols.size());
      symbols.push_back({at, end - at, i - 1, end < word.size() ? i + 1 : -1});
      at = end;
    }
    return symbols;
  }

  void append_ids(std::string_view word, const std::vector<Symbol>& symbols,
                  std::vector<Id>& ids) const {
    for (int i = symbols.empty() ? -1 : 0; i >= 0; i = symbols[i].next) {
      const std::string_view text = word.substr(symbols[i].begin, symbols[i].size);
      const auto found = pieces_.find(text);
      if (found != pieces_.end())
        ids.push_back(first_piece_id + found->second);
      else
        append_bytes(text, ids);
    }
  }

  void merge(std::string_view word, double dropout, Random* random, std::vector<Id>& ids) const {
    std::vector<Symbol> symbols = symbols_of(word);
    std::priority_queue<Candidate> candidates;
    const auto consider = [&](int left, int right) {
      if (left < 0 || right < 0) return;
      const std::size_t size = symbols[left].size + symbols[right].size;
      const auto found = pieces_.find(word.substr(symbols[left].begin, size));
      if (found != pieces_.end())
        candidates.push({scores_[static_cast<std::size_t>(found->second)], left, right, size});
    };
    for (int i = 1; i < static_cast<int>(symbols.size()); ++i)
      consider(i - 1, i);
    std::vector<Candidate> dropped;  // left out at this step; the next step draws again
    while (!candidates.empty()) {
      const Candidate chosen = candidates.top();
      candidates.pop();
      Symbol& left = symbols[chosen.left];
      Symbol& right = symbols[chosen.right];
      if (left.size == 0 || right.size == 0 || left.size + right.size != chosen.size) continue;
      if (dropout > 0 && random->chance(dropout)) {
        dropped.push_back(chosen);
        continue;
      }
      left.size = chosen.size;
      right.size = 0;
      left.next = right.next;
      if (right.next >= 0) symbols[right.next].before = chosen.left;
      for (const Candidate& candidate : dropped)
        candidates.push(candidate);
      dropped.clear();
      consider(left.before, chosen.left);
      consider(chosen.left, left.next);
    }
    append_ids(word, symbols, ids);
  }

  StringMap<Id> pieces_;
  std::vector<double> scores_;
};

}  // namespace

std::unique_ptr<Segmentation> unigram_segmentation(const std::vector<ScoredPiece>& pieces) {
  return std::make_unique<Unigram>(pieces);
}
std::unique_ptr<Segmentation> merge_segmentation(const std::vector<ScoredPiece>& pieces) {
  return std::make_unique<Merges>(pieces);
}

}  // namespace heed
