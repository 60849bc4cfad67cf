#include "experiments/inference/translation.h"

#include <algorithm>
#include <functional>

#include "datasets/text/special_ids.h"
#include "framework/sequences.h"

namespace heed {

namespace {

// Limits of a batch: its sources, their tokens, and the rows of the search.
constexpr std::size_t most_sources = 64;
constexpr std::size_t most_tokens = 16384;
constexpr std::size_t most_rows = 1024;

/// The options with lengths that the model can place. A run's own may be longer.
DecodeOptions fitting_options(DecodeOptions options, const Decoder& decoder) {
  const Index most = decoder.longest_output(0);
  if (most == 0) return options;
  options.min_length = std::min(options.min_length, most);
  options.max_length = std::min(options.max_length, most);
  return options;
}

/// The places of the sources that are not empty, the shortest first.
std::vector<std::size_t> order_by_length(const std::vector<std::vector<Id>>& sources) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < sources.size(); ++i)
    if (!sources[i].empty()) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return sources[a].size() < sources[b].size();
  });
  return order;
}

/// The end of the batch that begins at order[begin]. `rows`: rows of the search for each source.
std::size_t end_of_batch(const std::vector<std::vector<Id>>& sources,
                         const std::vector<std::size_t>& order, std::size_t begin,
                         std::size_t rows) {
  std::size_t tokens = sources[order[begin]].size();
  std::size_t end = begin + 1;
  for (; end < order.size(); ++end) {
    tokens += sources[order[end]].size();
    const std::size_t count = end - begin + 1;
    if (count > most_sources || tokens > most_tokens || count * rows > most_rows) break;
  }
  return end;
}

/// The text of an output, in one line: subwords can spell any byte, line breaks too.
std::string text_of(const Tokenizers& tokenizers, const Hypothesis& hypothesis,
                    const std::vector<std::string>& extra) {
  std::string text = tokenizers.target->decode(hypothesis.ids, extra);
  const auto breaks_line = [](char c) { return c == '\n' || c == '\r'; };
  std::replace_if(text.begin(), text.end(), breaks_line, ' ');
  return text;
}

}  // namespace

SpecialIds special_ids() { return {.pad = pad_id, .bos = bos_id, .eos = eos_id, .unk = unk_id}; }

DecodeOptions decode_options(const RunSettings& settings) {
  DecodeOptions options = settings.decode;
  options.special = special_ids();
  options.usual_length = settings.data.max_length > 0 ? settings.data.max_length : 1024;
  return options;
}

DecodeOptions decode_options(const RunSettings& settings, const RequestedDecoding& requested) {
  DecodeOptions options = decode_options(settings);
  Fields fields = fields_of(options);
  options.list_sampling(fields);
  for (const auto& [key, value] : requested.values)
    if (const Field* field = fields.find(key)) field->set(value);
  const auto is_requested = [&](const char* key) { return requested.values.contains(key); };
  options.sample = requested.sample;
  options.nbest = requested.nbest.value_or(1);
  if (!is_requested("beam")) options.beam = std::max(options.beam, options.nbest);
  if (options.sample) options.coverage_penalty = 0;
  if (options.max_length == 0 || options.min_length <= options.max_length) return options;
  if (is_requested("min_length"))
    options.max_length = options.min_length;
  else
    options.min_length = options.max_length;
  return options;
}

std::optional<LongLine> first_long_line(Index placed, const Tokenizers& tokenizers,
                                        std::span<const std::string> lines) {
  if (!tokenizers.source) return std::nullopt;  // the lines are no texts
  const std::size_t longest = longest_source(placed);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].size() + 2 <= longest) continue;  // a token has at least one byte
    const std::size_t tokens = tokenizers.source->tokens(lines[i]).size() + 1;
    if (tokens > longest) return LongLine{.line = i, .tokens = tokens};
  }
  return std::nullopt;
}

