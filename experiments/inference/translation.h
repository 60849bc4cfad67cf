#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "datasets/text/tokenizer.h"
#include "experiments/inference/run_settings.h"
#include "models/decode/decode.h"

namespace heed {

/// The special ids of the tokenizers' vocabularies.
SpecialIds special_ids();

/// The options that a run's settings give. Where decode.max_length sets no limit, an output has at
/// most data.max_length tokens, as in training; where that sets none either, 1,024, so that a long
/// line does not take too long.
DecodeOptions decode_options(const RunSettings& settings);

/// Options as somebody asks for them, by the names of DecodeOptions' fields.
struct RequestedDecoding {
  std::map<std::string, FieldValue> values;
  std::optional<int> nbest = {};
  bool sample = false;
};
/// The options of a run, replaced by those that are asked for. Where one that is asked for
/// contradicts one of the run, the one of the run is adjusted. Throws FieldError where a value is
/// out of its range.
DecodeOptions decode_options(const RunSettings& settings, const RequestedDecoding& requested);

/// A line that is longer than the model reads.
struct LongLine {
  std::size_t line = 0;    // from 0
  std::size_t tokens = 0;  // </s> among them
};
/// The first of the lines that have more tokens than longest_source(placed), and so are cut.
std::optional<LongLine> first_long_line(Index placed, const Tokenizers& tokenizers,
                                        std::span<const std::string> lines);

/// The largest number of tokens of a source, with </s>: what the model can place (0: any number),
/// at most 16,384. The cost of attention grows with the square of this number.
std::size_t longest_source(Index placed);
inline std::size_t longest_source(const Decoder& decoder) {
  return longest_source(decoder.longest_source());
}
/// The source as the model reads it: with </s>, cut to longest_source() tokens. Empty for a blank
/// line. Where the model copies, `extra` gets the unknown words.
std::vector<Id> encode_source(const Decoder& decoder, const Tokenizers& tokenizers,
                              const std::string& line, std::vector<std::string>& extra);

/// An output with its text.
struct Translation : Hypothesis {
  std::string text;
};
/// The outputs of each line, best first; none for a blank one.
using Translations = std::vector<std::vector<Translation>>;
/// Translates lines. Returns the outputs of each, best first; none for a blank line. Lines of
/// similar length are decoded in one batch. `first`: the number of the first line, on which the
/// random numbers of samples depend. Any number of threads may translate with one decoder.
Translations translate(const Decoder& decoder, const Tokenizers& tokenizers,
                       std::span<const std::string> lines, const DecodeOptions& options,
                       std::uint64_t first = 0);
/// translate() under each of several length penalties, at the cost of the slowest
/// (decode_with_penalties()).
std::vector<Translations> translate_with_penalties(const Decoder& decoder,
                                                   const Tokenizers& tokenizers,
                                                   std::span<const std::string> lines,
                                                   const DecodeOptions& options,
                                                   std::span<const Real> length_penalties);

}  // namespace heed
