#include "models/decode/decode.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/dropout.h"
#include "models/decode/internal/search.h"

namespace heed {

namespace {

/// The most tokens of an output for a source of that many tokens.
Index most_tokens(const Seq2Seq& model, Index source, const DecodeOptions& o) {
  Index most = o.max_length;
  if (most == 0) {
    most = 2 * source + 20;
    if (o.usual_length > 0) most = std::min(most, o.usual_length);
    most = std::max(most, o.min_length);
  }
  const Index placed = model.longest_output(source);
  if (placed == 0) return most;
  check(
      o.max_length <= placed && o.min_length <= placed, "decode",
      "expected max_length and min_length of at most {}, the positions of the model; got {} and {}",
      placed, o.max_length, o.min_length);
  return std::min(most, placed);
}

}  // namespace

void check_texts(const char* op, const Seq2Seq& model, std::span<const std::vector<Id>> sources) {
  if (model.reads_source()) return;
  for (std::size_t i = 0; i < sources.size(); ++i)
    check(
        !sources[i].empty(), op,
        "a language model goes on from a text: expected at least one token; got none in source {}",
        i);
}

Beginning begin(const Decoding& d) {
  if (d.model.reads_source())
    return {d.model.start_prepared(pack(d.sources), d.prepared),
            std::vector<Id>(d.sources.size(), bos_id)};
  std::vector<std::vector<Id>> before;
  std::vector<Id> last;
  for (const std::vector<Id>& text : d.sources) {
    before.emplace_back(text.begin(), text.end() - 1);
    last.push_back(text.back());
  }
  return {d.model.start_prepared(pack(before), d.prepared), std::move(last)};
}

double penalised(double log_probability, std::size_t length, Real alpha) {
  return log_probability /
         std::pow((5.0 + static_cast<double>(length)) / 6.0, static_cast<double>(alpha));
}

void rule_out(std::span<const Id> ids, const DecodeOptions& o, std::span<Real> logits) {
  constexpr Real never = -std::numeric_limits<Real>::infinity();
  logits[pad_id] = never;
  logits[bos_id] = never;
  if (o.forbid_unk) logits[unk_id] = never;
  if (static_cast<Index>(ids.size()) < o.min_length) logits[eos_id] = never;
  // the tokens of an n-gram before its last
  const auto before = static_cast<std::size_t>(o.no_repeat_ngram - 1);
  if (o.no_repeat_ngram == 0 || ids.size() < before) return;
  const std::span<const Id> latest = ids.last(before);
  for (std::size_t i = 0; i + before < ids.size(); ++i)
    if (std::equal(latest.begin(), latest.end(), ids.begin() + static_cast<std::ptrdiff_t>(i)))
      logits[static_cast<std::size_t>(ids[i + before])] = never;
}

std::vector<std::vector<Hypothesis>> decode(const Seq2Seq& model,
                                            std::span<const std::vector<Id>> sources,
                                            const DecodeOptions& options,
                                            std::span<const std::uint64_t> numbers) {
  return Decoder(model)(sources, options, numbers);
}

std::vector<std::vector<Hypothesis>> Decoder::operator()(
    std::span<const std::vector<Id>> sources, const DecodeOptions& o,
    std::span<const std::uint64_t> numbers) const {
  check_options(o);
  check(numbers.empty() || numbers.size() == sources.size(), "decode",
        "expected a number for each of {} sources; got {}", sources.size(), numbers.size());
  check_texts("decode", model_, sources);
  if (sources.empty()) return {};
  const NoDropout evaluate;
  Decoding decoding{model_, sources, o, {}, prepared_};
  for (const auto& source : sources)
    decoding.most.push_back(most_tokens(model_, static_cast<Index>(source.size()), o));
  return o.sample ? draw_samples(decoding, numbers) : beam_search(decoding);
}

}  // namespace heed