std::size_t longest_source(Index placed) {
  constexpr std::size_t most = 16384;
  return placed > 0 ? std::min(most, static_cast<std::size_t>(placed)) : most;
}

std::vector<Id> encode_source(const Decoder& decoder, const Tokenizers& tokenizers,
                              const std::string& line, std::vector<std::string>& extra) {
  std::vector<Id> ids = decoder.copies() ? tokenizers.source->encode_widening(line, extra)
                                         : tokenizers.source->encode(line);
  ids.resize(std::min(ids.size(), longest_source(decoder) - 1));
  if (!ids.empty()) ids.push_back(eos_id);
  return ids;
}

namespace {

using Outputs = std::vector<std::vector<Hypothesis>>;
/// Decodes a batch of sources of these numbers, in one or several ways.
using DecodeBatch = std::function<std::vector<Outputs>(std::span<const std::vector<Id>> sources,
                                                       std::span<const std::uint64_t> numbers)>;

/// The outputs of each way for each line. `rows`: rows of the search for each source.
std::vector<Translations> translate_batches(const Decoder& decoder, const Tokenizers& tokenizers,
                                            std::span<const std::string> lines, std::size_t rows,
                                            std::uint64_t first, std::size_t ways,
                                            const DecodeBatch& decode_batch) {
  std::vector<std::vector<Id>> sources;
  std::vector<std::vector<std::string>> extras(lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i)
    sources.push_back(encode_source(decoder, tokenizers, lines[i], extras[i]));
  const std::vector<std::size_t> order = order_by_length(sources);
  std::vector<Translations> results(ways, Translations(lines.size()));
  for (std::size_t begin = 0; begin < order.size();) {
    const std::size_t end = end_of_batch(sources, order, begin, rows);
    std::vector<std::vector<Id>> batch;
    std::vector<std::uint64_t> numbers;
    for (std::size_t i = begin; i < end; ++i) {
      batch.push_back(std::move(sources[order[i]]));
      numbers.push_back(first + order[i]);
    }
    std::vector<Outputs> decoded = decode_batch(batch, numbers);
    for (std::size_t way = 0; way < ways; ++way)
      for (std::size_t i = begin; i < end; ++i)
        for (Hypothesis& hypothesis : decoded[way][i - begin]) {
          std::string text = text_of(tokenizers, hypothesis, extras[order[i]]);
          results[way][order[i]].push_back({std::move(hypothesis), std::move(text)});
        }
    begin = end;
  }
  return results;
}

}  // namespace

Translations translate(const Decoder& decoder, const Tokenizers& tokenizers,
                       std::span<const std::string> lines, const DecodeOptions& options,
                       std::uint64_t first) {
  const DecodeOptions fitting = fitting_options(options, decoder);
  const auto rows = static_cast<std::size_t>(options.sample ? options.nbest : options.beam);
  const auto decode_batch = [&](std::span<const std::vector<Id>> sources,
                                std::span<const std::uint64_t> numbers) {
    std::vector<Outputs> one;
    one.push_back(decode(decoder, sources, fitting, numbers));
    return one;
  };
  return std::move(
      translate_batches(decoder, tokenizers, lines, rows, first, 1, decode_batch).front());
}

std::vector<Translations> translate_with_penalties(const Decoder& decoder,
                                                   const Tokenizers& tokenizers,
                                                   std::span<const std::string> lines,
                                                   const DecodeOptions& options,
                                                   std::span<const Real> length_penalties) {
  const DecodeOptions fitting = fitting_options(options, decoder);
  const auto decode_batch = [&](std::span<const std::vector<Id>> sources,
                                std::span<const std::uint64_t>) {
    return decode_with_penalties(decoder, sources, fitting, length_penalties);
  };
  return translate_batches(decoder, tokenizers, lines, static_cast<std::size_t>(options.beam), 0,
                           length_penalties.size(), decode_batch);
}

}  // namespace heed
