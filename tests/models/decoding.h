#pragma once

#include <algorithm>
#include <memory>
#include <set>

#include "datasets/text/batch.h"
#include "models/decode/decode.h"
#include "tests/models/tiny.h"

// Decoding computed a second way: without a cache, and over every possible output.

namespace heed {

/// A decoder, or that of a model.
class DecoderOf {
 public:
  DecoderOf(const Decoder& decoder) : decoder_(decoder) {}  // NOLINT: meant to convert
  DecoderOf(const Model& model)                             // NOLINT: meant to convert
      : made_(model.decoder()), decoder_(*made_) {}
  const Decoder& operator*() const { return decoder_; }
  const Decoder* operator->() const { return &decoder_; }

 private:
  std::unique_ptr<const Decoder> made_;
  const Decoder& decoder_;
};

/// Logits after `prefix` (see output_so_far), from the whole forward pass over it alone:
/// (vocabulary).
inline std::vector<Real> full_logits(const DecoderOf& decoder, const std::vector<Id>& source,
                                     const std::vector<Id>& prefix) {
  Lines input = {prefix};
  // the text so far
  if (decoder->continues()) input[0].insert(input[0].begin(), source.begin(), source.end());
  const Sequences sources = decoder->continues() ? Sequences{} : pack(Lines{source});
  const Tensor logits = decoder->logits(sources, pack(input)).value();
  return logits.slice(logits.rows() - 1, logits.rows()).to_vector();
}

/// What a decoder reads of its output: <s> and the ids. A language model reads no <s>; it goes on
/// from its text.
inline std::vector<Id> output_so_far(const DecoderOf& decoder, std::vector<Id> ids) {
  if (!decoder->continues()) ids.insert(ids.begin(), bos_id);
  return ids;
}

inline std::vector<double> log_probabilities(const std::vector<Real>& logits) {
  double sum = 0;
  const double largest = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  for (Real z : logits)
    sum += std::exp(static_cast<double>(z) - largest);
  std::vector<double> result;
  for (Real z : logits)
    result.push_back(static_cast<double>(z) - largest - std::log(sum));
  return result;
}

// The four marks, 4 and 5. An output may hold <unk>, but not <pad> or <s>.
inline constexpr Index small_vocabulary = 6;

/// A model whose distributions are far from uniform.
inline Transformer opinionated(std::uint64_t seed, Index vocabulary = small_vocabulary) {
  Transformer model = tiny_transformer(NormPlace::pre, 0, vocabulary);
  randomize(model, seed);
  for (const auto& [name, p] : parameters(model))
    if (name == "embedding.weight")
      for (Real& x : p.value().span())
        x *= 3;
  return model;
}

inline double score_of(double log_probability, std::size_t length, double alpha) {
  return log_probability / std::pow((5 + static_cast<double>(length)) / 6, alpha);
}

/// Whether an n-gram occurs twice in ids.
inline bool repeats(const std::vector<Id>& ids, Index n) {
  std::set<std::vector<Id>> seen;
  for (auto i = ids.begin(); n > 0 && ids.end() - i >= n; ++i)
    if (!seen.insert(std::vector<Id>(i, i + n)).second) return true;
  return false;
}

/// sum_i log min(1, sum_j p_ij) of one output, from the maps of a pass over it alone.
inline double direct_coverage(const DecoderOf& decoder, const std::vector<Id>& source,
                              const Hypothesis& h) {
  const auto n = static_cast<Index>(source.size());
  const auto m = static_cast<Index>(h.ids.size()) + (h.ended ? 1 : 0);
  std::vector<AttentionMap> maps;
  if (m > 0) {
    std::vector<Id> target = h.ids;
    target.insert(target.begin(), bos_id);
    target.resize(static_cast<std::size_t>(m));
    decoder->logits(pack(Lines{source}), pack(Lines{target}), &maps);
  }
  double sum = 0;
  for (Index i = 0; i < n; ++i) {
    double covered = 0;
    for (Index j = 0; j < m; ++j) {
      const Tensor& p = maps.back().weights[0];  // (heads, m, n)
      for (Index head = 0; head < p.shape()[0]; ++head)
        covered +=
            static_cast<double>(p[(head * m + j) * n + i]) / static_cast<double>(p.shape()[0]);
    }
    sum += std::log(std::max(1e-6, std::min(1.0, covered)));
  }
  return sum;
}

/// Every possible output, best first. An output of max_length words is cut there; all others end
/// with
/// </s>. Last come those that were stuck: no token might follow, and they were too short to end.
inline std::vector<Hypothesis> enumerate(const DecoderOf& decoder, const std::vector<Id>& source,
                                         const DecodeOptions& o) {
  std::vector<Hypothesis> all;
  std::vector<Hypothesis> stuck;
  std::vector<Hypothesis> open = {{}};
  while (!open.empty()) {
    std::vector<Hypothesis> next;
    for (const Hypothesis& h : open) {
      const std::vector<double> p =
          log_probabilities(full_logits(decoder, source, output_so_far(decoder, h.ids)));
      const bool may_end = static_cast<Index>(h.ids.size()) >= o.min_length;
      if (may_end) all.push_back({h.ids, h.log_probability + p[eos_id], 0, true});
      bool goes_on = false;
      for (Id id = o.forbid_unk ? unk_id + 1 : unk_id; id < decoder->vocabulary(); ++id) {
        Hypothesis longer = h;
        longer.ids.push_back(id);
        longer.log_probability += p[static_cast<std::size_t>(id)];
        if (repeats(longer.ids, o.no_repeat_ngram)) continue;
        goes_on = true;
        (static_cast<Index>(longer.ids.size()) == o.max_length ? all : next).push_back(longer);
      }
      if (!may_end && !goes_on) stuck.push_back(h);
    }
    open = std::move(next);
  }
  for (auto* list : {&all, &stuck}) {
    for (Hypothesis& h : *list) {
      h.score = score_of(h.log_probability, h.ids.size() + (h.ended ? 1 : 0),
                         static_cast<double>(o.length_penalty));
      if (o.coverage_penalty > 0)
        h.score += o.coverage_penalty * direct_coverage(decoder, source, h);
    }
    std::sort(list->begin(), list->end(),
              [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
  }
  all.insert(all.end(), stuck.begin(), stuck.end());
  return all;
}

inline std::vector<Hypothesis> decode_one(const DecoderOf& decoder, const std::vector<Id>& source,
                                          const DecodeOptions& o, std::uint64_t number = 0) {
  return decode(*decoder, Lines{source}, o, std::span(&number, 1)).front();
}

inline void expect_same(const std::vector<Hypothesis>& got, std::span<const Hypothesis> expected,
                        const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].ids, expected[i].ids) << what << ", rank " << i;
    EXPECT_NEAR(got[i].log_probability, expected[i].log_probability, 1e-4)
        << what << ", rank " << i;
    EXPECT_NEAR(got[i].score, expected[i].score, 1e-4) << what << ", rank " << i;
  }
}

}  // namespace heed
