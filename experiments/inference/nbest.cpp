#include "experiments/inference/nbest.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace heed {

namespace {

using Outputs = std::vector<Translation>;

constexpr int times_wider = 8;
constexpr int widest = 1000;  // rows of the search of a line, or its draws

/// Keeps the best of all outputs with the same text, in the place of the first of them.
Outputs different(Outputs outputs) {
  Outputs kept;
  std::unordered_map<std::string, std::size_t> places;
  for (Translation& output : outputs) {
    const auto [at, fresh] = places.try_emplace(output.text, kept.size());
    if (fresh) {
      kept.push_back(std::move(output));
    } else if (output.score > kept[at->second].score) {
      kept[at->second] = std::move(output);
    }
  }
  return kept;
}

/// Puts `best` first and removes the outputs that would stand before it: a wider search may find
/// another best output, but the first line stays the translation.
void begin_with(Translation best, Outputs& outputs) {
  for (const Translation& output : outputs)
    if (output.text == best.text && output.score > best.score) best = output;
  std::erase_if(outputs, [&](const Translation& output) {
    return output.text == best.text || output.score > best.score;
  });
  outputs.insert(outputs.begin(), std::move(best));
}

DecodeOptions of_width(DecodeOptions options, int width) {
  options.nbest = width;
  if (!options.sample) options.beam = width;
  return options;
}

}  // namespace

std::vector<Outputs> translate_nbest(const Decoder& decoder, const Tokenizers& tokenizers,
                                     std::span<const std::string> lines,
                                     const DecodeOptions& options, std::uint64_t first) {
  std::vector<Outputs> results = translate(decoder, tokenizers, lines, options, first);
  const auto wanted = static_cast<std::size_t>(options.nbest);
  const int asked = options.sample ? options.nbest : options.beam;
  for (std::size_t i = 0; i < results.size(); ++i) {
    Outputs& outputs = results[i];
    if (outputs.empty()) continue;  // of a blank line
    outputs = different(std::move(outputs));
    for (int width = 2 * asked; outputs.size() < wanted; width *= 2) {
      if (width > std::min(times_wider * asked, widest)) break;
      const DecodeOptions wider = of_width(options, width);
      const auto line = lines.subspan(i, 1);
      Outputs more = different(translate(decoder, tokenizers, line, wider, first + i).front());
      if (!options.sample) begin_with(outputs.front(), more);
      if (more.size() > outputs.size()) outputs = std::move(more);
    }
    if (outputs.size() > wanted) outputs.resize(wanted);
  }
  return results;
}

}  // namespace heed
