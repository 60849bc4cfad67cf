#include "models/decode/decode.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "layers/dropout.h"
#include "models/decode/internal/search.h"

namespace heed {

namespace {

/// The most tokens of an output for a source of that many tokens.
Index most_tokens(const Decoder& decoder, Index source, const DecodeOptions& o) {
  Index most = o.max_length;
  if (most == 0) {
    most = 2 * source + 20;
    if (o.usual_length > 0) most = std::min(most, o.usual_length);
    most = std::max(most, o.min_length);
  }
  const Index placed = decoder.longest_output(source);
  if (placed == 0) return most;
  check(
      o.max_length <= placed && o.min_length <= placed, "decode",
      "expected max_length and min_length of at most {}, the positions of the model; got {} and {}",
      placed, o.max_length, o.min_length);
  return std::min(most, placed);
}

}  // namespace

void check_texts(const char* op, const Decoder& decoder, std::span<const std::vector<Id>> sources) {
  if (!decoder.continues()) return;
  for (std::size_t i = 0; i < sources.size(); ++i)
    check(
        !sources[i].empty(), op,
        "a language model goes on from a text: expected at least one token; got none in source {}",
        i);
}

DecodingStart begin(const Decoder& decoder, std::span<const std::vector<Id>> sources,
                    const SpecialIds& special) {
  if (!decoder.continues())
    return {decoder.start(pack(sources)), std::vector<Id>(sources.size(), special.bos), {}};
  std::vector<std::vector<Id>> before;
  std::vector<Id> last;
  for (const std::vector<Id>& text : sources) {
    before.emplace_back(text.begin(), text.end() - 1);
    last.push_back(text.back());
  }
  return {decoder.start(pack(before)), std::move(last), {}};
}

double penalised(double log_probability, std::size_t length, Real alpha) {
  return log_probability /
         std::pow((5.0 + static_cast<double>(length)) / 6.0, static_cast<double>(alpha));
}

namespace {

constexpr Real never = -std::numeric_limits<Real>::infinity();

/// An id that the vocabulary lacks cannot be an output.
void rule_out(Id id, std::span<Real> logits) {
  if (id >= 0 && id < std::ssize(logits)) logits[static_cast<std::size_t>(id)] = never;
}

}  // namespace

void rule_out(std::span<const Id> ids, const DecodeOptions& o, std::span<Real> logits) {
  rule_out(o.special.pad, logits);
  rule_out(o.special.bos, logits);
  if (o.forbid_unk) rule_out(o.special.unk, logits);
  if (static_cast<Index>(ids.size()) < o.min_length) rule_out(o.special.eos, logits);
  // the tokens of an n-gram before its last
  const auto before = static_cast<std::size_t>(o.no_repeat_ngram - 1);
  if (o.no_repeat_ngram == 0 || ids.size() < before) return;
  const std::span<const Id> latest = ids.last(before);
  for (std::size_t i = 0; i + before < ids.size(); ++i)
    if (std::equal(latest.begin(), latest.end(), ids.begin() + static_cast<std::ptrdiff_t>(i)))
      logits[static_cast<std::size_t>(ids[i + before])] = never;
}

namespace {

void check_numbers(std::span<const std::uint64_t> numbers, std::size_t sources) {
  check(numbers.empty() || numbers.size() == sources, "decode",
        "expected a number for each of {} sources; got {}", sources, numbers.size());
}

std::vector<std::vector<Hypothesis>> run(Decoding& decoding,
                                         std::span<const std::uint64_t> numbers) {
  const NoDropout evaluate;
  if (decoding.options.sample) return draw_samples(decoding, numbers);
  return std::move(beam_search(decoding, std::span(&decoding.options.length_penalty, 1)).front());
}

/// The beginning of decode() for sources, of which there is at least one.
Decoding begin_sources(const Decoder& decoder, std::span<const std::vector<Id>> sources,
                       const DecodeOptions& o) {
  std::vector<Index> longest;
  for (const auto& source : sources)
    longest.push_back(most_tokens(decoder, std::ssize(source), o));
  Decoding decoding{begin(decoder, sources, o.special), &decoder, sources, o};
  decoding.start.longest = std::move(longest);
  return decoding;
}

}  // namespace

std::vector<std::vector<std::vector<Hypothesis>>> decode_with_penalties(
    const Decoder& decoder, std::span<const std::vector<Id>> sources, const DecodeOptions& o,
    std::span<const Real> length_penalties) {
  check(!o.sample, "decode", "expected a search, which length penalties rank; got samples");
  for (const Real penalty : length_penalties) {
    DecodeOptions with = o;
    with.length_penalty = penalty;
    check_options(with);
  }
  check_texts("decode", decoder, sources);
  if (sources.empty() || length_penalties.empty())
    return std::vector<std::vector<std::vector<Hypothesis>>>(length_penalties.size());
  const NoDropout evaluate;
  Decoding decoding = begin_sources(decoder, sources, o);
  return beam_search(decoding, length_penalties);
}

std::vector<std::vector<Hypothesis>> decode(const Decoder& decoder,
                                            std::span<const std::vector<Id>> sources,
                                            const DecodeOptions& o,
                                            std::span<const std::uint64_t> numbers) {
  check_options(o);
  check_numbers(numbers, sources.size());
  check_texts("decode", decoder, sources);
  if (sources.empty()) return {};
  Decoding decoding = begin_sources(decoder, sources, o);
  return run(decoding, numbers);
}

std::vector<std::vector<Hypothesis>> decode(DecodingStart start, const DecodeOptions& o,
                                            std::span<const std::uint64_t> numbers) {
  check_options(o);
  check(start.state != nullptr, "decode", "expected a state to begin from; got none");
  const auto rows = static_cast<std::size_t>(start.state->rows());
  check(start.tokens.size() == rows && start.longest.size() == rows, "decode",
        "expected a token and a longest output for each of {} rows; got {} and {}", rows,
        start.tokens.size(), start.longest.size());
  check(o.coverage_penalty == 0, "decode",
        "expected sources to attend to again, for a coverage penalty; got a state alone");
  check_numbers(numbers, rows);
  if (rows == 0) return {};
  Decoding decoding{std::move(start), nullptr, {}, o};
  return run(decoding, numbers);
}

}  // namespace heed
